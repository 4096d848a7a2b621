#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parley/base/export.h"
#include "parley/sdp/codec_params.h"

namespace parley::jsep {

/// What each payload type has come to mean. With BUNDLE one number means one format in all sections
/// (RFC 9143 section 9.1), and it keeps that meaning for the session (RFC 3264 section 8.3.2).
class PARLEY_EXPORT FormatMemory {
 public:
  /// Remembers codec.payloadType; replaces an older meaning.
  void bind(const sdp::CodecParams& codec);
  const sdp::CodecParams* at(uint8_t payloadType) const;
  /// The payload type bound to this format; rtx by its primary.
  std::optional<uint8_t> find(const sdp::CodecParams& codec) const;
  /// The codec's known number, else `codec.payloadType` if free, else any free dynamic one; binds
  /// it. nullopt when none is left.
  std::optional<uint8_t> assign(const sdp::CodecParams& codec);
  /// False if the codec's number already means something else.
  bool agrees(const sdp::CodecParams& codec) const;

  bool operator==(const FormatMemory&) const = default;

 private:
  std::vector<sdp::CodecParams> bindings_;
};

/// The same for header extension ids (RFC 8285 section 6).
class PARLEY_EXPORT ExtensionMemory {
 public:
  void bind(uint16_t id, std::string_view uri);
  const std::string* at(uint16_t id) const;
  std::optional<uint16_t> find(std::string_view uri) const;
  /// The URI's known id, else `preferred` if free, else the lowest free one: 1-14 before 16-255.
  std::optional<uint16_t> assign(std::string_view uri, uint16_t preferred);

  bool operator==(const ExtensionMemory&) const = default;

 private:
  struct Binding {
    uint16_t id;
    std::string uri;
    bool operator==(const Binding&) const = default;
  };
  std::vector<Binding> bindings_;
};

/// Whether two codecs may share a payload type: the same format, and for rtx the same primary.
PARLEY_EXPORT bool sameBinding(const sdp::CodecParams& a, const sdp::CodecParams& b);

}  // namespace parley::jsep
