// The rules of every machine (support/machine_contract.h), for the endpoint: the same call as the
// session's, with sockets, timers and queues that many sessions share.

#include "support/machine_contract.h"

#include <array>
#include <optional>

#include "parley/transport/classify.h"

#include "unit/endpoint/endpoint_fixture.h"

namespace parley::endpoint {
namespace {

using namespace parley::test;

/// Two sessions, of which the first calls the peer's first; the other one gathers and waits.
class EndpointContract final : public Contracted {
 public:
  EndpointContract(uint64_t seed, bool isFirst)
      : random_(seed),
        isFirst_(isFirst),
        host_(IpAddress::v4(10, 0, 0, isFirst ? 1 : 2)),
        endpoint_(random_, nullLog()) {
    endpoint_.setWallClock(sim::virtualWallClock());
    for (SessionId& id : sessions_)
      id = endpoint_.createSession(endpoint::test::sessionConfig(isFirst ? 0 : 1),
                                   ContractRun::kStart);
  }
  static void introduce(EndpointContract& a, EndpointContract& b) {
    a.peer_ = &b;
    b.peer_ = &a;
  }
  jsep::Session& session(size_t i = 0) { return *endpoint_.session(sessions_[i]); }
  void start(Timestamp now) override {
    if (!isFirst_) return;
    chat_ = *session().createDataChannel({.label = "chat"}, now);
    endpoint::test::negotiate(session(), peer_->session(), now);
    (void)session(1).createDataChannel({.label = "alone"}, now).has_value();
    ASSERT_TRUE(session(1).setLocalDescription({}, "", now));
    for (const SessionId id : sessions_) endpoint_.touch(id, now);
    peer_->endpoint_.touch(peer_->sessions_[0], now);
  }
  void work(int, Timestamp now) override {
    sctp::DataChannels* channels = session().dataChannels();
    if (!isFirst_ || channels == nullptr) return;
    (void)channels->send(chat_, asBytes("hello"), true, now).has_value();
    session().pump(now);
    endpoint_.touch(sessions_[0], now);
  }
  bool serve(Timestamp now) override {
    Effect effect;
    if (endpoint_.pollEffect(effect)) {
      return host_.answer(std::move(effect),
                          [&](Input&& input) { endpoint_.handle(std::move(input), now); });
    }
    SessionId ready;
    if (endpoint_.pollReady(ready)) return true;
    jsep::SessionEvent event;
    if (!session().pollEvent(event)) return false;
    if (const auto* found = std::get_if<jsep::LocalCandidate>(&event)) {
      (void)peer_->session().addIceCandidate(found->candidate, found->mid, {}, {}, now).has_value();
      peer_->endpoint_.touch(peer_->sessions_[0], now);
    }
    return true;
  }
  void handle(ByteSpan bytes, Timestamp now) override {
    Datagram datagram{host_.socket, peer_->host_.local(), host_.local(),
                      endpoint_.pool().copyOf(bytes)};
    endpoint_.handle(std::move(datagram), now);
  }
  bool pollDatagram(Bytes& out) override {
    TxPacket packet;
    if (endpoint_.pollTransmit({&packet, 1}) == 0) return false;
    out = toBytes(packet.data.span());
    return true;
  }
  bool pollEvent(std::string& out) override {
    sctp::ChannelEvent event;
    sctp::ChannelMessage message;
    if (session().pollChannelEvent(event)) {
      out = "channel " + std::to_string(event.index());
    } else if (session().pollMessage(message)) {
      out = std::string(asText(message.data));
    } else {
      return false;
    }
    return true;
  }
  void advance(Timestamp now) override { endpoint_.advance(now); }
  Timestamp nextDeadline() const override { return endpoint_.nextDeadline(); }
  bool close(Timestamp now) override {
    for (const SessionId id : sessions_) {
      endpoint_.session(id)->close(now);
      endpoint_.touch(id, now);
    }
    return true;
  }
  /// Keys come from OpenSSL's own randomness.
  std::string describe(ByteSpan datagram) const override {
    return std::to_string(static_cast<int>(transport::classify(datagram)));
  }

 private:
  SeededRandom random_;
  bool isFirst_;
  ContractHost host_;
  Endpoint endpoint_;
  std::array<SessionId, 2> sessions_;
  EndpointContract* peer_ = nullptr;
  sctp::ChannelId chat_{};
};

PARLEY_MACHINES(Endpoint, MachineCase{"Endpoint", pairOf<EndpointContract>()});

}  // namespace
}  // namespace parley::endpoint
