// Layered streams on receipt: what dependency descriptors say decides which frames are decodable.

#include "media/dependency_order.h"
#include "media/send_stream_impl.h"
#include "unit/media/media_fixture.h"

namespace parley::media {
namespace {

using namespace test;
using Kind = FeedbackRequest::Kind;

constexpr uint8_t kAv1 = 45;
constexpr uint8_t kDescriptorId = 12;

/// An encoder that makes layers of AV1, the packets of its stream, and a receiver of them.
class LayeredReceiveTest : public HubTest {
 protected:
  LayeredReceiveTest() { pacer_.setRates({DataRate::kbps(1'000'000), DataRate::zero()}, now_); }

  void open(uint8_t spatial, uint8_t temporal, bool keyOnly = false) {
    spatial_ = spatial;
    temporal_ = temporal;
    keyOnly_ = keyOnly;
    SendStreamConfig send;
    send.codec = "AV1";
    send.payloadType = kAv1;
    send.ssrc = 0x1111;
    send.mixedForms = true;
    send.extensions.add(rtp::ExtensionKind::DependencyDescriptor, kDescriptorId);
    stream_.emplace(env_, SendStreamId{1}, send, 1200);
    ReceiveConfig config;
    config.id = ReceiverId(1);
    config.kind = MediaKind::Video;
    config.codecs = {{kAv1, "AV1", 90'000, 1, {}, true, true, true}};
    config.extensions = send.extensions;
    hub_->setReceiver(config);
    hub_->setRtt(Duration::millis(40));
  }

  /// The packets of one picture, by spatial layer.
  using Picture = std::vector<std::vector<Bytes>>;
  Picture picture(bool key) {
    if (key) step_ = 0;
    constexpr uint8_t kTwo[] = {0, 1};
    constexpr uint8_t kThree[] = {0, 2, 1, 2};
    const uint8_t temporalId = temporal_ == 1   ? uint8_t{0}
                               : temporal_ == 2 ? kTwo[step_ % 2]
                                                : kThree[step_ % 4];
    ++step_;
    Picture out;
    for (uint8_t s = 0; s < spatial_; ++s) {
      codec::EncodedVideoFrame frame;
      if (key && s == 0) frame.data = {0x0a, 0x03, 0, 0, 0};
      // A frame unit whose bytes tell the layer.
      frame.data.insert(frame.data.end(), {0x32, 100});
      frame.data.insert(frame.data.end(), 100, static_cast<uint8_t>(0xa0 + s));
      frame.keyFrame = key;
      frame.rtpTimestamp = pictures_ * 3000;
      frame.capture = now_;
      frame.spatialId = s;
      frame.temporalId = temporalId;
      frame.temporalLayers = temporal_;
      codec::Av1Info info;
      info.interPicturePredicted = !key;
      info.interLayerPredicted = s > 0 && (key || !keyOnly_);
      info.endOfPicture = s + 1 == spatial_;
      info.spatialLayers = spatial_;
      frame.info = info;
      EXPECT_EQ(stream_->sendVideo(frame, pacer_, now_), SendStream::Accepted::Yes);
      std::vector<Bytes>& layer = out.emplace_back();
      PacedPacket paced;
      int32_t probe = -1;
      while (pacer_.pop(paced, probe, now_)) layer.push_back(toBytes(paced.data.span()));
      EXPECT_FALSE(layer.empty());
    }
    ++pictures_;
    return out;
  }
  void deliverLayers(const Picture& picture, uint8_t layers) {
    for (uint8_t s = 0; s < layers && s < picture.size(); ++s) {
      for (const Bytes& packet : picture[s]) deliver(packet);
    }
  }
  /// One picture every 33 ms, with so many of its layers.
  void play(bool key, uint8_t layers = 3) {
    deliverLayers(picture(key), layers);
    run(Duration::micros(33'333));
  }
  /// What a server does that takes layers out: the numbers go on without a gap.
  void forward(const Picture& picture, uint8_t layers, bool movesMarker) {
    for (uint8_t s = 0; s < picture.size(); ++s) {
      for (size_t i = 0; i < picture[s].size(); ++i) {
        if (s >= layers) {
          ++removed_;
          continue;
        }
        Bytes packet = picture[s][i];
        rtp::setSequenceNumber(packet, static_cast<uint16_t>(loadU16(&packet[2]) - removed_));
        const bool last = s + 1 == layers && i + 1 == picture[s].size();
        if (movesMarker && last) rtp::setMarker(packet, true);
        deliver(packet);
      }
    }
    run(Duration::micros(33'333));
  }
  static size_t layersIn(const ReceivedFrame& frame) {
    size_t out = 0;
    for (uint8_t s = 0; s < 3; ++s)
      out += std::count(frame.payload.begin(), frame.payload.end(), 0xa0 + s) == 100;
    return out;
  }

  Pacer pacer_{1000};
  std::optional<SendStream> stream_;
  uint8_t spatial_ = 1;
  uint8_t temporal_ = 1;
  bool keyOnly_ = false;
  uint32_t pictures_ = 0;
  uint32_t step_ = 0;
  uint16_t removed_ = 0;
};

TEST_F(LayeredReceiveTest, LayersOfAPictureComeOutAsOne) {
  open(3, 3);
  for (int i = 0; i < 9; ++i) play(i == 0);
  run(Duration::millis(100));
  ASSERT_EQ(frames_.size(), 9u);
  for (const ReceivedFrame& frame : frames_) {
    EXPECT_EQ(layersIn(frame), 3u);
    EXPECT_EQ(frame.spatialId, 2);
  }
  EXPECT_TRUE(frames_[0].keyFrame);
  EXPECT_FALSE(frames_[1].keyFrame);
  EXPECT_EQ(frames_[1].temporalId, 2);
  EXPECT_EQ(frames_[2].temporalId, 1);
  EXPECT_EQ(statsOf(0x1111).framesReceived, 9u) << "pictures, not layers";
  EXPECT_TRUE(requests_.empty());
}

TEST_F(LayeredReceiveTest, ALostFrameThatNothingNeedsStopsNothing) {
  open(1, 3);
  for (int i = 0; i < 13; ++i) {
    // One picture of the topmost layer of each four.
    if (i % 4 == 3) {
      (void)picture(false);
      run(Duration::micros(33'333));
    } else {
      play(i == 0);
    }
  }
  run(Duration::millis(100));
  EXPECT_EQ(frames_.size(), 10u);
  EXPECT_EQ(count(Kind::Pli), 0u);
}

TEST_F(LayeredReceiveTest, WhatRefersToALostFrameWaitsForAKeyFrame) {
  open(1, 3);
  for (int i = 0; i < 4; ++i) play(i == 0);
  (void)picture(false);  // a base frame
  for (int i = 0; i < 30; ++i) play(false);
  EXPECT_EQ(frames_.size(), 4u);
  EXPECT_GE(count(Kind::Pli), 1u);
  play(true);
  play(false);
  run(Duration::millis(100));
  EXPECT_EQ(frames_.size(), 6u);
}

TEST_F(LayeredReceiveTest, WithoutItsUpperLayerAPictureIsShownAllTheSame) {
  open(2, 1);
  for (int i = 0; i < 5; ++i) play(i == 0);
  play(false, 1);
  for (int i = 0; i < 20; ++i) play(false);
  run(Duration::millis(300));
  ASSERT_EQ(frames_.size(), 26u) << "none is missing";
  for (size_t i = 0; i < 26; ++i) EXPECT_EQ(layersIn(frames_[i]), i < 5 ? 2u : 1u) << i;
  EXPECT_GE(count(Kind::Pli), 1u) << "what is shown is less than what is sent";
  for (int i = 0; i < 3; ++i) play(i == 0);
  run(Duration::millis(100));
  ASSERT_EQ(frames_.size(), 29u);
  EXPECT_EQ(layersIn(frames_.back()), 2u);
}

TEST_F(LayeredReceiveTest, AnUpperLayerIsWaitedForAsLongAsARepetitionTakes) {
  open(2, 1);
  for (int i = 0; i < 5; ++i) play(i == 0);
  const Picture broken = picture(false);
  deliverLayers(broken, 1);
  run(Duration::micros(33'333));
  play(false);
  play(false);
  EXPECT_EQ(frames_.size(), 5u);
  for (const Bytes& packet : broken[1]) deliver(packet);
  run(Duration::millis(200));
  ASSERT_EQ(frames_.size(), 8u);
  for (const ReceivedFrame& frame : frames_) EXPECT_EQ(layersIn(frame), 2u);
  EXPECT_EQ(count(Kind::Pli), 0u);
}

TEST_F(LayeredReceiveTest, ServersMayTakeLayersOut) {
  for (const bool movesMarker : {true, false}) {
    for (const bool keyOnly : {true, false}) {
      SCOPED_TRACE(movesMarker ? "marker" : "no marker");
      SCOPED_TRACE(keyOnly ? "key" : "full");
      hub_.emplace(env_);
      frames_.clear();
      requests_.clear();
      removed_ = 0;
      open(3, 3, keyOnly);
      for (int i = 0; i < 12; ++i) forward(picture(i == 0), 2, movesMarker);
      run(Duration::millis(300));
      ASSERT_EQ(frames_.size(), 12u);
      for (const ReceivedFrame& frame : frames_) {
        EXPECT_EQ(layersIn(frame), 2u);
        EXPECT_EQ(frame.spatialId, 1);
      }
      EXPECT_TRUE(requests_.empty());
    }
  }
}

TEST_F(LayeredReceiveTest, AStructureThatNeverCameIsAskedFor) {
  open(1, 1);
  play(true);
  // A key frame with another structure is lost; the frames after it speak of templates that nobody
  // knows.
  open(1, 3);
  (void)picture(true);
  for (int i = 0; i < 30; ++i) play(false);
  EXPECT_GE(count(Kind::Pli), 1u);
  EXPECT_EQ(frames_.size(), 1u);
  play(true);
  play(false);
  run(Duration::millis(100));
  EXPECT_EQ(frames_.size(), 3u);
}

TEST_F(LayeredReceiveTest, DescriptorsOfJunkHoldNothingUp) {
  open(1, 1);
  SeededRandom random(5);
  for (int i = 0; i < 400; ++i) {
    const Picture good = picture(i % 40 == 0);
    for (Bytes packet : good[0]) {
      const MutableByteSpan value = rtp::findExtension(packet, kDescriptorId);
      if (!value.empty() && random.below(4) == 0) random.fill(value);
      deliver(packet);
    }
    run(Duration::micros(33'333));
  }
  EXPECT_GT(frames_.size(), 10u);
}

/// Descriptors as an encoder's references make them.
class Descriptors {
 public:
  explicit Descriptors(uint8_t temporal) {
    rtp::DependencyLayers layers;
    layers.temporal = temporal;
    writer_.setLayers(layers);
  }
  Bytes next(uint16_t number, bool key, uint8_t temporalId, std::initializer_list<uint16_t> diffs) {
    rtp::DependencyFrame frame;
    frame.number = number;
    frame.keyFrame = key;
    frame.temporalId = temporalId;
    for (const uint16_t diff : diffs) frame.frameDiffs.push_back(diff);
    Bytes out(rtp::DependencyWriter::kMaxSize);
    out.resize(writer_.write(frame, true, true, out));
    return out;
  }

 private:
  rtp::DependencyWriter writer_;
};

TEST(DependencyOrder, FollowsReferencesAcrossTheWrap) {
  using Verdict = DependencyOrder::Verdict;
  Descriptors write(2);
  DependencyOrder order;
  EXPECT_EQ(order.check(write.next(65'533, false, 0, {1})), Verdict::Unknown);
  const Bytes key = write.next(65'534, true, 0, {});
  EXPECT_EQ(order.check(key), Verdict::Decodable);
  order.commit(key);
  EXPECT_EQ(order.check(write.next(65'535, false, 1, {1})), Verdict::Decodable);
  EXPECT_EQ(order.check(write.next(0, false, 0, {2})), Verdict::Decodable);
  EXPECT_EQ(order.check(write.next(0, false, 0, {1})), Verdict::Waiting);
  EXPECT_EQ(order.commit(write.next(65'535, false, 1, {1})).temporalId, 1);
  order.commit(write.next(0, false, 0, {2}));
  EXPECT_EQ(order.check(write.next(1, false, 1, {1, 2})), Verdict::Decodable);
  EXPECT_EQ(order.check(write.next(4000, false, 0, {4000, 4001})), Verdict::Decodable);
  EXPECT_EQ(order.check(write.next(4000, false, 0, {3999})), Verdict::Waiting);
}

TEST(DependencyOrder, AKeyFrameBeginsAnew) {
  using Verdict = DependencyOrder::Verdict;
  Descriptors write(2);
  DependencyOrder order;
  order.commit(write.next(10, true, 0, {}));
  order.commit(write.next(11, false, 0, {1}));
  order.commit(write.next(500, true, 0, {}));
  EXPECT_EQ(order.check(write.next(12, false, 0, {1})), Verdict::Waiting);
  EXPECT_EQ(order.check(write.next(501, false, 0, {1})), Verdict::Decodable);
}

}  // namespace
}  // namespace parley::media
