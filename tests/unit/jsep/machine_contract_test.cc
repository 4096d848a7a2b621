// The rules of every machine (support/machine_contract.h), for a whole session.

#include "support/machine_contract.h"

#include "parley/jsep/session.h"
#include "parley/transport/classify.h"

#include "unit/jsep/peer.h"
#include "unit/transport/transport_world.h"

namespace parley::jsep {
namespace {

using namespace parley::test;

/// Talks with its peer about a data channel and sound, and uses both.
class SessionContract final : public Contracted {
 public:
  SessionContract(uint64_t seed, bool isFirst)
      : world_(seed),
        isFirst_(isFirst),
        host_(IpAddress::v4(10, 0, 0, isFirst ? 1 : 2)),
        session_(world_.environment, config(isFirst), ContractRun::kStart) {}
  static void introduce(SessionContract& a, SessionContract& b) {
    a.peer_ = &b;
    b.peer_ = &a;
  }
  static SessionConfig config(bool isFirst) {
    SessionConfig config;
    config.transport.certificate = transport::test::certificateOf(isFirst ? 0 : 1);
    config.capabilities = jsep::test::capabilities(isFirst ? "a" : "b");
    config.capabilities.fingerprints.clear();
    return config;
  }
  void start(Timestamp now) override {
    if (!isFirst_) return;
    ASSERT_TRUE(session_.addTrack(MediaKind::Audio, "sound", {"s"}, now));
    const auto channel = session_.createDataChannel({.label = "chat"}, now);
    ASSERT_TRUE(channel);
    chat_ = *channel;
    ASSERT_TRUE(session_.setLocalDescription({}, "", now));
    Session& other = peer_->session_;
    const std::string offer = *sdp::write(session_.state().pendingLocal->sdp);
    ASSERT_TRUE(other.setRemoteDescription(SdpType::Offer, offer, now));
    ASSERT_TRUE(other.setLocalDescription({}, "", now));
    const std::string answer = *sdp::write(other.state().currentLocal->sdp);
    ASSERT_TRUE(session_.setRemoteDescription(SdpType::Answer, answer, now));
  }
  void work(int round, Timestamp now) override {
    if (!isFirst_) return;
    if (auto* channels = session_.dataChannels()) {
      (void)channels->send(chat_, asBytes("hello"), true, now).has_value();
      session_.pump(now);
    }
    codec::EncodedAudioFrame frame;
    frame.data = Bytes(80, static_cast<uint8_t>(round));
    frame.rtpTimestamp = static_cast<uint32_t>(round) * 4800;
    session_.sendAudio(session_.state().transceivers.at(0).id.value, frame, now);
  }
  bool serve(Timestamp now) override {
    Effect effect;
    if (session_.pollEffect(effect)) {
      return host_.answer(std::move(effect),
                          [&](Input&& input) { session_.handle(std::move(input), now); });
    }
    SessionEvent event;
    if (!session_.pollEvent(event)) return false;
    if (const auto* found = std::get_if<LocalCandidate>(&event)) {
      (void)peer_->session_.addIceCandidate(found->candidate, found->mid, {}, {}, now).has_value();
    }
    return true;
  }
  void handle(ByteSpan bytes, Timestamp now) override {
    session_.handle(
        Datagram{host_.socket, peer_->host_.local(), host_.local(), world_.pool.copyOf(bytes)},
        now);
  }
  bool pollDatagram(Bytes& out) override {
    TxPacket packet;
    if (!session_.pollTransmit(packet)) return false;
    out = toBytes(packet.data.span());
    return true;
  }
  bool pollEvent(std::string& out) override {
    sctp::ChannelEvent event;
    sctp::ChannelMessage message;
    media::AudioPlayoutUnit unit;
    if (session_.pollChannelEvent(event)) {
      out = "channel " + std::to_string(event.index());
    } else if (session_.pollMessage(message)) {
      out = std::string(asText(message.data));
    } else if (session_.pollAudio(unit)) {
      out = "sound " + std::to_string(static_cast<int>(unit.kind));
    } else {
      return false;
    }
    return true;
  }
  void advance(Timestamp now) override { session_.advance(now); }
  Timestamp nextDeadline() const override { return session_.nextDeadline(); }
  bool close(Timestamp now) override {
    session_.close(now);
    return true;
  }
  /// Keys come from OpenSSL's own randomness.
  std::string describe(ByteSpan datagram) const override {
    return std::to_string(static_cast<int>(transport::classify(datagram)));
  }

 private:
  ContractWorld world_;
  bool isFirst_;
  ContractHost host_;
  Session session_;
  SessionContract* peer_ = nullptr;
  sctp::ChannelId chat_{};
};

PARLEY_MACHINES(Jsep, MachineCase{"Session", pairOf<SessionContract>(), true, true, true});

}  // namespace
}  // namespace parley::jsep
