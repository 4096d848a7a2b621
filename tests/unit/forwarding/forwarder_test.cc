#include "parley/forwarding/forwarder.h"

#include "support/alloc_guard.h"
#include "unit/forwarding/forwarding_fixture.h"

namespace parley::forwarding {
namespace {

using namespace test;

/// A publisher of three VP8 encodings and any number of peers.
class Simulcast {
 public:
  explicit Simulcast(int temporalLayers = 3) {
    publication = forwarder.addPublication(videoPublication());
    const size_t packets[] = {1, 2, 6};
    for (uint32_t i = 0; i < 3; ++i) {
      senders.emplace_back(world, 1000 + i, temporalLayers, static_cast<uint16_t>(320 << i),
                           packets[i]);
    }
  }
  struct Peer {
    PeerId id{};
    SubscriptionId subscription{};
    Vp8Viewer viewer;
    std::vector<uint16_t> asked;
  };
  Peer& addPeer(std::optional<DataRate> rate = {}) {
    peers.push_back(std::make_unique<Peer>());
    Peer& peer = *peers.back();
    peer.id = forwarder.addPeer();
    if (rate) forwarder.handleEstimate(peer.id, *rate, world.now);
    peer.subscription = *forwarder.subscribe(
        peer.id, publication, videoSubscription(static_cast<uint32_t>(77 + peers.size())),
        world.now);
    return peer;
  }
  void deliver() {
    ForwardedPacket out;
    while (forwarder.pollPacket(out)) {
      for (const auto& peer : peers) {
        if (peer->subscription == out.subscription) peer->viewer.take(out.data, world.now);
      }
      out = {};
    }
    KeyFrameWish wish;
    while (forwarder.pollKeyFrameWish(wish)) {
      ++wishes;
      keyFrames.insert(wish.ssrc);
    }
  }
  void step() {
    world.now += Duration::micros(33'333);
    forwarder.advance(world.now);
    deliver();
    // Key frames come one round trip after they were asked for.
    const std::set<uint32_t> due = std::exchange(keyFrames, {});
    for (Vp8Sender& sender : senders) {
      if (silent.contains(sender.ssrc())) continue;
      for (PacketBuf& packet : sender.frame(due.contains(sender.ssrc()), timestamp)) {
        forwarder.handlePacket(publication, "", std::move(packet), world.now);
        deliver();
      }
    }
    timestamp += 3000;
  }
  void run(Duration time) {
    for (const Timestamp end = world.now + time; world.now < end;) step();
  }

  ForwardingWorld world;
  Forwarder forwarder{world.environment};
  PublicationId publication{};
  std::vector<Vp8Sender> senders;
  std::vector<std::unique_ptr<Peer>> peers;
  std::set<uint32_t> keyFrames;
  std::set<uint32_t> silent;
  uint32_t timestamp = 4'000'000'000;
  size_t wishes = 0;
};

TEST(Forwarder, EachPeerGetsTheEncodingItsPathCarries) {
  Simulcast room;
  auto& slow = room.addPeer(DataRate::kbps(300));
  auto& middle = room.addPeer(DataRate::kbps(700));
  auto& fast = room.addPeer(DataRate::kbps(4000));
  room.run(Duration::seconds(5));
  EXPECT_EQ(slow.viewer.width, 320);
  EXPECT_EQ(middle.viewer.width, 640);
  EXPECT_EQ(fast.viewer.width, 1280);
  for (const auto& peer : room.peers) {
    EXPECT_EQ(peer->viewer.holes(), 0u);
    EXPECT_LE(peer->viewer.longestGap, Duration::millis(150));
    EXPECT_GT(peer->viewer.decoded, 30u);
  }
}

TEST(Forwarder, SwitchesUpAndDownWithoutAFreeze) {
  Simulcast room;
  auto& peer = room.addPeer(DataRate::kbps(4000));
  room.run(Duration::seconds(4));
  EXPECT_EQ(peer.viewer.width, 1280);
  for (const int kbps : {300, 4000, 700, 4000, 250}) {
    room.forwarder.handleEstimate(peer.id, DataRate::kbps(kbps), room.world.now);
    room.run(Duration::seconds(6));
    EXPECT_EQ(peer.viewer.width, kbps > 3000 ? 1280 : kbps > 600 ? 640 : 320) << kbps;
  }
  EXPECT_EQ(peer.viewer.holes(), 0u);
  EXPECT_LE(peer.viewer.longestGap, Duration::millis(150));
}

TEST(Forwarder, TemporalLayersGoAtOnceAndComeBackAtASyncPoint) {
  Simulcast room;
  room.silent = {1001, 1002};
  auto& peer = room.addPeer(DataRate::kbps(1000));
  room.run(Duration::seconds(3));
  EXPECT_EQ(peer.viewer.highestTemporal, 2);
  peer.viewer.highestTemporal = 0;
  const size_t wishes = room.wishes;
  room.forwarder.handleEstimate(peer.id, DataRate::kbps(100), room.world.now);
  room.run(Duration::seconds(3));
  EXPECT_EQ(peer.viewer.highestTemporal, 0);
  room.forwarder.handleEstimate(peer.id, DataRate::kbps(1000), room.world.now);
  room.run(Duration::seconds(5));
  EXPECT_EQ(peer.viewer.highestTemporal, 2);
  EXPECT_EQ(room.wishes, wishes);  // none of it needs a key frame
  EXPECT_EQ(peer.viewer.holes(), 0u);
  EXPECT_LE(peer.viewer.longestGap, Duration::millis(150));
}

TEST(Forwarder, AnEncodingThatStopsIsLeft) {
  Simulcast room;
  auto& peer = room.addPeer(DataRate::kbps(4000));
  room.run(Duration::seconds(4));
  EXPECT_EQ(peer.viewer.width, 1280);
  room.silent = {1002};
  room.run(Duration::seconds(4));
  EXPECT_EQ(peer.viewer.width, 640);
  room.forwarder.setMaxHeight(peer.subscription, 1, room.world.now);
  room.run(Duration::seconds(4));
  EXPECT_LT(peer.viewer.width, 640) << "the smallest, for none is small enough";
}

TEST(Forwarder, RequestsForKeyFramesAreMerged) {
  Simulcast room;
  for (int i = 0; i < 20; ++i) room.addPeer(DataRate::kbps(4000));
  room.run(Duration::seconds(4));
  const size_t before = room.wishes;
  for (int round = 0; round < 100; ++round) {
    for (const auto& peer : room.peers)
      room.forwarder.handleKeyFrameRequest(peer->subscription, room.world.now);
    room.step();
  }
  // 3.3 s, at most one per 300 ms.
  EXPECT_GE(room.wishes - before, 5u);
  EXPECT_LE(room.wishes - before, 12u);
}

TEST(Forwarder, WhatAPeerMissesComesFromTheCache) {
  Simulcast room(1);
  auto& peer = room.addPeer(DataRate::kbps(4000));
  room.run(Duration::seconds(2));
  // One frame's packets do not reach the peer.
  std::vector<ForwardedPacket> lost;
  room.world.now += Duration::millis(33);
  for (Vp8Sender& sender : room.senders) {
    for (PacketBuf& packet : sender.frame(false, room.timestamp))
      room.forwarder.handlePacket(room.publication, "", std::move(packet), room.world.now);
  }
  room.timestamp += 3000;
  ForwardedPacket out;
  while (room.forwarder.pollPacket(out)) lost.push_back(std::move(out));
  ASSERT_FALSE(lost.empty());
  room.step();
  const std::vector<uint16_t> missing = peer.viewer.missing();
  EXPECT_EQ(missing.size(), lost.size());
  room.world.now += Duration::millis(50);
  room.forwarder.handleMissing(peer.subscription, missing, room.world.now);
  // Asking again at once brings nothing: it is on its way.
  room.forwarder.handleMissing(peer.subscription, missing, room.world.now);
  size_t at = 0;
  while (room.forwarder.pollPacket(out)) {
    EXPECT_TRUE(out.isRepetition);
    EXPECT_EQ(toBytes(out.data.span()), toBytes(lost[at].data.span())) << at;
    peer.viewer.take(out.data, room.world.now);
    ++at;
  }
  EXPECT_EQ(at, lost.size());
  EXPECT_EQ(peer.viewer.holes(), 0u);
  EXPECT_EQ(room.forwarder.counters().repetitionsRefused, missing.size());
}

TEST(Forwarder, AStormOfRequestsIsBounded) {
  Simulcast room;
  auto& peer = room.addPeer(DataRate::kbps(4000));
  room.run(Duration::seconds(2));
  std::vector<uint16_t> all(65536);
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<uint16_t>(i);
  size_t repeated = 0;
  for (int round = 0; round < 20; ++round) {
    room.world.now += Duration::millis(50);
    room.forwarder.handleMissing(peer.subscription, all, room.world.now);
    ForwardedPacket out;
    while (room.forwarder.pollPacket(out)) repeated += out.data.size();
  }
  EXPECT_LE(repeated, 150'000u + 250'000u + 2000u);
  EXPECT_GT(room.forwarder.counters().repetitionsRefused, 0u);
}

TEST(Forwarder, LatePacketsFindTheirPlace) {
  Simulcast room;
  room.silent = {1000, 1001, 1002};
  Vp8Sender& sender = room.senders[2];
  auto& peer = room.addPeer();
  std::vector<PacketBuf> held;
  for (int i = 0; i < 60; ++i) {
    room.world.now += Duration::millis(33);
    room.forwarder.advance(room.world.now);
    room.deliver();
    auto packets = sender.frame();
    for (size_t k = 0; k < packets.size(); ++k) {
      // Every seventh comes two frames later.
      if (i > 5 && (i * 6 + static_cast<int>(k)) % 7 == 0) {
        held.push_back(std::move(packets[k]));
      } else {
        room.forwarder.handlePacket(room.publication, "", std::move(packets[k]), room.world.now);
      }
    }
    if (held.size() > 1) {
      room.forwarder.handlePacket(room.publication, "", std::move(held.front()), room.world.now);
      held.erase(held.begin());
    }
    room.deliver();
  }
  EXPECT_LE(peer.viewer.holes(), 2u);
  EXPECT_GE(peer.viewer.decoded, 50u);
}

TEST(Forwarder, PausedSubscriptionsGetNothingAndGoOnWithAKeyFrame) {
  Simulcast room;
  auto& peer = room.addPeer(DataRate::kbps(4000));
  room.run(Duration::seconds(2));
  room.forwarder.setPaused(peer.subscription, true, room.world.now);
  const size_t before = peer.viewer.packets;
  room.run(Duration::seconds(2));
  EXPECT_EQ(peer.viewer.packets, before);
  room.forwarder.setPaused(peer.subscription, false, room.world.now);
  const size_t decoded = peer.viewer.decoded;
  room.run(Duration::seconds(2));
  EXPECT_GT(peer.viewer.decoded, decoded + 50);
  EXPECT_EQ(peer.viewer.holes(), 0u);
}

TEST(Forwarder, APictureNeedNotBeLargerThanItsWindow) {
  Simulcast room;
  auto& peer = room.addPeer(DataRate::kbps(9000));
  room.forwarder.setMaxHeight(peer.subscription, 360, room.world.now);
  room.run(Duration::seconds(4));
  EXPECT_EQ(peer.viewer.width, 640);
}

TEST(Forwarder, HeadersAreThePeersOwn) {
  ForwardingWorld world;
  Forwarder forwarder(world.environment);
  PublicationConfig sound = videoPublication("opus");
  sound.kind = media::MediaKind::Audio;
  const PublicationId publication = forwarder.addPublication(sound);
  ASSERT_TRUE(forwarder.subscribe(forwarder.addPeer(), publication, videoSubscription(5, "opus"),
                                  world.now));
  PacketBuf packet = world.pool.allocate();
  rtp::PacketWriter writer(packet, {111, true, 7, 960, 1});
  writer.add<rtp::Mid>(publisherExtensions(), "v");
  writer.add<rtp::AudioLevel>(publisherExtensions(), {true, 30});
  writer.add<rtp::TransportSequenceNumber>(publisherExtensions(), 99);
  writer.beginPayload()[0] = 0xaa;
  writer.finish(1);
  forwarder.handlePacket(publication, "", std::move(packet), world.now);
  ForwardedPacket out;
  ASSERT_TRUE(forwarder.pollPacket(out));
  const auto view = rtp::PacketView::parse(out.data.span());
  ASSERT_TRUE(view);
  EXPECT_EQ(view->payloadType(), 102);
  EXPECT_EQ(view->ssrc(), 5u);
  EXPECT_LT(view->sequenceNumber(), 0x8000);
  EXPECT_TRUE(view->marker());
  EXPECT_EQ(toBytes(view->payload()), Bytes{0xaa});
  EXPECT_EQ(*rtp::getExtension<rtp::Mid>(*view, peerExtensions()), "m");
  EXPECT_EQ(rtp::getExtension<rtp::AudioLevel>(*view, peerExtensions()),
            (rtp::AudioLevelValue{true, 30}));
  EXPECT_EQ(rtp::getExtension<rtp::TransportSequenceNumber>(*view, peerExtensions()), 0);
  EXPECT_EQ(view->extension(1), std::nullopt);
}

TEST(Forwarder, WhoIsHeardInAMixStaysSo) {
  ForwardingWorld world;
  Forwarder forwarder(world.environment);
  PublicationConfig sound = videoPublication("opus");
  sound.kind = media::MediaKind::Audio;
  sound.extensions.add(rtp::ExtensionKind::CsrcAudioLevel, 5);
  sound.extensions.add(rtp::ExtensionKind::AbsCaptureTime, 6);
  const PublicationId publication = forwarder.addPublication(sound);
  SubscriptionConfig config = videoSubscription(5, "opus");
  config.extensions.add(rtp::ExtensionKind::CsrcAudioLevel, 4);
  config.extensions.add(rtp::ExtensionKind::AbsCaptureTime, 3);
  ASSERT_TRUE(forwarder.subscribe(forwarder.addPeer(), publication, config, world.now));
  PacketBuf packet = world.pool.allocate();
  const uint32_t csrcs[] = {71, 72};
  rtp::PacketWriter writer(packet, {111, true, 7, 960, 1}, csrcs);
  rtp::CsrcAudioLevel::Value levels;
  levels.push_back(20);
  levels.push_back(90);
  writer.add<rtp::CsrcAudioLevel>(sound.extensions, levels);
  writer.add<rtp::AbsCaptureTime>(sound.extensions, {NtpTime{12345}, int64_t{0}});
  writer.beginPayload()[0] = 0xaa;
  writer.finish(1);
  forwarder.handlePacket(publication, "", std::move(packet), world.now);
  ForwardedPacket out;
  ASSERT_TRUE(forwarder.pollPacket(out));
  const auto view = rtp::PacketView::parse(out.data.span());
  ASSERT_TRUE(view);
  ASSERT_EQ(view->csrcCount(), 2u);
  EXPECT_EQ(view->csrc(1), 72u);
  EXPECT_EQ(rtp::getExtension<rtp::CsrcAudioLevel>(*view, config.extensions), levels);
  EXPECT_EQ(rtp::getExtension<rtp::AbsCaptureTime>(*view, config.extensions),
            (rtp::AbsCaptureTimeValue{NtpTime{12345}, {}}))
      << "the publisher's clock is not ours";
  EXPECT_EQ(toBytes(view->payload()), Bytes{0xaa});
}

TEST(Forwarder, AnotherPublicationUnderTheSameSsrcGoesOnCounting) {
  ForwardingWorld world;
  Forwarder forwarder(world.environment);
  PublicationConfig sound = videoPublication("opus");
  sound.kind = media::MediaKind::Audio;
  const PublicationId publication = forwarder.addPublication(sound);
  SubscriptionConfig config = videoSubscription(5, "opus");
  config.after = {0xffff, 123'456};
  ASSERT_TRUE(forwarder.subscribe(forwarder.addPeer(), publication, config, world.now));
  PacketBuf packet = world.pool.allocate();
  rtp::PacketWriter writer(packet, {111, true, 7, 960, 1});
  writer.beginPayload();
  writer.finish(1);
  forwarder.handlePacket(publication, "", std::move(packet), world.now);
  std::vector<media::PreparedPacket> out;
  SubscriptionId of;
  ASSERT_TRUE(forwarder.pollPackets(of, out));
  ASSERT_EQ(out.size(), 1u);
  const auto view = rtp::PacketView::parse(out[0].data.span());
  EXPECT_EQ(view->sequenceNumber(), 0);
  EXPECT_EQ(view->timestamp(), 123'457u);
  EXPECT_EQ(out[0].headerSize, view->headerSize());
  EXPECT_FALSE(forwarder.pollPackets(of, out));
  EXPECT_TRUE(out.empty());
}

TEST(Forwarder, APeerIsGivenNoMoreThanItsLimit) {
  Simulcast room;
  auto& peer = room.addPeer();
  room.run(Duration::seconds(4));
  const int large = peer.viewer.width;
  room.forwarder.setMaxRate(peer.id, DataRate::kbps(10), room.world.now);
  room.run(Duration::seconds(4));
  EXPECT_LT(peer.viewer.width, large);
  room.forwarder.setMaxRate(peer.id, std::nullopt, room.world.now);
  room.run(Duration::seconds(8));
  EXPECT_EQ(peer.viewer.width, large);
  EXPECT_EQ(peer.viewer.holes(), 0u);
}

TEST(Forwarder, TellsWhoSpeaks) {
  ForwardingWorld world;
  Forwarder forwarder(world.environment);
  PublicationConfig sound = videoPublication("opus");
  sound.kind = media::MediaKind::Audio;
  const PublicationId people[] = {forwarder.addPublication(sound), forwarder.addPublication(sound)};
  for (int step = 0; step < 100; ++step) {
    world.now += Duration::millis(20);
    for (uint32_t who = 0; who < 2; ++who) {
      PacketBuf packet = world.pool.allocate();
      rtp::PacketWriter writer(packet, {111, false, static_cast<uint16_t>(step), 0, who});
      const bool speaks = who == 1 && step % 11 < 8;
      writer.add<rtp::AudioLevel>(publisherExtensions(),
                                  {speaks, static_cast<uint8_t>(speaks ? 25 : 90)});
      writer.beginPayload();
      writer.finish(1);
      forwarder.handlePacket(people[who], "", std::move(packet), world.now);
    }
    forwarder.advance(world.now);
  }
  EXPECT_EQ(forwarder.dominantSpeaker(), people[1]);
  ForwarderEvent event;
  ASSERT_TRUE(forwarder.pollEvent(event));
  EXPECT_EQ(std::get<DominantSpeakerChanged>(event).publication, people[1]);
}

TEST(Forwarder, JunkAndTooManySourcesAreCounted) {
  Simulcast room;
  room.addPeer();
  room.forwarder.handlePacket(room.publication, "", room.world.pool.copyOf(Bytes(5)),
                              room.world.now);
  EXPECT_EQ(room.forwarder.counters().malformedPackets, 1u);
  for (uint32_t ssrc = 1; ssrc < 50; ++ssrc) {
    Vp8Sender sender(room.world, ssrc, 1, 320, 1);
    for (PacketBuf& packet : sender.frame())
      room.forwarder.handlePacket(room.publication, "", std::move(packet), room.world.now);
  }
  EXPECT_EQ(room.forwarder.counters().unknownEncodings, 45u);
  room.forwarder.removePublication(room.publication);
  room.deliver();
  EXPECT_EQ(room.world.pool.inUse(), 0u);
}

// So that what is made for one is out of the way before the next one's is made.
TEST(Forwarder, WhatCameInARowGoesToOnePeerAfterTheOther) {
  Simulcast room;
  for (int i = 0; i < 3; ++i) room.addPeer(DataRate::kbps(4000));
  room.run(Duration::seconds(3));
  const size_t before = room.world.pool.inUse();
  std::vector<PacketBuf> packets = room.senders[2].frame();
  ASSERT_EQ(packets.size(), 6u);
  for (PacketBuf& packet : packets)
    room.forwarder.handlePacket(room.publication, "", std::move(packet), room.world.now);
  EXPECT_EQ(room.world.pool.inUse(), before + 6) << "nothing is made before it is wanted";
  std::set<SubscriptionId> served;
  SubscriptionId of;
  std::vector<media::PreparedPacket> out;
  while (room.forwarder.pollPackets(of, out)) {
    EXPECT_EQ(out.size(), 6u);
    EXPECT_TRUE(served.insert(of).second);
    EXPECT_EQ(room.world.pool.inUse(), before + 12);
    for (size_t i = 1; i < out.size(); ++i)
      EXPECT_EQ(loadU16(out[i].data.data() + 2),
                static_cast<uint16_t>(loadU16(out[i - 1].data.data() + 2) + 1));
    out.clear();
  }
  EXPECT_EQ(served.size(), 3u);
}

TEST(Forwarder, WhatHadArrivedWhenSomethingChangedIsNotTouchedByTheChange) {
  Simulcast room;
  auto& first = room.addPeer(DataRate::kbps(4000));
  auto& second = room.addPeer(DataRate::kbps(4000));
  room.run(Duration::seconds(3));
  const auto give = [&] {
    for (PacketBuf& packet : room.senders[2].frame())
      room.forwarder.handlePacket(room.publication, "", std::move(packet), room.world.now);
  };
  give();
  room.forwarder.setPaused(first.subscription, true, room.world.now);
  room.forwarder.unsubscribe(second.subscription);
  SubscriptionId of;
  std::vector<media::PreparedPacket> out;
  ASSERT_TRUE(room.forwarder.pollPackets(of, out));
  EXPECT_EQ(of, first.subscription);
  EXPECT_EQ(out.size(), 6u);
  EXPECT_FALSE(room.forwarder.pollPackets(of, out));
  give();
  EXPECT_FALSE(room.forwarder.pollPackets(of, out));
  // A new peer gets nothing that came before it.
  room.forwarder.setPaused(first.subscription, false, room.world.now);
  give();
  const auto late = *room.forwarder.subscribe(room.forwarder.addPeer(), room.publication,
                                              videoSubscription(99), room.world.now);
  while (room.forwarder.pollPackets(of, out)) EXPECT_NE(of, late);
  give();
  room.forwarder.removePublication(room.publication);
  EXPECT_FALSE(room.forwarder.pollPackets(of, out));
  EXPECT_EQ(room.world.pool.inUse(), 0u);
}

TEST(Forwarder, APacketCostsNoAllocation) {
  Simulcast room;
  for (int i = 0; i < 10; ++i) room.addPeer(DataRate::kbps(4000));
  room.run(Duration::seconds(3));
  {
    // What the caches will hold in the end.
    std::vector<PacketBuf> warm(4000);
    for (PacketBuf& packet : warm) packet = room.world.pool.allocate();
  }
  ForwarderEvent event;
  while (room.forwarder.pollEvent(event)) {
  }
  size_t count = 0;
  for (int i = 0; i < 60; ++i) {
    room.world.now += Duration::millis(33);
    std::vector<PacketBuf> packets = room.senders[2].frame();
    const parley::test::AllocGuard guard;
    room.forwarder.advance(room.world.now);
    for (PacketBuf& packet : packets)
      room.forwarder.handlePacket(room.publication, "", std::move(packet), room.world.now);
    ForwardedPacket out;
    while (room.forwarder.pollPacket(out)) {
    }
    while (room.forwarder.pollEvent(event)) {
    }
    // The queues have to grow first.
    if (i > 3) count += guard.count();
  }
  EXPECT_EQ(count, 0u);
}

}  // namespace
}  // namespace parley::forwarding
