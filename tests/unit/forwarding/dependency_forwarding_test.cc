// Streams with dependency descriptors on their way from a publisher to what a receiver makes of
// them.

#include "unit/forwarding/layered_stream.h"

namespace parley::forwarding {
namespace {

using namespace test;
using Decoded = std::map<std::pair<int, int>, size_t>;

PublicationConfig publicationOf(const std::string& codec) {
  PublicationConfig config = videoPublication(codec);
  config.extensions = withDescriptor(publisherExtensions(), kTheirDescriptor);
  return config;
}

/// One publisher of any number of encodings, and one peer.
class Room {
 public:
  Room(const std::string& codec, const rtp::DependencyLayers& layers, size_t encodings = 1)
      : viewer(codec) {
    publication = forwarder.addPublication(publicationOf(codec));
    for (uint32_t i = 0; i < encodings; ++i) {
      senders.push_back(std::make_unique<LayeredSender>(world, 1000 + i, codec, layers,
                                                        static_cast<uint16_t>(65'530 + 900 * i)));
    }
    SubscriptionConfig config = videoSubscription(77, codec);
    config.extensions = withDescriptor(peerExtensions(), kOurDescriptor);
    peer = forwarder.addPeer();
    forwarder.handleEstimate(peer, DataRate::kbps(50'000), world.now);
    subscription = *forwarder.subscribe(peer, publication, config, world.now);
  }
  void deliver() {
    ForwardedPacket out;
    while (forwarder.pollPacket(out)) {
      viewer.take(out.data);
      last.assign(out.data.span().begin(), out.data.span().end());
      ++packets;
      out = {};
    }
    KeyFrameWish wish;
    while (forwarder.pollKeyFrameWish(wish)) {
      ++wishes;
      keyFrames.insert(wish.ssrc);
    }
  }
  void give(PacketBuf packet) {
    forwarder.handlePacket(publication, "", std::move(packet), world.now);
    deliver();
  }
  void step() {
    world.now += Duration::micros(33'333);
    forwarder.advance(world.now);
    deliver();
    const std::set<uint32_t> due = std::exchange(keyFrames, {});
    timestamp += 3000;
    for (const auto& sender : senders) {
      for (PacketBuf& packet : sender->picture(due.contains(sender->ssrc()), timestamp))
        give(std::move(packet));
    }
  }
  void run(Duration time) {
    for (const Timestamp end = world.now + time; world.now < end;) step();
  }
  void setRate(DataRate rate) { forwarder.handleEstimate(peer, rate, world.now); }
  std::optional<LayerChoice> current() { return forwarder.stats(subscription)->current; }

  ForwardingWorld world;
  Forwarder forwarder{world.environment};
  PublicationId publication{};
  PeerId peer{};
  SubscriptionId subscription{};
  std::vector<std::unique_ptr<LayeredSender>> senders;
  LayeredViewer viewer;
  std::set<uint32_t> keyFrames;
  uint32_t timestamp = 4'294'960'000;
  size_t wishes = 0;
  size_t packets = 0;
  Bytes last;
};

rtp::DependencyLayers layersOf(uint8_t spatial, uint8_t temporal) {
  rtp::DependencyLayers layers;
  layers.spatial = spatial;
  layers.temporal = temporal;
  for (uint8_t s = 0; s < spatial; ++s)
    layers.sizes.push_back({static_cast<uint16_t>(320 << s), static_cast<uint16_t>(180 << s)});
  return layers;
}

/// What arrives at each rate decodes, whatever the layers were before.
void goesDownAndUp(const std::string& codec, uint8_t spatial, uint8_t temporal) {
  SCOPED_TRACE(codec);
  Room room(codec, layersOf(spatial, temporal));
  room.run(Duration::seconds(3));
  const std::pair<int, int> top{spatial - 1, temporal - 1};
  EXPECT_GT(room.viewer.takeDecoded()[top], 10u);
  // All is 360 kb/s for each spatial layer.
  room.setRate(DataRate::kbps(120));
  room.run(Duration::seconds(1));
  room.viewer.takeDecoded();
  room.run(Duration::seconds(3));
  for (const auto& [layer, count] : room.viewer.takeDecoded()) EXPECT_EQ(layer, std::pair(0, 0));
  room.setRate(DataRate::kbps(50'000));
  room.run(Duration::seconds(5));
  room.viewer.takeDecoded();
  room.run(Duration::seconds(1));
  EXPECT_GT(room.viewer.takeDecoded()[top], 5u);
  EXPECT_EQ(room.viewer.undecodable, 0u);
  EXPECT_EQ(room.viewer.holes(), 0u);
  EXPECT_EQ(room.forwarder.counters().badDescriptors, 0u);
}

TEST(DependencyForwarding, LayersOfAnyCodecAreLeftAndEnteredWhereTheyDecode) {
  goesDownAndUp("AV1", 1, 3);
  goesDownAndUp("AV1", 2, 3);
  goesDownAndUp("AV1", 3, 1);
  goesDownAndUp("VP9", 2, 2);
  goesDownAndUp("VP9", 3, 3);
  goesDownAndUp("H264", 1, 2);
  goesDownAndUp("H265", 1, 3);
}

TEST(DependencyForwarding, AStreamWithoutLayersGoesAsItComes) {
  for (const char* codec : {"AV1", "VP9", "H264", "H265"}) {
    SCOPED_TRACE(codec);
    Room room(codec, layersOf(1, 1));
    room.run(Duration::seconds(4));
    const auto decoded = room.viewer.takeDecoded();
    EXPECT_EQ(decoded.size(), 1u);
    // But for the first ones: the key frame had to be asked for, or the rate measured.
    EXPECT_GE(decoded.at({0, 0}), 115u);
    EXPECT_EQ(room.viewer.undecodable, 0u);
    EXPECT_EQ(room.viewer.holes(), 0u);
  }
}

TEST(DependencyForwarding, FrameNumbersGoOnAcrossEncodings) {
  Room room("AV1", layersOf(1, 2), 2);
  room.run(Duration::seconds(3));
  for (const bool paused : {true, false, true, false}) {
    room.forwarder.setPaused(room.subscription, paused, room.world.now);
    room.run(Duration::seconds(1));
  }
  // Which encoding it is depends on when each was first measured; each of these changes it.
  const auto before = room.current();
  room.forwarder.setMaxRate(room.peer, DataRate::kbps(200), room.world.now);
  room.run(Duration::seconds(4));
  ASSERT_TRUE(before && room.current());
  EXPECT_EQ(room.viewer.undecodable, 0u);
  EXPECT_EQ(room.viewer.holes(), 0u);
  EXPECT_GT(room.viewer.keyFrames, 2u);
  const auto& numbers = room.viewer.numbers;
  ASSERT_GT(numbers.size(), 100u);
  for (size_t i = 1; i < numbers.size(); ++i) {
    EXPECT_GT(numbers[i], numbers[i - 1]);
    // Left out is at most every other frame of two temporal layers.
    EXPECT_LE(numbers[i] - numbers[i - 1], 2) << i;
  }
}

// A stream of one spatial layer of 640x360 and two temporal ones, with one chain, octet for octet
// (AV1 RTP payload format, appendix A.8): a key frame with its structure, whose templates begin at
// 60, and a frame of the lower layer.
constexpr uint8_t kKeyFrame[] = {0xfc, 0x00, 0x07, 0x87, 0x81, 0x1e, 0xa8, 0x51,
                                 0x41, 0x01, 0x0c, 0x09, 0xfc, 0x05, 0x9c};
constexpr uint8_t kNext[] = {0xfd, 0x00, 0x08};

PacketBuf packetWith(ForwardingWorld& world, ByteSpan descriptor, uint16_t sequence, bool key) {
  PacketBuf out = world.pool.allocate();
  rtp::PacketWriter writer(out, {96, true, sequence, 90'000u + 3000u * sequence, 1000}, {},
                           rtp::ExtensionForm::TwoByte);
  writer.addRaw(kTheirDescriptor, descriptor);
  // W = 1, N on the first packet of a sequence; OBU_FRAME without a size.
  const uint8_t payload[] = {static_cast<uint8_t>(key ? 0x18 : 0x10), 0x30, 1, 2, 3};
  const MutableByteSpan room = writer.beginPayload();
  std::copy(std::begin(payload), std::end(payload), room.begin());
  writer.finish(sizeof payload);
  return out;
}

TEST(DependencyForwarding, OnlyTheNumberOfADescriptorChanges) {
  Room room("AV1", layersOf(1, 1));
  std::optional<rtp::DependencyStructure> structure;
  rtp::DependencyDescriptorValue value;
  ASSERT_TRUE(rtp::DependencyDescriptor::parse(kKeyFrame, structure, value));
  ASSERT_EQ(structure->targets.size(), 2u);
  room.give(packetWith(room.world, kKeyFrame, 10, true));
  ASSERT_EQ(room.packets, 1u);
  const auto first = rtp::PacketView::parse(room.last);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->extensionProfile(), 0x1000);
  const auto sent = first->extension(kOurDescriptor);
  ASSERT_TRUE(sent);
  ASSERT_EQ(sent->size(), sizeof kKeyFrame);
  const uint16_t number = loadU16(&(*sent)[1]);
  EXPECT_EQ((*sent)[0], kKeyFrame[0]);
  EXPECT_TRUE(std::equal(sent->begin() + 3, sent->end(), kKeyFrame + 3));
  EXPECT_EQ(first->extension(kTheirDescriptor), std::nullopt) << "the peer's ids, not theirs";

  room.give(packetWith(room.world, kNext, 11, false));
  ASSERT_EQ(room.packets, 2u);
  const auto second = rtp::PacketView::parse(room.last);
  const auto next = second->extension(kOurDescriptor);
  ASSERT_TRUE(next);
  EXPECT_EQ((*next)[0], kNext[0]);
  EXPECT_EQ(loadU16(&(*next)[1]), static_cast<uint16_t>(number + 1));
}

TEST(DependencyForwarding, APeerWithoutDescriptorsGetsNone) {
  Room room("AV1", layersOf(1, 1));
  SubscriptionConfig config = videoSubscription(77, "AV1");
  ASSERT_TRUE(room.forwarder.reconfigure(room.subscription, config, room.world.now));
  room.forwarder.handlePacket(room.publication, "", packetWith(room.world, kKeyFrame, 10, true),
                              room.world.now);
  ForwardedPacket out;
  ASSERT_TRUE(room.forwarder.pollPacket(out));
  const auto view = rtp::PacketView::parse(out.data.span());
  EXPECT_EQ(view->extensionProfile(), rtp::ExtensionReader::kOneByteProfile);
  EXPECT_FALSE(view->extension(kOurDescriptor));
  EXPECT_FALSE(view->extension(kTheirDescriptor));
}

TEST(DependencyForwarding, ARepetitionIsTheSameToTheBit) {
  Room room("AV1", layersOf(2, 2));
  room.run(Duration::seconds(1));
  // Its mid has been learnt, so that nothing but the numbers is peculiar to the first time.
  const Bytes first = room.last;
  const auto view = rtp::PacketView::parse(first);
  room.world.now += Duration::millis(200);
  const uint16_t sequence = view->sequenceNumber();
  room.forwarder.handleMissing(room.subscription, {&sequence, 1}, room.world.now);
  ForwardedPacket out;
  ASSERT_TRUE(room.forwarder.pollPacket(out));
  EXPECT_TRUE(out.isRepetition);
  EXPECT_EQ(Bytes(out.data.span().begin(), out.data.span().end()), first);
}

// Bad-input rule B46: the descriptor is dropped, and a key frame asked for. A packet whose layer
// nothing else tells must not pass for one of the base.
TEST(DependencyForwarding, B46ADescriptorThatCannotBeReadIsDroppedAndAKeyFrameAskedFor) {
  Room room("AV1", layersOf(1, 1));
  room.give(packetWith(room.world, kKeyFrame, 10, true));
  ASSERT_EQ(room.packets, 1u);
  room.deliver();
  room.wishes = 0;
  room.world.now += Duration::seconds(1);
  const uint8_t unknownTemplate[] = {0xc3, 0x00, 0x08};
  room.give(packetWith(room.world, unknownTemplate, 11, false));
  room.give(packetWith(room.world, ByteSpan(unknownTemplate).first(2), 12, false));
  EXPECT_EQ(room.packets, 1u);
  EXPECT_EQ(room.wishes, 1u) << "at most one in 300 ms";
  EXPECT_EQ(room.forwarder.counters().badDescriptors, 2u);
  EXPECT_EQ(room.forwarder.counters().malformedPackets, 0u);
  // What can be read goes on, without a hole.
  room.give(packetWith(room.world, kNext, 13, false));
  EXPECT_EQ(room.packets, 2u);
  EXPECT_EQ(room.viewer.holes(), 0u);
  // It is asked again until there is one.
  room.world.now += Duration::millis(400);
  room.forwarder.advance(room.world.now);
  room.deliver();
  EXPECT_EQ(room.wishes, 2u);
  room.give(packetWith(room.world, kKeyFrame, 14, true));
  room.world.now += Duration::millis(400);
  room.forwarder.advance(room.world.now);
  room.deliver();
  EXPECT_EQ(room.wishes, 2u);
}

TEST(DependencyForwarding, B46NobodyIsAskedForWhatNobodyGets) {
  Room room("AV1", layersOf(1, 1));
  room.forwarder.setPaused(room.subscription, true, room.world.now);
  room.give(packetWith(room.world, kNext, 10, false));
  EXPECT_EQ(room.forwarder.counters().badDescriptors, 1u);
  EXPECT_EQ(room.wishes, 0u);
}

TEST(DependencyForwarding, B46ALatePacketOfTheStructureBeforeIsJustLeftOut) {
  Room room("AV1", layersOf(1, 1));
  room.give(packetWith(room.world, kKeyFrame, 10, true));
  room.wishes = 0;
  room.world.now += Duration::seconds(1);
  const uint8_t before[] = {0xc3, 0x00, 0x05};
  room.give(packetWith(room.world, before, 9, false));
  EXPECT_EQ(room.forwarder.counters().badDescriptors, 1u);
  EXPECT_EQ(room.packets, 1u);
  EXPECT_EQ(room.wishes, 0u);
}

TEST(DependencyForwarding, B46WhereThePayloadTellsTheLayerThePacketGoesOnWithoutDescriptor) {
  Room room("VP9", layersOf(1, 1));
  room.run(Duration::seconds(2));
  const auto bad = [&](uint16_t sequence) {
    PacketBuf out = room.world.pool.allocate();
    rtp::PacketWriter writer(out, {96, true, sequence, room.timestamp + 3000, 1000}, {},
                             rtp::ExtensionForm::TwoByte);
    const uint8_t unknownTemplate[] = {0xff, 0x00, 0x08};
    writer.addRaw(kTheirDescriptor, unknownTemplate);
    rtp::Vp9Descriptor vp9;
    vp9.interPicturePredicted = vp9.flexible = vp9.hasLayers = true;
    vp9.startOfFrame = vp9.endOfFrame = true;
    vp9.pictureId = 77;
    vp9.referenceDiffs.push_back(1);
    ByteWriter w(writer.beginPayload());
    vp9.write(w, nullptr);
    w.zeros(10);
    writer.finish(w.size());
    return out;
  };
  std::vector<PacketBuf> picture = room.senders[0]->picture();
  const uint16_t next = rtp::PacketView::parse(picture[0].span())->sequenceNumber();
  room.world.now += Duration::seconds(1);
  room.forwarder.handlePacket(room.publication, "", bad(next), room.world.now);
  ForwardedPacket out;
  ASSERT_TRUE(room.forwarder.pollPacket(out));
  const Bytes first(out.data.span().begin(), out.data.span().end());
  const auto view = rtp::PacketView::parse(first);
  EXPECT_FALSE(view->extension(kOurDescriptor));
  EXPECT_EQ(room.forwarder.counters().badDescriptors, 1u);
  KeyFrameWish wish;
  EXPECT_TRUE(room.forwarder.pollKeyFrameWish(wish));
  // Nor does a repetition have it.
  room.world.now += Duration::millis(200);
  const uint16_t sequence = view->sequenceNumber();
  room.forwarder.handleMissing(room.subscription, {&sequence, 1}, room.world.now);
  ASSERT_TRUE(room.forwarder.pollPacket(out));
  EXPECT_EQ(Bytes(out.data.span().begin(), out.data.span().end()), first);
}

}  // namespace
}  // namespace parley::forwarding
