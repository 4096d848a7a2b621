#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "parley/sctp/data_channels.h"

#include "sctp/dcep.h"
#include "unit/sctp/association_fixture.h"

namespace parley::sctp {

template <class T>
std::vector<T> eventsOf(const std::vector<ChannelEvent>& events) {
  std::vector<T> out;
  for (const ChannelEvent& e : events) {
    if (const auto* match = std::get_if<T>(&e)) out.push_back(*match);
  }
  return out;
}

struct ChannelPeer {
  explicit ChannelPeer(uint64_t seed)
      : world(seed), channels(std::make_unique<DataChannels>(world.env)) {}
  void drain() {
    ChannelEvent event;
    while (readEvents && channels->pollEvent(event)) events.push_back(std::move(event));
    ChannelMessage message;
    while (readMessages && channels->pollMessage(message)) messages.push_back(message);
  }
  template <class T>
  std::vector<T> got() const {
    return eventsOf<T>(events);
  }
  World world;
  std::unique_ptr<DataChannels> channels;
  bool readMessages = true;
  bool readEvents = true;
  std::vector<ChannelEvent> events;
  std::vector<ChannelMessage> messages;
};

/// A is the DTLS client (even ids), B the server (odd ids).
class DataChannelsTest : public ::testing::TestWithParam<Engines> {
 protected:
  DataChannelsTest() { make(); }
  void make(LinkConfig link = {}, uint64_t seed = 1) {
    a = std::make_unique<ChannelPeer>(seed);
    b = std::make_unique<ChannelPeer>(seed + 1);
    rewire(link, seed);
  }
  void rewire(LinkConfig link = {}, uint64_t seed = 1) {
    pair = std::make_unique<Pair<DataChannels>>(*a->channels, *b->channels, link, seed + 2);
    pair->onStep([this] {
      if (a) a->drain();
      if (b) b->drain();
    });
  }
  void start(AssociationConfig config = {}) {
    a->channels->setRemoteMaxMessageSize(262'144);
    b->channels->setRemoteMaxMessageSize(262'144);
    a->channels->setDtlsRole(true, pair->now());
    b->channels->setDtlsRole(false, pair->now());
    a->channels->start(createWith(GetParam().first, a->world.env, config), pair->now());
    b->channels->start(createWith(GetParam().second, b->world.env, config), pair->now());
  }
  void connect(AssociationConfig config = {}) {
    start(config);
    ASSERT_TRUE(pair->runUntil(
        [this] { return a->channels->maxChannels() && b->channels->maxChannels(); }));
  }
  /// Raw access to A's side: an association instead of DataChannels, to misbehave with.
  struct Rogue {
    explicit Rogue(DataChannelsTest& t)
        : world(77), association(createWith(GetParam().first, world.env)), test(t) {}
    void connect() {
      test.b->channels->setDtlsRole(false, now);
      test.b->channels->start(createWith(GetParam().second, test.b->world.env), now);
      association->connect(now);
      run();
    }
    void send(uint16_t stream, uint32_t ppid, ByteSpan data, bool unordered = false) {
      EXPECT_TRUE(association->send(stream, ppid, data, {.unordered = unordered}, now));
      run();
    }
    void open(uint16_t stream, std::string label = "x") {
      send(stream, ppid::kDcep, writeDcepOpen({.label = std::move(label)}));
    }
    void reset(uint16_t stream) {
      association->resetStreams({&stream, 1}, now);
      run();
    }
    void run(Duration d = Duration::millis(300)) {
      const Timestamp end = now + d;
      PacketBuf packet;
      for (; now < end; now += Duration::millis(10)) {
        while (association->pollTransmit(packet))
          test.b->channels->handlePacket(packet.span(), now);
        while (test.b->channels->pollTransmit(packet))
          association->handlePacket(packet.span(), now);
        association->advance(now);
        test.b->channels->advance(now);
        test.b->drain();
        Inbound in;
        while (association->pollInbound(in)) {
          (in.kind == Inbound::Kind::StreamReset ? resets : inbound).push_back(in);
        }
      }
    }
    bool wasReset(uint16_t stream) const {
      return std::any_of(resets.begin(), resets.end(),
                         [&](const Inbound& r) { return r.stream == stream; });
    }
    World world;
    std::unique_ptr<Association> association;
    DataChannelsTest& test;
    Timestamp now = Timestamp::seconds(5);
    std::vector<Inbound> inbound, resets;
  };

  ChannelId open(ChannelPeer& peer, ChannelInit init = {.label = "chat"}) {
    const Result<ChannelId> id = peer.channels->open(init, pair->now());
    EXPECT_TRUE(id);
    return id ? *id : ChannelId{};
  }
  Result<void> send(ChannelPeer& peer, ChannelId id, std::string_view text, bool isText = true) {
    return peer.channels->send(id, asBytes(text), isText, pair->now());
  }
  bool until(const std::function<bool()>& done, Duration limit = Duration::seconds(60)) {
    return pair->runUntil(done, limit);
  }

  std::unique_ptr<ChannelPeer> a, b;
  std::unique_ptr<Pair<DataChannels>> pair;
};

}  // namespace parley::sctp
