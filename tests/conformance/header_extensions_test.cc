// What header extensions carry, from end to end in virtual time: webrtc-extensions, webrtc-stats,
// webrtc-encoded-transform.

#include <algorithm>
#include <cmath>

#include "parley/codec/formats.h"
#include "parley/codec/generators.h"

#include "conformance/peers.h"

namespace parley::conformance {
namespace {

constexpr const char* kPrefix = "http://www.webrtc.org/experiments/rtp-hdrext/";

class HeaderExtensions : public Peers {
 protected:
  ~HeaderExtensions() override {
    for (PeerConnection* pc : {&x, &y}) {
      if (*pc) pc->close();
    }
  }
  static void trickle(PeerConnection& from, PeerConnection to) {
    from.onIceCandidate([to](const std::optional<IceCandidate>& candidate) mutable {
      if (candidate) to.addIceCandidate(*candidate);
    });
  }
  void ask(RtpTransceiver transceiver, const std::string& name) {
    auto list = transceiver.getHeaderExtensionsToNegotiate();
    const auto entry =
        std::find_if(list.begin(), list.end(), [&](const auto& e) { return e.uri == name; });
    ASSERT_NE(entry, list.end()) << name;
    entry->direction = TransceiverDirection::SendRecv;
    ASSERT_TRUE(transceiver.setHeaderExtensionsToNegotiate(list));
  }
  static TransceiverDirection agreed(RtpTransceiver transceiver, const std::string& name) {
    for (const auto& entry : transceiver.getNegotiatedHeaderExtensions()) {
      if (entry.uri == name) return entry.direction;
    }
    return TransceiverDirection::Stopped;
  }
  /// A call with pictures from `from` to `to`; the answerer asks for the extension as well or not.
  void call(PeerConnection& from, PeerConnection& to, const std::string& name, bool bothAsk) {
    trickle(from, to);
    trickle(to, from);
    to.onTrack([this](const TrackEvent& event) {
      MediaStreamTrack track = event.track;
      track.setVideoSink([this](const codec::VideoFrame&) { ++shown; });
      receiver = event.receiver;
    });
    sender = from.addTrack(MediaStreamTrack::createVideo(pair.loopA(),
                                                         createTestPatternSource(320, 192, 20)),
                           {"s"})
                 .value();
    ask(from.getTransceivers()[0], name);
    ASSERT_TRUE(setLocal(from));
    ASSERT_TRUE(setRemote(to, *from.localDescription()));
    if (bothAsk) ask(to.getTransceivers()[0], name);
    ASSERT_TRUE(setLocal(to));
    ASSERT_TRUE(setRemote(from, *to.localDescription()));
    ASSERT_TRUE(runUntil([&] { return shown > 10; }));
  }
  Stats inbound() {
    const auto report = await<StatsReport>(
        [&](Completion<StatsReport> done) { receiver.getStats(std::move(done)); });
    for (const Stats* s : report->ofType("inbound-rtp")) return *s;
    return {};
  }

