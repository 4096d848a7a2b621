// Simulcast and scalability in virtual time: webrtc-pc sections 4.4.1.5, 5.1 and 5.2, RFC 8853,
// webrtc-svc, webrtc-extensions.

#include <algorithm>
#include <map>
#include <set>

#include "parley/codec/factories.h"
#include "parley/codec/generators.h"

#include "conformance/peers.h"

namespace parley::conformance {
namespace {

RtpEncodingParameters layer(const char* rid) {
  RtpEncodingParameters out;
  out.rid = rid;
  return out;
}

class Simulcast : public Peers {
 protected:
  /// What a server saw of one layer.
  struct Seen {
    std::set<uint32_t> ssrcs;
    int frames = 0;
    int keyFrames = 0;
    int width = 0;
  };

  Simulcast() {
    Configuration configuration;
    configuration.receiveSimulcast = true;
    server = PeerConnection::create(pair.loopB(), configuration).value();
    trickle(a, server);
    trickle(server, a);
    server.onTrack([this](const TrackEvent& event) {
      MediaStreamTrack track = event.track;
      track.setVideoSink([this](const codec::VideoFrame& frame) { shown = frame.width(); });
      receiver = event.receiver;
      EXPECT_TRUE(receiver.setTransform([this](EncodedFrame& frame) {
        Seen& layer = seen[frame.rid];
        layer.ssrcs.insert(frame.ssrc);
        ++layer.frames;
        if (frame.keyFrame) {
          ++layer.keyFrames;
          layer.width = frame.width;
        }
        return true;
      }));
    });
  }
  ~Simulcast() override { server.close(); }

  static void trickle(PeerConnection& from, PeerConnection to) {
    from.onIceCandidate([to](const std::optional<IceCandidate>& candidate) mutable {
      if (candidate) to.addIceCandidate(*candidate);
    });
  }
  static TransceiverInit layers(std::vector<RtpEncodingParameters> encodings) {
    TransceiverInit init;
    init.direction = TransceiverDirection::SendOnly;
    init.sendEncodings = std::move(encodings);
    return init;
  }
  MediaStreamTrack pattern(int width = 320, int height = 192) {
    return MediaStreamTrack::createVideo(pair.loopA(), createTestPatternSource(width, height, 15));
  }
  RtpSender sendThree() {
    RtpSender sender =
        a.addTransceiver(pattern(), layers({layer("q"), layer("h"), layer("f")})).value().sender();
    negotiate(a, server);
    return sender;
  }
  Result<void> set(RtpSender sender, const RtpSendParameters& p, SetParameterOptions options = {}) {
    return await<void>(
        [&](Completion<void> done) { sender.setParameters(p, std::move(done), options); });
  }
  std::vector<Stats> outbound() {
    std::vector<Stats> out;
    const auto report =
        await<StatsReport>([&](Completion<StatsReport> done) { a.getStats(std::move(done)); });
    if (!report) return out;
    for (const Stats* s : report->ofType("outbound-rtp")) out.push_back(*s);
    std::sort(out.begin(), out.end(), [](const Stats& x, const Stats& y) {
      return x.number("encodingIndex") < y.number("encodingIndex");
    });
    return out;
  }
  /// An offer of `b` to receive these layers of a video, as servers make it.
  SessionDescription offerToReceive(const std::vector<std::string>& rids) {
    if (b.getTransceivers().empty()) {
      TransceiverInit init;
      init.direction = TransceiverDirection::RecvOnly;
      EXPECT_TRUE(b.addTransceiver(MediaKind::Video, init));
    }
    SessionDescription out = offer(b).value();
    std::string list;
    for (const std::string& rid : rids) {
      out.sdp += "a=rid:" + rid + " recv\r\n";
      list += (list.empty() ? "" : ";") + rid;
    }
    out.sdp += "a=simulcast:recv " + list + "\r\n";
    return out;
  }
  std::vector<std::string> ridsOf(RtpSender sender) {
    std::vector<std::string> out;
    run();
    for (const RtpEncodingParameters& e : sender.getParameters().encodings)
      out.push_back(e.rid.value_or("-"));
    return out;
  }

