#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "parley/base/bytes.h"
#include "parley/base/time.h"
#include "parley/media/receive_types.h"
#include "parley/media/types.h"
#include "parley/rtp/extension_map.h"
#include "parley/rtp/packet_view.h"

// RTP packets as they are, for apps that have a packetizer, a recorder or a network of their own:
// into a call by MediaStreamTrack::createRtp, out of it by RtpReceiver::setPacketSink.

namespace parley {

/// What the packets are that an app pushes into a track of MediaStreamTrack::createRtp.
struct RtpTrackInit {
  media::MediaKind kind = media::MediaKind::Video;  ///< of the track
  /// Encoding name of SDP, "H264": a sender of the track sends the first agreed codec of that name,
  /// and nothing if there is none. Configuration::encodedVideoFormats agrees on codecs that the
  /// library has no encoder for. Not empty.
  std::string codec;
  /// Of those packets; others are refused. Nothing: all are taken for it.
  std::optional<uint8_t> payloadType{};
  /// Of telephone events (RFC 4733) among them.
  std::optional<uint8_t> eventPayloadType{};
  /// What the ids of their header extensions mean, by URI or kind. Those that are agreed with the
  /// peer and tell about the content (audio levels, video orientation, playout delay, capture time,
  /// content type, color space, dependency descriptor, ...) go along, under the agreed ids.
  rtp::ExtensionMap headerExtensions{};
};

/// The payload of one RTP packet, for apps that have no header to go with it.
struct RtpPayload {
  ByteSpan data;              ///< what stands behind the header
  uint32_t timestamp = 0;     ///< in the codec's RTP clock; where it begins does not matter
  bool marker = false;        ///< the last packet of a picture
  uint8_t encodingIndex = 0;  ///< whose layer of simulcast it is
};

/// A packet as it came: decrypted and, if it came as a retransmission or in RED, unwrapped. Borrows
/// what it points to: that is gone when the sink returns.
struct ReceivedRtpPacket {
  /// Header, payload, `packet.packet()` for all bytes. The payload may be empty: padding, or the
  /// place of a FEC packet.
  rtp::PacketView packet;
  /// What the ids of its header extensions mean.
  const rtp::ExtensionMap* headerExtensions = nullptr;
  std::string_view codec;  ///< encoding name of SDP: "VP8", "opus", "telephone-event"
  std::string_view rid;    ///< of a layer of simulcast; else empty
  Timestamp arrival;       ///< by the loop's clock
  bool repaired = false;   ///< it was lost, and has come again or was put together from FEC

  /// A header extension by its type (parley/rtp/extensions/), e.g. `extension<rtp::AudioLevel>()`;
  /// nothing if it is not agreed, absent or malformed.
  template <class Extension>
  std::optional<typename Extension::Value> extension() const {
    return rtp::getExtension<Extension>(packet, *headerExtensions);
  }
};

/// What a receiver's packets are handed to (RtpReceiver::setPacketSink).
using RtpPacketSink = std::function<void(const ReceivedRtpPacket&)>;

/// What is done about losses before a sink gets packets.
using PacketRepair = media::PacketRepair;

}  // namespace parley
