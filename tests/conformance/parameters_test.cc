// webrtc-pc sections 5.1 to 5.3 and webrtc-extensions: what senders and receivers can be told.

#include <algorithm>

#include "conformance/peers.h"

namespace parley::conformance {
namespace {

class Parameters : public Peers {
 protected:
  Result<void> set(RtpSender sender, RtpSendParameters p) {
    return await<void>([&](Completion<void> done) { sender.setParameters(p, std::move(done)); });
  }
  static TransceiverInit layers(std::vector<RtpEncodingParameters> encodings) {
    TransceiverInit init;
    init.sendEncodings = std::move(encodings);
    return init;
  }
  static RtpEncodingParameters layer(const char* rid) {
    RtpEncodingParameters out;
    out.rid = rid;
    return out;
  }
};

TEST_F(Parameters, S5_1_RidsAreChecked) {
  const auto add = [&](std::vector<RtpEncodingParameters> list) {
    return a.addTransceiver(MediaKind::Video, layers(std::move(list)));
  };
  expectError(add({layer("~bad"), layer("b")}), ErrorCode::Type);
  expectError(add({layer(""), layer("b")}), ErrorCode::Type);
  expectError(add({layer("12345678901234567"), layer("b")}), ErrorCode::Type);
  expectError(add({layer("a"), layer("a")}), ErrorCode::Type);
  expectError(add({layer("a"), RtpEncodingParameters{}}), ErrorCode::Type);
  const auto unnamed = add({RtpEncodingParameters{}, RtpEncodingParameters{}});
  ASSERT_TRUE(unnamed) << "some but not all is the mistake";
  EXPECT_EQ(unnamed->sender().getParameters().encodings[1].rid, "1");
  EXPECT_TRUE(add({layer("a"), layer("b")}));
}

TEST_F(Parameters, S5_1_ValuesOfSendEncodingsAreChecked) {
  RtpEncodingParameters encoding;
  encoding.scaleResolutionDownBy = 0.5;
  expectError(a.addTransceiver(MediaKind::Video, layers({encoding})), ErrorCode::Range);
  RtpTransceiver sound = a.addTransceiver(MediaKind::Audio, layers({encoding})).value();
  EXPECT_FALSE(sound.sender().getParameters().encodings[0].scaleResolutionDownBy)
      << "sound has no resolution";
  encoding = {};
  encoding.maxFramerate = -1;
  expectError(a.addTransceiver(MediaKind::Video, layers({encoding})), ErrorCode::Range);
  encoding = {};
  encoding.scalabilityMode = "L9T9";
  expectError(a.addTransceiver(MediaKind::Video, layers({encoding})), ErrorCode::Operation);
  encoding = {};
  encoding.codec = RtpCodec{"video/nothing", 90'000, {}, {}};
  expectError(a.addTransceiver(MediaKind::Video, layers({encoding})), ErrorCode::Operation);
}

TEST_F(Parameters, S5_1_DefaultsOfSendEncodings) {
  const auto encodings = [&](TransceiverInit init) {
    return a.addTransceiver(MediaKind::Video, init).value().sender().getParameters().encodings;
  };
  auto one = encodings({});
  ASSERT_EQ(one.size(), 1u);
  EXPECT_TRUE(one[0].active);
  EXPECT_FALSE(one[0].rid);
  EXPECT_EQ(one[0].scaleResolutionDownBy, 1.0);
  EXPECT_EQ(one[0].priority, PriorityType::Low);
  auto lone = encodings(layers({layer("a")}));
  EXPECT_FALSE(lone[0].rid) << "a lone encoding needs no rid";
  auto three = encodings(layers({layer("a"), layer("b"), layer("c")}));
  ASSERT_EQ(three.size(), 3u);
  EXPECT_EQ(three[0].scaleResolutionDownBy, 4.0);
  EXPECT_EQ(three[1].scaleResolutionDownBy, 2.0);
  EXPECT_EQ(three[2].scaleResolutionDownBy, 1.0);
  RtpEncodingParameters half = layer("a");
  half.scaleResolutionDownBy = 2;
  auto mixed = encodings(layers({half, layer("b")}));
  EXPECT_EQ(mixed[0].scaleResolutionDownBy, 2.0);
  EXPECT_EQ(mixed[1].scaleResolutionDownBy, 1.0);
  auto many = encodings(layers({layer("a"), layer("b"), layer("c"), layer("d"), layer("e")}));
  EXPECT_EQ(many.size(), 3u) << "trimmed from the end";
}

TEST_F(Parameters, S5_2_OneTransactionPerTurn) {
  RtpSender sender = a.addTransceiver(MediaKind::Video).value().sender();
  const RtpSendParameters first = sender.getParameters();
  EXPECT_FALSE(first.transactionId.empty());
  EXPECT_EQ(first, sender.getParameters());
  run();
  EXPECT_NE(first.transactionId, sender.getParameters().transactionId);
  run();
  expectError(set(sender, first), ErrorCode::InvalidState);
}

TEST_F(Parameters, S5_2_ReadOnlyMembersStay) {
  RtpSender sender =
      a.addTransceiver(MediaKind::Video, layers({layer("a"), layer("b")})).value().sender();
  const auto refused = [&](auto change) {
    RtpSendParameters p = sender.getParameters();
    change(p);
    expectError(set(sender, p), ErrorCode::InvalidModification);
    run();
  };
  refused([](auto& p) { p.encodings.pop_back(); });
  refused([](auto& p) { p.encodings.clear(); });
  refused([](auto& p) { std::swap(p.encodings[0], p.encodings[1]); });
  refused([](auto& p) { p.encodings[0].rid = "z"; });
  refused([](auto& p) { p.transactionId = "0"; });
  refused([](auto& p) { p.rtcp.cname = "else"; });
  refused([](auto& p) { p.rtcp.reducedSize = !*p.rtcp.reducedSize; });
  refused([](auto& p) { p.headerExtensions.push_back({"urn:x", 1}); });
  refused([](auto& p) { p.codecs.push_back({}); });
  refused([](auto& p) { p.encodings[0].codec = RtpCodec{"video/nothing", 90'000, {}, {}}; });
}

TEST_F(Parameters, S5_2_ChangesShowAfterCompletion) {
  RtpSender sender = a.addTransceiver(MediaKind::Video).value().sender();
  RtpSendParameters p = sender.getParameters();
  p.encodings[0].active = false;
  p.encodings[0].maxBitrate = DataRate::kbps(200);
  p.encodings[0].maxFramerate = 12.5;
  p.encodings[0].scaleResolutionDownBy.reset();
  p.encodings[0].networkPriority = PriorityType::High;
  p.degradationPreference = DegradationPreference::MaintainResolution;
  bool done = false;
  sender.setParameters(p, [&](Result<void> r) { done = static_cast<bool>(r); });
  EXPECT_TRUE(sender.getParameters().encodings[0].active);
  run();
  ASSERT_TRUE(done);
  const RtpSendParameters now = sender.getParameters();
  EXPECT_FALSE(now.encodings[0].active);
  EXPECT_EQ(now.encodings[0].maxFramerate, 12.5);
  EXPECT_EQ(now.encodings[0].scaleResolutionDownBy, 1.0);
  EXPECT_EQ(now.encodings[0].networkPriority, PriorityType::High);
  EXPECT_EQ(now.degradationPreference, DegradationPreference::MaintainResolution);
}

TEST_F(Parameters, S5_2_NegotiatedValuesAppear) {
  RtpSender sender = a.addTrack(video()).value();
  EXPECT_TRUE(sender.getParameters().codecs.empty());
  EXPECT_TRUE(sender.getParameters().headerExtensions.empty());
  run();
  negotiate(a, b);
  const RtpSendParameters p = sender.getParameters();
  ASSERT_FALSE(p.codecs.empty());
  EXPECT_EQ(p.codecs[0].mimeType, "video/VP8");
  EXPECT_EQ(p.codecs[0].clockRate, 90'000u);
  EXPECT_GT(p.codecs[0].payloadType, 0);
  EXPECT_FALSE(p.headerExtensions.empty());
  EXPECT_FALSE(p.rtcp.cname.value().empty());
  EXPECT_TRUE(p.rtcp.reducedSize.value());
  EXPECT_FALSE(b.getReceivers()[0].getParameters().codecs.empty());
  EXPECT_FALSE(b.getReceivers()[0].getParameters().rtcp.cname);
}

TEST_F(Parameters, Extensions_AnEncodingChoosesItsCodec) {
  RtpSender sender = a.addTrack(video()).value();
  negotiate(a, b);
  RtpSendParameters p = sender.getParameters();
  const auto vp9 = std::find_if(p.codecs.begin(), p.codecs.end(),
                                [](const RtpCodec& c) { return c.mimeType == "video/VP9"; });
  ASSERT_NE(vp9, p.codecs.end());
  p.encodings[0].codec = *vp9;
  EXPECT_TRUE(set(sender, p));
  EXPECT_EQ(sender.getParameters().encodings[0].codec->mimeType, "video/VP9");
}

TEST_F(Parameters, S4_4_1_5_AnAnswerWithoutSimulcastLeavesOneLayer) {
  RtpSender sender =
      a.addTransceiver(video(), layers({layer("a"), layer("b"), layer("c")})).value().sender();
  ASSERT_TRUE(setLocal(a));
  EXPECT_NE(a.localDescription()->sdp.find("a=simulcast:send a;b;c"), std::string::npos);
  ASSERT_TRUE(setRemote(b, *a.localDescription()));
  ASSERT_TRUE(setLocal(b));
  ASSERT_TRUE(setRemote(a, *b.localDescription()));
  EXPECT_EQ(sender.getParameters().encodings.size(), 1u);
  run();
  RtpSendParameters p = sender.getParameters();
  EXPECT_TRUE(set(sender, p));
}

TEST_F(Parameters, S5_4_CodecPreferencesMustBeCapabilities) {
  RtpTransceiver transceiver = a.addTransceiver(MediaKind::Video).value();
  const std::vector<RtpCodec> all = RtpReceiver::getCapabilities(MediaKind::Video).codecs;
  ASSERT_FALSE(all.empty());
  EXPECT_TRUE(transceiver.setCodecPreferences(all));
  EXPECT_TRUE(transceiver.setCodecPreferences({}));
  EXPECT_TRUE(transceiver.setCodecPreferences({all[0], all[0]})) << "repeated ones are dropped";
  std::vector<RtpCodec> upper = {all[0]};
  for (char& c : upper[0].mimeType) c = static_cast<char>(toupper(c));
  EXPECT_TRUE(transceiver.setCodecPreferences(upper)) << "MIME types know no case";
  for (auto change : std::vector<std::function<void(RtpCodec&)>>{
           [](RtpCodec& c) { c.mimeType += "x"; }, [](RtpCodec& c) { c.clockRate /= 2; },
           [](RtpCodec& c) { c.channels = 11; }, [](RtpCodec& c) { c.sdpFmtpLine = "x=1"; }}) {
    std::vector<RtpCodec> one = {all[0]};
    change(one[0]);
    expectError(transceiver.setCodecPreferences(one), ErrorCode::InvalidModification);
  }
  std::vector<RtpCodec> rtx;
  for (const RtpCodec& codec : all) {
    if (codec.mimeType == "video/rtx") rtx.push_back(codec);
  }
  expectError(transceiver.setCodecPreferences(rtx), ErrorCode::InvalidModification);
  expectError(transceiver.setCodecPreferences(RtpSender::getCapabilities(MediaKind::Audio).codecs),
              ErrorCode::InvalidModification);
  // Nor is what repairs other codecs a codec by itself, here or as that of an encoding.
  std::vector<RtpCodec> repair;
  for (const RtpCodec& codec : all) {
    const std::string name = codec.mimeType.substr(6);
    if (name == "red" || name == "ulpfec" || name.starts_with("flexfec")) repair.push_back(codec);
  }
  EXPECT_EQ(repair.size(), 4u);
  expectError(transceiver.setCodecPreferences(repair), ErrorCode::InvalidModification);
  for (const RtpCodec& codec : repair) {
    TransceiverInit init;
    init.sendEncodings = {RtpEncodingParameters{}};
    init.sendEncodings[0].codec = codec;
    expectError(a.addTransceiver(MediaKind::Video, init), ErrorCode::Operation);
  }
  repair.push_back(all[0]);
  EXPECT_TRUE(transceiver.setCodecPreferences(repair));
}

TEST_F(Parameters, Extensions_RedundantSoundFollowsItsCodec) {
  const auto audio = RtpSender::getCapabilities(MediaKind::Audio).codecs;
  ASSERT_GT(audio.size(), 2u);
  EXPECT_EQ(audio[0].mimeType, "audio/opus");
  EXPECT_EQ(audio[1].mimeType, "audio/red") << "as browsers list them";
  EXPECT_FALSE(audio[1].sdpFmtpLine);
  ASSERT_TRUE(a.addTransceiver(MediaKind::Audio));
  negotiate(a, b);
  const std::string sdp = a.localDescription()->sdp;
  EXPECT_NE(sdp.find("a=rtpmap:63 red/48000/2\r\n"), std::string::npos);
  EXPECT_NE(sdp.find("a=fmtp:63 111/111\r\n"), std::string::npos);
}

TEST_F(Parameters, Extensions_HeaderExtensionControl) {
  RtpTransceiver transceiver = a.addTransceiver(MediaKind::Video).value();
  auto wanted = transceiver.getHeaderExtensionsToNegotiate();
  ASSERT_GT(wanted.size(), 2u);
  for (const auto& negotiated : transceiver.getNegotiatedHeaderExtensions())
    EXPECT_EQ(negotiated.direction, TransceiverDirection::Stopped);
  auto fewer = wanted;
  fewer.pop_back();
  expectError(transceiver.setHeaderExtensionsToNegotiate(fewer), ErrorCode::InvalidModification);
  auto swapped = wanted;
  std::swap(swapped[0], swapped[1]);
  expectError(transceiver.setHeaderExtensionsToNegotiate(swapped), ErrorCode::InvalidModification);
  auto noMid = wanted;
  for (auto& e : noMid) {
    if (e.uri.ends_with("sdes:mid")) e.direction = TransceiverDirection::Stopped;
  }
  expectError(transceiver.setHeaderExtensionsToNegotiate(noMid), ErrorCode::InvalidModification);
  wanted[0].direction = TransceiverDirection::Stopped;
  EXPECT_TRUE(transceiver.setHeaderExtensionsToNegotiate(wanted));
  EXPECT_EQ(transceiver.getHeaderExtensionsToNegotiate(), wanted);
  negotiate(a, b);
  EXPECT_EQ(a.localDescription()->sdp.find(wanted[0].uri), std::string::npos);
  const auto negotiated = transceiver.getNegotiatedHeaderExtensions();
  EXPECT_EQ(negotiated[0].direction, TransceiverDirection::Stopped);
  EXPECT_EQ(negotiated[1].direction, TransceiverDirection::SendRecv);
}

TEST_F(Parameters, Extensions_JitterBufferTarget) {
  RtpReceiver receiver = a.addTransceiver(MediaKind::Audio).value().receiver();
  EXPECT_FALSE(receiver.jitterBufferTarget());
  EXPECT_TRUE(receiver.setJitterBufferTarget(500));
  EXPECT_EQ(receiver.jitterBufferTarget(), 500);
  expectError(receiver.setJitterBufferTarget(4001), ErrorCode::Range);
  expectError(receiver.setJitterBufferTarget(-1), ErrorCode::Range);
  EXPECT_EQ(receiver.jitterBufferTarget(), 500) << "refused values change nothing";
  EXPECT_TRUE(receiver.setJitterBufferTarget(4000));
  EXPECT_TRUE(receiver.setJitterBufferTarget(0));
  EXPECT_EQ(receiver.jitterBufferTarget(), 0);
  EXPECT_TRUE(receiver.setJitterBufferTarget({}));
  EXPECT_FALSE(receiver.jitterBufferTarget());
}

TEST_F(Parameters, S4_4_1_5_ADescriptionEmptiesTheReturnedParameters) {
  RtpSender ours = a.addTrack(audio(), {"s"}).value();
  RtpSender theirs = b.addTrack(audio(), {"s"}).value();
  using Start = std::function<void(Completion<void>)>;
  // Asked for before the description's task, and used at its end.
  const auto refused = [&](RtpSender& sender, const Start& describe) {
    RtpSendParameters parameters;
    bool is = false;
    describe([&](Result<void> described) {
      EXPECT_TRUE(described);
      sender.setParameters(parameters, [&](Result<void> result) {
        is = !result && result.error().code == ErrorCode::InvalidState;
      });
    });
    parameters = sender.getParameters();
    run();
    return is;
  };
  EXPECT_FALSE(refused(ours, [&](Completion<void> done) { a.setLocalDescription(done); }));
  const SessionDescription offered = *a.localDescription();
  EXPECT_TRUE(
      refused(theirs, [&](Completion<void> done) { b.setRemoteDescription(offered, done); }));
  EXPECT_TRUE(refused(theirs, [&](Completion<void> done) { b.setLocalDescription(done); }));
  const SessionDescription answered = *b.localDescription();
  EXPECT_TRUE(
      refused(ours, [&](Completion<void> done) { a.setRemoteDescription(answered, done); }));
}

TEST_F(Parameters, Extensions_SetParametersMayAskForKeyFrames) {
  RtpSender sender = a.addTrack(video(), {"s"}).value();
  SetParameterOptions options;
  options.encodingOptions = {EncodingOptions{true}, EncodingOptions{false}};
  Result<void> result = ok();
  sender.setParameters(
      sender.getParameters(), [&](Result<void> r) { result = std::move(r); }, options);
  run();
  expectError(result, ErrorCode::InvalidModification);
  options.encodingOptions.pop_back();
  sender.setParameters(
      sender.getParameters(), [&](Result<void> r) { result = std::move(r); }, options);
  run();
  EXPECT_TRUE(result);
}

TEST_F(Parameters, S5_3_SourcesAreEmptyBeforeMedia) {
  RtpReceiver receiver = a.addTransceiver(MediaKind::Audio).value().receiver();
  EXPECT_TRUE(receiver.getContributingSources().empty());
  EXPECT_TRUE(receiver.getSynchronizationSources().empty());
}

TEST_F(Parameters, S4_4_1_6_WhatIsFixedCannotBeChanged) {
  Configuration now = a.getConfiguration();
  now.iceServers = {{{"stun:stun.example"}, "", ""}};
  EXPECT_TRUE(a.setConfiguration(now));
  EXPECT_EQ(a.getConfiguration().iceServers[0].urls[0], "stun:stun.example");
  Configuration none;
  EXPECT_TRUE(a.setConfiguration(none)) << "no certificate means the old one";
  EXPECT_TRUE(a.getConfiguration().iceServers.empty());
  EXPECT_EQ(a.getConfiguration().certificates.size(), 1u);
  Configuration other;
  other.certificates = {Certificate::generate().value()};
  expectError(a.setConfiguration(other), ErrorCode::InvalidModification);
  other = {};
  other.bundlePolicy = BundlePolicy::MaxBundle;
  expectError(a.setConfiguration(other), ErrorCode::InvalidModification);
  other = {};
  other.iceServers = {{{"stun:"}, "", ""}};
  expectError(a.setConfiguration(other), ErrorCode::Syntax);
  other = {};
  other.iceCandidatePoolSize = 3;
  EXPECT_TRUE(a.setConfiguration(other));
  (void)a.createDataChannel("c");
  ASSERT_TRUE(setLocal(a));
  other.iceCandidatePoolSize = 4;
  expectError(a.setConfiguration(other), ErrorCode::InvalidModification);
  a.close();
  expectError(a.setConfiguration({}), ErrorCode::InvalidState);
}

}  // namespace
}  // namespace parley::conformance
