#pragma once

#include <memory>
#include <vector>

#include "parley/rtp/payload_format/payload_format.h"

#include "media/frame_assembler.h"
#include "media/key_frame_requester.h"
#include "media/receive_stream.h"
#include "media/video_jitter_buffer.h"

namespace parley::media {

/// Packets of one video source in, frames in decodable order out, when they are due.
class VideoReceiveStream final : public ReceiveStream {
 public:
  VideoReceiveStream(const Environment& environment, const ReceiveConfig& config, uint32_t ssrc,
                     uint32_t clockRate, HeldTotals& held);

  bool pollFrame(ReceivedFrame& out) { return ready_.pop(out); }
  void advance(Timestamp now) override;
  Timestamp nextDeadline() const override;
  void setRtt(Duration rtt) override;
  void setMinimumDelay(Duration delay) override { buffer_.setMinimumDelay(delay); }
  void setSyncDelay(Duration delay) override { buffer_.setSyncDelay(delay); }
  void requestKeyFrame(Timestamp now) override;
  void decoderLostState(Timestamp now) override;
  std::optional<Duration> captureToPlayout() const override;
  void handleFec(PacketBuf packet, const rtp::FecPacket& fec, Timestamp now) override;
  void shed(Timestamp now) override;

 protected:
  void receive(PacketBuf packet, const rtp::PacketView& view, const ReceiveConfig& config,
               const ReceiveCodec& codec, int64_t sequence, int64_t rtp, Arrival arrival,
               Timestamp now) override;
  void restart() override;
  void fillKindStats(InboundStats& out) const override;

 private:
  struct Format {
    uint8_t payloadType = 0;
    std::string name;
    std::unique_ptr<rtp::Depacketizer> depacketizer;
  };
  /// nullptr if there is no payload format of that name.
  const Format* formatOf(const ReceiveCodec& codec);
  void noteInsert(FrameAssembler::Insert result);
  void takeFrames(const rtp::ExtensionMap& extensions, Timestamp now);
  void release(Timestamp now);
  /// Drops what can become of no use any more.
  void expire(Timestamp now);
  void hand(AssembledFrame& frame, Timestamp playout, Timestamp now);
  void askForKeyFrame(Timestamp now);
  Duration stallLimit() const;
  Duration layerPatience() const;
  bool isAlive() const;

  std::vector<Format> formats_;
  FrameAssembler assembler_;
  VideoJitterBuffer buffer_;
  KeyFrameRequester requester_;
  RecyclingQueue<ReceivedFrame> ready_{64};
  AssembledFrame taken_;                   // kept for its memory
  std::optional<Timestamp> waitingSince_;  // packets come, but nothing is decodable
  Timestamp expiry_ = Timestamp::never();  // when to look for what has waited too long
  Timestamp now_;
  std::optional<int64_t> lastRtp_;
  rtp::VideoOrientationValue orientation_;
  rtp::VideoContentType contentType_ = rtp::VideoContentType::Unspecified;
  std::optional<rtp::ColorSpaceValue> colorSpace_;
};

}  // namespace parley::media
