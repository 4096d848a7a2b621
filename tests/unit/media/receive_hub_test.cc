#include "parley/media/receive_hub.h"

#include "parley/base/machine.h"
#include "parley/rtp/rtcp/all.h"

#include "unit/media/media_fixture.h"

namespace parley::media {
namespace {

using namespace test;

static_assert(Machine<ReceiveHub>);

class ReceiveHubTest : public HubTest {
 protected:
  void frameFrom(Sender& s, bool key = true) {
    for (const Bytes& p : s.vp8(key, 1)) deliver(p);
    run(Duration::millis(60));
  }
};

TEST_F(ReceiveHubTest, MidDecidesTheReceiver) {
  hub_->setReceiver(videoConfig(1, "a"));
  hub_->setReceiver(videoConfig(2, "b"));
  Sender s;
  s.mid = "b";
  frameFrom(s);
  ASSERT_EQ(frames_.size(), 1u);
  EXPECT_EQ(frames_[0].receiver, ReceiverId(2));
  // Known by its SSRC from then on.
  s.mid.clear();
  frameFrom(s);
  ASSERT_EQ(frames_.size(), 2u);
  EXPECT_EQ(hub_->receiverOf(s.ssrc), ReceiverId(2));
  EXPECT_EQ(hub_->unroutedPackets(), 0u);
}

TEST_F(ReceiveHubTest, AnUnknownMidIsDroppedEvenIfTheSourceIsKnown) {
  hub_->setReceiver(videoConfig(1, "a"));
  Sender s;
  frameFrom(s);
  s.mid = "zz";
  frameFrom(s, false);
  EXPECT_EQ(frames_.size(), 1u);
  EXPECT_EQ(hub_->unroutedPackets(), 1u);
}

TEST_F(ReceiveHubTest, ASourceMovesWithItsMid) {
  hub_->setReceiver(videoConfig(1, "a"));
  hub_->setReceiver(videoConfig(2, "b"));
  Sender s;
  s.mid = "a";
  frameFrom(s);
  s.mid = "b";
  frameFrom(s);
  ASSERT_EQ(frames_.size(), 2u);
  EXPECT_EQ(frames_[1].receiver, ReceiverId(2));
  std::vector<InboundStats> all;
  hub_->stats(all);
  EXPECT_EQ(all.size(), 1u);
}

TEST_F(ReceiveHubTest, ASourceThatMovesTakesNoOtherWithIt) {
  hub_->setReceiver(videoConfig(1, "a"));
  hub_->setReceiver(videoConfig(2, "b"));
  std::vector<Sender> senders(12);
  for (size_t i = 0; i < senders.size(); ++i) {
    senders[i].ssrc = static_cast<uint32_t>(1000 + i);
    senders[i].rtxSsrc = static_cast<uint32_t>(2000 + i);
    senders[i].mid = "a";
    const auto frame = senders[i].vp8(true, 3);
    deliver(frame[0]);
    deliver(frame[2]);
    deliver(senders[i].rtx(frame[1], kVp8Rtx));
  }
  run(Duration::millis(60));
  EXPECT_EQ(frames_.size(), senders.size());
  // Each of them, and its repairs, under another mid: to and fro.
  for (int round = 0; round < 3; ++round) {
    for (Sender& s : senders) {
      s.mid = s.mid == "a" ? "b" : "a";
      frameFrom(s);
      EXPECT_EQ(hub_->receiverOf(s.ssrc), ReceiverId(s.mid == "a" ? 1 : 2));
    }
  }
  EXPECT_EQ(frames_.size(), 4 * senders.size());
  std::vector<InboundStats> all;
  hub_->stats(all);
  EXPECT_EQ(all.size(), senders.size());
}

TEST_F(ReceiveHubTest, ASourceIsEitherMediaOrItsRepair) {
  hub_->setReceiver(videoConfig(1, "a"));
  Sender s;
  s.mid = "a";
  frameFrom(s);
  Sender other;
  other.ssrc = 0x3333;
  other.mid = "a";
  frameFrom(other);
  // The source of the pictures claims to repair the other one.
  s.rtxSsrc = s.ssrc;
  for (int i = 0; i < 10; ++i) {
    const auto lost = other.vp8(false, 1);
    deliver(other.vp8(false, 1)[0]);
    deliver(s.rtx(lost[0], kVp8Rtx));
    frameFrom(s, false);
  }
  std::vector<InboundStats> all;
  hub_->stats(all);
  EXPECT_EQ(all.size(), 2u);
  EXPECT_EQ(statsOf(s.ssrc).packetsReceived, 11u);
}

TEST_F(ReceiveHubTest, WithoutMidTheSignalledSourceOrAUniquePayloadTypeDecides) {
  ReceiveConfig a = videoConfig(1, "a");
  ReceiveConfig b = videoConfig(2, "b");
  b.sources = {{0xabcd, 0xabce}};
  hub_->setReceiver(a);
  hub_->setReceiver(b);
  Sender unknown;
  frameFrom(unknown);
  EXPECT_TRUE(frames_.empty()) << "either could be meant";
  Sender known;
  known.ssrc = 0xabcd;
  frameFrom(known);
  ASSERT_EQ(frames_.size(), 1u);
  EXPECT_EQ(frames_[0].receiver, ReceiverId(2));
  hub_->removeReceiver(ReceiverId(2));
  frameFrom(unknown);
  ASSERT_EQ(frames_.size(), 2u) << "now the payload type points to one receiver";
  EXPECT_EQ(frames_[1].receiver, ReceiverId(1));
}

TEST_F(ReceiveHubTest, AnUnknownPayloadTypeIsDropped) {
  hub_->setReceiver(videoConfig(1, "a"));
  Sender s;
  s.mid = "a";
  deliver(s.packet(50, true, parley::test::fromHex("aabb")));
  EXPECT_EQ(hub_->unroutedPackets(), 1u);
  EXPECT_TRUE(events_.empty());
}

TEST_F(ReceiveHubTest, SimulcastLayersAreToldApartByRid) {
  hub_->setReceiver(videoConfig(1, "a"));
  Sender high;
  high.mid = "a";
  high.rid = "h";
  Sender low;
  low.ssrc = 0x3333;
  low.rtxSsrc = 0x4444;
  low.mid = "a";
  low.rid = "l";
  frameFrom(high);
  frameFrom(low);
  ASSERT_EQ(frames_.size(), 2u);
  EXPECT_EQ(frames_[0].rid, "h");
  EXPECT_EQ(frames_[1].rid, "l");
  // A retransmission names the stream that it repairs by the repaired rid.
  const auto lost = low.vp8(false, 2);
  deliver(lost[0]);
  for (const Bytes& p : low.vp8(false, 1)) deliver(p);
  PacketBuf rtx = pool_.allocate();
  const rtp::ExtensionMap map = browserExtensions();
  rtp::PacketWriter writer(rtx, {kVp8Rtx, true, 9, 1, low.rtxSsrc});
  writer.add<rtp::Mid>(map, "a");
  writer.add<rtp::RepairedRid>(map, "l");
  const auto original = rtp::PacketView::parse(lost[1]);
  MutableByteSpan room = writer.beginPayload();
  storeU16(room.data(), original->sequenceNumber());
  std::copy(original->payload().begin(), original->payload().end(), room.begin() + 2);
  rtp::setTimestamp(rtx.mutableSpan(), original->timestamp());
  writer.finish(2 + original->payload().size());
  deliver(rtx.span());
  rtx.reset();
  run(Duration::millis(300));
  EXPECT_EQ(frames_.size(), 4u);
  EXPECT_EQ(statsOf(low.ssrc).rtxSsrc, low.rtxSsrc);
  EXPECT_FALSE(statsOf(high.ssrc).rtxSsrc);
}

TEST_F(ReceiveHubTest, SimulcastLayersMayBeToldByTheirSources) {
  ReceiveConfig config = videoConfig(1, "a");
  config.sources = {{0x1111, 0x2222, true}, {0x3333, 0x4444, true}};
  hub_->setReceiver(config);
  Sender low, high;
  high.ssrc = 0x3333;
  high.rtxSsrc = 0x4444;
  frameFrom(low);
  frameFrom(high);
  ASSERT_EQ(frames_.size(), 2u);
  EXPECT_TRUE(frames_[0].isLayer && frames_[1].isLayer);
  EXPECT_TRUE(frames_[0].rid.empty());
  EXPECT_TRUE(statsOf(low.ssrc).isLayer);
  // Early media come before the description that tells what they are, and a later one may take it
  // back.
  config.sources = {{0x1111, 0x2222, false}};
  hub_->setReceiver(config);
  frameFrom(low);
  ASSERT_EQ(frames_.size(), 3u);
  EXPECT_FALSE(frames_[2].isLayer);
}

TEST_F(ReceiveHubTest, RtxIsPairedByTheNumberAskedForIfNothingElseTells) {
  hub_->setReceiver(videoConfig(1, "a"));
  Sender one;
  Sender two;
  two.ssrc = 0x3333;
  two.rtxSsrc = 0x4444;
  two.sequence = 5000;
  one.mid = two.mid = "a";
  frameFrom(one);
  frameFrom(two);
  const auto lost = two.vp8(false, 3);
  deliver(lost[0]);
  deliver(lost[2]);
  deliver(two.rtx(lost[1], kVp8Rtx));
  run(Duration::millis(200));
  EXPECT_EQ(frames_.size(), 3u);
  EXPECT_EQ(statsOf(two.ssrc).retransmittedPacketsReceived, 1u);
  EXPECT_EQ(statsOf(one.ssrc).retransmittedPacketsReceived, 0u);
}

TEST_F(ReceiveHubTest, ProbesAndShortRtxDoNothing) {
  hub_->setReceiver(videoConfig(1, "a"));
  Sender s;
  s.mid = "a";
  frameFrom(s);
  PacketBuf rtx = pool_.copyOf(parley::test::fromHex("80610001 00000001 00002222 aa"));
  deliver(rtx.span());
  deliver(parley::test::fromHex("a0610002 00000001 00002222 00000004"));
  rtx.reset();
  frameFrom(s, false);
  EXPECT_EQ(frames_.size(), 2u);
  EXPECT_EQ(statsOf(s.ssrc).retransmittedPacketsReceived, 0u);
}

TEST_F(ReceiveHubTest, ByeEndsASourceUnlessItGoesOn) {
  hub_->setReceiver(videoConfig(1, "a"));
  Sender s;
  s.mid = "a";
  frameFrom(s);
  hub_->handleBye(0x9999, now_);
  hub_->handleBye(s.ssrc, now_);
  run(Duration::seconds(1));
  frameFrom(s, false);
  run(Duration::seconds(5));
  EXPECT_EQ(events_.size(), 1u) << "data revived it";
  hub_->handleBye(s.ssrc, now_);
  run(Duration::seconds(3));
  ASSERT_EQ(events_.size(), 2u);
  EXPECT_EQ(events_[1].kind, SourceEvent::Kind::Ended);
  EXPECT_FALSE(hub_->receiverOf(s.ssrc));
  frameFrom(s);
  ASSERT_EQ(events_.size(), 3u);
  EXPECT_EQ(events_[2].kind, SourceEvent::Kind::Started);
}

TEST_F(ReceiveHubTest, EverySourceThatGoesSaysSo) {
  env_.limits.maxReceiveSsrcs = 2;
  hub_.emplace(env_);
  hub_->setReceiver(videoConfig(1, "a"));
  Sender s;
  s.mid = "a";
  for (uint32_t ssrc : {11u, 12u, 13u}) {
    s.ssrc = ssrc;
    deliver(s.vp8(true, 1)[0]);
    now_ += Duration::millis(1);
  }
  const auto ended = [&] {
    std::vector<uint32_t> out;
    for (const SourceEvent& e : events_) {
      if (e.kind == SourceEvent::Kind::Ended) out.push_back(e.ssrc);
    }
    return out;
  };
  EXPECT_EQ(ended(), std::vector<uint32_t>{11}) << "gave way to the third";
  ASSERT_EQ(events_.size(), 4u);
  EXPECT_EQ(events_[3].ssrc, 13u) << "first the end, then the beginning";
  hub_->removeReceiver(ReceiverId(1));
  collect();
  EXPECT_EQ(ended().size(), 3u);
}

TEST_F(ReceiveHubTest, ReportBlocksTakeTurns) {
  hub_->setReceiver(videoConfig(1, "a"));
  Sender s[5];
  for (uint32_t i = 0; i < 5; ++i) {
    s[i].ssrc = 100 + i;
    s[i].mid = "a";
    frameFrom(s[i]);
  }
  std::vector<rtp::rtcp::ReportBlock> blocks;
  hub_->takeReportBlocks(now_, 3, blocks);
  EXPECT_EQ(blocks.size(), 3u);
  hub_->takeReportBlocks(now_ + Duration::millis(1), 3, blocks);
  EXPECT_EQ(blocks.size(), 5u);
  std::vector<uint32_t> seen;
  for (const auto& b : blocks) seen.push_back(b.ssrc);
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(seen, (std::vector<uint32_t>{100, 101, 102, 103, 104}));
  hub_->takeReportBlocks(now_ + Duration::millis(2), 3, blocks);
  EXPECT_EQ(blocks.size(), 5u) << "nothing heard since";
}

TEST_F(ReceiveHubTest, TransportFeedbackNamesAllArrivals) {
  hub_->setArrivalFeedback(ArrivalFeedback::TransportWide);
  hub_->setReceiver(videoConfig(1, "a"));
  hub_->setReceiver(audioConfig(2, "b"));
  Sender video;
  video.mid = "a";
  video.withTransportSequence = true;
  uint8_t buffer[1200];
  ByteWriter none(buffer);
  EXPECT_EQ(hub_->pollArrivalFeedback(none, 1, 1200), 0u);
  for (int i = 0; i < 20; ++i) {
    if (i % 5 == 4) {
      video.vp8(i == 0, 1);  // lost
    } else {
      deliver(video.vp8(i == 0, 1)[0]);
    }
    run(Duration::millis(5));
  }
  size_t received = 0;
  rtp::rtcp::TransportFeedback feedback;
  for (int i = 0; i < 3; ++i) {
    ByteWriter w(buffer);
    while (hub_->pollArrivalFeedback(w, 1, 1200) != 0) {
    }
    ASSERT_TRUE(w.ok());
    rtp::rtcp::CompoundReader reader(w.written());
    rtp::rtcp::Block block;
    while (reader.next(block)) {
      ASSERT_TRUE(rtp::rtcp::TransportFeedback::parse(block, feedback));
      received += feedback.received.size();
    }
    run(Duration::millis(100));
  }
  EXPECT_EQ(received, 16u);
}

TEST_F(ReceiveHubTest, Rfc8888FeedbackCarriesEcnMarks) {
  hub_->setArrivalFeedback(ArrivalFeedback::Rfc8888);
  hub_->setReceiver(videoConfig(1, "a"));
  Sender s;
  s.mid = "a";
  deliver(s.vp8(true, 1)[0], Ecn::Ect1);
  s.vp8(false, 1);  // lost
  deliver(s.vp8(false, 1)[0], Ecn::Ce);
  run(Duration::millis(60));
  uint8_t buffer[1200];
  ByteWriter w(buffer);
  ASSERT_GT(hub_->pollArrivalFeedback(w, 9, 1200), 0u);
  rtp::rtcp::CompoundReader reader(w.written());
  rtp::rtcp::Block block;
  ASSERT_TRUE(reader.next(block));
  rtp::rtcp::CongestionFeedback feedback;
  ASSERT_TRUE(rtp::rtcp::CongestionFeedback::parse(block, feedback));
  ASSERT_EQ(feedback.streams.size(), 1u);
  EXPECT_EQ(feedback.streams[0].ssrc, s.ssrc);
  ASSERT_EQ(feedback.reports.size(), 3u);
  EXPECT_EQ(feedback.reports[0].ecn, Ecn::Ect1);
  EXPECT_FALSE(feedback.reports[1].received);
  EXPECT_EQ(feedback.reports[2].ecn, Ecn::Ce);
}

TEST_F(ReceiveHubTest, SoundAndPictureOfOneStreamAreKeptInStep) {
  ReceiveConfig video = videoConfig(1, "v");
  ReceiveConfig audio = audioConfig(2, "a");
  video.syncGroup = audio.syncGroup = "stream";
  hub_->setReceiver(video);
  hub_->setReceiver(audio);
  Sender v;
  v.mid = "v";
  Sender a;
  a.mid = "a";
  a.ssrc = 0x5555;
  // The picture takes 200 ms longer to arrive than the sound: say so by the senders' clocks.
  rtp::rtcp::SenderReport sr;
  sr.senderSsrc = a.ssrc;
  sr.rtpTimestamp = a.timestamp;
  sr.ntp.value = uint64_t{1000} << 32;
  const Timestamp start = now_;
  bool reported = false;
  Duration gap;
  for (int i = 0; i < 900; ++i) {
    deliver(a.opus());
    if (i % 2 == 0) {
      for (const Bytes& p : v.vp8(i == 0, 1)) deliver(p);
      v.timestamp += 600;  // 25 pictures a second
    }
    if (!reported) {
      hub_->handleSenderReport(sr, now_);
      sr.senderSsrc = v.ssrc;
      sr.rtpTimestamp = 1000;
      sr.ntp.value -= uint64_t{1} << 32 >> 2;  // captured a quarter of a second before the sound
      hub_->handleSenderReport(sr, now_);
      reported = true;
    }
    run(Duration::millis(20));
  }
  ASSERT_FALSE(frames_.empty());
  ASSERT_FALSE(units_.empty());
  // Capture times by the sender's clock make the two comparable at the end.
  const auto& frame = frames_.back();
  const auto& unit = units_.back();
  ASSERT_TRUE(frame.captureTime && unit.captureTime);
  const double captureGap = (static_cast<double>(frame.captureTime->value) -
                             static_cast<double>(unit.captureTime->value)) /
                            4294967296.0;
  const double playoutGap = (frame.playoutTime - unit.playoutTime).seconds();
  EXPECT_NEAR(captureGap, playoutGap, 0.045);
  EXPECT_GT(now_ - start, Duration::seconds(10));
}

TEST_F(ReceiveHubTest, NothingIsSynchronizedWhileNothingIsHeard) {
  ReceiveConfig video = videoConfig(1, "v");
  ReceiveConfig audio = audioConfig(2, "a");
  video.syncGroup = audio.syncGroup = "stream";
  hub_->setReceiver(video);
  hub_->setReceiver(audio);
  EXPECT_TRUE(hub_->nextDeadline().isNever());
  Sender v;
  v.mid = "v";
  Sender a;
  a.mid = "a";
  a.ssrc = 0x5555;
  for (int i = 0; i < 100; ++i) {
    deliver(a.opus());
    for (const Bytes& p : v.vp8(i == 0, 1)) deliver(p);
    run(Duration::millis(20));
  }
  run(Duration::seconds(10));
  EXPECT_TRUE(hub_->nextDeadline().isNever());
  deliver(a.opus());
  EXPECT_LE(hub_->nextDeadline(), now_ + Duration::seconds(1));
}

TEST_F(ReceiveHubTest, RemovingAReceiverFreesItsSources) {
  hub_->setReceiver(videoConfig(1, "a"));
  Sender s;
  s.mid = "a";
  deliver(s.vp8(true, 3)[0]);
  EXPECT_GT(pool_.inUse(), 0u);
  hub_->removeReceiver(ReceiverId(1));
  EXPECT_EQ(pool_.inUse(), 0u);
  EXPECT_EQ(hub_->nextDeadline(), Timestamp::never());
  deliver(s.vp8(true, 1)[0]);
  EXPECT_EQ(hub_->unroutedPackets(), 1u);
}

TEST_F(ReceiveHubTest, AnEarlierTimeCountsAsTheLast) {
  hub_->setReceiver(videoConfig(1, "a"));
  Sender s;
  s.mid = "a";
  frameFrom(s);
  const Timestamp later = now_;
  now_ = Timestamp::millis(1);
  for (const Bytes& p : s.vp8(false, 1)) deliver(p);
  hub_->advance(now_);
  EXPECT_GT(hub_->nextDeadline(), now_);
  now_ = later;
  run(Duration::millis(100));
  EXPECT_EQ(frames_.size(), 2u);
}

// A buffer of the pool per packet, of which nothing ever becomes a frame.

}  // namespace
}  // namespace parley::media