  PeerConnection server;
  RtpReceiver receiver;
  std::map<std::string, Seen> seen;
  int shown = 0;
};

TEST_F(Simulcast, S5_1_EachEncodingIsAStreamOfItsOwn) {
  RtpSender sender = sendThree();
  EXPECT_NE(server.localDescription()->sdp.find("a=simulcast:recv q;h;f"), std::string::npos);
  ASSERT_TRUE(runUntil([&] { return seen["f"].frames > 10; }));
  for (const auto& [rid, width] : std::map<std::string, int>{{"q", 80}, {"h", 160}, {"f", 320}}) {
    EXPECT_EQ(seen[rid].width, width) << rid;
    EXPECT_EQ(seen[rid].ssrcs.size(), 1u) << rid;
    EXPECT_GT(seen[rid].frames, 10) << rid;
  }
  EXPECT_EQ(seen.size(), 3u) << "every frame is known by its rid";
  EXPECT_EQ(shown, 320) << "sinks get the largest";
}

// RFC 8853 section 5.3.1, offered by the end that receives.
TEST_F(Simulcast, Rfc8853_TheReceiverAsksForLayers) {
  TransceiverInit init;
  init.direction = TransceiverDirection::RecvOnly;
  init.receiveRids = {"h", "f"};
  ASSERT_TRUE(server.addTransceiver(MediaKind::Video, init));
  RtpSender sender = a.addTrack(pattern(), {"s"}).value();
  negotiate(server, a);
  EXPECT_EQ(ridsOf(sender), (std::vector<std::string>{"h", "f"}));
  ASSERT_TRUE(runUntil([&] { return seen["f"].frames > 10 && seen["h"].frames > 10; }));
  EXPECT_EQ(seen["h"].width, 160);
  EXPECT_EQ(seen["f"].width, 320);

  for (const std::vector<std::string>& bad :
       {std::vector<std::string>{"a", "a"}, {"a-b"}, {"a", "b", "c", "d"}}) {
    init.receiveRids = bad;
    expectError(server.addTransceiver(MediaKind::Video, init), ErrorCode::Type);
  }
  init.receiveRids = {"a"};
  expectError(server.addTransceiver(MediaKind::Audio, init), ErrorCode::Type);
}

TEST_F(Simulcast, Extensions_PicturesAreMadeAsSmallAsAsked) {
  RtpEncodingParameters small = layer("q"), large = layer("f");
  small.scaleResolutionDownTo = ResolutionRestriction{80, 80};
  large.scaleResolutionDownTo = ResolutionRestriction{192, 320};  // it turns with the picture
  large.scaleResolutionDownBy = 4;                                // without effect
  RtpSender sender = a.addTransceiver(pattern(), layers({small, large})).value().sender();
  negotiate(a, server);
  ASSERT_TRUE(runUntil([&] { return seen["q"].frames > 5 && seen["f"].frames > 5; }));
  EXPECT_EQ(seen["q"].width, 80);
  EXPECT_EQ(seen["f"].width, 320);
  RtpSendParameters p = sender.getParameters();
  EXPECT_EQ(p.encodings[0].scaleResolutionDownTo, small.scaleResolutionDownTo);
  p.encodings[0].scaleResolutionDownTo = ResolutionRestriction{40, 40};
  ASSERT_TRUE(set(sender, p));
  EXPECT_TRUE(runUntil([&] { return seen["q"].width == 40; }));

  p = sender.getParameters();
  p.encodings[0].scaleResolutionDownTo = ResolutionRestriction{40, 0};
  expectError(set(sender, p), ErrorCode::InvalidModification);
  p = sender.getParameters();
  p.encodings[0].scaleResolutionDownTo.reset();
  expectError(set(sender, p), ErrorCode::InvalidModification);
  p = sender.getParameters();
  p.encodings[0].scaleResolutionDownTo.reset();
  p.encodings[0].active = false;
  EXPECT_TRUE(set(sender, p)) << "who sends nothing needs no size";
  small.scaleResolutionDownTo.reset();
  expectError(a.addTransceiver(pattern(), layers({small, large})), ErrorCode::Operation);
}

TEST_F(Simulcast, Stats_OneOutboundObjectPerEncoding) {
  RtpSender sender = sendThree();
  RtpSendParameters p = sender.getParameters();
  p.encodings[1].scalabilityMode = "L1T2";
  ASSERT_TRUE(set(sender, p));
  ASSERT_TRUE(runUntil([&] { return seen["f"].frames > 5; }));
  const auto sent = outbound();
  ASSERT_EQ(sent.size(), 3u);
  const char* rids[] = {"q", "h", "f"};
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(sent[i].text("rid"), rids[i]);
    EXPECT_EQ(sent[i].number("encodingIndex"), static_cast<double>(i));
    EXPECT_EQ(sent[i].number("frameWidth"), 80 << i);
    EXPECT_TRUE(std::get<bool>(sent[i].members.at("active")));
    EXPECT_GT(sent[i].number("framesEncoded"), 5);
    EXPECT_EQ(sent[i].text("scalabilityMode"), i == 1 ? "L1T2" : "L1T1");
    EXPECT_TRUE(sent[i].has("qualityLimitationReason"));
    EXPECT_TRUE(sent[i].has("rtxSsrc"));
  }
}

TEST_F(Simulcast, S5_2_AnInactiveEncodingSendsNothing) {
  RtpSender sender = sendThree();
  ASSERT_TRUE(runUntil([&] { return seen["f"].frames > 5; }));
  RtpSendParameters p = sender.getParameters();
  p.encodings[0].active = false;
  p.encodings[2].active = false;
  ASSERT_TRUE(set(sender, p));
  run(Duration::millis(300));
  const auto before = seen;
  run(Duration::seconds(2));
  EXPECT_EQ(seen["q"].frames, before.at("q").frames);
  EXPECT_EQ(seen["f"].frames, before.at("f").frames);
  EXPECT_GT(seen["h"].frames, before.at("h").frames + 20);
  EXPECT_EQ(shown, 160) << "the receiver shows what is left";
  const auto sent = outbound();
  EXPECT_FALSE(std::get<bool>(sent[0].members.at("active")));
  EXPECT_TRUE(std::get<bool>(sent[1].members.at("active")));
  p = sender.getParameters();
  p.encodings[2].active = true;
  ASSERT_TRUE(set(sender, p));
  run(Duration::seconds(1));
  EXPECT_GT(seen["f"].keyFrames, before.at("f").keyFrames) << "it begins with a key frame";
  EXPECT_EQ(shown, 320);
  EXPECT_NE(server.localDescription()->sdp.find("recv q;h;f"), std::string::npos)
      << "nothing of it is negotiated";
}

TEST_F(Simulcast, Extensions_KeyFramesAreAskedForPerEncoding) {
  RtpSender sender = sendThree();
  ASSERT_TRUE(runUntil([&] { return seen["f"].frames > 5; }));
  run(Duration::seconds(1));
  auto before = seen;
  RtpSendParameters p = sender.getParameters();
  SetParameterOptions options;
  options.encodingOptions.resize(2);
  expectError(set(sender, p, options), ErrorCode::InvalidModification);
  p = sender.getParameters();
  options.encodingOptions.resize(3);
  options.encodingOptions[1].keyFrame = true;
  ASSERT_TRUE(set(sender, p, options));
  run(Duration::seconds(1));
  EXPECT_EQ(seen["q"].keyFrames, before["q"].keyFrames);
  EXPECT_EQ(seen["h"].keyFrames, before["h"].keyFrames + 1);
  EXPECT_EQ(seen["f"].keyFrames, before["f"].keyFrames);
  before = seen;
  expectError(sender.generateKeyFrame({"nothing"}), ErrorCode::NotFound);
  ASSERT_TRUE(sender.generateKeyFrame({"f"}));
  run(Duration::seconds(1));
  EXPECT_EQ(seen["q"].keyFrames, before["q"].keyFrames);
  EXPECT_EQ(seen["f"].keyFrames, before["f"].keyFrames + 1);
  before = seen;
  ASSERT_TRUE(sender.generateKeyFrame());
  run(Duration::seconds(1));
  for (const char* rid : {"q", "h", "f"})
    EXPECT_EQ(seen[rid].keyFrames, before[rid].keyFrames + 1) << rid;
}

TEST_F(Simulcast, S5_2_BoundsHoldPerEncoding) {
  RtpSender sender = sendThree();
  RtpSendParameters p = sender.getParameters();
  p.encodings[0].maxFramerate = 5;
  p.encodings[1].scaleResolutionDownBy = 4;
  p.encodings[2].maxBitrate = DataRate::kbps(90);
  ASSERT_TRUE(set(sender, p));
  ASSERT_TRUE(runUntil([&] { return seen["f"].frames > 30; }));
  EXPECT_LT(seen["q"].frames, seen["f"].frames / 2);
  EXPECT_EQ(seen["h"].width, 80);
  const auto sent = outbound();
  EXPECT_LE(sent[2].number("targetBitrate"), 90'000);
}

TEST_F(Simulcast, Stats_ALayerThatTheRateDoesNotCarryIsLimitedByBandwidth) {
  Configuration narrow;
  narrow.maxBitrate = DataRate::kbps(150);
  narrow.startBitrate = DataRate::kbps(100);
  PeerConnection sender = make(narrow);
  trickle(sender, server);
  trickle(server, sender);
  ASSERT_TRUE(sender.addTransceiver(pattern(640, 384), layers({layer("h"), layer("f")})));
  negotiate(sender, server);
  ASSERT_TRUE(runUntil([&] { return seen["h"].frames > 20; }));
  EXPECT_EQ(seen["f"].frames, 0);
  EXPECT_EQ(shown, 320);
  const auto report =
      await<StatsReport>([&](Completion<StatsReport> done) { sender.getStats(std::move(done)); });
  for (const Stats* s : report->ofType("outbound-rtp")) {
    EXPECT_TRUE(std::get<bool>(s->members.at("active")));
    if (s->text("rid") == "f") {
      EXPECT_EQ(s->text("qualityLimitationReason"), "bandwidth");
    }
  }
  sender.close();
}

TEST_F(Simulcast, S4_4_1_5_AnAnswerMayTakeSomeLayersOnly) {
  RtpSender sender =
      a.addTransceiver(pattern(), layers({layer("q"), layer("h"), layer("f")})).value().sender();
  ASSERT_TRUE(setLocal(a));
  ASSERT_TRUE(setRemote(server, *a.localDescription()));
  SessionDescription reply = answer(server).value();
  const std::string all = "a=simulcast:recv q;h;f";
  ASSERT_NE(reply.sdp.find(all), std::string::npos);
  SessionDescription fewer = reply;
  fewer.sdp.replace(fewer.sdp.find(all), all.size(), "a=simulcast:recv ~h;f");
  ASSERT_TRUE(setLocal(server, reply));
  ASSERT_TRUE(setRemote(a, fewer));
  EXPECT_EQ(ridsOf(sender), (Lines{"h", "f"}));
  EXPECT_TRUE(sender.getParameters().encodings[0].active) << "~ is not the application's switch";
  ASSERT_TRUE(runUntil([&] { return seen["f"].frames > 5; }));
  EXPECT_EQ(seen.count("q"), 0u);
  EXPECT_GT(seen["h"].frames, 5);
  EXPECT_EQ(outbound().size(), 2u);
}

TEST_F(Simulcast, S4_4_1_5_AnOfferToReceiveLayersProposesThem) {
  RtpSender sender = a.addTrack(pattern()).value();
  ASSERT_TRUE(setRemote(a, offerToReceive({"l", "m", "n", "o"})));
  EXPECT_EQ(ridsOf(sender), (Lines{"l", "m", "n"})) << "more than we can send are left out";
  const auto encodings = sender.getParameters().encodings;
  EXPECT_EQ(encodings[0].scaleResolutionDownBy, 4.0);
  EXPECT_EQ(encodings[2].scaleResolutionDownBy, 1.0);
  const std::string reply = answer(a).value().sdp;
  EXPECT_NE(reply.find("a=simulcast:send l;m;n\r\n"), std::string::npos);
  EXPECT_NE(reply.find("a=rid:m send\r\n"), std::string::npos);
}

TEST_F(Simulcast, S5_2_ParametersOfLayersThatAreGoneChangeNothing) {
  RtpSender sender = a.addTransceiver(pattern(), layers({layer("q"), layer("f")})).value().sender();
  ASSERT_TRUE(setLocal(a));
  ASSERT_TRUE(setRemote(b, *a.localDescription()));
  ASSERT_TRUE(setLocal(b));  // takes one layer
  RtpSendParameters p = sender.getParameters();
  for (RtpEncodingParameters& encoding : p.encodings) encoding.maxBitrate = DataRate::kbps(321);
  std::optional<bool> described, set;
  a.setRemoteDescription(*b.localDescription(), [&](Result<void> r) { described = r.has_value(); });
  sender.setParameters(p, [&](Result<void> r) { set = r.has_value(); });
  ASSERT_TRUE(runUntil([&] { return described && set; }));
  EXPECT_EQ(ridsOf(sender), (Lines{"q"}));
}

TEST_F(Simulcast, S4_4_1_5_SoundHasNoLayers) {
  RtpSender sender = a.addTrack(audio()).value();
  TransceiverInit init;
  init.direction = TransceiverDirection::RecvOnly;
  ASSERT_TRUE(b.addTransceiver(MediaKind::Audio, init));
  ASSERT_TRUE(setRemote(a, offerToReceive({"l", "m"})));
  EXPECT_EQ(ridsOf(sender), (Lines{"-"}));
}

TEST_F(Simulcast, S4_4_1_5_RollbackTakesProposedLayersBack) {
  RtpSender sender = a.addTrack(pattern()).value();
  run();
  RtpSendParameters p = sender.getParameters();
  p.encodings[0].maxBitrate = DataRate::kbps(777);
  ASSERT_TRUE(set(sender, p));
  ASSERT_TRUE(setRemote(a, offerToReceive({"l", "m"})));
  EXPECT_EQ(ridsOf(sender), (Lines{"l", "m"}));
  ASSERT_TRUE(setRemote(a, {SdpType::Rollback, ""}));
  EXPECT_EQ(ridsOf(sender), (Lines{"-"}));
  EXPECT_EQ(sender.getParameters().encodings[0].maxBitrate, DataRate::kbps(777));
}

TEST_F(Simulcast, S4_4_1_5_WhatTheApplicationChoseIsNotReplaced) {
  RtpSender sender = a.addTransceiver(pattern(), layers({layer("x"), layer("y")})).value().sender();
  ASSERT_TRUE(setLocal(a));
  ASSERT_TRUE(setRemote(a, {SdpType::Rollback, ""}) || setLocal(a, {SdpType::Rollback, ""}));
  ASSERT_TRUE(setRemote(a, offerToReceive({"l", "m"})));
  EXPECT_EQ(ridsOf(sender), (Lines{"x", "y"}));
}

TEST_F(Simulcast, S4_4_1_5_OneLayerIsTakenUnlessAskedForMore) {
  RtpSender sender =
      a.addTransceiver(pattern(), layers({layer("q"), layer("h"), layer("f")})).value().sender();
  int frames = 0;
  b.onTrack([&](const TrackEvent& event) {
    MediaStreamTrack track = event.track;
    track.setVideoSink([&](const codec::VideoFrame&) { ++frames; });
  });
  trickle(a, b);
  trickle(b, a);
  negotiate(a, b);
  EXPECT_EQ(b.localDescription()->sdp.find("simulcast"), std::string::npos);
  EXPECT_EQ(ridsOf(sender), (Lines{"q"}));
  ASSERT_TRUE(runUntil([&] { return frames > 5; }));
  EXPECT_EQ(outbound().size(), 1u);
}

TEST_F(Simulcast, Own_AnApplicationsEncoderFillsEncodingsByIndex) {
  MediaStreamTrack track = MediaStreamTrack::createEncodedVideo(pair.loopA(), "VP8");
  int wanted = 0;
  DataRate target;
  track.onKeyFrameNeeded([&] { ++wanted; });
  track.onTargetBitrate([&](DataRate rate) { target = rate; });
  ASSERT_TRUE(a.addTransceiver(track, layers({layer("q"), layer("f")})));
  negotiate(a, server);
  ASSERT_TRUE(runUntil([&] { return wanted > 0 && target > DataRate::kbps(100); }));
  codec::VideoEncoderSettings settings;
  settings.width = settings.height = 64;
  auto encoder = codec::builtinVideoEncoders()->create({"VP8", {}}, settings).value();
  codec::TestPattern pictures(64, 64);
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(encoder->encode(pictures.next(Timestamp() + Duration::millis(50) * i), i == 0));
    codec::EncodedVideoFrame frame;
    while (encoder->poll(frame)) {
      frame.encodingIndex = 0;
      ASSERT_TRUE(track.push(frame));
      frame.encodingIndex = 1;
      if (i < 10) {
        ASSERT_TRUE(track.push(frame));
      }
    }
    run(Duration::millis(50));
  }
  run(Duration::seconds(1));
  EXPECT_EQ(seen["q"].frames, 20);
  EXPECT_EQ(seen["f"].frames, 10);
}

TEST_F(Simulcast, Svc_ModesAreCheckedAndShown) {
  const auto with = [](const char* mode) {
    RtpEncodingParameters out;
    out.scalabilityMode = mode;
    return out;
  };
  for (const char* mode : {"TotalNonsense", "L4T1", "S2T1_KEY", ""})
    expectError(a.addTransceiver(MediaKind::Video, layers({with(mode)})), ErrorCode::Operation);
  RtpEncodingParameters vp8 = with("L3T3");
  vp8.codec = RtpCodec{"video/VP8", 90'000, {}, {}};
  expectError(a.addTransceiver(MediaKind::Video, layers({vp8})), ErrorCode::Operation);
  RtpSender sender =
      a.addTransceiver(MediaKind::Video, layers({with("L3T3_KEY")})).value().sender();
  EXPECT_EQ(sender.getParameters().encodings[0].scalabilityMode, "L3T3_KEY");
  run();
  RtpSendParameters p = sender.getParameters();
  p.encodings[0].scalabilityMode = "L1T2";
  ASSERT_TRUE(set(sender, p));
  run();
  p = sender.getParameters();
  EXPECT_EQ(p.encodings[0].scalabilityMode, "L1T2");
  p.encodings[0].scalabilityMode = "L9T9";
  expectError(set(sender, p), ErrorCode::Operation);
  EXPECT_FALSE(a.addTransceiver(MediaKind::Video, layers({RtpEncodingParameters{}}))
                   .value()
                   .sender()
                   .getParameters()
                   .encodings[0]
                   .scalabilityMode);
}

TEST_F(Simulcast, Svc_AModeThatTheCodecDoesNotHaveGivesWay) {
  RtpEncodingParameters encoding;
  encoding.scalabilityMode = "L3T3";
  RtpTransceiver t = a.addTransceiver(pattern(), layers({encoding})).value();
  negotiate(a, server);  // VP8 comes first
  run();
  RtpSendParameters p = t.sender().getParameters();
  EXPECT_EQ(p.encodings[0].scalabilityMode, "L1T1");
  const auto vp9 = std::find_if(p.codecs.begin(), p.codecs.end(),
                                [](const RtpCodec& c) { return c.mimeType == "video/VP9"; });
  ASSERT_NE(vp9, p.codecs.end());
  p.encodings[0].codec = *vp9;
  p.encodings[0].scalabilityMode = "L3T3";
  ASSERT_TRUE(set(t.sender(), p));
  run();
  EXPECT_EQ(t.sender().getParameters().encodings[0].scalabilityMode, "L3T3");
}

TEST_F(Simulcast, Svc_CapabilitiesListTheModes) {
  const auto scalability = RtpSender::getCapabilities(MediaKind::Video).scalability;
  ASSERT_EQ(scalability.size(), 2u);
  EXPECT_EQ(scalability[0].mimeType, "video/VP8");
  EXPECT_EQ(scalability[0].modes, (Lines{"L1T1", "L1T2", "L1T3"}));
  EXPECT_EQ(scalability[1].mimeType, "video/VP9");
  EXPECT_NE(std::find(scalability[1].modes.begin(), scalability[1].modes.end(), "L2T2_KEY"),
            scalability[1].modes.end());
  EXPECT_TRUE(RtpSender::getCapabilities(MediaKind::Audio).scalability.empty());
  EXPECT_TRUE(RtpReceiver::getCapabilities(MediaKind::Video).scalability.empty());
}

class SvcCall : public Simulcast, public ::testing::WithParamInterface<const char*> {};

TEST_P(SvcCall, Svc_LayersArriveAndAreShown) {
  RtpEncodingParameters encoding;
  encoding.scalabilityMode = GetParam();
  const codec::ScalabilityMode mode = *codec::parseScalabilityMode(GetParam());
  const bool vp8 = mode.spatialLayers == 1 && mode.temporalLayers == 3;
  encoding.codec = RtpCodec{vp8 ? "video/VP8" : "video/VP9", 90'000, {}, {}};
  if (!vp8) encoding.codec->sdpFmtpLine = "profile-id=0";
  RtpSender sender = a.addTransceiver(pattern(), layers({encoding})).value().sender();
  std::set<int> temporal, spatial;
  ASSERT_TRUE(sender.setTransform([&](EncodedFrame& frame) {
    temporal.insert(frame.temporalIndex);
    spatial.insert(frame.spatialIndex);
    return true;
  }));
  negotiate(a, server);
  ASSERT_TRUE(runUntil([&] { return seen[""].frames > 20; }));
  EXPECT_EQ(temporal.size(), static_cast<size_t>(mode.temporalLayers));
  EXPECT_EQ(spatial.size(), static_cast<size_t>(mode.spatialLayers));
  EXPECT_EQ(shown, 320);
  EXPECT_EQ(seen[""].keyFrames, 1);
  const auto sent = outbound();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].text("scalabilityMode"), GetParam());
  EXPECT_EQ(sent[0].number("frameWidth"), 320);
  EXPECT_NEAR(sent[0].number("framesSent"), sent[0].number("framesEncoded"), 1);
  EXPECT_LT(sent[0].number("framesSent"), seen[""].frames + 8) << "pictures, not layers";
}

INSTANTIATE_TEST_SUITE_P(Modes, SvcCall,
                         ::testing::Values("L1T3", "L1T2", "L2T1", "L3T3", "L3T3_KEY", "L2T2h",
                                           "S2T3", "S2T2h"));

}  // namespace
}  // namespace parley::conformance
