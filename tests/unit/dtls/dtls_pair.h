#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "parley/base/environment.h"
#include "parley/base/random.h"
#include "parley/dtls/connection.h"

namespace parley::dtls::test {

/// 2025-06-01, for certificates.
inline constexpr int64_t kNowUnixNanos = 1'748'736'000'000'000'000;

inline std::shared_ptr<const Certificate> makeCertificate(uint64_t seed) {
  SeededRandom random(seed);
  return std::move(*Certificate::generate(random, kNowUnixNanos));
}

/// Two certificates shared by the tests of a process: making them is not what is tested.
inline const std::shared_ptr<const Certificate>& certificateOf(Role role) {
  static const std::shared_ptr<const Certificate> client = makeCertificate(1);
  static const std::shared_ptr<const Certificate> server = makeCertificate(2);
  return role == Role::Client ? client : server;
}

/// What a link does with one datagram: the copies that arrive, each after a delay.
struct Transit {
  Bytes bytes;
  Duration delay = Duration::millis(10);
};

struct Sent {
  Role from;
  Bytes bytes;
  Timestamp at;
};

/// One end and what it has put out.
struct End {
  explicit End(Role r, Limits limits = {})
      : random(static_cast<uint64_t>(r) + 10),
        environment{random, pool, nullLog(), WallClock{Timestamp{}, kNowUnixNanos}, limits},
        role(r) {}
  SeededRandom random;
  PacketPool pool;
  Environment environment;
  Role role;
  std::unique_ptr<Connection> connection;
  std::vector<Event> events;
  std::vector<Bytes> received;

  bool saw(State state) const {
    for (const Event& event : events) {
      if (event.state == state) return true;
    }
    return false;
  }
  void collect() {
    Event event;
    while (connection->pollEvent(event)) events.push_back(event);
    PacketBuf packet;
    while (connection->pollData(packet)) received.push_back(toBytes(packet.span()));
  }
};

/// Two connections and a link of 10 ms each way in virtual time. Checks on every step: the MTU, and
/// that a deadline lies behind the time it was asked at.
class DtlsPair {
 public:
  using Link = std::function<std::vector<Transit>(Role from, size_t index, ByteSpan datagram)>;

  DtlsPair() : client(Role::Client), server(Role::Server) {
    clientConfig.certificate = certificateOf(Role::Client);
    serverConfig.certificate = certificateOf(Role::Server);
  }

  /// With the fingerprints known on both sides unless told otherwise.
  void create(bool clientKnows = true, bool serverKnows = true) {
    client.connection = std::make_unique<Connection>(client.environment, clientConfig);
    server.connection = std::make_unique<Connection>(server.environment, serverConfig);
    if (clientKnows) {
      client.connection->setRemoteFingerprints(serverConfig.certificate->fingerprints(), now);
    }
    if (serverKnows) {
      server.connection->setRemoteFingerprints(clientConfig.certificate->fingerprints(), now);
    }
  }
  void start() {
    server.connection->start(Role::Server, now);
    client.connection->start(Role::Client, now);
  }
  End& end(Role role) { return role == Role::Client ? client : server; }
  End& other(Role role) { return role == Role::Client ? server : client; }

  bool bothConnected() const {
    return client.connection->state() == State::Connected &&
           server.connection->state() == State::Connected;
  }

  /// Runs until nothing is left to happen or `until`.
  void runUntil(Timestamp until) {
    for (;;) {
      flush();
      Timestamp next =
          earliest(client.connection->nextDeadline(), server.connection->nextDeadline());
      for (const InFlight& datagram : inFlight_) next = earliest(next, datagram.arrival);
      if (next.isNever() || next > until) break;
      now = std::max(now, next);
      step();
    }
    if (!until.isNever()) now = std::max(now, until);
  }
  void runFor(Duration duration) { runUntil(now + duration); }
  void runUntilConnected(Duration limit = Duration::seconds(60)) {
    const Timestamp end = now + limit;
    while (!bothConnected()) {
      flush();
      Timestamp next =
          earliest(client.connection->nextDeadline(), server.connection->nextDeadline());
      for (const InFlight& datagram : inFlight_) next = earliest(next, datagram.arrival);
      if (next.isNever() || next > end) return;
      now = std::max(now, next);
      step();
    }
    flush();
  }

  void flush() {
    for (Role role : {Role::Client, Role::Server}) {
      End& from = end(role);
      PacketBuf packet;
      while (from.connection->pollTransmit(packet)) {
        const size_t mtu = (role == Role::Client ? clientConfig : serverConfig).mtu;
        EXPECT_LE(packet.size(), mtu);
        const size_t index = count(role);
        sent.push_back({role, toBytes(packet.span()), now});
        if (!link) {
          inFlight_.push_back({role, toBytes(packet.span()), now + Duration::millis(10)});
          continue;
        }
        for (Transit& transit : link(role, index, packet.span())) {
          inFlight_.push_back({role, std::move(transit.bytes), now + transit.delay});
        }
      }
      from.collect();
    }
  }
  size_t count(Role from) const {
    size_t n = 0;
    for (const Sent& datagram : sent) n += datagram.from == from;
    return n;
  }
  bool linkEmpty() const { return inFlight_.empty(); }

  Timestamp now = Timestamp::seconds(1000);
  Config clientConfig;
  Config serverConfig;
  End client;
  End server;
  Link link;
  std::vector<Sent> sent;

 private:
  struct InFlight {
    Role from;
    Bytes bytes;
    Timestamp arrival;
  };
  void step() {
    for (Role role : {Role::Client, Role::Server}) {
      end(role).connection->advance(now);
      EXPECT_GT(end(role).connection->nextDeadline(), now);
    }
    std::deque<InFlight> due;
    for (size_t i = 0; i < inFlight_.size();) {
      if (inFlight_[i].arrival <= now) {
        due.push_back(std::move(inFlight_[i]));
        inFlight_.erase(inFlight_.begin() + static_cast<std::ptrdiff_t>(i));
      } else {
        ++i;
      }
    }
    for (InFlight& datagram : due) {
      other(datagram.from).connection->handlePacket(datagram.bytes, now);
    }
  }
  std::deque<InFlight> inFlight_;
};

inline std::vector<Transit> pass(ByteSpan datagram) {
  return {{toBytes(datagram)}};
}

/// The records of a datagram: type and epoch.
struct RecordHeader {
  uint8_t type;
  uint16_t epoch;
  size_t offset;
  size_t size;  ///< with the header
};
inline std::vector<RecordHeader> recordsOf(ByteSpan datagram) {
  std::vector<RecordHeader> out;
  for (size_t at = 0; at + 13 <= datagram.size();) {
    const size_t size = 13u + loadU16(&datagram[at + 11]);
    out.push_back({datagram[at], loadU16(&datagram[at + 3]), at, size});
    at += size;
  }
  return out;
}

}  // namespace parley::dtls::test
