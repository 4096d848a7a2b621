// What media does on its way through workers, sinks and tracks: nobody waits for a slow sink,
// nothing runs after the drain, the app's bounds on an encoding hold.

#include <atomic>
#include <optional>
#include <thread>

#include <gtest/gtest.h>

#include "parley/parley.h"

#include "live_pair.h"

namespace parley::test {
namespace {

/// The number `key` of the first statistics object of `type`, or nothing.
std::optional<double> statistic(PeerConnection& pc, std::string_view type, std::string_view key) {
  // Shared with the callback, which may come after a time-out.
  struct Answer {
    Latch there;
    std::optional<double> value;
  };
  const auto answer = std::make_shared<Answer>();
  pc.getStats([=, type = std::string(type), key = std::string(key)](Result<StatsReport> report) {
    if (report) {
      for (const Stats& object : report->all()) {
        if (object.type == type && object.has(key)) answer->value = object.number(key);
      }
    }
    answer->there.set();
  });
  EXPECT_TRUE(answer->there.wait());
  return answer->value;
}

TEST(MediaDelivery, ASlowSinkHoldsUpNobody) {
  Latch seen;
  Latch release;
  std::atomic<int> frames{0};
  LivePair pair;
  pair.b.onTrack([&](const TrackEvent& event) {
    MediaStreamTrack track = event.track;
    track.setVideoSink([&](const codec::VideoFrame&) {
      if (++frames == 1) release.wait();
      if (frames == 5) seen.set();
    });
  });
  ASSERT_TRUE(pair.a.addTrack(
      MediaStreamTrack::createVideo(pair.loopA, createTestPatternSource(160, 120, 200))));
  pair.negotiate();
  // Meanwhile the loop answers, and more pictures come than the decoder's queue holds.
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (statistic(pair.b, "inbound-rtp", "framesDropped").value_or(0) == 0 &&
         std::chrono::steady_clock::now() < end) {
    std::this_thread::yield();
  }
  EXPECT_GT(statistic(pair.b, "inbound-rtp", "framesDropped").value_or(0), 0);
  release.set();
  EXPECT_TRUE(seen.wait());  // a key frame was asked for, the picture goes on
}

TEST(MediaDelivery, CloseAndDrainWaitsForSinks) {
  Latch inSink;
  Latch release;
  std::atomic<bool> sinkEnded{false};
  std::atomic<bool> drained{false};
  std::atomic<int> afterDrain{0};
  LivePair pair;
  pair.b.onTrack([&](const TrackEvent& event) {
    MediaStreamTrack track = event.track;
    track.setVideoSink([&](const codec::VideoFrame&) {
      if (drained) ++afterDrain;
      if (sinkEnded) return;
      inSink.set();
      release.wait();
      for (int i = 0; i < 1000; ++i) std::this_thread::yield();
      sinkEnded = true;
    });
  });
  ASSERT_TRUE(pair.a.addTrack(
      MediaStreamTrack::createVideo(pair.loopA, createTestPatternSource(160, 120, 100))));
  pair.negotiate();
  ASSERT_TRUE(inSink.wait());
  std::thread closer([&] {
    pair.b.closeAndDrain();
    EXPECT_TRUE(sinkEnded);
    drained = true;
  });
  release.set();
  closer.join();
  EXPECT_EQ(afterDrain, 0);
}

TEST(MediaDelivery, CloseAndDrainWaitsForSinksOfClones) {
  Latch inSink;
  Latch release;
  std::atomic<bool> sinkEnded{false};
  std::atomic<bool> drained{false};
  std::atomic<int> afterDrain{0};
  MediaStreamTrack clone;
  MediaStreamTrack late;
  LivePair pair;
  pair.b.onTrack([&](const TrackEvent& event) {
    clone = event.track.clone();
    late = event.track.clone();
    clone.setVideoSink([&](const codec::VideoFrame&) {
      if (drained) ++afterDrain;
      inSink.set();
      release.wait();
      for (int i = 0; i < 1000; ++i) std::this_thread::yield();
      sinkEnded = true;
    });
    // Its turn comes when the other's sink returns: by then it may not start any more.
    late.setVideoSink([&](const codec::VideoFrame&) {
      if (drained) ++afterDrain;
    });
  });
  ASSERT_TRUE(pair.a.addTrack(
      MediaStreamTrack::createVideo(pair.loopA, createTestPatternSource(160, 120, 100))));
  pair.negotiate();
  ASSERT_TRUE(inSink.wait());
  std::thread closer([&] {
    pair.b.closeAndDrain();
    EXPECT_TRUE(sinkEnded);
    drained = true;
  });
  while (pair.b.connectionState() != PeerConnectionState::Closed) std::this_thread::yield();
  release.set();
  closer.join();
  EXPECT_EQ(afterDrain, 0);
}

TEST(MediaDelivery, CloseAndDrainWaitsForSinksOfARemovedTransceiver) {
  Latch inSink;
  Latch ended;
  Latch release;
  std::atomic<bool> sinkEnded{false};
  std::atomic<bool> drained{false};
  MediaStreamTrack clone;  // all that the app keeps
  LivePair pair;
  pair.b.onTrack([&](const TrackEvent& event) {
    clone = event.track.clone();
    clone.onEnded([&] { ended.set(); });
    clone.setVideoSink([&](const codec::VideoFrame&) {
      inSink.set();
      release.wait();
      // Whoever does not wait is done first.
      for (int i = 0; i < 1000 && !drained; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      sinkEnded = true;
    });
  });
  ASSERT_TRUE(pair.a.addTrack(
      MediaStreamTrack::createVideo(pair.loopA, createTestPatternSource(160, 120, 100))));
  pair.negotiate();
  ASSERT_TRUE(inSink.wait());
  ASSERT_TRUE(pair.a.getTransceivers()[0].stop());
  pair.negotiate();
  ASSERT_TRUE(ended.wait());
  while (!pair.b.getTransceivers().empty()) std::this_thread::yield();
  std::thread closer([&] {
    pair.b.closeAndDrain();
    EXPECT_TRUE(sinkEnded);
    drained = true;
  });
  while (pair.b.connectionState() != PeerConnectionState::Closed) std::this_thread::yield();
  release.set();
  closer.join();
}

TEST(MediaDelivery, ASinkOfACloneMayCloseTheConnection) {
  Latch closed;
  MediaStreamTrack clone;
  LivePair pair;
  pair.b.onTrack([&](const TrackEvent& event) {
    clone = event.track.clone();
    clone.setVideoSink([&](const codec::VideoFrame&) {
      pair.b.closeAndDrain();
      closed.set();
    });
  });
  ASSERT_TRUE(pair.a.addTrack(
      MediaStreamTrack::createVideo(pair.loopA, createTestPatternSource(160, 120, 30))));
  pair.negotiate();
  EXPECT_TRUE(closed.wait());
}

TEST(MediaDelivery, InitialEncodingsCount) {
  Latch seen;
  std::atomic<int> width{0};
  LivePair pair;
  pair.b.onTrack([&](const TrackEvent& event) {
    MediaStreamTrack track = event.track;
    track.setVideoSink([&](const codec::VideoFrame& frame) {
      width = frame.width();
      seen.set();
    });
  });
  TransceiverInit init;
  init.sendEncodings = {RtpEncodingParameters{}};
  init.sendEncodings[0].scaleResolutionDownBy = 2;
  // No track yet: the encoder is made later.
  RtpTransceiver transceiver = pair.a.addTransceiver(MediaKind::Video, init).value();
  transceiver.sender().replaceTrack(
      MediaStreamTrack::createVideo(pair.loopA, createTestPatternSource(320, 240, 100)), {});
  pair.negotiate();
  ASSERT_TRUE(seen.wait());
  EXPECT_EQ(width, 160);
}

TEST(MediaDelivery, AnInactiveEncodingSendsNoSound) {
  Latch seen;
  LivePair pair;
  TransceiverInit init;
  init.sendEncodings = {RtpEncodingParameters{}};
  init.sendEncodings[0].active = false;
  ASSERT_TRUE(pair.a.addTransceiver(
      MediaStreamTrack::createAudio(pair.loopA, createToneSource(440)), init));
  pair.b.onTrack([&](const TrackEvent& event) {
    if (event.track.kind() != MediaKind::Video) return;
    MediaStreamTrack track = event.track;
    track.setVideoSink([&](const codec::VideoFrame&) { seen.set(); });
  });
  ASSERT_TRUE(pair.a.addTrack(
      MediaStreamTrack::createVideo(pair.loopA, createTestPatternSource(160, 120, 100))));
  pair.negotiate();
  ASSERT_TRUE(seen.wait());
  for (int i = 0; i < 20; ++i) (void)statistic(pair.b, "inbound-rtp", "packetsReceived");
  RtpSender audio = pair.a.getTransceivers()[0].sender();
  EXPECT_FALSE(audio.getParameters().encodings[0].active);
  std::optional<double> sentSound;
  Latch there;
  pair.a.getStats([&](Result<StatsReport> report) {
    for (const Stats& object : report->all()) {
      if (object.type == "outbound-rtp" && object.text("kind") == "audio")
        sentSound = object.number("packetsSent");
    }
    there.set();
  });
  ASSERT_TRUE(there.wait());
  EXPECT_EQ(sentSound.value_or(0), 0);
}

TEST(MediaDelivery, CompressedFramesOfAnotherCodecAreNotSent) {
  Latch connected;
  LivePair pair;
  pair.a.onConnectionStateChange([&](PeerConnectionState state) {
    if (state == PeerConnectionState::Connected) connected.set();
  });
  MediaStreamTrack track = MediaStreamTrack::createEncodedVideo(pair.loopA, "VP9");
  RtpTransceiver transceiver = pair.a.addTransceiver(track).value();
  ASSERT_TRUE(transceiver.setCodecPreferences({RtpCodec{"video/VP8", 90'000, std::nullopt, ""}}));
  pair.negotiate();
  ASSERT_TRUE(connected.wait());
  codec::EncodedVideoFrame frame;
  frame.data = Bytes(200, 1);
  frame.keyFrame = true;
  frame.width = 160;
  frame.height = 120;
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(track.push(frame));
  EXPECT_EQ(statistic(pair.a, "outbound-rtp", "packetsSent").value_or(0), 0);
  EXPECT_EQ(track.push(codec::VideoFrame{}).error().code, ErrorCode::Type);
}

}  // namespace
}  // namespace parley::test
