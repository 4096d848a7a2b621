#pragma once

#include <bitset>
#include <cstdint>
#include <memory>
#include <optional>

#include "media/assembled_frame.h"
#include "media/dependency_order.h"

namespace parley::media {

/// Decides which frames a decoder could take next, from what the payload descriptors say about
/// references. Codec-independent part: after a key frame, a frame whose packets directly follow
/// those of the last decoded one is decodable. VP8 and VP9 say more (picture ids, temporal layers,
/// reference lists), so that frames of unneeded layers may be missing. Dependency descriptors say
/// all of it for any codec, and go before.
class DecodeOrder {
 public:
  enum class Verdict : uint8_t {
    Decodable,
    Waiting,  ///< something before it is missing and may still come
    Stale,    ///< at or before what was decoded already
  };
  /// `adjacent`: nothing but padding lies between the last decoded frame and this one.
  Verdict check(const AssembledFrame& frame, bool adjacent) const;
  /// The frame goes to the decoder. It was Decodable. Notes in it which layer it is.
  void commit(AssembledFrame& frame, bool adjacent);
  /// Nothing is decodable any more until a key frame.
  void reset();

  bool needsKeyFrame() const { return !lastSequence_; }
  std::optional<int64_t> lastSequence() const { return lastSequence_; }

 private:
  // Pictures are remembered modulo this; references in flexible mode reach back 127 at most.
  static constexpr size_t kPictureWindow = 256;

  /// 7- and 15-bit ids on one line, relative to the last decoded picture.
  std::optional<int64_t> unwrapPictureId(std::optional<uint16_t> id, bool longId) const;
  bool isDecodableVp8(const rtp::Vp8Descriptor& d, bool adjacent) const;
  bool isDecodableVp9(const rtp::Vp9Descriptor& d, bool adjacent) const;
  bool layerIsDecodable(uint8_t temporalId, uint8_t tl0, bool sync, bool follows) const;
  void commitLayers(uint8_t temporalId, uint8_t tl0, bool sync, bool switchesUp, bool follows,
                    bool keyFrame);
  bool hasPicture(int64_t id) const;
  void notePicture(int64_t id, bool keyFrame);

  std::optional<int64_t> lastSequence_;
  std::optional<int64_t> lastPicture_;
  std::optional<uint8_t> lastTl0_;
  /// A frame of this temporal layer or a lower one was skipped since the layer could last be
  /// joined.
  bool broken_[8] = {};
  std::bitset<kPictureWindow> pictures_;
  std::unique_ptr<DependencyOrder> described_;  // from the first descriptor on
};

}  // namespace parley::media
