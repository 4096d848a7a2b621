// W3C webrtc-encoded-transform, and SFrame (RFC 9605) by way of it.

#include <mutex>

#include "peers.h"

namespace parley::conformance {
namespace {

class EncodedTransformTest : public Peers {
 protected:
  void start() {
    connect(a, b);
    connect(b, a);
    b.onTrack([this](const TrackEvent& event) {
      MediaStreamTrack track = event.track;
      track.setVideoSink([this](const codec::VideoFrame& frame) {
        ++pictures_;
        width_ = frame.width();
      });
      track.setAudioSink([this](const codec::AudioFrame& frame) {
        loudest_ = std::max<int>(loudest_, codec::audioLevel(frame.samples()) < 60 ? 1 : 0);
      });
      if (event.track.kind() == MediaKind::Video && videoIn_) {
        EXPECT_TRUE(RtpReceiver(event.receiver).setTransform(videoIn_));
      }
      if (event.track.kind() == MediaKind::Audio && audioIn_) {
        EXPECT_TRUE(RtpReceiver(event.receiver).setTransform(audioIn_));
      }
    });
    audio_ = a.addTrack(MediaStreamTrack::createAudio(pair.loopA(), createToneSource(440))).value();
    video_ = a.addTrack(MediaStreamTrack::createVideo(pair.loopA(),
                                                      createTestPatternSource(320, 240, 20)))
                 .value();
  }
  static void connect(PeerConnection& from, PeerConnection to) {
    from.onIceCandidate([to](const std::optional<IceCandidate>& candidate) mutable {
      if (candidate) to.addIceCandidate(*candidate);
    });
  }

