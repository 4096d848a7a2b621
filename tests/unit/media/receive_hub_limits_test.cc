// What one peer may take of the receiving side: bad-input rules for sources and for packets that
// never become a frame.

#include "parley/media/receive_hub.h"
#include "parley/rtp/rtcp/all.h"

#include "unit/media/media_fixture.h"

namespace parley::media {
namespace {

using namespace test;

class ReceiveHubLimits : public HubTest {
 protected:
  void frameFrom(Sender& s, bool key = true) {
    for (const Bytes& p : s.vp8(key, 1)) deliver(p);
    run(Duration::millis(60));
  }
};

TEST_F(ReceiveHubLimits, UnknownSourcesAreCappedAtTen) {
  hub_->setReceiver(videoConfig(1, "a"));
  for (uint32_t i = 0; i < 60; ++i) {
    Sender s;
    s.ssrc = 1000 + i;
    deliver(s.vp8(true, 1)[0]);
    now_ += Duration::millis(1);
  }
  std::vector<InboundStats> all;
  hub_->stats(all);
  EXPECT_EQ(all.size(), 10u);
  for (const auto& s : all) EXPECT_GE(s.ssrc, 1050u) << "the latest ones stay";
}

TEST_F(ReceiveHubLimits, AllSourcesAreCappedAndDescribedOnesStay) {
  ReceiveConfig config = videoConfig(1, "a");
  config.sources = {{7, {}}};
  hub_->setReceiver(config);
  Sender described;
  described.ssrc = 7;
  deliver(described.vp8(true, 1)[0]);
  for (uint32_t i = 0; i < 100; ++i) {
    Sender s;
    s.ssrc = 1000 + i;
    s.mid = "a";
    deliver(s.vp8(true, 1)[0]);
    now_ += Duration::millis(1);
  }
  std::vector<InboundStats> all;
  hub_->stats(all);
  EXPECT_EQ(all.size(), 64u);
  EXPECT_TRUE(hub_->receiverOf(7));
}

TEST_F(ReceiveHubLimits, UnfinishedPacketsShareABudgetAndExpire) {
  env_.limits.maxHeldPackets = 200;
  hub_.emplace(env_);
  hub_->setReceiver(videoConfig(1, "v"));
  hub_->setReceiver(audioConfig(2, "a"));
  Sender honest;
  honest.mid = "v";
  for (const Bytes& p : honest.vp8(true, 3)) deliver(p);
  std::vector<Sender> senders(40);
  for (size_t i = 0; i < senders.size(); ++i) {
    senders[i].ssrc = senders[i].rtxSsrc = static_cast<uint32_t>(1000 + i);
    senders[i].mid = i % 8 == 7 ? "a" : "v";
  }
  for (int round = 0; round < 20; ++round) {
    for (Sender& s : senders) {
      if (s.mid == "a") {
        s.timestamp += 48'000 * 5;  // never due
        deliver(s.opus());
      } else {
        deliver(s.vp8(false, 3)[1]);
      }
      ASSERT_LE(pool_.inUse(), env_.limits.maxHeldPackets);
    }
    for (const Bytes& p : honest.vp8(false, 2)) deliver(p);
    run(Duration::millis(1));
  }
  EXPECT_GT(pool_.inUse(), 100u) << "what fits is kept";
  const size_t before = frames_.size();
  run(Duration::seconds(60));
  EXPECT_EQ(pool_.inUse(), 0u);
  EXPECT_GT(frames_.size(), before);
  EXPECT_TRUE(hub_->nextDeadline().isNever());
}

TEST_F(ReceiveHubLimits, OneSessionLeavesHalfOfWhatIsFreeToTheOthers) {
  PacketPool small(256);
  Environment env{random_, small};
  ReceiveHub hub(env);
  hub.setReceiver(videoConfig(1, "v"));
  Sender s;
  s.mid = "v";
  for (int i = 0; i < 400; ++i) {
    PacketBuf buf = small.copyOf(s.vp8(false, 3)[1]);
    ASSERT_TRUE(buf);
    const auto view = rtp::PacketView::parse(buf.span());
    hub.handleRtp(std::move(buf), *view, Ecn::NotEct, now_);
  }
  EXPECT_GT(small.available(), 80u);
}

TEST_F(ReceiveHubLimits, CompleteButUndecodableFramesShareAByteBudgetAndExpire) {
  env_.limits.maxJitterBytes = 20'000;
  hub_.emplace(env_);
  hub_->setReceiver(videoConfig(1, "v"));
  std::vector<Sender> senders(20);
  for (size_t i = 0; i < senders.size(); ++i) {
    senders[i].ssrc = static_cast<uint32_t>(1000 + i);
    senders[i].mid = "v";
  }
  for (int round = 0; round < 20; ++round) {
    for (Sender& s : senders) {
      for (const Bytes& p : s.vp8(false, 2)) deliver(p);
    }
  }
  EXPECT_LE(hub_->bufferedFrameBytes(), 20'000u);
  EXPECT_GT(hub_->bufferedFrameBytes(), 5'000u);
  run(Duration::seconds(60));
  EXPECT_EQ(hub_->bufferedFrameBytes(), 0u);
}

// Machine rules M3, M4, M5 and M9: any bytes, in any interleaving, destroyed at any point.
TEST_F(ReceiveHubLimits, AnyInterleavingOfHostileInputKeepsTheRules) {
  for (uint64_t seed = 0; seed < 3; ++seed) {
    SeededRandom random(seed);
    hub_.emplace(env_);
    hub_->setArrivalFeedback(seed % 2 ? ArrivalFeedback::TransportWide : ArrivalFeedback::Rfc8888);
    hub_->setReceiver(videoConfig(1, "v"));
    hub_->setReceiver(audioConfig(2, "a"));
    Sender v;
    v.mid = "v";
    v.withTransportSequence = true;
    Sender a;
    a.mid = "a";
    a.ssrc = 0x5555;
    for (int i = 0; i < 300; ++i) {
      std::vector<Bytes> packets;
      switch (random.below(5)) {
        case 0:
          packets.push_back(a.opus(random.below(2) == 0));
          break;
        case 1:
          packets = v.vp8(random.below(10) == 0, 1 + random.below(4));
          break;
        case 2:
          packets = v.h264(random.below(5) == 0, random.below(400));
          break;
        case 3:
          packets.push_back(v.rtx(v.vp8(false, 1)[0], kVp8Rtx));
          break;
        default:
          packets.push_back(v.padding(kVp8));
      }
      for (Bytes& p : packets) {
        if (random.below(8) == 0) continue;
        for (uint64_t flips = random.below(4); flips > 1; --flips) {
          p[random.below(p.size())] = static_cast<uint8_t>(random.u32());
        }
        if (random.below(10) == 0) p.resize(random.below(p.size() + 1));
        PacketBuf buf = pool_.copyOf(p);
        const auto view = rtp::PacketView::parse(buf.span());
        if (view) hub_->handleRtp(std::move(buf), *view, Ecn::NotEct, now_);
      }
      switch (random.below(6)) {
        case 0:
          hub_->advance(now_);
          hub_->advance(now_);
          ASSERT_GT(hub_->nextDeadline(), now_);
          break;
        case 1:
          collect();
          break;
        case 2:
          hub_->handleBye(random.below(2) ? v.ssrc : a.ssrc, now_);
          break;
        case 3: {
          uint8_t buffer[1200];
          ByteWriter w(buffer);
          hub_->pollArrivalFeedback(w, 1, 100 + random.below(1100));
          break;
        }
        default:
          now_ += Duration::millis(static_cast<int64_t>(random.below(40)));
          hub_->advance(now_);
          ASSERT_GT(hub_->nextDeadline(), now_);
      }
    }
    EXPECT_LT(pool_.inUse(), 3000u);
  }
}

}  // namespace
}  // namespace parley::media
