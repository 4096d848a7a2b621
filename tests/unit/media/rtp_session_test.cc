#include "parley/media/rtp_session.h"

#include <map>
#include <tuple>

#include <gtest/gtest.h>

#include "parley/rtp/rtcp/all.h"

#include "unit/media/session_pair.h"

namespace parley::media {
namespace {

using Options = SessionPair::Options;

// --- frames flow, whatever the path does

class Path : public testing::TestWithParam<std::tuple<double, int>> {};

TEST_P(Path, FramesFlow) {
  const auto [loss, rtt] = GetParam();
  SessionPair pair({});
  pair.link.delay = pair.backLink.delay = Duration::millis(rtt) / 2;
  pair.link.loss = pair.backLink.loss = loss;
  pair.addVideo();
  pair.connect();
  pair.run(Duration::seconds(3));
  pair.run(Duration::seconds(5));
  EXPECT_EQ(pair.decodeErrors, 0);
  EXPECT_LT(pair.longestGap, Duration::millis(600 + 4 * rtt));
  if (loss == 0) {
    EXPECT_NEAR(pair.decodedInRun, 150, 3);
  } else {
    EXPECT_GT(pair.decodedInRun, loss < 0.08 ? 142 : 130);
    EXPECT_GT(pair.sent().retransmittedPacketsSent, 3u);
  }
  EXPECT_GT(pair.target, DataRate::kbps(loss < 0.08 ? 900 : 300));
}

INSTANTIATE_TEST_SUITE_P(LossAndRtt, Path,
                         testing::Combine(testing::Values(0.0, 0.01, 0.05, 0.10),
                                          testing::Values(0, 50, 200)));

TEST(RtpSessionVp8, RealPicturesSurviveLoss) {
  Options options;
  options.realCodec = true;
  options.maxBitrate = DataRate::kbps(300);
  SessionPair pair(options);
  if (codec::builtinVideoDecoders()->supportedFormats().empty())
    GTEST_SKIP() << "built without libvpx";
  pair.link.loss = 0.05;
  pair.addVideo();
  pair.connect();
  pair.run(Duration::seconds(3));
  EXPECT_GT(pair.decoded, 80);
  EXPECT_EQ(pair.decodeErrors, 0);
  ASSERT_TRUE(pair.lastNumber);
  EXPECT_GT(*pair.lastNumber, 80u);
}

TEST(RtpSession, WithoutRtxPacketsAreRepeatedThemselves) {
  Options options;
  options.rtx = false;
  SessionPair pair(options);
  pair.link.loss = 0.05;
  pair.addVideo();
  pair.connect();
  pair.run(Duration::seconds(6));
  EXPECT_GT(pair.decoded, 160);
  EXPECT_GT(pair.sent().retransmittedPacketsSent, 5u);
}

// With AES-GCM the SSRC and the sequence number make the nonce. Two different packets under one
// nonce give away the authentication key (RFC 5116 section 3.1.1), so what is sent again under its
// own number must be what was sent, to the byte.
TEST(RtpSession, ARepetitionWithoutRtxIsTheVerySamePacket) {
  Options options;
  options.rtx = false;
  SessionPair pair(options);
  std::map<uint16_t, Bytes> sent;
  size_t repeated = 0;
  pair.filter = [&](bool fromA, const OutgoingPacket& p) {
    if (!fromA || p.isRtcp) return true;
    const auto view = rtp::PacketView::parse(p.data.span());
    const auto [known, fresh] = sent.emplace(view->sequenceNumber(), toBytes(p.data.span()));
    if (!fresh) {
      ++repeated;
      EXPECT_EQ(known->second, toBytes(p.data.span()));
    }
    return view->sequenceNumber() % 10 != 3 || !fresh;
  };
  pair.addVideo();
  pair.connect();
  pair.run(Duration::seconds(2));
  EXPECT_GT(repeated, 5u);
  EXPECT_GT(pair.a->bandwidth().estimate, DataRate::kbps(200)) << "feedback still counts";
}

TEST(RtpSession, SenderReportsFollowTheWallClock) {
  SessionPair pair({});
  std::vector<uint64_t> times;
  pair.filter = [&](bool fromA, const OutgoingPacket& p) {
    if (!fromA || !p.isRtcp) return true;
    rtp::rtcp::CompoundReader reader(p.data.span());
    rtp::rtcp::Block block;
    while (reader.next(block)) {
      if (block.type != rtp::rtcp::kSenderReport) continue;
      if (const auto report = rtp::rtcp::SenderReport::parse(block))
        times.push_back(report->ntp.seconds());
    }
    return true;
  };
  pair.addVideo();
  pair.connect();
  pair.run(Duration::seconds(5));
  ASSERT_GE(times.size(), 2u);
  const uint64_t before = times.back();
  // The clock of the machine is put right by an hour.
  pair.environment().wallClock = WallClock{pair.now(), 1'700'004'700'000'000'000};
  pair.run(Duration::seconds(3));
  EXPECT_GT(times.back(), before + 3500);
}

TEST(RtpSession, AKeyFrameEndsAnOutage) {
  SessionPair pair({});
  pair.addVideo();
  pair.connect();
  pair.run(Duration::seconds(3));
  const int before = pair.keyFrameRequests;
  pair.filter = [](bool fromA, const OutgoingPacket& p) { return !fromA || p.isRtcp; };
  pair.run(Duration::seconds(4));
  pair.filter = nullptr;
  pair.run(Duration::seconds(5));
  EXPECT_GT(pair.keyFrameRequests, before);
  EXPECT_GT(pair.decodedInRun, 100);
  EXPECT_GT(pair.sent().pliCount + pair.sent().firCount, 0u);
}

// --- bandwidth

TEST(RtpSession, TheEstimateRisesQuicklyOnAFastPath) {
  SessionPair pair({});
  pair.addVideo();
  pair.connect();
  pair.run(Duration::seconds(2));
  EXPECT_GT(pair.target, DataRate::kbps(1800));
}

TEST(RtpSession, ANarrowPathIsFilledButNotFlooded) {
  SessionPair pair({});
  pair.link.rate = DataRate::kbps(800);
  pair.addVideo();
  pair.connect();
  pair.run(Duration::seconds(3));
  pair.run(Duration::seconds(8));
  EXPECT_GT(pair.bytesToB * 8 / 8, 600'000);
  EXPECT_LT(pair.target, DataRate::kbps(1100));
  EXPECT_GT(pair.decodedInRun, 220);
}

TEST(RtpSession, WithoutTransportFeedbackReceiverReportsRule) {
  Options options;
  options.transportFeedback = false;
  SessionPair pair(options);
  pair.addVideo();
  pair.connect();
  pair.run(Duration::seconds(15));
  EXPECT_GT(pair.target, DataRate::kbps(500));
  EXPECT_GT(pair.decoded, 430);
}

TEST(RtpSession, AudioGoesWithVideo) {
  SessionPair pair({});
  pair.addVideo();
  pair.addAudio();
  pair.connect();
  pair.run(Duration::seconds(5));
  EXPECT_GT(pair.decoded, 140);
  EXPECT_GT(pair.audioPackets, 230);
  EXPECT_EQ(pair.sources.size(), 2u);
}

// --- reports

TEST(RtpSession, BothSidesLearnTheRoundTrip) {
  SessionPair pair({});
  pair.link.delay = Duration::millis(70);
  pair.backLink.delay = Duration::millis(30);
  pair.addVideo();
  pair.connect();
  pair.run(Duration::seconds(5));
  const auto stats = pair.sent();
  ASSERT_TRUE(stats.remote && stats.remote->roundTripTime);
  EXPECT_NEAR(stats.remote->roundTripTime->seconds(), 0.1, 0.005);
  EXPECT_GT(stats.remote->roundTripTimeMeasurements, 2u);
  EXPECT_GT(pair.received().reportsReceived, 2u);
}

TEST(RtpSession, AReceiverMeasuresTheRoundTripByItself) {
  Options options;
  options.receiverReferenceTime = true;
  SessionPair pair(options);
  pair.link.delay = pair.backLink.delay = Duration::millis(40);
  pair.addVideo();
  pair.connect();
  pair.run(Duration::seconds(6));
  ASSERT_TRUE(pair.b->bandwidth().roundTripTime);
  EXPECT_NEAR(pair.b->bandwidth().roundTripTime->seconds(), 0.08, 0.005);
}

TEST(RtpSession, LossIsReportedToTheSender) {
  SessionPair pair({});
  pair.link.loss = 0.1;
  pair.addVideo();
  pair.connect();
  pair.run(Duration::seconds(10));
  const auto stats = pair.sent();
  ASSERT_TRUE(stats.remote);
  EXPECT_GT(stats.nackCount, 5u);
}

TEST(RtpSession, CompoundsAreWholeUnlessReducedSizeIsAgreed) {
  for (const bool reduced : {false, true}) {
    Options options;
    options.reducedSize = reduced;
    SessionPair pair(options);
    int compounds = 0;
    int bare = 0;
    pair.filter = [&](bool, const OutgoingPacket& p) {
      if (!p.isRtcp) return true;
      EXPECT_TRUE(rtp::rtcp::CompoundReader::isWellFormed(p.data.span()));
      EXPECT_LE(p.data.size(), 1200u);
      rtp::rtcp::CompoundReader reader(p.data.span());
      rtp::rtcp::Block block;
      EXPECT_TRUE(reader.next(block));
      const bool report =
          block.type == rtp::rtcp::kSenderReport || block.type == rtp::rtcp::kReceiverReport;
      report ? ++compounds : ++bare;
      if (report) {
        EXPECT_TRUE(reader.next(block));
        EXPECT_EQ(block.type, rtp::rtcp::kSourceDescription);
      }
      return true;
    };
    pair.addVideo();
    pair.connect();
    pair.run(Duration::seconds(3));
    EXPECT_GT(compounds, 4);
    EXPECT_EQ(bare > 0, reduced);
  }
}

TEST(RtpSession, RemovingAStreamSaysBye) {
  SessionPair pair({});
  pair.addVideo();
  pair.connect();
  pair.run(Duration::seconds(1));
  ASSERT_EQ(pair.sources.size(), 1u);
  pair.sending = false;
  pair.a->removeSendStream(pair.video, pair.now());
  pair.run(Duration::seconds(5));
  ASSERT_EQ(pair.sources.size(), 2u);
  EXPECT_EQ(pair.sources[1].kind, SourceEvent::Kind::Ended);
}

TEST(RtpSession, ClosingSaysByeAndEndsEverything) {
  SessionPair pair({});
  pair.addVideo();
  pair.connect();
  pair.run(Duration::seconds(1));
  pair.sending = false;
  pair.a->close(pair.now());
  EXPECT_TRUE(pair.a->nextDeadline().isNever());
  OutgoingPacket out;
  bool bye = false;
  while (pair.a->pollTransmit(out)) {
    rtp::rtcp::CompoundReader reader(out.data.span());
    rtp::rtcp::Block block;
    while (out.isRtcp && reader.next(block)) bye = bye || block.type == rtp::rtcp::kBye;
  }
  EXPECT_TRUE(bye);
  codec::EncodedVideoFrame frame;
  frame.data = {1};
  EXPECT_EQ(pair.a->sendVideo(pair.video, frame, pair.now()).error().code, ErrorCode::NotFound);
}

// --- idleness

TEST(RtpSession, WithoutStreamsThereIsNoDeadline) {
  SessionPair pair({});
  EXPECT_TRUE(pair.a->nextDeadline().isNever());
  pair.connect();
  EXPECT_TRUE(pair.a->nextDeadline().isNever());
  EXPECT_TRUE(pair.b->nextDeadline().isNever());
}

TEST(RtpSession, AnIdleSessionWakesUpForReportsOnly) {
  SessionPair pair({});
  pair.addVideo();
  pair.addAudio();
  pair.sending = false;
  pair.connect();
  pair.run(Duration::seconds(60));
  // Two sides, a report each about every 5 s, and its arrival.
  EXPECT_LT(pair.wakeUps, 60);
  pair.sending = true;
  pair.run(Duration::seconds(2));
  pair.sending = false;
  pair.run(Duration::seconds(15));
  pair.run(Duration::seconds(60));
  EXPECT_LT(pair.wakeUps, 60);
}

// --- errors

TEST(RtpSession, WrongCallsAreTold) {
  SessionPair pair({});
  pair.addVideo();
  codec::EncodedVideoFrame frame;
  frame.data = {1, 2, 3};
  frame.keyFrame = true;
  const Timestamp now = pair.now();
  EXPECT_EQ(pair.a->sendVideo(pair.video, frame, now).error().code, ErrorCode::InvalidState);
  pair.a->setNetworkAvailable(true, now);
  EXPECT_TRUE(pair.a->sendVideo(pair.video, frame, now));
  EXPECT_EQ(pair.a->sendVideo(SendStreamId{99}, frame, now).error().code, ErrorCode::NotFound);
  frame.data.clear();
  EXPECT_EQ(pair.a->sendVideo(pair.video, frame, now).error().code, ErrorCode::Type);
  codec::EncodedAudioFrame sound;
  sound.data = {1};
  EXPECT_EQ(pair.a->sendAudio(pair.video, sound, now).error().code, ErrorCode::Type);
  SendStreamConfig config;
  config.codec = "unheard-of";
  EXPECT_EQ(pair.a->addSendStream(config, now).error().code, ErrorCode::NotSupported);
  config.codec = "VP8";
  config.ssrc = pair.a->sendStream(pair.video)->ssrc;
  EXPECT_EQ(pair.a->addSendStream(config, now).error().code, ErrorCode::InvalidAccess);
  EXPECT_EQ(pair.a->updateSendStream(SendStreamId{99}, config, now).error().code,
            ErrorCode::NotFound);
}

// --- the machine rules

TEST(RtpSession, EarlyAndRepeatedAdvanceIsHarmless) {
  SessionPair pair({});
  pair.addVideo();
  pair.connect();
  for (int i = 0; i < 200; ++i) {
    pair.run(Duration::millis(7));
    for (int k = 0; k < 3; ++k) {
      pair.a->advance(pair.now());
      pair.b->advance(pair.now());
      ASSERT_GT(pair.a->nextDeadline(), pair.now());
      ASSERT_GT(pair.b->nextDeadline(), pair.now());
    }
    pair.a->advance(pair.now() - Duration::seconds(1));
  }
  EXPECT_GT(pair.decoded, 30);
}

TEST(RtpSession, AnOwnerThatDoesNotPollLosesPacketsNotMemory) {
  SeededRandom random(1);
  PacketPool pool(4096);
  Environment environment{random, pool};
  environment.limits.maxQueuedTransmits = 100;
  environment.limits.maxQueuedEvents = 10;
  RtpSession session(environment, {});
  SendStreamConfig config;
  config.codec = "VP8";
  config.payloadType = 96;
  Timestamp now = Timestamp::seconds(1);
  const auto id = session.addSendStream(config, now).value();
  session.setNetworkAvailable(true, now);
  codec::EncodedVideoFrame frame;
  frame.data.resize(3000);
  for (int i = 0; i < 500; ++i) {
    frame.keyFrame = true;
    static_cast<void>(session.sendVideo(id, frame, now).has_value());
    now += Duration::millis(33);
    session.advance(now);
    ASSERT_GT(session.nextDeadline(), now);
  }
  EXPECT_GT(session.drops().outboundQueue, 100u);
  EXPECT_LE(pool.inUse(), 250u);
}

TEST(RtpSession, MayBeDestroyedAtAnyPoint) {
  for (int ms = 0; ms < 300; ms += 20) {
    SessionPair pair({});
    pair.addVideo();
    pair.connect();
    pair.run(Duration::millis(ms));
  }
}

TEST(RtpSession, TheSameSeedGivesTheSameCall) {
  std::vector<int64_t> results[2];
  for (auto& result : results) {
    SessionPair pair({});
    pair.link.loss = 0.05;
    pair.link.rate = DataRate::kbps(900);
    pair.addVideo();
    pair.connect();
    pair.run(Duration::seconds(4));
    result = {pair.bytesToB, pair.decoded, pair.target.bps(), pair.wakeUps};
  }
  EXPECT_EQ(results[0], results[1]);
}

}  // namespace
}  // namespace parley::media
