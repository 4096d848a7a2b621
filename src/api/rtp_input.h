#pragma once

#include <memory>

#include "parley/api/rtp_packets.h"
#include "parley/media/send_stream.h"

namespace parley::api_internal {

/// A packet that an app pushes, on its way to the senders of a track. Borrows the app's bytes;
/// copies, which go to another thread, have their own.
class RtpInput {
 public:
  RtpInput(const rtp::PacketView& packet, std::shared_ptr<const RtpTrackInit> source,
           bool telephoneEvent, uint8_t encodingIndex)
      : packet_(packet),
        source_(std::move(source)),
        telephoneEvent_(telephoneEvent),
        encodingIndex_(encodingIndex) {}
  RtpInput(const RtpInput& other)
      : own_(other.packet_.packet().begin(), other.packet_.packet().end()),
        packet_(*rtp::PacketView::parse(own_)),
        source_(other.source_),
        telephoneEvent_(other.telephoneEvent_),
        encodingIndex_(other.encodingIndex_) {}
  RtpInput& operator=(const RtpInput&) = delete;

  const rtp::PacketView& packet() const { return packet_; }
  uint8_t encodingIndex() const { return encodingIndex_; }
  /// Of sound each packet is a frame; of pictures it is the last packet.
  bool endsFrame() const { return source_->kind == media::MediaKind::Audio || packet_.marker(); }
  /// Borrows this.
  media::ForeignPacket foreign() const {
    return {packet_, &source_->headerExtensions, telephoneEvent_};
  }

 private:
  Bytes own_;
  rtp::PacketView packet_;
  std::shared_ptr<const RtpTrackInit> source_;
  bool telephoneEvent_;
  uint8_t encodingIndex_;
};

}  // namespace parley::api_internal
