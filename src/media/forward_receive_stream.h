#pragma once

#include "parley/base/ring_queue.h"

#include "media/key_frame_requester.h"
#include "media/receive_stream.h"

namespace parley::media {

/// A source whose packets are handed on as they come: counted, reported, repaired as far as its
/// receiver wants, but not put in order.
class ForwardReceiveStream final : public ReceiveStream {
 public:
  ForwardReceiveStream(const Environment& environment, const ReceiveConfig& config, uint32_t ssrc,
                       HeldTotals& held)
      : ReceiveStream(environment, config, ssrc, held), repair_(config.repair) {}

  bool handsOnPackets() const override { return true; }
  bool pollPacket(ReceivedPacket& out);
  void advance(Timestamp now) override;
  Timestamp nextDeadline() const override;
  void setRtt(Duration rtt) override;
  void handleFec(PacketBuf packet, const rtp::FecPacket& fec, Timestamp now) override;
  void setMinimumDelay(Duration) override {}
  void setSyncDelay(Duration) override {}
  void requestKeyFrame(Timestamp now) override;
  std::optional<Duration> captureToPlayout() const override { return std::nullopt; }
  void shed(Timestamp now) override;

 protected:
  void receive(PacketBuf packet, const rtp::PacketView& view, const ReceiveConfig& config,
               const ReceiveCodec& codec, int64_t sequence, int64_t rtp, Arrival arrival,
               Timestamp now) override;
  void restart() override { clearFec(); }
  void fillKindStats(InboundStats&) const override {}

 private:
  struct Waiting {
    PacketBuf packet;
    Timestamp arrival;
    bool recovered = false;
  };
  void takeUlpfec(const rtp::PacketView& view, Timestamp now);
  Timestamp fecDeadline() const;

  PacketRepair repair_;
  RingQueue<Waiting> ready_{512};
  KeyFrameRequester requester_;
};

}  // namespace parley::media
