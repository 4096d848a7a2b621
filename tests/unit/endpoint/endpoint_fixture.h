#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "parley/base/random.h"
#include "parley/endpoint/endpoint.h"
#include "parley/sdp/writer.h"

#include "unit/jsep/peer.h"

namespace parley::endpoint::test {

/// 2025-06-01, for certificates.
inline constexpr int64_t kNowUnixNanos = 1'748'736'000'000'000'000;

/// Certificates are shared by the tests of a process: making them is not what is tested.
inline std::shared_ptr<const dtls::Certificate> certificateOf(size_t index) {
  static std::map<size_t, std::shared_ptr<const dtls::Certificate>> made;
  std::shared_ptr<const dtls::Certificate>& certificate = made[index];
  if (!certificate) {
    SeededRandom random(index + 1);
    certificate = std::move(*dtls::Certificate::generate(random, kNowUnixNanos));
  }
  return certificate;
}

inline jsep::SessionConfig sessionConfig(size_t certificate = 0) {
  jsep::SessionConfig config;
  config.transport.certificate = certificateOf(certificate);
  config.capabilities = jsep::test::capabilities("x");
  config.capabilities.fingerprints.clear();
  return config;
}

/// The descriptions of one round, handed over at once. Candidates stay where they are.
inline void negotiate(jsep::Session& offerer, jsep::Session& answerer, Timestamp now) {
  using jsep::SdpType;
  ASSERT_TRUE(offerer.setLocalDescription({}, "", now));
  const std::string offer = *sdp::write(offerer.state().pendingLocal->sdp);
  ASSERT_TRUE(answerer.setRemoteDescription(SdpType::Offer, offer, now));
  ASSERT_TRUE(answerer.setLocalDescription({}, "", now));
  const std::string answer = *sdp::write(answerer.state().currentLocal->sdp);
  ASSERT_TRUE(offerer.setRemoteDescription(SdpType::Answer, answer, now));
}

/// An Endpoint and a driver that the test plays itself.
class EndpointTest : public ::testing::Test {
 protected:
  explicit EndpointTest(EndpointConfig config = {}) : endpoint(random, nullLog(), config) {
    endpoint.setWallClock({Timestamp{}, kNowUnixNanos});
  }

  SessionId create() { return endpoint.createSession(sessionConfig(), now); }
  jsep::Session& at(SessionId id) { return *endpoint.session(id); }

  /// Two sessions that have agreed on a data channel and gather candidates.
  std::pair<SessionId, SessionId> call() {
    const std::pair<SessionId, SessionId> ids{create(), create()};
    EXPECT_TRUE(at(ids.first).createDataChannel({.label = "x"}, now));
    negotiate(at(ids.first), at(ids.second), now);
    endpoint.touch(ids.first, now);
    endpoint.touch(ids.second, now);
    return ids;
  }

  std::vector<Effect> effects() {
    std::vector<Effect> out;
    Effect effect;
    while (endpoint.pollEffect(effect)) out.push_back(std::move(effect));
    return out;
  }
  template <class T>
  static std::vector<T> only(const std::vector<Effect>& all) {
    std::vector<T> out;
    for (const Effect& effect : all) {
      if (const auto* match = std::get_if<T>(&effect)) out.push_back(*match);
    }
    return out;
  }
  std::vector<TxPacket> transmits() {
    std::vector<TxPacket> out;
    TxPacket packet[4];
    while (const size_t n = endpoint.pollTransmit(packet)) {
      for (size_t i = 0; i < n; ++i) out.push_back(std::move(packet[i]));
    }
    return out;
  }
  void pass(Duration time) {
    const Timestamp end = now + time;
    for (;;) {
      const Timestamp next = endpoint.nextDeadline();
      if (next > end) break;
      now = std::max(now, next);
      endpoint.advance(now);
      EXPECT_GT(endpoint.nextDeadline(), now);
    }
    now = end;
  }
  void interfaces(std::initializer_list<const char*> addresses) {
    InterfacesChanged changed{{{"eth0", 1, {}}}};
    for (const char* text : addresses)
      changed.interfaces[0].addresses.push_back(*IpAddress::parse(text));
    endpoint.handle(std::move(changed), now);
  }
  void opened(SocketId socket, const char* local) {
    endpoint.handle(SocketOpened{socket, *SocketAddress::parse(local)}, now);
  }
  void deliver(SocketId socket, ByteSpan bytes, const char* from = "10.0.0.9:9") {
    Datagram datagram;
    datagram.socket = socket;
    datagram.from = *SocketAddress::parse(from);
    datagram.data = endpoint.pool().copyOf(bytes);
    endpoint.handle(std::move(datagram), now);
  }
  template <class T>
  std::vector<T> eventsOf(SessionId id) {
    std::vector<T> out;
    jsep::SessionEvent event;
    while (at(id).pollEvent(event)) {
      if (const auto* match = std::get_if<T>(&event)) out.push_back(*match);
    }
    return out;
  }

  Timestamp now = Timestamp::seconds(1000);
  SeededRandom random{1};
  Endpoint endpoint;
};

}  // namespace parley::endpoint::test
