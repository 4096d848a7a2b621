// W3C webrtc-pc section 8 and webrtc-stats: which objects there are, what they refer to, and that
// each number is what the test itself knows.

#include <cmath>
#include <map>
#include <set>

#include "stats_fixture.h"

namespace parley::conformance {
namespace {

TEST_F(StatsTest, Stats_PicturesAreCountedAtBothEnds) {
  call();
  run(Duration::seconds(6));
  audioSender_.replaceTrack({}, {});
  picture_.stop();  // nothing is on its way any more
  run(Duration::seconds(2));
  const StatsReport sender = stats(a);
  const StatsReport receiver = stats(b);
  const Stats& source = only(sender, "media-source", "video");
  const Stats& out = only(sender, "outbound-rtp", "video");
  const Stats& in = only(receiver, "inbound-rtp", "video");
  EXPECT_EQ(source.number("width"), 320);
  EXPECT_EQ(source.number("height"), 240);
  EXPECT_GT(source.number("frames"), 6 * 20);
  EXPECT_EQ(out.number("frameWidth"), 320);
  EXPECT_EQ(in.number("frameHeight"), 240);
  EXPECT_LE(out.number("framesEncoded"), source.number("frames"));
  EXPECT_EQ(out.number("framesSent"), out.number("framesEncoded"));
  EXPECT_EQ(in.number("framesReceived"), out.number("framesSent"));
  EXPECT_EQ(in.number("framesDecoded"), out.number("framesSent"));
  EXPECT_EQ(in.number("keyFramesDecoded"), out.number("keyFramesEncoded"));
  EXPECT_EQ(in.number("framesRendered"), static_cast<double>(pictures_));
  EXPECT_EQ(in.number("framesDropped"), 0);
  // Both codecs speak of the same quantizer.
  EXPECT_GT(out.number("qpSum"), 0);
  EXPECT_EQ(in.number("qpSum"), out.number("qpSum"));
  // No loss: each packet and byte arrived. Pure padding never becomes a frame.
  EXPECT_EQ(in.number("packetsLost"), 0);
  EXPECT_EQ(in.number("nackCount"), 0);
  EXPECT_EQ(out.number("retransmittedPacketsSent"), 0);
  EXPECT_EQ(in.number("freezeCount"), 0);
  EXPECT_EQ(in.number("pauseCount"), 0);
  EXPECT_NEAR(in.number("totalInterFrameDelay"), (in.number("framesRendered") - 1) * 0.05, 0.2);
  EXPECT_EQ(in.number("ssrc"), out.number("ssrc"));
  EXPECT_EQ(in.text("mid"), out.text("mid"));
  EXPECT_EQ(in.text("trackIdentifier"), seen_.id());
  EXPECT_EQ(source.text("trackIdentifier"), picture_.id());
  EXPECT_EQ(sender.find(out.text("codecId"))->text("mimeType").substr(0, 6), "video/");
  EXPECT_EQ(out.text("qualityLimitationReason"), "none");
}

TEST_F(StatsTest, Stats_FramesPerSecondIsThatOfTheLastSecond) {
  call();
  run(Duration::seconds(5));
  StatsReport sender = stats(a);
  EXPECT_NEAR(only(sender, "media-source", "video").number("framesPerSecond"), 20, 1);
  EXPECT_NEAR(only(sender, "outbound-rtp", "video").number("framesPerSecond"), 20, 2);
  EXPECT_NEAR(only(stats(b), "inbound-rtp", "video").number("framesPerSecond"), 20, 2);
  picture_.stop();
  run(Duration::seconds(2));
  sender = stats(a);
  EXPECT_EQ(only(sender, "media-source", "video").number("framesPerSecond"), 0);
  EXPECT_EQ(only(sender, "outbound-rtp", "video").number("framesPerSecond"), 0);
}

TEST_F(StatsTest, Stats_SoundIsMeasuredAtBothEnds) {
  call();
  run(Duration::seconds(5));
  const StatsReport sender = stats(a);
  const StatsReport receiver = stats(b);
  const Stats& source = only(sender, "media-source", "audio");
  const Stats& in = only(receiver, "inbound-rtp", "audio");
  // A tone of amplitude 0.5: its peak is that, its mean square half of the square.
  EXPECT_NEAR(source.number("audioLevel"), 0.5, 0.01);
  EXPECT_NEAR(source.number("totalAudioEnergy") / source.number("totalSamplesDuration"), 0.125,
              0.005);
  EXPECT_GT(source.number("totalSamplesDuration"), 5);
  EXPECT_NEAR(in.number("audioLevel"), 0.5, 0.1);
  EXPECT_NEAR(in.number("totalSamplesDuration"), in.number("totalSamplesReceived") / 48000, 0.1);
  EXPECT_GT(in.number("jitterBufferEmittedCount"), 4.0 * 48000);
  const Stats& playout = only(receiver, "media-playout");
  EXPECT_EQ(playout.number("totalSamplesCount"), static_cast<double>(pieces_) * 480);
  EXPECT_NEAR(playout.number("totalSamplesDuration"), static_cast<double>(pieces_) / 100, 1e-6);
  EXPECT_EQ(in.text("playoutId"), playout.id);
  const Stats* codec = receiver.find(in.text("codecId"));
  ASSERT_TRUE(codec);
  EXPECT_EQ(codec->text("mimeType"), "audio/opus");
  EXPECT_EQ(codec->number("clockRate"), 48000);
  EXPECT_EQ(codec->number("channels"), 2);
  EXPECT_TRUE(codec->has("sdpFmtpLine"));
}

TEST_F(StatsTest, Stats_BothSidesReportOfEachOther) {
  call();
  run(Duration::seconds(10));
  const StatsReport sender = stats(a);
  const StatsReport receiver = stats(b);
  for (const char* kind : {"audio", "video"}) {
    const Stats& out = only(sender, "outbound-rtp", kind);
    const Stats& remoteIn = only(sender, "remote-inbound-rtp", kind);
    EXPECT_EQ(out.text("remoteId"), remoteIn.id);
    EXPECT_EQ(remoteIn.text("localId"), out.id);
    EXPECT_EQ(remoteIn.number("ssrc"), out.number("ssrc"));
    EXPECT_EQ(remoteIn.number("packetsLost"), 0);
    EXPECT_GT(remoteIn.number("packetsReceived"), 0);
    EXPECT_LE(remoteIn.number("packetsReceived"), out.number("packetsSent"));
    EXPECT_GT(remoteIn.number("roundTripTimeMeasurements"), 0);
    // Of the moment of the last report, not of this one.
    EXPECT_LT(remoteIn.timestampMs, out.timestampMs);
    const Stats& in = only(receiver, "inbound-rtp", kind);
    const Stats& remoteOut = only(receiver, "remote-outbound-rtp", kind);
    EXPECT_EQ(in.text("remoteId"), remoteOut.id);
    EXPECT_EQ(remoteOut.text("localId"), in.id);
    EXPECT_GT(remoteOut.number("reportsSent"), 0);
    EXPECT_LE(remoteOut.number("packetsSent"), out.number("packetsSent"));
    // The sender's clock is the world's, and the report took a while.
    EXPECT_LT(remoteOut.number("remoteTimestamp"), remoteOut.timestampMs + 1);
    EXPECT_GT(remoteOut.number("remoteTimestamp"), remoteOut.timestampMs - 1000);
  }
}

TEST_F(StatsTest, Stats_TheTransportCountsWhatThePairsCarried) {
  call();
  run(Duration::seconds(3));
  const StatsReport report = stats(a);
  const Stats& transport = only(report, "transport");
  EXPECT_EQ(transport.text("dtlsState"), "connected");
  EXPECT_EQ(transport.text("iceState"), toString(a.iceConnectionState()));
  EXPECT_EQ(transport.text("iceRole"), "controlling");
  EXPECT_EQ(transport.text("tlsVersion"), "FEFD");
  EXPECT_EQ(transport.text("dtlsRole"), "server");
  const Stats* pair = report.find(transport.text("selectedCandidatePairId"));
  ASSERT_TRUE(pair);
  EXPECT_EQ(pair->text("state"), "succeeded");
  EXPECT_EQ(pair->number("nominated"), 1);
  EXPECT_TRUE(pair->has("currentRoundTripTime"));
  double sent = 0;
  double received = 0;
  for (const Stats* one : report.ofType("candidate-pair")) {
    sent += one->number("bytesSent");
    received += one->number("bytesReceived");
  }
  EXPECT_EQ(transport.number("bytesSent"), sent);
  EXPECT_EQ(transport.number("bytesReceived"), received);
  double media = 0;
  for (const Stats* out : report.ofType("outbound-rtp")) media += out->number("bytesSent");
  EXPECT_GT(transport.number("bytesSent"), media);
  EXPECT_GT(pair->number("lastPacketSentTimestamp"), pair->timestampMs - 200);
  EXPECT_GE(transport.number("selectedCandidatePairChanges"), 1);
  EXPECT_TRUE(report.find(pair->text("localCandidateId")));
  // Each end's own certificate is the other's remote one.
  const StatsReport other = stats(b);
  EXPECT_EQ(report.find(transport.text("localCertificateId"))->text("fingerprint"),
            other.find(only(other, "transport").text("remoteCertificateId"))->text("fingerprint"));
}

TEST_F(StatsTest, Stats_DataChannelsAreCounted) {
  call();
  ASSERT_TRUE(channel_.send("five!"));
  ASSERT_TRUE(channel_.send("and eight"));
  run(Duration::millis(500));
  const StatsReport sender = stats(a);
  const Stats& channel = only(sender, "data-channel");
  EXPECT_EQ(channel.text("label"), "chat");
  EXPECT_EQ(channel.text("state"), "open");
  EXPECT_EQ(channel.number("messagesSent"), 2);
  EXPECT_EQ(channel.number("bytesSent"), 14);
  EXPECT_EQ(channel.number("dataChannelIdentifier"), *channel_.id());
  EXPECT_EQ(only(sender, "peer-connection").number("dataChannelsOpened"), 1);
  const StatsReport receiver = stats(b);
  EXPECT_EQ(only(receiver, "data-channel").number("messagesReceived"), 2);
  EXPECT_EQ(only(receiver, "data-channel").number("bytesReceived"), 14);
}

TEST_F(StatsTest, S8_2_AnEmptyConnectionHasStatistics) {
  const StatsReport report = stats(a);
  EXPECT_EQ(typesOf(report), (std::set<std::string>{"peer-connection"}));
}

TEST_F(StatsTest, S8_2_TheSelectorMustNameOneSenderOrReceiver) {
  const MediaStreamTrack track = audio();
  const auto ask = [&](const MediaStreamTrack& of) {
    return await<StatsReport>(
        [&](Completion<StatsReport> done) { a.getStats(of, std::move(done)); });
  };
  expectError(ask(track), ErrorCode::InvalidAccess);
  RtpTransceiver first = a.addTransceiver(track).value();
  EXPECT_TRUE(ask(track));
  RtpTransceiver second = a.addTransceiver(track).value();
  expectError(ask(track), ErrorCode::InvalidAccess);
  // An echo: received and sent.
  const MediaStreamTrack echo = first.receiver().track();
  EXPECT_TRUE(ask(echo));
  ASSERT_TRUE(a.addTransceiver(echo));
  expectError(ask(echo), ErrorCode::InvalidAccess);
}

TEST_F(StatsTest, S8_3_ASelectorGivesItsStreamsAndWhatTheyReferTo) {
  call();
  run(Duration::seconds(6));
  const StatsReport all = stats(a);
  const StatsReport selected = statsOf(videoSender_);
  expectReferencesResolve(selected);
  EXPECT_EQ(typesOf(selected),
            (std::set<std::string>{"outbound-rtp", "remote-inbound-rtp", "media-source", "codec",
                                   "transport", "candidate-pair", "local-candidate",
                                   "remote-candidate", "certificate"}));
  EXPECT_EQ(only(selected, "outbound-rtp").id, only(all, "outbound-rtp", "video").id);
  EXPECT_EQ(stats(a, picture_).all().size(), selected.all().size());
  const StatsReport received = statsOf(b.getReceivers()[0]);
  EXPECT_EQ(only(received, "inbound-rtp").text("kind"), "audio");
  EXPECT_TRUE(typesOf(received).contains("media-playout"));
  EXPECT_FALSE(typesOf(received).contains("data-channel"));
  // A receiver that hears nothing, and a sender that sends nothing, have nothing.
  EXPECT_TRUE(statsOf(a.getReceivers()[0]).all().empty());
}

TEST_F(StatsTest, Stats_StreamsAppearWithTheirNegotiationAndTheirPackets) {
  ASSERT_TRUE(a.addTransceiver(MediaKind::Audio));
  EXPECT_TRUE(stats(a).ofType("outbound-rtp").empty());
  negotiate(a, b);
  EXPECT_EQ(stats(a).ofType("outbound-rtp").size(), 1u);
  // No packet, no inbound-rtp; no report, no remote objects.
  EXPECT_TRUE(stats(b).ofType("inbound-rtp").empty());
  EXPECT_TRUE(stats(a).ofType("remote-inbound-rtp").empty());
}

TEST_F(StatsTest, Stats_CountersAndIdsSurviveRenegotiation) {
  call();
  run(Duration::seconds(4));
  const StatsReport before = stats(b);
  const Stats in = only(before, "inbound-rtp", "video");
  const Stats out = only(stats(a), "outbound-rtp", "video");
  ASSERT_TRUE(a.getTransceivers()[1].setDirection(TransceiverDirection::Inactive));
  negotiate(a, b);
  run(Duration::seconds(1));
  const Stats paused = only(stats(b), "inbound-rtp", "video");
  EXPECT_EQ(paused.id, in.id);
  EXPECT_GE(paused.number("packetsReceived"), in.number("packetsReceived"));
  EXPECT_EQ(only(stats(a), "outbound-rtp", "video").id, out.id);
  ASSERT_TRUE(a.getTransceivers()[1].setDirection(TransceiverDirection::SendOnly));
  negotiate(a, b);
  run(Duration::seconds(3));
  const StatsReport after = stats(b);
  const Stats resumed = only(after, "inbound-rtp", "video");
  EXPECT_EQ(resumed.id, in.id);
  for (const char* name : {"packetsReceived", "bytesReceived", "framesReceived", "framesDecoded",
                           "jitterBufferEmittedCount"}) {
    EXPECT_GT(resumed.number(name), paused.number(name)) << name;
  }
  for (const Stats& stats : before.all()) {
    if (stats.type == "codec" || stats.type == "candidate-pair") continue;
    EXPECT_TRUE(after.find(stats.id)) << stats.type << ' ' << stats.id;
  }
}

TEST_F(StatsTest, Stats_AStoppedTransceiverHasNoStreams) {
  call();
  run(Duration::seconds(2));
  ASSERT_TRUE(a.getTransceivers()[1].stop());
  negotiate(a, b);
  run(Duration::seconds(1));
  EXPECT_EQ(stats(a).ofType("outbound-rtp").size(), 1u);
  EXPECT_EQ(stats(b).ofType("inbound-rtp").size(), 1u);
}

TEST_F(StatsTest, Stats_CountersNeverFall) {
  call();
  std::map<std::string, double> last;
  const std::set<std::string> wanders = {"audioLevel",
                                         "framesPerSecond",
                                         "currentRoundTripTime",
                                         "roundTripTime",
                                         "jitter",
                                         "fractionLost",
                                         "targetBitrate",
                                         "availableOutgoingBitrate",
                                         "packetsLost",
                                         "parleyEstimateBps",
                                         "parleyRemoteEstimateBps",
                                         "parleyAcknowledgedBps",
                                         "parleyQueueDelay",
                                         "smoothedRoundTripTime",
                                         "congestionWindow",
                                         "receiverWindow",
                                         "unackData",
                                         "parleyBytesInFlight",
                                         "parleyPacingRate",
                                         "parleyMinRoundTripTime",
                                         "priority",
                                         "port",
                                         "ssrc"};
  double time = 0;
  for (int round = 0; round < 10; ++round) {
    run(Duration::millis(300));
    for (PeerConnection* pc : {&a, &b}) {
      const StatsReport report = stats(*pc);
      for (const Stats& object : report.all()) {
        for (const auto& [name, value] : object.members) {
          if (wanders.contains(name) || std::holds_alternative<std::string>(value)) continue;
          double& former = last[(pc == &a ? "a " : "b ") + object.id + ' ' + name];
          EXPECT_GE(object.number(name), former) << object.type << '.' << name;
          former = object.number(name);
        }
      }
    }
    const double now = only(stats(a), "peer-connection").timestampMs;
    EXPECT_GT(now, time);
    time = now;
  }
}

TEST_F(StatsTest, Stats_OneSourceStandsForAllSendersOfATrack) {
  const MediaStreamTrack track = audio();
  ASSERT_TRUE(a.addTransceiver(track));
  ASSERT_TRUE(a.addTransceiver(track));
  const StatsReport report = stats(a);
  EXPECT_EQ(only(report, "media-source").text("trackIdentifier"), track.id());
}

TEST_F(StatsTest, Stats_AddressesThatOnlyChecksHaveShownStayHidden) {
  // B's candidates are never told to A.
  connectCandidates(a, b);
  b.onIceCandidate({});
  DataChannel channel = a.createDataChannel("x").value();
  negotiate(a, b);
  ASSERT_TRUE(runUntil([&] { return channel.readyState() == DataChannelState::Open; }));
  const StatsReport report = stats(a);
  EXPECT_FALSE(report.ofType("remote-candidate").empty());
  for (const Stats* candidate : report.ofType("remote-candidate")) {
    EXPECT_EQ(candidate->text("candidateType"), "prflx");
    EXPECT_FALSE(candidate->has("address"));
    EXPECT_TRUE(candidate->has("port"));
  }
}

TEST_F(StatsTest, S8_2_AClosedConnectionTellsHowItWas) {
  call();
  run(Duration::seconds(1));
  const double sent = only(stats(a), "outbound-rtp", "video").number("framesSent");
  a.close();
  const StatsReport report = stats(a);
  EXPECT_GE(only(report, "outbound-rtp", "video").number("framesSent"), sent);
  EXPECT_EQ(only(report, "transport").text("dtlsState"), "closed");
}

TEST_F(StatsTest, Stats_FreezesAreCounted) {
  call();
  run(Duration::seconds(4));
  const Stats calm = only(stats(b), "inbound-rtp", "video");
  EXPECT_EQ(calm.number("freezeCount"), 0);
  picture_.setEnabled(true);
  videoSender_.replaceTrack({}, {});
  run(Duration::seconds(1));
  videoSender_.replaceTrack(picture_, {});
  run(Duration::seconds(1));
  const Stats frozen = only(stats(b), "inbound-rtp", "video");
  EXPECT_EQ(frozen.number("freezeCount"), 1);
  EXPECT_NEAR(frozen.number("totalFreezesDuration"), 1.05, 0.2);
  EXPECT_EQ(frozen.number("pauseCount"), 0);
  videoSender_.replaceTrack({}, {});
  run(Duration::seconds(7));
  videoSender_.replaceTrack(picture_, {});
  run(Duration::seconds(1));
  const Stats paused = only(stats(b), "inbound-rtp", "video");
  EXPECT_EQ(paused.number("freezeCount"), 1);
  EXPECT_EQ(paused.number("pauseCount"), 1);
  EXPECT_NEAR(paused.number("totalPausesDuration"), 7.05, 0.3);
}

TEST_F(StatsTest, Own_ADumpHoldsEveryMemberAsASeries) {
  call();
  StatsDump dump("pair-1", "{}");
  dump.addEvent(0, "signalingstatechange", "stable");
  for (int i = 0; i < 3; ++i) {
    run(Duration::millis(1000));
    dump.add(stats(a));
  }
  const std::string json = dump.toJson();
  const std::string id = only(stats(a), "outbound-rtp", "video").id;
  EXPECT_NE(json.find('"' + id + R"(-framesSent":{"startTime":")"), std::string::npos);
  EXPECT_NE(json.find(R"("time":"1970-01-01T00:00:00.000Z","type":"signalingstatechange")"),
            std::string::npos);
  EXPECT_NE(json.find(R"("statsType":"outbound-rtp","values":"[)"), std::string::npos);
}

}  // namespace
}  // namespace parley::conformance