  PeerConnection x, y;
  RtpSender sender;
  RtpReceiver receiver;
  int shown = 0;
};

TEST_F(HeaderExtensions, Extensions_EncryptionIsNegotiatedOrNot) {
  for (const bool other : {true, false}) {
    Configuration configuration;
    configuration.headerEncryption = HeaderEncryptionPolicy::Negotiate;
    x = make(configuration);
    if (!other) configuration.headerEncryption = HeaderEncryptionPolicy::Disable;
    y = make(configuration);
    ASSERT_TRUE(x.addTransceiver(MediaKind::Audio));
    EXPECT_FALSE(x.getTransceivers()[0].rtpHeaderEncryptionNegotiated());
    ASSERT_TRUE(setLocal(x));
    EXPECT_FALSE(x.getTransceivers()[0].rtpHeaderEncryptionNegotiated()) << "offered only";
    ASSERT_TRUE(setRemote(y, *x.localDescription()));
    EXPECT_FALSE(y.getTransceivers()[0].rtpHeaderEncryptionNegotiated());
    ASSERT_TRUE(setLocal(y));
    ASSERT_TRUE(setRemote(x, *y.localDescription()));
    EXPECT_EQ(x.getTransceivers()[0].rtpHeaderEncryptionNegotiated(), other);
    EXPECT_EQ(y.getTransceivers()[0].rtpHeaderEncryptionNegotiated(), other);
    x.close();
    y.close();
  }
}

TEST_F(HeaderExtensions, Extensions_SourcesTellWhenTheyWereCaptured) {
  int told = 0;
  const auto watch = [&](EncodedFrame& frame) {
    EXPECT_TRUE(frame.receiveTime);
    told += frame.captureTime && frame.senderCaptureTimeOffset == Duration::zero();
    return true;
  };
  b.onTrack([&](const TrackEvent& event) { receiver = event.receiver; });
  call(a, b, std::string(kPrefix) + "abs-capture-time", false);
  ASSERT_TRUE(receiver.setTransform(watch));
  run(Duration::seconds(2));
  EXPECT_GT(told, 20);
  const auto sources = receiver.getSynchronizationSources();
  ASSERT_EQ(sources.size(), 1u);
  ASSERT_TRUE(sources[0].captureTimestampMs);
  // Milliseconds since 1900; the two ends share a clock here.
  const double heard = sources[0].timestampMs + 2'208'988'800e3;
  EXPECT_LE(*sources[0].captureTimestampMs, heard);
  EXPECT_GT(*sources[0].captureTimestampMs, heard - 1000);
  EXPECT_EQ(sources[0].senderCaptureTimeOffsetMs, 0.0);
}

TEST_F(HeaderExtensions, Extensions_WithoutTheExtensionSourcesTellNothing) {
  call(a, b, std::string(kPrefix) + "video-timing", false);
  const auto sources = receiver.getSynchronizationSources();
  ASSERT_EQ(sources.size(), 1u);
  EXPECT_FALSE(sources[0].captureTimestampMs);
  EXPECT_FALSE(sources[0].senderCaptureTimeOffsetMs);
}

TEST_F(HeaderExtensions, Own_TheSlowestPictureLatelyTellsWhereItsTimeWent) {
  call(a, b, std::string(kPrefix) + "video-timing", false);
  run(Duration::seconds(8));
  const Stats stats = inbound();
  const std::string info = stats.text("parleyTimingFrameInfo");
  std::vector<int64_t> fields;
  for (size_t at = 0; at != std::string::npos && at < info.size();) {
    fields.push_back(std::stoll(info.substr(at)));
    at = info.find(',', at);
    if (at != std::string::npos) ++at;
  }
  ASSERT_EQ(fields.size(), 15u) << info;
  // Captured, encoded, cut into packets, sent, received, decoded, shown.
  EXPECT_LE(fields[1], fields[2]);
  EXPECT_LE(fields[2], fields[3]);
  EXPECT_LE(fields[4], fields[5]);
  EXPECT_LE(fields[5], fields[8] + 5) << "half a round trip is an estimate";
  EXPECT_LE(fields[8], fields[9]);
  EXPECT_LE(fields[10], fields[12]);
  EXPECT_EQ(fields[14], 1) << "by timer";
}

TEST_F(HeaderExtensions, Own_APlayoutDelayHoldsPicturesBack) {
  call(a, b, std::string(kPrefix) + "playout-delay", false);
  const auto delay = [&](const Stats& before, const Stats& after) {
    return (after.number("jitterBufferDelay") - before.number("jitterBufferDelay")) /
           (after.number("jitterBufferEmittedCount") - before.number("jitterBufferEmittedCount"));
  };
  ASSERT_TRUE(sender.setPlayoutDelay(PlayoutDelay{Duration::millis(500), Duration::seconds(2)}));
  run(Duration::seconds(3));
  const Stats first = inbound();
  run(Duration::seconds(2));
  const Stats second = inbound();
  EXPECT_NEAR(delay(first, second), 0.5, 0.1);
  ASSERT_TRUE(sender.setPlayoutDelay(PlayoutDelay{}));
  run(Duration::seconds(10));
  const Stats third = inbound();
  run(Duration::seconds(2));
  EXPECT_LT(delay(third, inbound()), 0.1);
  ASSERT_TRUE(sender.setPlayoutDelay(std::nullopt));

  expectError(sender.setPlayoutDelay(PlayoutDelay{Duration::seconds(2), Duration::seconds(1)}),
              ErrorCode::Range);
  expectError(sender.setPlayoutDelay(PlayoutDelay{Duration::zero(), Duration::seconds(41)}),
              ErrorCode::Range);
  expectError(sender.setPlayoutDelay(PlayoutDelay{Duration::millis(-10), Duration::seconds(1)}),
              ErrorCode::Range);
  RtpSender sound = a.addTrack(audio(), {"s"}).value();
  expectError(sound.setPlayoutDelay(PlayoutDelay{}), ErrorCode::InvalidState);
  a.close();
  expectError(sender.setPlayoutDelay(PlayoutDelay{}), ErrorCode::InvalidState);
}

TEST_F(HeaderExtensions, Stats_CorruptionIsMeasuredWhereBothAskForIt) {
  const std::string name = std::string(kPrefix) + "corruption-detection";
  call(a, b, name, true);
  EXPECT_EQ(agreed(a.getTransceivers()[0], name), TransceiverDirection::SendRecv);
  run(Duration::seconds(6));
  const Stats stats = inbound();
  const double count = stats.number("corruptionMeasurements");
  EXPECT_GE(count, 4);
  EXPECT_LE(stats.number("totalCorruptionProbability") / count, 0.05);
  EXPECT_LE(stats.number("totalSquaredCorruptionProbability"),
            stats.number("totalCorruptionProbability"));
}

TEST_F(HeaderExtensions, Own_SamplesOfThePictureAreSentOnNobodyElsesWish) {
  const std::string name = std::string(kPrefix) + "corruption-detection";
  call(a, b, name, false);
  EXPECT_EQ(agreed(a.getTransceivers()[0], name), TransceiverDirection::Stopped);
  EXPECT_EQ(inbound().members.count("corruptionMeasurements"), 0u);
}

// They would cost four bytes a packet and tell nothing that abs-send-time does not.
TEST_F(HeaderExtensions, Own_TransmissionOffsetsAreAgreedToOnNobodyElsesWish) {
  const std::string name = "urn:ietf:params:rtp-hdrext:toffset";
  call(a, b, name, false);
  EXPECT_EQ(agreed(a.getTransceivers()[0], name), TransceiverDirection::Stopped);
}

TEST_F(HeaderExtensions, Own_TransmissionOffsetsAreAgreedTo) {
  const std::string name = "urn:ietf:params:rtp-hdrext:toffset";
  call(a, b, name, true);
  EXPECT_EQ(agreed(a.getTransceivers()[0], name), TransceiverDirection::SendRecv);
  run(Duration::seconds(2));
  EXPECT_GT(inbound().number("framesDecoded"), 20);
}

TEST_F(HeaderExtensions, Own_ATransformThatHidesThePictureHidesItsSamples) {
  const std::string name = std::string(kPrefix) + "corruption-detection";
  call(a, b, name, true);
  ASSERT_TRUE(sender.setTransform([](EncodedFrame&) { return true; }));
  run(Duration::seconds(3));
  const double before = inbound().number("corruptionMeasurements");
  run(Duration::seconds(5));
  EXPECT_EQ(inbound().number("corruptionMeasurements"), before);
}

// webrtc-svc section 4: what an application's own encoder can do is what it says.
TEST_F(HeaderExtensions, Svc_LayersOfCompressedTracks) {
  Configuration configuration;
  configuration.encodedVideoFormats = {{"AV1", {}, {"L1T3", "L3T3_KEY", "nonsense"}}};
  x = make(configuration);
  RtpEncodingParameters encoding;
  encoding.scalabilityMode = "L3T3_KEY";
  TransceiverInit init;
  init.sendEncodings = {encoding};
  auto made = x.addTransceiver(MediaStreamTrack::createEncodedVideo(pair.loopA(), "AV1"), init);
  ASSERT_TRUE(made);
  EXPECT_EQ(made->sender().getParameters().encodings[0].scalabilityMode, "L3T3_KEY");
  init.sendEncodings[0].scalabilityMode = "nonsense";
  expectError(x.addTransceiver(MediaStreamTrack::createEncodedVideo(pair.loopA(), "AV1"), init),
              ErrorCode::Operation);
}

}  // namespace
}  // namespace parley::conformance
