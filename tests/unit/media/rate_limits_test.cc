// TMMBR and TMMBN (RFC 5104): receivers that want less of one stream.

#include "media/rate_limits.h"

#include <gtest/gtest.h>

#include "parley/rtp/rtcp/all.h"

#include "unit/media/session_pair.h"

namespace parley::media {
namespace {

namespace rtcp = rtp::rtcp;

std::vector<uint32_t> owners(const RateLimits& limits) {
  std::vector<uint32_t> out;
  for (const auto& tuple : limits.boundingSet()) out.push_back(tuple.ssrc);
  return out;
}

TEST(RateLimits, TheNewestRequestOfAReceiverCounts) {
  RateLimits limits;
  EXPECT_FALSE(limits.limit(1000));
  EXPECT_TRUE(limits.request(1, DataRate::kbps(500), 0));
  EXPECT_FALSE(limits.request(1, DataRate::kbps(500), 0)) << "nothing new";
  EXPECT_TRUE(limits.request(1, DataRate::kbps(800), 0));
  EXPECT_EQ(limits.limit(1000), DataRate::kbps(800));
  EXPECT_TRUE(limits.request(2, DataRate::kbps(600), 0));
  EXPECT_EQ(limits.limit(1000), DataRate::kbps(600));
  EXPECT_TRUE(limits.forget(2));
  EXPECT_FALSE(limits.forget(2));
  EXPECT_EQ(limits.limit(1000), DataRate::kbps(800));
}

TEST(RateLimits, TheBoundingSetHoldsWhatIsLowestSomewhere) {
  RateLimits limits;
  // What is higher everywhere bounds nothing.
  limits.request(1, DataRate::kbps(100), 40);
  limits.request(2, DataRate::kbps(120), 20);
  EXPECT_EQ(owners(limits), (std::vector<uint32_t>{1}));
  // Lower from 62.5 packets per second on.
  limits.request(3, DataRate::kbps(110), 60);
  EXPECT_EQ(owners(limits), (std::vector<uint32_t>{1, 3}));
  // Between the two others there is a part of it that is higher than either.
  limits.request(4, DataRate::kbps(109), 50);
  EXPECT_EQ(owners(limits), (std::vector<uint32_t>{1, 3}));
  // Crosses where nothing is left of the first.
  limits.request(5, DataRate::kbps(400), 80);
  EXPECT_EQ(owners(limits), (std::vector<uint32_t>{1, 3}));
  // Of equal ones that with the larger overhead.
  limits.request(6, DataRate::kbps(100), 45);
  EXPECT_EQ(owners(limits), (std::vector<uint32_t>{6, 3}));
}

TEST(RateLimits, OverheadCountsByThePacketsThatThereAre) {
  RateLimits limits;
  limits.request(1, DataRate::kbps(104), 40);
  EXPECT_EQ(limits.limit(1000), DataRate::kbps(100));
  EXPECT_EQ(limits.limit(40), DataRate::kbps(52));
  limits.request(2, DataRate::kbps(103), 0);
  EXPECT_EQ(limits.limit(1000), DataRate::kbps(100));
  limits.request(3, DataRate::infinite(), 511);
  EXPECT_EQ(limits.limit(1000), DataRate::kbps(100));
}

TEST(RateLimits, RequestersAreBounded) {
  RateLimits limits;
  for (uint32_t owner = 1; owner <= 1000; ++owner)
    limits.request(owner, DataRate::kbps(5000 - owner), static_cast<uint16_t>(owner % 512));
  EXPECT_LE(limits.boundingSet().size(), RateLimits::kMaxOwners);
  EXPECT_TRUE(limits.forget(1000));
  EXPECT_FALSE(limits.forget(1));
}

class RateRequests : public testing::Test {
 protected:
  RateRequests() : pair_(options()) {
    pair_.addVideo();
    pair_.connect();
    pair_.filter = [this](bool fromA, const OutgoingPacket& p) {
      if (fromA && p.isRtcp) note(p);
      return true;
    };
    pair_.run(Duration::seconds(8));
    ssrc_ = pair_.a->sendStream(pair_.video)->ssrc;
  }
  static SessionPair::Options options() {
    SessionPair::Options options;
    options.maxBitrate = DataRate::kbps(1500);
    return options;
  }
  void note(const OutgoingPacket& p) {
    rtcp::CompoundReader reader(p.data.span());
    rtcp::Block block;
    while (reader.next(block)) {
      if (const auto notice = rtcp::Tmmb::parse(block)) {
        EXPECT_FALSE(notice->isRequest);
        EXPECT_EQ(notice->senderSsrc, ssrc_);
        notices_.push_back(*notice);
      }
    }
  }
  void request(uint32_t owner, DataRate most, uint16_t overhead = 40, uint32_t of = 0) {
    uint8_t bytes[100];
    ByteWriter w(bytes);
    rtcp::Tmmb request;
    request.senderSsrc = owner;
    request.entries.push_back({of != 0 ? of : ssrc_, most, overhead});
    request.write(w);
    pair_.a->handleRtcp(w.written(), pair_.now());
    ASSERT_GT(pair_.a->nextDeadline(), pair_.now());
  }
  DataRate sentIn(Duration time) {
    pair_.run(time);
    return DataRate::bps(
        static_cast<int64_t>(static_cast<double>(pair_.bytesToB) * 8 / time.seconds()));
  }

