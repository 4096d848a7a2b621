// RFC 3550 section 8.2: SSRCs that both ends use, and packets that come back.

#include <map>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "parley/rtp/packet_writer.h"
#include "parley/rtp/rtcp/all.h"

#include "unit/media/session_pair.h"

namespace parley::media {
namespace {

namespace rtcp = rtp::rtcp;

class Collision : public testing::Test {
 protected:
  Collision() : pair_({}) {
    pair_.addVideo();
    pair_.connect();
    pair_.filter = [this](bool fromA, const OutgoingPacket& p) {
      note(fromA ? fromA_ : fromB_, p);
      return true;
    };
    pair_.run(Duration::seconds(1));
    before_ = *pair_.a->sendStream(pair_.video);
  }

  struct Seen {
    std::set<uint32_t> sources;  ///< of RTP, since the last BYE
    std::set<uint32_t> byes;
    std::optional<uint32_t> reportedPackets;  ///< by the newest sender report
  };
  static void note(Seen& seen, const OutgoingPacket& p) {
    if (!p.isRtcp) {
      seen.sources.insert(loadU32(p.data.data() + 8));
      return;
    }
    rtcp::CompoundReader reader(p.data.span());
    rtcp::Block block;
    while (reader.next(block)) {
      if (const auto bye = rtcp::Bye::parse(block)) {
        seen.byes.insert(bye->ssrcs.begin(), bye->ssrcs.end());
        seen.sources.clear();
      } else if (const auto report = rtcp::SenderReport::parse(block)) {
        seen.reportedPackets = report->packetCount;
      }
    }
  }

  void deliverTo(RtpSession& to, uint32_t ssrc, uint16_t sequence = 7, uint32_t timestamp = 99) {
    PacketBuf buf = pair_.pool().allocate();
    rtp::PacketWriter writer(buf, {0, false, sequence, timestamp, ssrc});
    const MutableByteSpan room = writer.beginPayload();
    std::fill_n(room.begin(), 160, uint8_t{0x55});
    writer.finish(160);
    to.handleRtp(std::move(buf), pair_.now());
    ASSERT_GT(to.nextDeadline(), pair_.now());
  }
  /// A receiver of sound at `a`.
  void receiveAtA() {
    ReceiveConfig r;
    r.id = ReceiverId{9};
    r.mid = "x";
    r.kind = MediaKind::Audio;
    ReceiveCodec codec;
    codec.payloadType = 0;
    codec.name = "PCMU";
    codec.clockRate = 8000;
    r.codecs.push_back(codec);
    pair_.a->setReceiver(r, pair_.now());
  }
  /// Sound from `b` with an SSRC of the caller's.
  SendStreamId sendFromB(uint32_t ssrc) {
    SendStreamConfig s;
    s.kind = MediaKind::Audio;
    s.mid = "x";
    s.codec = "PCMU";
    s.payloadType = 0;
    s.clockRate = 8000;
    s.ssrc = ssrc;
    return pair_.b->addSendStream(s, pair_.now()).value();
  }
  void talk(SendStreamId stream, int packets) {
    for (int i = 0; i < packets; ++i) {
      codec::EncodedAudioFrame frame;
      frame.data.assign(160, 0x55);
      frame.samples = 160;
      frame.capture = pair_.now();
      frame.rtpTimestamp = spoken_ += 160;
      EXPECT_TRUE(pair_.b->sendAudio(stream, frame, pair_.now()));
      pair_.run(Duration::millis(20));
    }
  }
  const SendStreamConfig& now() const { return *pair_.a->sendStream(pair_.video); }
  void expectHealthy() {
    pair_.run(Duration::seconds(2));
    EXPECT_GT(pair_.decodedInRun, 50);
    EXPECT_EQ(pair_.decodeErrors, 0);
  }

