#include "parley/forwarding/forwarder.h"

#include "unit/forwarding/forwarding_fixture.h"

namespace parley::forwarding {
namespace {

using namespace test;

constexpr uint8_t kOpus = 111;
constexpr uint8_t kTones = 101;
constexpr uint8_t kNoise = 13;
constexpr uint8_t kPcmu = 0;

/// A publisher of sound with tones in it, and one peer that takes the sound.
class SoundAndTones {
 public:
  SoundAndTones() {
    PublicationConfig config;
    config.kind = media::MediaKind::Audio;
    config.codecs = {{kOpus, "opus", 48'000},
                     {kTones, "telephone-event", 8'000},
                     {kNoise, "CN", 8'000},
                     {kPcmu, "PCMU", 8'000}};
    publication = forwarder.addPublication(config);
    subscription = *forwarder.subscribe(forwarder.addPeer(), publication,
                                        videoSubscription(5, "opus"), world.now);
  }
  void push(uint32_t ssrc, uint8_t payloadType, uint16_t sequence) {
    world.now += Duration::millis(20);
    PacketBuf packet = world.pool.allocate();
    rtp::PacketWriter writer(packet, {payloadType, false, sequence, sequence * 960u, ssrc});
    writer.beginPayload()[0] = static_cast<uint8_t>(ssrc);
    writer.finish(1);
    forwarder.handlePacket(publication, "", std::move(packet), world.now);
    forwarder.advance(world.now);
    ForwardedPacket out;
    while (forwarder.pollPacket(out)) {
      const auto view = rtp::PacketView::parse(out.data.span());
      ASSERT_TRUE(view);
      sources.push_back(view->payload()[0]);
      numbers.push_back(view->sequenceNumber());
      out = {};
    }
  }
  void expectNoHoles() const {
    for (size_t i = 1; i < numbers.size(); ++i)
      EXPECT_EQ(numbers[i], static_cast<uint16_t>(numbers[i - 1] + 1)) << i;
  }

  ForwardingWorld world;
  Forwarder forwarder{world.environment};
  PublicationId publication{};
  SubscriptionId subscription{};
  std::vector<uint8_t> sources;  ///< whose the packets are that came out
  std::vector<uint16_t> numbers;
};

TEST(PayloadTypeChange, SoundGoesOnAfterATone) {
  SoundAndTones room;
  uint16_t sequence = 65'520;
  for (int i = 0; i < 40; ++i) room.push(1, kOpus, sequence++);
  ASSERT_EQ(room.numbers.size(), 40u);
  for (int i = 0; i < 3; ++i) room.push(1, kTones, sequence++);
  EXPECT_EQ(room.numbers.size(), 40u) << "the peer has not negotiated tones";
  for (int i = 0; i < 40; ++i) room.push(1, kOpus, sequence++);
  EXPECT_EQ(room.numbers.size(), 80u);
  room.expectNoHoles();
}

TEST(PayloadTypeChange, AnotherSourceInThePlaceOfASilentOneIsHeard) {
  SoundAndTones room;
  for (uint16_t i = 0; i < 40; ++i) room.push(1, kOpus, static_cast<uint16_t>(65'520 + i));
  for (uint32_t ssrc = 2; ssrc <= 4; ++ssrc) room.push(ssrc, kOpus, 1);
  room.push(1, kOpus, 65'520 + 40 - 65'536);
  room.world.now += Duration::seconds(3);
  room.push(5, kOpus, 3);
  room.push(5, kOpus, 4);
  ASSERT_EQ(room.sources.size(), 46u);
  EXPECT_EQ(room.sources.back(), 5);
  room.expectNoHoles();
}

TEST(PayloadTypeChange, WhatOneSourceSentIsNotRepeatedFromAnother) {
  SoundAndTones room;
  for (uint32_t ssrc = 1; ssrc <= 4; ++ssrc) room.push(ssrc, kOpus, 100);
  const uint16_t ofTheFirst = room.numbers.front();
  room.world.now += Duration::seconds(3);
  room.push(5, kOpus, 100);
  ASSERT_EQ(room.sources.back(), 5);
  room.world.now += Duration::millis(100);
  room.forwarder.handleMissing(room.subscription, {&ofTheFirst, 1}, room.world.now);
  ForwardedPacket out;
  EXPECT_FALSE(room.forwarder.pollPacket(out));
}

TEST(PayloadTypeChange, WhatAccompaniesACodecIsNotThePublicationsCodec) {
  SoundAndTones room;
  room.push(1, kTones, 1);
  EXPECT_FALSE(room.forwarder.codecOf(room.publication));
  room.push(1, kOpus, 2);
  EXPECT_EQ(room.forwarder.codecOf(room.publication), "opus");
  room.push(1, kTones, 3);
  EXPECT_EQ(room.forwarder.codecOf(room.publication), "opus");
  room.push(1, kNoise, 4);
  EXPECT_EQ(room.forwarder.codecOf(room.publication), "opus");
  room.push(1, kPcmu, 5);
  EXPECT_EQ(room.forwarder.codecOf(room.publication), "PCMU");
}

/// Pictures of one stream, all VP8, part of which come with another payload type.
class TwoTypesOfOneCodec {
 public:
  TwoTypesOfOneCodec() {
    publication = forwarder.addPublication(videoPublication());
    subscription =
        *forwarder.subscribe(forwarder.addPeer(), publication, videoSubscription(5), world.now);
  }
  void frame(uint8_t payloadType) {
    world.now += Duration::micros(33'333);
    forwarder.advance(world.now);
    for (PacketBuf& packet : sender.frame()) {
      packet.data()[1] = static_cast<uint8_t>((packet.data()[1] & 0x80) | payloadType);
      forwarder.handlePacket(publication, "", std::move(packet), world.now);
    }
    ForwardedPacket out;
    while (forwarder.pollPacket(out)) {
      viewer.take(out.data, world.now);
      newest = rtp::PacketView::parse(out.data.span())->sequenceNumber();
      out = {};
    }
  }
  bool repeats(uint16_t sequence) {
    forwarder.handleMissing(subscription, {&sequence, 1}, world.now);
    ForwardedPacket out;
    return forwarder.pollPacket(out);
  }

  ForwardingWorld world;
  Forwarder forwarder{world.environment};
  PublicationId publication{};
  SubscriptionId subscription{};
  Vp8Sender sender{world, 1000, 1, 320, 2};
  Vp8Viewer viewer;
  uint16_t newest = 0;  ///< the number of what came out last
};

TEST(PayloadTypeChange, PicturesOfTheSameCodecGoOnWithoutAKeyFrame) {
  TwoTypesOfOneCodec room;
  for (int i = 0; i < 30; ++i) room.frame(96);
  const uint16_t before = room.newest;
  room.frame(111);
  room.frame(96);
  EXPECT_TRUE(room.repeats(before)) << "the cache is that of the stream";
  for (int i = 0; i < 28; ++i) room.frame(96);
  EXPECT_EQ(room.viewer.decoded, 60u);
  EXPECT_EQ(room.viewer.holes(), 0u);
}

TEST(PayloadTypeChange, WhatCameBeforeALastingChangeIsRepeated) {
  TwoTypesOfOneCodec room;
  for (int i = 0; i < 30; ++i) room.frame(96);
  const uint16_t before = room.newest;
  room.frame(111);
  room.frame(111);
  EXPECT_TRUE(room.repeats(before)) << "it is VP8, too";
  EXPECT_EQ(room.viewer.decoded, 32u);
}

}  // namespace
}  // namespace parley::forwarding
