#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "parley/jsep/session.h"
#include "parley/rtp/extension_map.h"

namespace parley::jsep {

inline MediaKind kindOf(const TransceiverState& transceiver) {
  return transceiver.kind == sdp::MediaKind::Audio ? MediaKind::Audio : MediaKind::Video;
}

/// The payload type that repeats packets of another one (RFC 4588), if it is agreed.
inline std::optional<uint8_t> rtxOf(const std::vector<sdp::CodecParams>& codecs,
                                    uint8_t payloadType) {
  for (const sdp::CodecParams& codec : codecs) {
    if (codec.is("rtx") && codec.associatedPayloadType() == payloadType) return codec.payloadType;
  }
  return std::nullopt;
}

/// The header extensions agreed for one direction.
inline rtp::ExtensionMap extensionsOf(const MediaSettings& settings, bool sending) {
  rtp::ExtensionMap out;
  for (const NegotiatedExtension& extension : settings.extensions) {
    const bool used = sending ? extension.send : extension.receive;
    if (used && extension.id <= 255) out.add(extension.uri, static_cast<uint8_t>(extension.id));
  }
  return out;
}

}  // namespace parley::jsep
