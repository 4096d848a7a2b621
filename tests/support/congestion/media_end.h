#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "parley/base/environment.h"
#include "parley/media/rtp_session.h"
#include "parley/sim/world.h"

#include "support/congestion/synthetic_encoder.h"

namespace parley::test {

/// A packet that arrived, as the measurements want it.
struct Arrival {
  double at = 0;       ///< s
  double delayMs = 0;  ///< one way
  uint32_t bytes = 0;  ///< on the wire
  bool marked = false;
};

/// One end of a call in the simulator: a media::RtpSession on a UDP socket, without ICE and DTLS.
/// In place of the 16 bytes that SRTP adds each packet carries the time at which it left.
class MediaEnd final : public Driven {
 public:
  static constexpr uint16_t kPort = 5000;
  static constexpr size_t kTrailer = 16;

  struct Options {
    DataRate start = DataRate::kbps(300);
    DataRate max = DataRate::kbps(2500);
    DataRate min = DataRate::kbps(30);
    media::ArrivalFeedback feedback = media::ArrivalFeedback::TransportWide;
    const congestion::ControllerFactory* controllers = nullptr;
    bool peerReportsRfc8888 = false;
  };

  MediaEnd(const std::string& name, const Options& options, sim::World& world)
      : random_(world.randomFor(name + "/session")),
        environment_{random_, pool_, nullLog(), world.wallClock(), {}},
        encoder_(world.randomFor(name + "/encoder").u64()),
        options_(options) {
    media::RtpSessionConfig config;
    config.cname = name;
    config.rates.start = options.start;
    config.rates.max = options.max;
    config.rates.min = options.min;
    config.reducedSizeRtcp = true;
    config.arrivalFeedback = options.feedback;
    config.controllers = options.controllers;
    config.peerReportsRfc8888 = options.peerReportsRfc8888;
    session_ = std::make_unique<media::RtpSession>(environment_, config);
    effects_.push_back(OpenUdp{SocketId(1), SocketAddress{IpAddress::v4(0, 0, 0, 0), kPort}});
  }
  ~MediaEnd() override { session_.reset(); }

  void setPeer(const SocketAddress& peer) { peer_ = peer; }
  media::RtpSession& session() { return *session_; }
  SyntheticEncoder& encoder() { return encoder_; }
  const std::vector<Arrival>& arrivals() const { return arrivals_; }
  uint64_t packetsSent() const { return packetsSent_; }
  uint64_t framesReceived() const { return frames_; }

  void connect(Timestamp now) { session_->setNetworkAvailable(true, now); }
  void addVideoSender(Timestamp now) {
    media::SendStreamConfig s;
    s.kind = media::MediaKind::Video;
    s.mid = "v";
    s.codec = "VP8";
    s.payloadType = 96;
    s.rtxPayloadType = 97;
    s.rtxSsrc = 0;
    s.nack = true;
    s.maxBitrate = options_.max;
    s.extensions = extensions();
    video_ = session_->addSendStream(s, now).value();
  }
  void addVideoReceiver(Timestamp now) {
    media::ReceiveConfig r;
    r.id = media::ReceiverId{1};
    r.mid = "v";
    r.kind = media::MediaKind::Video;
    media::ReceiveCodec codec;
    codec.payloadType = 96;
    codec.name = "VP8";
    codec.rtxPayloadType = 97;
    codec.nack = codec.pli = true;
    r.codecs.push_back(codec);
    r.extensions = extensions();
    session_->setReceiver(r, now);
  }
  void startVideo(Timestamp now) {
    encoder_.requestKeyFrame();
    encoder_.start(now);
    wake_ = now;
  }
  void stopVideo() { encoder_.stop(); }

  // Driven
  void handle(Input&& input, Timestamp now) override {
    now_ = now;
    auto* datagram = std::get_if<Datagram>(&input);
    if (datagram == nullptr || datagram->data.size() < kTrailer) return;
    PacketBuf packet = std::move(datagram->data);
    const size_t size = packet.size() - kTrailer;
    ByteReader trailer(packet.span().subspan(size));
    const auto sent = Timestamp::nanos(static_cast<int64_t>(trailer.u64()));
    const bool rtcp = trailer.u8() != 0;
    if (!rtcp) {
      arrivals_.push_back({now.seconds(), (now - sent).seconds() * 1000,
                           static_cast<uint32_t>(packet.size() + 28), datagram->ecn == Ecn::Ce});
    }
    packet.resize(size);
    if (rtcp) {
      session_->handleRtcp(packet.span(), now);
    } else {
      session_->handleRtp(std::move(packet), now, datagram->ecn);
    }
    collect();
  }
  void advance(Timestamp now) override {
    now_ = now;
    wake_ = Timestamp::never();
    session_->advance(now);
    while (encoder_.nextFrame() <= now) {
      if (encoder_.encode(now, frame_) && !session_->sendVideo(video_, frame_, now))
        encoder_.requestKeyFrame();
    }
    collect();
  }
  size_t pollTransmit(std::span<TxPacket> out) override {
    size_t count = 0;
    media::OutgoingPacket packet;
    while (count < out.size() && session_->pollTransmit(packet)) {
      TxPacket& tx = out[count++];
      tx.socket = SocketId(1);
      tx.to = peer_;
      tx.txClass = packet.txClass;
      tx.ecn = packet.ecn;
      const size_t size = packet.data.size();
      packet.data.resize(size + kTrailer);
      ByteWriter trailer(packet.data.mutableSpan().subspan(size));
      trailer.u64(static_cast<uint64_t>(now_.nanos()));
      trailer.u8(packet.isRtcp ? 1 : 0);
      trailer.zeros(kTrailer - 9);
      if (!packet.isRtcp) ++packetsSent_;
      tx.data = std::move(packet.data);
    }
    return count;
  }
  bool pollEffect(Effect& out) override {
    if (effects_.empty()) return false;
    out = std::move(effects_.back());
    effects_.pop_back();
    return true;
  }
  Timestamp nextDeadline() const override {
    return earliest(session_->nextDeadline(), encoder_.nextFrame(), wake_);
  }
  PacketPool& pool() override { return pool_; }

 private:
  static rtp::ExtensionMap extensions() {
    rtp::ExtensionMap map;
    map.add(rtp::ExtensionKind::Mid, 1);
    map.add(rtp::ExtensionKind::AbsSendTime, 2);
    map.add(rtp::ExtensionKind::TransportSequenceNumber, 3);
    return map;
  }
  void collect() {
    media::RtpEvent event;
    while (session_->pollEvent(event)) {
      if (std::get_if<media::KeyFrameRequested>(&event) != nullptr) encoder_.requestKeyFrame();
      if (const auto* change = std::get_if<media::TargetBitrateChanged>(&event))
        encoder_.setTarget(change->rate, now_);
    }
    while (session_->pollFrame(received_)) ++frames_;
  }

  SeededRandom random_;
  PacketPool pool_;
  Environment environment_;
  std::unique_ptr<media::RtpSession> session_;
  SyntheticEncoder encoder_;
  Options options_;
  SocketAddress peer_;
  media::SendStreamId video_;
  std::vector<Effect> effects_;
  codec::EncodedVideoFrame frame_;
  media::ReceivedFrame received_;
  std::vector<Arrival> arrivals_;
  uint64_t packetsSent_ = 0;
  uint64_t frames_ = 0;
  Timestamp now_;
  Timestamp wake_ = Timestamp::never();
};

}  // namespace parley::test
