// webrtc-pc sections 4.9, 5.2 to 5.4, 7.3 and 9.3, webrtc-extensions: what can be set of encodings
// and when, and what a stopped, muted or restricted sender comes to.

#include <algorithm>

#include "conformance/stats_fixture.h"

namespace parley::conformance {
namespace {

class Encodings : public StatsTest {
 protected:
  Result<void> set(RtpSender sender, RtpSendParameters p) {
    return await<void>([&](Completion<void> done) { sender.setParameters(p, std::move(done)); });
  }
  static size_t sectionsOf(const PeerConnection& pc) {
    const std::string sdp = pc.localDescription()->sdp;
    size_t count = 0;
    for (size_t at = sdp.find("\nm="); at != std::string::npos; at = sdp.find("\nm=", at + 1))
      ++count;
    return count;
  }
};

TEST_F(Encodings, S5_2_ValuesAreCheckedWhenTheyAreSet) {
  RtpSender sender = a.addTransceiver(MediaKind::Video)->sender();
  const auto refused = [&](ErrorCode code, auto change) {
    RtpSendParameters p = sender.getParameters();
    change(p.encodings[0]);
    expectError(set(sender, p), code);
    run();
  };
  refused(ErrorCode::Range, [](auto& e) { e.scaleResolutionDownBy = 0.99; });
  refused(ErrorCode::Range, [](auto& e) { e.scaleResolutionDownBy = -1; });
  refused(ErrorCode::Range, [](auto& e) { e.maxFramerate = -0.5; });
  refused(ErrorCode::Operation, [](auto& e) { e.scalabilityMode = "L9T9"; });
  const RtpEncodingParameters kept = sender.getParameters().encodings[0];
  EXPECT_EQ(kept.scaleResolutionDownBy, 1.0);
  EXPECT_FALSE(kept.maxFramerate);
  run();
  RtpSender sound = a.addTransceiver(MediaKind::Audio)->sender();
  RtpSendParameters p = sound.getParameters();
  p.encodings[0].scaleResolutionDownBy = 0.5;
  p.encodings[0].maxFramerate = -1;
  EXPECT_TRUE(set(sound, p)) << "sound has neither: they are taken away before they are looked at";
  EXPECT_FALSE(sound.getParameters().encodings[0].scaleResolutionDownBy);
  EXPECT_FALSE(sound.getParameters().encodings[0].maxFramerate);
}

TEST_F(Encodings, S5_2_WhatGetParametersGaveIsUsedOnce) {
  RtpSender sender = a.addTransceiver(MediaKind::Audio)->sender();
  const RtpSendParameters p = sender.getParameters();
  Result<void> first = ok();
  Result<void> second = ok();
  sender.setParameters(p, [&](Result<void> result) {
    first = std::move(result);
    sender.setParameters(p, [&](Result<void> again) { second = std::move(again); });
  });
  run();
  EXPECT_TRUE(first);
  expectError(second, ErrorCode::InvalidState);
  expectError(set(sender, p), ErrorCode::InvalidState);
}

TEST_F(Encodings, S5_2_AllSendersHaveOneCname) {
  const RtpSender sound = a.addTransceiver(MediaKind::Audio)->sender();
  const RtpSender picture = a.addTransceiver(MediaKind::Video)->sender();
  negotiate(a, b);
  EXPECT_EQ(sound.getParameters().rtcp.cname, picture.getParameters().rtcp.cname);
  EXPECT_NE(sound.getParameters().rtcp.cname, b.getSenders()[0].getParameters().rtcp.cname);
}

TEST_F(Encodings, S5_2_NothingIsSetOnceClosed) {
  RtpSender sender = a.addTrack(audio()).value();
  const RtpSendParameters p = sender.getParameters();
  a.close();
  Log log;
  sender.setParameters(
      p, [&](Result<void> result) { log.add(result ? "set" : toString(result.error().code)); });
  sender.replaceTrack(audio(), [&](Result<void> result) {
    log.add(result ? "replaced" : toString(result.error().code));
  });
  run();
  EXPECT_EQ(log.take(), (Lines{"InvalidStateError", "InvalidStateError"}));
}

TEST_F(Encodings, Extensions_AdaptivePtimeIsKept) {
  RtpSender sender = a.addTransceiver(MediaKind::Audio)->sender();
  RtpSendParameters p = sender.getParameters();
  EXPECT_FALSE(p.encodings[0].adaptivePtime);
  p.encodings[0].adaptivePtime = true;
  EXPECT_TRUE(set(sender, p));
  EXPECT_TRUE(sender.getParameters().encodings[0].adaptivePtime);
  TransceiverInit init;
  init.sendEncodings.resize(1);
  init.sendEncodings[0].adaptivePtime = true;
  EXPECT_TRUE(a.addTransceiver(MediaKind::Audio, init)
                  ->sender()
                  .getParameters()
                  .encodings[0]
                  .adaptivePtime);
}

TEST_F(Encodings, S7_3_TonesNeedTelephoneEvents) {
  RtpTransceiver transceiver = a.addTransceiver(audio()).value();
  std::vector<RtpCodec> codecs = RtpSender::getCapabilities(MediaKind::Audio).codecs;
  std::erase_if(codecs, [](const RtpCodec& c) { return c.mimeType == "audio/telephone-event"; });
  ASSERT_TRUE(transceiver.setCodecPreferences(codecs));
  connect();
  EXPECT_EQ(a.localDescription()->sdp.find("telephone-event"), std::string::npos);
  EXPECT_FALSE(transceiver.sender().dtmf().canInsertDtmf());
  expectError(transceiver.sender().dtmf().insertDtmf("1"), ErrorCode::InvalidState);
}

TEST_F(Encodings, S7_3_TonesNeedAnActiveEncoding) {
  RtpSender sender = a.addTrack(audio()).value();
  connect();
  EXPECT_TRUE(sender.dtmf().canInsertDtmf());
  RtpSendParameters p = sender.getParameters();
  p.encodings[0].active = false;
  ASSERT_TRUE(set(sender, p));
  EXPECT_FALSE(sender.dtmf().canInsertDtmf());
  expectError(sender.dtmf().insertDtmf("1"), ErrorCode::InvalidState);
}

TEST_F(Encodings, S5_4_TheSectionOfOneThatStoppedIsUsedAgain) {
  RtpTransceiver first = a.addTransceiver(MediaKind::Audio).value();
  (void)a.addTransceiver(MediaKind::Video);
  negotiate(a, b);
  const std::string mid = first.mid().value();
  ASSERT_TRUE(first.stop());
  negotiate(a, b);
  EXPECT_EQ(sectionsOf(a), 2u) << "it stays, rejected";
  EXPECT_FALSE(first.mid());
  const RtpTransceiver next = a.addTransceiver(MediaKind::Video).value();
  negotiate(a, b);
  EXPECT_EQ(sectionsOf(a), 2u);
  EXPECT_NE(next.mid(), mid) << "JSEP section 5.2.2: a mid of its own";
  std::vector<std::optional<std::string>> mids;
  for (const RtpTransceiver& t : b.getTransceivers()) mids.push_back(t.mid());
  ASSERT_EQ(mids.size(), 2u);
  EXPECT_TRUE(mids[0] == next.mid() || mids[1] == next.mid());
  EXPECT_NE(next, first);
}

TEST_F(Encodings, S9_3_ATrackThatComesBackIsUnmuted) {
  RtpTransceiver transceiver =
      a.addTransceiver(MediaStreamTrack::createAudio(pair.loopA(), createToneSource(440))).value();
  connect();
  Log log;
  MediaStreamTrack track = b.getReceivers()[0].track();
  track.onMute([&] { log.add("mute"); });
  track.onUnmute([&] { log.add("unmute"); });
  ASSERT_TRUE(runUntil([&] { return !track.muted(); }));
  ASSERT_TRUE(transceiver.setDirection(TransceiverDirection::Inactive));
  negotiate(a, b);
  EXPECT_TRUE(track.muted());
  EXPECT_EQ(track.readyState(), TrackState::Live);
  ASSERT_TRUE(transceiver.setDirection(TransceiverDirection::SendOnly));
  negotiate(a, b);
  EXPECT_TRUE(runUntil([&] { return !track.muted(); }));
  EXPECT_EQ(log.take(), (Lines{"unmute", "mute", "unmute"}));
}

TEST_F(Encodings, S4_9_2_ThePeerIsShownTheCertificate) {
  Configuration configuration;
  configuration.certificates = {Certificate::generate().value()};
  const std::string mine = configuration.certificates[0].getFingerprints().at(0).value;
  PeerConnection pc = make(configuration);
  connectCandidates(pc, b);
  connectCandidates(b, pc);
  (void)pc.createDataChannel("c");
  negotiate(pc, b);
  ASSERT_TRUE(runUntil([&] { return b.connectionState() == PeerConnectionState::Connected; }));
  const StatsReport report = stats(b);
  const Stats* shown = report.find(only(report, "transport").text("remoteCertificateId"));
  ASSERT_TRUE(shown);
  std::string fingerprint = shown->text("fingerprint");
  for (char& c : fingerprint) c = static_cast<char>(std::tolower(c));
  EXPECT_EQ(fingerprint, mine);
  pc.close();
}

}  // namespace
}  // namespace parley::conformance
