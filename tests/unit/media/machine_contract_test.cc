// The rules of every machine (support/machine_contract.h), for the RTP session and what it is made
// of.

#include "support/machine_contract.h"

#include <deque>
#include <memory>

#include "parley/codec/fake.h"
#include "parley/codec/generators.h"
#include "parley/media/receive_hub.h"
#include "parley/media/rtp_session.h"

#include "media/pacer.h"
#include "media/tone_receiver.h"
#include "unit/media/media_fixture.h"

namespace parley::media {
namespace {

using namespace parley::test;

/// Sends and receives a video of ten small frames a second.
class RtpSessionContract final : public Contracted {
 public:
  RtpSessionContract(uint64_t seed, bool) : world_(seed), session_(world_.environment, config()) {
    codec::VideoEncoderSettings settings;
    settings.width = settings.height = 16;
    encoder_ = codec::fakeVideoEncoders()->create({"VP8", {}, {}}, settings).value();
  }
  static void introduce(RtpSessionContract&, RtpSessionContract&) {}
  static RtpSessionConfig config() {
    RtpSessionConfig config;
    config.cname = "cname";
    config.arrivalFeedback = ArrivalFeedback::TransportWide;
    return config;
  }
  void start(Timestamp now) override {
    SendStreamConfig video;
    video.kind = MediaKind::Video;
    video.mid = "v";
    video.codec = "VP8";
    video.payloadType = media::test::kVp8;
    video.rtxPayloadType = media::test::kVp8Rtx;
    video.rtxSsrc = 0;
    video.nack = true;
    video.extensions = media::test::browserExtensions();
    stream_ = session_.addSendStream(video, now).value();
    session_.setReceiver(media::test::videoConfig(1, "v"), now);
    session_.setNetworkAvailable(true, now);
  }
  void work(int round, Timestamp now) override {
    if (!encoder_->encode(pattern_.next(now), round % 10 == 0)) return;
    while (encoder_->poll(frame_)) (void)session_.sendVideo(stream_, frame_, now).has_value();
  }
  void handle(ByteSpan bytes, Timestamp now) override {
    // RFC 5761 section 4: RTCP's packet types where RTP has marker and payload type.
    if (bytes.size() > 1 && bytes[1] >= 192 && bytes[1] <= 223) {
      session_.handleRtcp(bytes, now);
    } else {
      session_.handleRtp(world_.pool.copyOf(bytes), now);
    }
  }
  bool pollDatagram(Bytes& out) override {
    OutgoingPacket packet;
    if (!session_.pollTransmit(packet)) return false;
    out = toBytes(packet.data.span());
    return true;
  }
  bool pollEvent(std::string& out) override {
    RtpEvent event;
    ReceivedFrame frame;
    if (session_.pollEvent(event)) {
      out = "event " + std::to_string(event.index());
      return true;
    }
    if (!session_.pollFrame(frame)) return false;
    out = "frame " + std::to_string(frame.rtpTimestamp);
    return true;
  }
  void advance(Timestamp now) override { session_.advance(now); }
  Timestamp nextDeadline() const override { return session_.nextDeadline(); }
  bool close(Timestamp now) override {
    session_.close(now);
    return true;
  }

 private:
  ContractWorld world_;
  RtpSession session_;
  SendStreamId stream_{};
  std::unique_ptr<codec::VideoEncoder> encoder_;
  codec::TestPattern pattern_{16, 16};
  codec::EncodedVideoFrame frame_;
};

/// Hears a sender of video that loses every tenth packet; its requests count as datagrams.
class ReceiveHubContract final : public Contracted {
 public:
  explicit ReceiveHubContract(uint64_t seed) : world_(seed), hub_(world_.environment) {}
  void start(Timestamp) override {
    hub_.setArrivalFeedback(ArrivalFeedback::TransportWide);
    hub_.setReceiver(media::test::videoConfig(1, "v"));
    sender_.mid = "v";
    sender_.withTransportSequence = true;
  }
  void work(int round, Timestamp now) override {
    int number = 0;
    for (const Bytes& packet : sender_.vp8(round % 20 == 0, 3)) {
      if ((round * 3 + ++number) % 10 != 0) handle(packet, now);
    }
  }
  void handle(ByteSpan bytes, Timestamp now) override {
    PacketBuf packet = world_.pool.copyOf(bytes);
    const auto view = rtp::PacketView::parse(packet.span());
    if (view) hub_.handleRtp(std::move(packet), *view, Ecn::NotEct, now);
  }
  bool pollDatagram(Bytes& out) override {
    uint8_t buffer[1200];
    ByteWriter writer(buffer);
    if (hub_.pollArrivalFeedback(writer, 1, sizeof buffer) == 0) return false;
    out = toBytes(writer.written());
    return true;
  }
  bool pollEvent(std::string& out) override {
    FeedbackRequest request;
    ReceivedFrame frame;
    SourceEvent event;
    if (hub_.pollFeedback(request)) {
      out = "feedback " + std::to_string(static_cast<int>(request.kind));
    } else if (hub_.pollEvent(event)) {
      out = "event";
    } else if (hub_.pollFrame(frame)) {
      out = "frame " + std::to_string(frame.rtpTimestamp);
    } else {
      return false;
    }
    return true;
  }
  void advance(Timestamp now) override { hub_.advance(now); }
  Timestamp nextDeadline() const override { return hub_.nextDeadline(); }