  SessionPair pair_;
  uint32_t ssrc_ = 0;
  std::vector<rtcp::Tmmb> notices_;
};

TEST_F(RateRequests, AreFollowedAndAnswered) {
  ASSERT_GT(sentIn(Duration::seconds(3)), DataRate::kbps(1000));
  EXPECT_FALSE(pair_.sent().requestedLimit);
  request(0x77, DataRate::kbps(400));
  ASSERT_TRUE(pair_.sent().requestedLimit);
  EXPECT_LT(*pair_.sent().requestedLimit, DataRate::kbps(400)) << "40 bytes a packet are not ours";
  EXPECT_GT(*pair_.sent().requestedLimit, DataRate::kbps(370));
  pair_.run(Duration::millis(200));
  ASSERT_EQ(notices_.size(), 1u);
  ASSERT_EQ(notices_[0].entries.size(), 1u);
  EXPECT_EQ(notices_[0].entries[0], (rtcp::TmmbEntry{0x77, DataRate::kbps(400), 40}));
  EXPECT_LE(pair_.target, DataRate::kbps(400));
  pair_.run(Duration::seconds(1));
  const DataRate limited = sentIn(Duration::seconds(4));
  EXPECT_LT(limited, DataRate::kbps(440)) << "with headers";
  EXPECT_GT(limited, DataRate::kbps(300));
  // Whoever asked lets go.
  request(0x77, DataRate::kbps(5000));
  pair_.run(Duration::seconds(8));
  EXPECT_GT(sentIn(Duration::seconds(3)), DataRate::kbps(1000));
  EXPECT_EQ(notices_.size(), 2u);
}

TEST_F(RateRequests, EndWithWhoeverMadeThem) {
  request(0x77, DataRate::kbps(300));
  pair_.run(Duration::seconds(2));
  EXPECT_LE(pair_.target, DataRate::kbps(300));
  uint8_t bytes[20];
  ByteWriter w(bytes);
  rtcp::Bye bye;
  bye.ssrcs.push_back(0x77);
  bye.write(w);
  pair_.a->handleRtcp(w.written(), pair_.now());
  EXPECT_FALSE(pair_.sent().requestedLimit);
  pair_.run(Duration::seconds(8));
  EXPECT_GT(pair_.target, DataRate::kbps(1000));
}

TEST_F(RateRequests, OfNothingGetTheLeastThatThereIs) {
  request(0x77, DataRate::zero());
  pair_.run(Duration::seconds(3));
  EXPECT_EQ(pair_.target, DataRate::kbps(30));
  EXPECT_GT(pair_.decodedInRun, 0) << "this is no request to stop (RFC 7728 is)";
  request(0x77, DataRate::infinite(), 511);
  pair_.run(Duration::seconds(1));
  EXPECT_GT(pair_.target, DataRate::kbps(30));
}

TEST_F(RateRequests, InAStormGetFewAnswers) {
  for (uint32_t i = 0; i < 2000; ++i)
    request(i, DataRate::kbps(100 + i), static_cast<uint16_t>(i % 512));
  request(5, DataRate::kbps(5), 0, 0x1234);  // of no stream of ours
  pair_.run(Duration::seconds(1));
  EXPECT_LE(notices_.size(), 2u);
  pair_.run(Duration::seconds(2));
  EXPECT_GT(pair_.decodedInRun, 50);
}

}  // namespace
}  // namespace parley::media