  RtpSender audio_, video_;
  FrameTransform audioIn_, videoIn_;
  int pictures_ = 0;
  int width_ = 0;
  int loudest_ = 0;
};

TEST_F(EncodedTransformTest, EncodedTransform_BothEndsSeeTheSameFrames) {
  std::vector<EncodedFrame> sent, received;
  videoIn_ = [&](EncodedFrame& frame) {
    received.push_back(frame);
    return true;
  };
  start();
  ASSERT_TRUE(video_.setTransform([&](EncodedFrame& frame) {
    sent.push_back(frame);
    return true;
  }));
  negotiate(a, b);
  run(Duration::seconds(3));
  ASSERT_GT(received.size(), 30u);
  ASSERT_GE(sent.size(), received.size());
  for (size_t i = 0; i < received.size(); ++i) {
    EXPECT_EQ(received[i].data, sent[i].data);
    EXPECT_EQ(received[i].keyFrame, sent[i].keyFrame);
    EXPECT_EQ(received[i].ssrc, sent[i].ssrc);
    EXPECT_EQ(received[i].payloadType, sent[i].payloadType);
    EXPECT_EQ(received[i].mimeType, sent[i].mimeType);
    EXPECT_EQ(received[i].rtpTimestamp, sent[i].rtpTimestamp);
  }
  EXPECT_TRUE(received[0].keyFrame);
  EXPECT_EQ(received[0].kind, MediaKind::Video);
  EXPECT_EQ(received[0].mimeType, "video/VP8");
  EXPECT_EQ(sent[0].width, 320);
  EXPECT_NE(sent[0].ssrc, 0u);
}

TEST_F(EncodedTransformTest, EncodedTransform_BytesMayChangeAndGrow) {
  audioIn_ = videoIn_ = [](EncodedFrame& frame) {
    if (frame.data.size() < 6 || frame.data.back() != 0x5a) return false;
    frame.data.resize(frame.data.size() - 5);
    return true;
  };
  start();
  const FrameTransform append = [](EncodedFrame& frame) {
    frame.data.insert(frame.data.end(), {1, 2, 3, 4, 0x5a});
    return true;
  };
  ASSERT_TRUE(video_.setTransform(append));
  ASSERT_TRUE(audio_.setTransform(append));
  negotiate(a, b);
  run(Duration::seconds(3));
  EXPECT_GT(pictures_, 30);
  EXPECT_EQ(width_, 320);
  EXPECT_EQ(loudest_, 1);
}

TEST_F(EncodedTransformTest, EncodedTransform_ADroppedFrameIsNotSentAndAKeyFrameFollows) {
  int seen = 0;
  std::vector<bool> keyFrames;
  start();
  ASSERT_TRUE(video_.setTransform([&](EncodedFrame& frame) {
    keyFrames.push_back(frame.keyFrame);
    return ++seen != 10;
  }));
  negotiate(a, b);
  run(Duration::seconds(3));
  ASSERT_GT(keyFrames.size(), 20u);
  EXPECT_FALSE(keyFrames[9]);
  EXPECT_TRUE(keyFrames[10]);
  EXPECT_EQ(pictures_, seen - 1);
}

TEST_F(EncodedTransformTest, EncodedTransform_KeyFramesCanBeAskedForAtBothEnds) {
  int keyFrames = 0;
  start();
  ASSERT_TRUE(video_.setTransform([&](EncodedFrame& frame) {
    keyFrames += frame.keyFrame;
    return true;
  }));
  negotiate(a, b);
  run(Duration::seconds(3));
  const int before = keyFrames;
  ASSERT_TRUE(video_.generateKeyFrame());
  run(Duration::millis(500));
  EXPECT_EQ(keyFrames, before + 1);
  b.getReceivers()[1].requestKeyFrame();
  run(Duration::millis(500));
  EXPECT_EQ(keyFrames, before + 2);
  expectError(audio_.generateKeyFrame(), ErrorCode::InvalidState);
}

TEST_F(EncodedTransformTest, EncodedTransform_AReaderMayGiveFramesBackLater) {
  // Each end holds three frames before it gives the oldest back.
  std::vector<std::pair<EncodedFrame, FrameWriter>> held[2];
  size_t seen[2] = {};
  const auto reader = [&](size_t end) {
    return [&, end](EncodedFrame frame, FrameWriter write) {
      ++seen[end];
      held[end].emplace_back(std::move(frame), std::move(write));
      if (held[end].size() <= 3) return;
      auto [oldest, back] = std::move(held[end].front());
      held[end].erase(held[end].begin());
      if (end == 0) {
        oldest.data.push_back(0x77);
      } else {
        EXPECT_EQ(oldest.data.back(), 0x77);
        oldest.data.pop_back();
      }
      back(std::move(oldest.data));
    };
  };
  start();
  ASSERT_TRUE(video_.setReader(reader(0)));
  b.onTrack([&](const TrackEvent& event) {
    MediaStreamTrack track = event.track;
    if (track.kind() != MediaKind::Video) return;
    track.setVideoSink([this](const codec::VideoFrame&) { ++pictures_; });
    EXPECT_TRUE(RtpReceiver(event.receiver).setReader(reader(1)));
  });
  negotiate(a, b);
  run(Duration::seconds(3));
  EXPECT_GT(seen[0], 30u);
  EXPECT_GT(seen[1], 30u);
  EXPECT_GT(pictures_, 25);
  // Frames that are out when the connection goes have nowhere to go.
  a.close();
  b.close();
  for (auto& side : held) {
    for (auto& [frame, write] : side) write(std::move(frame.data));
    side.clear();
  }
  run(Duration::millis(100));
}

TEST_F(EncodedTransformTest, EncodedTransform_StoppedTransceiversTakeNone) {
  start();
  ASSERT_TRUE(a.getTransceivers()[0].stop());
  expectError(audio_.setTransform({}), ErrorCode::InvalidState);
  a.close();
  expectError(video_.setTransform({}), ErrorCode::InvalidState);
}

class SframeCallTest : public EncodedTransformTest {
 protected:
  static constexpr crypto::SframeRatchet kSteps{4};
  const Bytes key_ = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
};

TEST_F(SframeCallTest, EncodedTransform_ACallIsEncryptedEndToEnd) {
  for (const auto suite :
       {crypto::SframeSuite::Aes128GcmSha256_128, crypto::SframeSuite::Aes128CtrHmacSha256_80}) {
    SframeTransform lock(SframeTransform::Role::Encrypt, suite, kSteps);
    SframeTransform unlock(SframeTransform::Role::Decrypt, suite, kSteps);
    ASSERT_TRUE(lock.setKey(0x10, key_));
    ASSERT_TRUE(unlock.setKey(0x10, key_));
    testing::Pair fresh;
    int pictures = 0;
    bool heard = false;
    fresh.b().onTrack([&](const TrackEvent& event) {
      RtpReceiver receiver = event.receiver;
      EXPECT_TRUE(receiver.setTransform(unlock.transform()));
      MediaStreamTrack track = event.track;
      track.setVideoSink([&](const codec::VideoFrame&) { ++pictures; });
      track.setAudioSink([&](const codec::AudioFrame& frame) {
        heard = heard || codec::audioLevel(frame.samples()) < 60;
      });
    });
    RtpSender sound =
        fresh.a()
            .addTrack(MediaStreamTrack::createAudio(fresh.loopA(), createToneSource(440)))
            .value();
    RtpSender picture = fresh.a()
                            .addTrack(MediaStreamTrack::createVideo(
                                fresh.loopA(), createTestPatternSource(320, 240, 20)))
                            .value();
    ASSERT_TRUE(sound.setTransform(lock.transform()));
    ASSERT_TRUE(picture.setTransform(lock.transform()));
    ASSERT_TRUE(fresh.connect());
    fresh.run(Duration::seconds(3));
    EXPECT_GT(pictures, 30);
    EXPECT_TRUE(heard);
    EXPECT_EQ(lock.dropped(), 0u);
    EXPECT_EQ(unlock.dropped(), 0u);
    // A new key along the chain: the other end follows.
    ASSERT_TRUE(lock.ratchet());
    const int before = pictures;
    fresh.run(Duration::seconds(2));
    EXPECT_GT(pictures, before + 30);
    EXPECT_EQ(unlock.dropped(), 0u);
    fresh.a().close();
    fresh.b().close();
    fresh.run(Duration::millis(100));
  }
}

TEST_F(SframeCallTest, EncodedTransform_NoTwoEncryptorsHaveTheSameKeyAndId) {
  using Role = SframeTransform::Role;
  start();
  auto lock = std::make_optional<SframeTransform>(Role::Encrypt);
  ASSERT_TRUE(lock->setKey(1, key_));
  ASSERT_TRUE(audio_.setTransform(*lock));
  ASSERT_TRUE(video_.setTransform(*lock)) << "one counts for all that an end sends";

  SframeTransform second(Role::Encrypt);
  ASSERT_TRUE(second.setKey(1, key_)) << "nobody can know yet";
  expectError(video_.setTransform(second), ErrorCode::InvalidAccess);
  SframeTransform third(Role::Encrypt);
  ASSERT_TRUE(third.setKey(3, key_));
  ASSERT_TRUE(video_.setTransform(third)) << "an id of its own";
  expectError(third.setKey(1, key_), ErrorCode::InvalidAccess);

  // Both ends under one id is the same mistake.
  (void)a.addTransceiver(MediaKind::Audio);
  RtpReceiver receiver = a.getReceivers()[0];
  SframeTransform unlock(Role::Decrypt);
  ASSERT_TRUE(unlock.setKey(1, key_));
  expectError(receiver.setTransform(unlock), ErrorCode::InvalidAccess);
  SframeTransform other(Role::Decrypt);
  ASSERT_TRUE(other.setKey(2, key_));
  ASSERT_TRUE(receiver.setTransform(other));
  expectError(other.setKey(1, key_), ErrorCode::InvalidAccess);
  ASSERT_TRUE(other.setKey(4, key_));

  expectError(receiver.setTransform(third), ErrorCode::Type);
  expectError(audio_.setTransform(other), ErrorCode::Type);

  // Nor does a new one start where another has been.
  ASSERT_TRUE(audio_.setTransform({}));
  lock.reset();
  run();
  SframeTransform late(Role::Encrypt);
  ASSERT_TRUE(late.setKey(1, key_));
  expectError(audio_.setTransform(late), ErrorCode::InvalidAccess);
}

TEST_F(SframeCallTest, EncodedTransform_AKeyThatIsSetAgainPushesNoOtherOut) {
  start();
  SframeTransform lock(SframeTransform::Role::Encrypt);
  ASSERT_TRUE(lock.setKey(1, key_));
  for (int i = 0; i < 1024; ++i) ASSERT_TRUE(lock.setKey(2, key_));
  ASSERT_TRUE(audio_.setTransform(lock));
  SframeTransform other(SframeTransform::Role::Encrypt);
  ASSERT_TRUE(other.setKey(1, key_));
  expectError(video_.setTransform(other), ErrorCode::InvalidAccess);
}

TEST_F(SframeCallTest, EncodedTransform_WhatCannotBeHiddenIsNotSent) {
  SframeTransform lock(SframeTransform::Role::Encrypt);
  ASSERT_TRUE(lock.setKey(1, key_));
  for (const char* mime : {"video/H264", "video/H265", "video/AV1"}) {
    EncodedFrame frame;
    frame.data = {0, 0, 0, 1, 0x65, 1, 2, 3};
    frame.mimeType = mime;
    EXPECT_FALSE(lock.transform()(frame));
    ASSERT_TRUE(lock.lastError());
    EXPECT_EQ(lock.lastError()->code, ErrorCode::NotSupported);
  }
  EXPECT_EQ(lock.dropped(), 3u);
}

TEST_F(SframeCallTest, EncodedTransform_WithoutTheKeyThereIsNothingToSee) {
  SframeTransform lock(SframeTransform::Role::Encrypt);
  SframeTransform unlock(SframeTransform::Role::Decrypt);
  ASSERT_TRUE(lock.setKey(1, key_));
  audioIn_ = videoIn_ = unlock.transform();
  start();
  ASSERT_TRUE(video_.setTransform(lock.transform()));
  ASSERT_TRUE(audio_.setTransform(lock.transform()));
  negotiate(a, b);
  run(Duration::seconds(2));
  EXPECT_EQ(pictures_, 0);
  EXPECT_EQ(loudest_, 0);
  EXPECT_GT(unlock.dropped(), 10u);
  // It comes late: a key frame is asked for, and the call is there.
  ASSERT_TRUE(unlock.setKey(1, key_));
  run(Duration::seconds(2));
  EXPECT_GT(pictures_, 15);
  EXPECT_EQ(loudest_, 1);
}

}  // namespace
}  // namespace parley::conformance