 private:
  ContractWorld world_;
  ReceiveHub hub_;
  media::test::Sender sender_;
};

/// Its owner takes whatever may leave whenever it is awake; that is what counts.
class PacerContract final : public Contracted {
 public:
  void start(Timestamp now) override {
    pacer_.setRates({DataRate::kbps(500), DataRate::kbps(100)}, now);
  }
  void work(int round, Timestamp now) override {
    for (int i = 0; i < 6; ++i) {
      PacedPacket packet;
      packet.sequence = round * 6 + i;
      packet.size = 1000;
      packet.type = i == 0 ? PacketType::Audio : PacketType::Video;
      packet.queued = now;
      (void)pacer_.push(std::move(packet));
    }
    advance(now);
  }
  void handle(ByteSpan, Timestamp) override {}
  bool pollDatagram(Bytes& out) override {
    if (left_.empty()) return false;
    out = {static_cast<uint8_t>(left_.front())};
    left_.pop_front();
    return true;
  }
  void advance(Timestamp now) override {
    PacedPacket packet;
    int32_t probe = -1;
    while (pacer_.pop(packet, probe, now)) left_.push_back(packet.sequence);
  }
  Timestamp nextDeadline() const override { return pacer_.nextDeadline(); }

 private:
  Pacer pacer_{4096};
  std::deque<int64_t> left_;
};

/// Hears a key pressed once a second; now and then the end of it is lost.
class ToneReceiverContract final : public Contracted {
 public:
  void work(int round, Timestamp now) override {
    if (round % 10 > 2 || (round / 10 % 3 == 0 && round % 10 == 2)) return;
    uint8_t bytes[rtp::TelephoneEvent::kSize];
    ByteWriter writer(bytes);
    const auto duration = static_cast<uint16_t>(800 * (round % 10));
    rtp::TelephoneEvent{static_cast<uint8_t>(round / 10 % 12), round % 10 == 2, 10, duration}.write(
        writer);
    timestamp_ = 8000u * static_cast<uint32_t>(round / 10);
    handle(bytes, now);
  }
  void handle(ByteSpan bytes, Timestamp now) override {
    (void)tones_.receive(bytes, timestamp_, 8000, now);
  }
  bool pollDatagram(Bytes&) override { return false; }
  bool pollEvent(std::string& out) override {
    ToneEvent event;
    if (!tones_.poll(event)) return false;
    out = std::to_string(event.event) + (event.ended ? " ends" : " begins");
    return true;
  }
  void advance(Timestamp now) override { tones_.advance(now); }
  Timestamp nextDeadline() const override { return tones_.nextDeadline(); }

 private:
  ToneReceiver tones_;
  uint32_t timestamp_ = 0;
};

template <class Machine>
ContractedPair alone(uint64_t seed) {
  if constexpr (std::is_constructible_v<Machine, uint64_t>) {
    return {std::make_unique<Machine>(seed), nullptr};
  } else {
    return {std::make_unique<Machine>(), nullptr};
  }
}

// RTP without SRTP cannot tell a cut packet from a short one.
PARLEY_MACHINES(Media, MachineCase{"RtpSession", pairOf<RtpSessionContract>(), true, false, true},
                MachineCase{"ReceiveHub", alone<ReceiveHubContract>},
                MachineCase{"Pacer", alone<PacerContract>},
                MachineCase{"ToneReceiver", alone<ToneReceiverContract>});

}  // namespace
}  // namespace parley::media