  SessionPair pair_;
  SendStreamConfig before_;
  Seen fromA_, fromB_;
  uint32_t spoken_ = 0;
};

// Not with the peer, but with what was sent before under the same key of SRTP.
TEST_F(Collision, AStreamThatComesBackUnderItsSsrcGoesOnWithItsNumbers) {
  std::map<uint32_t, std::vector<uint16_t>> sent;
  pair_.filter = [&](bool fromA, const OutgoingPacket& p) {
    if (fromA && !p.isRtcp) sent[loadU32(p.data.data() + 8)].push_back(loadU16(p.data.data() + 2));
    return true;
  };
  for (int round = 0; round < 4; ++round) {
    pair_.run(Duration::seconds(1));
    pair_.a->removeSendStream(pair_.video, pair_.now());
    pair_.video = pair_.a->addSendStream(before_, pair_.now()).value();
  }
  pair_.run(Duration::seconds(1));
  ASSERT_EQ(sent.count(before_.ssrc), 1u);
  for (auto& [ssrc, numbers] : sent) {
    const std::set<uint16_t> different(numbers.begin(), numbers.end());
    EXPECT_EQ(different.size(), numbers.size());
    // What waited in the pacer had its number.
    EXPECT_LE(static_cast<uint16_t>(numbers.back() - numbers.front()), numbers.size() + 100);
  }
}

TEST_F(Collision, BothEndsTakeOthersAndHearEachOther) {
  receiveAtA();
  const SendStreamId sound = sendFromB(before_.ssrc);
  talk(sound, 100);
  const uint32_t ofB = pair_.b->sendStream(sound)->ssrc;
  EXPECT_NE(now().ssrc, before_.ssrc);
  EXPECT_NE(ofB, before_.ssrc);
  EXPECT_NE(now().ssrc, ofB);
  EXPECT_NE(now().rtxSsrc, before_.rtxSsrc) << "RTX goes along";
  EXPECT_TRUE(fromA_.byes.contains(before_.ssrc));
  EXPECT_TRUE(fromB_.byes.contains(before_.ssrc));
  EXPECT_FALSE(fromA_.sources.contains(before_.ssrc)) << "nothing under it after the BYE";
  EXPECT_EQ(pair_.a->drops().ssrcCollisions, 1u);
  EXPECT_EQ(pair_.b->drops().ssrcCollisions, 1u);
  std::vector<InboundStats> heard;
  pair_.a->receiveStats(heard);
  uint64_t packets = 0;
  for (const InboundStats& s : heard) packets += s.packetsReceived;
  EXPECT_GE(packets, 60u) << "what the peer says is heard";
  expectHealthy();
}

TEST_F(Collision, ANewSourceBeginsWithAKeyFrameAndItsOwnCounts) {
  const uint64_t keyFrames = pair_.sent().keyFramesSent;
  EXPECT_EQ(keyFrames, 1u);
  deliverTo(*pair_.a, before_.ssrc);
  RtpEvent event;
  bool told = false;
  while (pair_.a->pollEvent(event)) {
    if (const auto* changed = std::get_if<SsrcChanged>(&event))
      told = changed->stream == pair_.video;
  }
  EXPECT_TRUE(told);
  const SendStreamStats sent = pair_.sent();
  EXPECT_EQ(sent.ssrc, now().ssrc);
  EXPECT_EQ(sent.rtxSsrc, now().rtxSsrc);
  EXPECT_EQ(sent.packetsSent, 0u);
  // The event that asks for the key frame was taken above: the next frames are refused, which asks
  // again.
  pair_.run(Duration::seconds(3));
  EXPECT_EQ(pair_.sent().keyFramesSent, 1u);
  ASSERT_TRUE(fromA_.reportedPackets);
  EXPECT_LE(*fromA_.reportedPackets, pair_.sent().packetsSent);
  expectHealthy();
}

TEST_F(Collision, TheSourceForRepairMayCollideToo) {
  deliverTo(*pair_.a, before_.rtxSsrc.value());
  EXPECT_NE(now().ssrc, before_.ssrc);
  EXPECT_NE(now().rtxSsrc, before_.rtxSsrc);
  pair_.link.loss = 0.05;
  pair_.run(Duration::seconds(3));
  EXPECT_GT(pair_.sent().retransmittedPacketsSent, 3u);
  EXPECT_GT(pair_.decodedInRun, 60);
}

TEST_F(Collision, WhatComesBackIsNone) {
  int reflected = 0;
  pair_.filter = [&](bool fromA, const OutgoingPacket& p) {
    if (!fromA) return true;
    // A server that returns everything, half a second later.
    pair_.a->handleRtcp(p.isRtcp ? p.data.span() : ByteSpan{}, pair_.now());
    if (!p.isRtcp) {
      pair_.a->handleRtp(pair_.pool().copyOf(p.data.span()), pair_.now());
      ++reflected;
    }
    return true;
  };
  pair_.link.loss = 0.02;
  pair_.run(Duration::seconds(5));
  EXPECT_GT(reflected, 100);
  EXPECT_EQ(pair_.a->drops().ownSsrc, static_cast<uint64_t>(reflected));
  EXPECT_EQ(pair_.a->drops().ssrcCollisions, 0u);
  EXPECT_EQ(now().ssrc, before_.ssrc);
}

TEST_F(Collision, WhoeverChasesUsIsLeftAlone) {
  pair_.run(Duration::seconds(1));
  for (int i = 0; i < 500; ++i) deliverTo(*pair_.a, now().ssrc);
  EXPECT_EQ(pair_.a->drops().ssrcCollisions, 1u);
  EXPECT_EQ(pair_.a->drops().ownSsrc, 499u);
  expectHealthy();
  // Each time it is believed less.
  for (int i = 0; i < 60; ++i) {
    deliverTo(*pair_.a, now().ssrc);
    pair_.run(Duration::seconds(1));
  }
  EXPECT_EQ(pair_.a->drops().ssrcCollisions, 6u);
  expectHealthy();
}

TEST_F(Collision, AnAccidentMayHappenTwice) {
  deliverTo(*pair_.a, before_.ssrc);
  const uint32_t second = now().ssrc;
  pair_.run(Duration::millis(1100));
  deliverTo(*pair_.a, second);
  EXPECT_NE(now().ssrc, second);
  expectHealthy();
}

TEST_F(Collision, ReportsUnderOurSsrcAndAnotherNameAreOne) {
  const auto report = [&](uint32_t ssrc, std::string_view cname, bool reports) {
    uint8_t bytes[300];
    ByteWriter w(bytes);
    rtcp::ReceiverReport rr;
    rr.senderSsrc = reports ? ssrc : 0x77;
    rr.write(w);
    rtcp::SourceDescription sdes;
    sdes.chunks.push_back({ssrc, cname});
    sdes.write(w);
    pair_.a->handleRtcp(w.written(), pair_.now());
  };
  report(before_.ssrc, "cname-of-a", true);
  EXPECT_EQ(now().ssrc, before_.ssrc) << "our own report";
  report(before_.ssrc, "a mixer's word for it", false);
  EXPECT_EQ(now().ssrc, before_.ssrc);
  report(before_.ssrc, "cname-of-b", true);
  EXPECT_NE(now().ssrc, before_.ssrc);
  EXPECT_TRUE(now().rtxSsrc);
  pair_.run(Duration::millis(100));
  EXPECT_TRUE(fromA_.byes.contains(before_.ssrc));
  expectHealthy();
}

TEST_F(Collision, AReceiverReportsUnderAnother) {
  // Whoever sends nothing reports under an SSRC that no stream has.
  std::set<uint32_t> reporters;
  pair_.filter = [&](bool fromA, const OutgoingPacket& p) {
    if (!fromA && p.isRtcp) reporters.insert(loadU32(p.data.data() + 4));
    return true;
  };
  pair_.run(Duration::seconds(2));
  ASSERT_EQ(reporters.size(), 1u);
  const uint32_t former = *reporters.begin();
  deliverTo(*pair_.b, former);
  pair_.run(Duration::millis(50));
  reporters.clear();
  pair_.run(Duration::seconds(3));
  ASSERT_EQ(reporters.size(), 1u);
  EXPECT_NE(*reporters.begin(), former);
  expectHealthy();
}

}  // namespace
}  // namespace parley::media
