// What a hostile or broken peer sends, and what it cannot achieve by it.

#include <gtest/gtest.h>

#include "parley/rtp/packet_writer.h"
#include "parley/rtp/rtcp/all.h"

#include "unit/media/session_pair.h"

namespace parley::media {
namespace {

namespace rtcp = rtp::rtcp;

class Hostile : public testing::Test {
 protected:
  explicit Hostile(const SessionPair::Options& options = {}) : pair_(options) {
    pair_.addVideo();
    pair_.connect();
    pair_.run(Duration::seconds(1));
    ssrc_ = pair_.a->sendStream(pair_.video)->ssrc;
  }
  template <class Write>
  void feed(Write&& write) {
    uint8_t bytes[1500];
    ByteWriter w(bytes);
    write(w);
    ASSERT_TRUE(w.ok());
    pair_.a->handleRtcp(w.written(), pair_.now());
    ASSERT_GT(pair_.a->nextDeadline(), pair_.now());
  }
  void feedRaw(const Bytes& bytes) { pair_.a->handleRtcp(bytes, pair_.now()); }
  int keyFrameEvents() {
    int count = 0;
    RtpEvent event;
    while (pair_.a->pollEvent(event)) count += std::get_if<KeyFrameRequested>(&event) != nullptr;
    return count;
  }
  void expectHealthy() {
    pair_.run(Duration::seconds(2));
    EXPECT_GT(pair_.decodedInRun, 50);
  }
  SessionPair pair_;
  uint32_t ssrc_ = 0;
};

TEST_F(Hostile, PliAndFirStormsMakeOneRequestPer300Ms) {
  int events = 0;
  for (int i = 0; i < 200; ++i) {
    feed([&](ByteWriter& w) { rtcp::Pli{1, ssrc_}.write(w); });
    feed([&](ByteWriter& w) {
      rtcp::Fir fir;
      fir.senderSsrc = 1;
      fir.entries.push_back({ssrc_, static_cast<uint8_t>(i)});
      fir.write(w);
    });
    events += keyFrameEvents();
  }
  EXPECT_LE(events, 1);
  pair_.sending = false;
  pair_.run(Duration::millis(400));
  feed([&](ByteWriter& w) { rtcp::Pli{1, ssrc_}.write(w); });
  EXPECT_EQ(keyFrameEvents(), 1);
}

TEST_F(Hostile, ANackStormCostsABoundedShare) {
  pair_.run(Duration::seconds(3));
  const auto quiet = pair_.sent();
  pair_.run(Duration::seconds(1));
  const auto before = pair_.sent();
  const DataRate rate = pair_.a->bandwidth().estimate;
  for (int round = 0; round < 10; ++round) {
    for (uint32_t base = 0; base < 65'536; base += 250) {
      std::vector<uint16_t> all;
      for (uint32_t i = 0; i < 250; ++i) all.push_back(static_cast<uint16_t>(base + i));
      feed([&](ByteWriter& w) { rtcp::Nack::write(w, 1, ssrc_, all, 1400); });
    }
    pair_.run(Duration::millis(100));
  }
  const auto after = pair_.sent();
  const auto repeated = after.retransmittedBytesSent - before.retransmittedBytesSent;
  const auto fresh = [](const SendStreamStats& from, const SendStreamStats& to) {
    return (to.bytesSent - to.retransmittedBytesSent) -
           (from.bytesSent - from.retransmittedBytesSent);
  };
  // Half of a second's rate at once and half of the rate from then on: a second's in all.
  const auto second = static_cast<uint64_t>(rate.bps()) / 8;
  EXPECT_GT(repeated, second / 10) << "there was something to bound";
  EXPECT_LT(repeated, second + 3000);
  EXPECT_GT(fresh(before, after), fresh(quiet, before) * 6 / 10) << "pictures go on";
  expectHealthy();
}

/// Transport feedback is not agreed: then REMB counts.
class HostileWithoutTransportFeedback : public Hostile {
 protected:
  HostileWithoutTransportFeedback() : Hostile({.transportFeedback = false}) {}
};

TEST_F(HostileWithoutTransportFeedback, RembExtremesAreClamped) {
  for (const uint64_t exponent : {0ull, 1ull, 30ull, 46ull, 63ull}) {
    for (const uint32_t mantissa : {0u, 1u, 0x3ffffu}) {
      feed([&](ByteWriter& w) {
        rtcp::BlockWriter block(w, rtcp::kPayloadFeedback, rtcp::Remb::kFormat);
        w.u32(1);
        w.u32(0);
        w.bytes(asBytes("REMB"));
        w.u8(0);
        w.u24(static_cast<uint32_t>(exponent << 18 | mantissa));
      });
      const bool least = exponent < 2 && mantissa < 2;
      const bool most = exponent >= 30 && mantissa > 0;
      if (least || mantissa == 0) {
        EXPECT_EQ(pair_.a->bandwidth().target, DataRate::kbps(30)) << exponent << " " << mantissa;
      } else if (most) {
        EXPECT_EQ(pair_.a->bandwidth().target, DataRate::kbps(2000)) << exponent << " " << mantissa;
      } else {
        EXPECT_GE(pair_.a->bandwidth().target, DataRate::kbps(200)) << exponent << " " << mantissa;
      }
    }
  }
  expectHealthy();
}

TEST_F(Hostile, FeedbackOnPacketsNeverSentChangesNothing) {
  const auto before = pair_.a->bandwidth();
  for (int base = 0; base < 65'536; base += 4096) {
    feed([&](ByteWriter& w) {
      rtcp::BlockWriter block(w, rtcp::kTransportFeedback, rtcp::TransportFeedback::kFormat);
      w.u32(1);
      w.u32(ssrc_);
      w.u16(static_cast<uint16_t>(base + 10'000));
      w.u16(8191);      // status count
      w.u24(0x123456);  // reference time
      w.u8(1);
      w.u16(0x1fff);  // a run of 8191 "not received"
    });
  }
  EXPECT_EQ(pair_.a->bandwidth().estimate, before.estimate);
  expectHealthy();
}

TEST_F(Hostile, ReportNonsenseYieldsNoRoundTrip) {
  const auto known = pair_.a->bandwidth().roundTripTime;
  for (const uint32_t lsr : {0u, 1u, 0xffffffffu, 0x80000000u}) {
    for (const uint32_t dlsr : {0u, 0xffffffffu}) {
      feed([&](ByteWriter& w) {
        rtcp::ReceiverReport report;
        report.senderSsrc = 1;
        rtcp::ReportBlock block;
        block.ssrc = ssrc_;
        block.lastSr = lsr;
        block.delaySinceLastSr = dlsr;
        block.cumulativeLost = -0x800000;
        block.extendedHighestSequence = 0xffffffff;
        report.blocks.push_back(block);
        report.write(w);
      });
    }
  }
  EXPECT_EQ(pair_.a->bandwidth().roundTripTime, known);
  expectHealthy();
}

// B41 at the receiving side: times of capture made of nonsense, which lip sync reads.
TEST(HostileReports, NonsenseTimesOfASenderDoNotStopPlayout) {
  SessionPair pair({.synchronized = true});
  pair.addVideo();
  pair.addAudio();
  pair.connect();
  pair.run(Duration::seconds(2));
  const uint32_t ssrcs[] = {pair.a->sendStream(pair.video)->ssrc,
                            pair.a->sendStream(pair.audio)->ssrc};
  const int before = pair.audioPackets;
  SeededRandom random(4);
  for (int round = 0; round < 50; ++round) {
    for (const uint32_t ssrc : ssrcs) {
      for (const uint64_t ntp :
           {uint64_t{0}, uint64_t{1}, ~uint64_t{0}, uint64_t{1} << 63, random.u64()}) {
        uint8_t bytes[200];
        ByteWriter w(bytes);
        rtcp::SenderReport report;
        report.senderSsrc = ssrc;
        report.ntp = NtpTime{ntp};
        report.rtpTimestamp = random.u32();
        report.write(w);
        pair.b->handleRtcp(w.written(), pair.now());
        ASSERT_GT(pair.b->nextDeadline(), pair.now());
      }
    }
    pair.run(Duration::millis(100));
    EXPECT_LT(pair.longestGap, Duration::millis(100));
  }
  EXPECT_GT(pair.decoded, 180);
  EXPECT_GT(pair.audioPackets - before, 235);
  // What comes back of such a report is nobody's round trip.
  EXPECT_LT(pair.a->bandwidth().roundTripTime.value_or(Duration::zero()), Duration::millis(200));
}

TEST_F(Hostile, ByeForOurOwnStreamOrForStrangersEndsNothing) {
  for (const uint32_t ssrc : {ssrc_, 0u, 12345u}) {
    feed([&](ByteWriter& w) {
      rtcp::Bye bye;
      bye.ssrcs.push_back(ssrc);
      bye.write(w);
    });
  }
  feed([](ByteWriter& w) { rtcp::Bye{}.write(w); });
  expectHealthy();
}

TEST_F(Hostile, MalformedDatagramsAreCountedAndDropped) {
  const auto before = pair_.a->drops();
  feedRaw({});
  feedRaw({0x80});
  feedRaw({0x81, 200, 0, 6, 0, 0, 0, 1});  // length beyond the end
  feedRaw({0x01, 200, 0, 0});              // version 0
  EXPECT_EQ(pair_.a->drops().malformedRtcp, before.malformedRtcp + 4);
  pair_.a->handleRtp(pair_.pool().copyOf(Bytes{0x80, 96, 0}), pair_.now());
  pair_.a->handleRtp(pair_.pool().copyOf(Bytes(12, 0xff)), pair_.now());
  EXPECT_EQ(pair_.a->drops().malformedRtp, before.malformedRtp + 2);
  // Well formed, but with bodies too short for their types and types that nobody knows.
  for (unsigned type = 192; type < 224; ++type) {
    for (unsigned count = 0; count < 32; ++count) {
      feedRaw({static_cast<uint8_t>(0x80 | count), static_cast<uint8_t>(type), 0, 1, 0, 0, 0, 9});
      feedRaw({static_cast<uint8_t>(0x80 | count), static_cast<uint8_t>(type), 0, 0});
    }
  }
  expectHealthy();
}

TEST_F(Hostile, OurOwnPacketsComingBackAreIgnored) {
  OutgoingPacket reflected;
  int count = 0;
  pair_.filter = [&](bool fromA, const OutgoingPacket& p) {
    if (fromA && !p.isRtcp && count < 50) {
      ++count;
      pair_.a->handleRtp(pair_.pool().copyOf(p.data.span()), pair_.now());
    }
    return true;
  };
  pair_.run(Duration::seconds(1));
  EXPECT_EQ(pair_.a->drops().ownSsrc, static_cast<uint64_t>(count));
  EXPECT_EQ(count, 50);
  pair_.filter = nullptr;
  expectHealthy();
}

TEST_F(Hostile, RandomBytesAndMutatedPacketsDoNoHarm) {
  SeededRandom random(5);
  for (int i = 0; i < 300; ++i) {
    Bytes noise(random.below(200));
    random.fill(noise);
    if (noise.size() > 2) noise[0] = static_cast<uint8_t>(0x80 | (noise[0] & 0x3f));
    pair_.a->handleRtcp(noise, pair_.now());
    pair_.b->handleRtp(pair_.pool().copyOf(noise), pair_.now());
  }
  pair_.filter = [&](bool, const OutgoingPacket& p) {
    if (random.below(10) == 0) {
      Bytes copy = toBytes(p.data.span());
      copy[random.below(copy.size())] ^= static_cast<uint8_t>(1 + random.below(255));
      if (p.isRtcp) {
        pair_.a->handleRtcp(copy, pair_.now());
      } else {
        // Not into b's jitter buffer under the same name: authentication is SRTP's part.
        copy[8] ^= 0x55;
        pair_.b->handleRtp(pair_.pool().copyOf(copy), pair_.now());
      }
    }
    return true;
  };
  pair_.run(Duration::seconds(1));
  pair_.filter = nullptr;
  pair_.run(Duration::seconds(1));
  expectHealthy();
}

}  // namespace
}  // namespace parley::media
