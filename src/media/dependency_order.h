#pragma once

#include <bitset>
#include <cstdint>
#include <optional>

#include "parley/base/bytes.h"
#include "parley/rtp/extensions/dependency_descriptor.h"

namespace parley::media {

/// Which frames can be decoded, by what their dependency descriptors say they refer to. Layers that
/// a server took out, and frames that were lost but nothing needs, are no gaps then.
class DependencyOrder {
 public:
  enum class Verdict : uint8_t {
    Decodable,
    Waiting,  ///< something that it refers to is missing, or the structure that explains it
    Unknown,  ///< no structure has ever come: the payload has to tell
  };
  /// What a frame's descriptor says of the layers in it.
  struct Layer {
    uint8_t spatialId = 0;
    uint8_t temporalId = 0;
  };
  Verdict check(ByteSpan descriptor) const;
  /// The frame goes to the decoder. It was Decodable, or Unknown and decodable for other reasons.
  Layer commit(ByteSpan descriptor);

 private:
  // References reach back 4096 frames (12 bits).
  static constexpr size_t kWindow = 8192;

  int64_t unwrap(uint16_t number) const;
  bool has(int64_t number) const;
  void note(int64_t number);

  std::optional<rtp::DependencyStructure> structure_;
  std::optional<int64_t> newest_;
  std::bitset<kWindow> decoded_;
};

}  // namespace parley::media
