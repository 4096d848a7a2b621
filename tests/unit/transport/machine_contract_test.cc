// The rules of every machine (support/machine_contract.h), for the bundled transport.

#include "support/machine_contract.h"

#include "parley/transport/classify.h"
#include "parley/transport/peer_transport.h"

#include "unit/transport/transport_world.h"

namespace parley::transport {
namespace {

using namespace parley::test;

class TransportContract final : public Contracted {
 public:
  TransportContract(uint64_t seed, bool isFirst)
      : world_(seed),
        index_(isFirst ? 0 : 1),
        host_(address(index_)),
        transport_(world_.environment, config(index_)) {}
  static void introduce(TransportContract& a, TransportContract& b) {
    a.peer_ = &b;
    b.peer_ = &a;
  }
  static IpAddress address(size_t index) {
    return IpAddress::v4(10, 0, 0, static_cast<uint8_t>(index + 1));
  }
  static TransportConfig config(size_t index) {
    TransportConfig config;
    config.certificate = transport::test::certificateOf(index);
    return config;
  }
  void start(Timestamp now) override {
    transport_.setIceRole(index_ == 0 ? ice::Role::Controlling : ice::Role::Controlled, now);
    transport_.setRemoteCredentials(peer_->transport_.localCredentials(), false, now);
    transport_.startGathering(now);
    transport_.enableSctp(5000, 262'144, now);
    transport_.startDtls(transport::test::certificateOf(1 - index_)->fingerprints(),
                         index_ == 0 ? dtls::Role::Server : dtls::Role::Client, now);
    chat_ = *transport_.dataChannels().open({.label = "chat"}, now);
    transport_.pump(now);
  }
  void work(int round, Timestamp now) override {
    Bytes rtp(40, static_cast<uint8_t>(round));
    rtp[0] = 0x80;
    rtp[1] = 111;
    storeU16(&rtp[2], static_cast<uint16_t>(round));
    (void)transport_.sendRtp(world_.pool.copyOf(rtp), false, TxClass::Audio);
    (void)transport_.dataChannels().send(chat_, asBytes("hello"), true, now).has_value();
    transport_.pump(now);
  }
  bool serve(Timestamp now) override {
    TransportEvent event;
    if (transport_.pollEvent(event)) {
      if (const auto* found = std::get_if<CandidateFound>(&event))
        peer_->transport_.addRemoteCandidate(found->candidate, now);
      return true;
    }
    Effect effect;
    if (!transport_.pollEffect(effect)) return false;
    return host_.answer(std::move(effect),
                        [&](Input&& input) { transport_.handle(std::move(input), now); });
  }
  void handle(ByteSpan bytes, Timestamp now) override {
    transport_.handle(
        Datagram{host_.socket, peer_->host_.local(), host_.local(), world_.pool.copyOf(bytes)},
        now);
  }
  bool pollDatagram(Bytes& out) override {
    TxPacket packet;
    if (!transport_.pollTransmit(packet)) return false;
    out = toBytes(packet.data.span());
    return true;
  }
  bool pollEvent(std::string& out) override {
    sctp::ChannelEvent event;
    sctp::ChannelMessage message;
    RtpPacket rtp;
    if (transport_.pollChannelEvent(event)) {
      out = "channel " + std::to_string(event.index());
    } else if (transport_.dataChannels().pollMessage(message)) {
      out = std::string(asText(message.data));
    } else if (transport_.pollRtp(rtp)) {
      out = std::string(asText(rtp.data.span()));
    } else {
      return false;
    }
    return true;
  }
  void advance(Timestamp now) override { transport_.advance(now); }
  Timestamp nextDeadline() const override { return transport_.nextDeadline(); }
  bool close(Timestamp now) override {
    transport_.close(now);
    return true;
  }
  /// Keys come from OpenSSL's own randomness.
  std::string describe(ByteSpan datagram) const override {
    return std::to_string(static_cast<int>(classify(datagram)));
  }

 private:
  ContractWorld world_;
  size_t index_;
  ContractHost host_;
  PeerTransport transport_;
  TransportContract* peer_ = nullptr;
  sctp::ChannelId chat_{};
};

// Half an RTP packet that is authentic no more is dropped; half a Binding request too.
PARLEY_MACHINES(Transport, MachineCase{"PeerTransport", pairOf<TransportContract>()});

}  // namespace
}  // namespace parley::transport
