// Two ends that renegotiate at random and at once, by perfect negotiation (webrtc-pc section 10.7).

#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "parley/parley.h"
#include "parley/testing/pair.h"

namespace parley {
namespace {

using testing::Pair;
using testing::PairOptions;

TransceiverDirection mirrored(TransceiverDirection d) {
  if (d == TransceiverDirection::SendOnly) return TransceiverDirection::RecvOnly;
  if (d == TransceiverDirection::RecvOnly) return TransceiverDirection::SendOnly;
  return d;
}

/// Two negotiators and a signalling path that delays each message by chance, in order.
class Glare {
 public:
  Glare(uint64_t seed, PairOptions options, bool media)
      : pair_(withSeed(std::move(options), seed)),
        random_(seed),
        media_(media),
        a_(pair_.a(), true, [this](const NegotiationMessage& m) { carry(b_, towardsB_, m); }),
        b_(pair_.b(), false, [this](const NegotiationMessage& m) { carry(a_, towardsA_, m); }) {
    for (PerfectNegotiator* end : {&a_, &b_})
      end->onError([this](const Error& error) { errors_.push_back(error.message); });
    pair_.a().onTrack(
        [this](const TrackEvent& e) { arrivedAtA_.insert(e.transceiver.mid().value()); });
    pair_.b().onTrack(
        [this](const TrackEvent& e) { arrivedAtB_.insert(e.transceiver.mid().value()); });
  }

  void run() {
    const auto actions = 4 + random_.below(12);
    for (uint32_t i = 0; i < actions; ++i) {
      act(random_.below(2) == 0 ? pair_.a() : pair_.b());
      pair_.run(Duration::millis(static_cast<int64_t>(random_.below(60))));
    }
    EXPECT_TRUE(pair_.runUntil([&] { return isQuiet(); }, Duration::seconds(20)));
    pair_.run(Duration::millis(200));
    EXPECT_TRUE(isQuiet()) << state();
  }

  void expectAgreement() {
    EXPECT_TRUE(errors_.empty()) << errors_.front();
    const auto ofA = byMid(pair_.a());
    const auto ofB = byMid(pair_.b());
    EXPECT_EQ(ofA.size(), ofB.size());
    for (const auto& [mid, here] : ofA) {
      const auto there = ofB.find(mid);
      ASSERT_NE(there, ofB.end()) << mid;
      expectMatch(here, there->second, arrivedAtB_);
      expectMatch(there->second, here, arrivedAtA_);
    }
  }
  Pair& pair() { return pair_; }

 private:
  static PairOptions withSeed(PairOptions options, uint64_t seed) {
    options.seed = seed;
    return options;
  }

  void carry(PerfectNegotiator& to, Timestamp& last, const NegotiationMessage& message) {
    const Timestamp now = pair_.world().now();
    last = std::max(last, now + Duration::millis(static_cast<int64_t>(random_.below(80))));
    ++underWay_;
    pair_.world().at(last, [this, &to, message] {
      --underWay_;
      to.receive(message);
    });
  }

  bool isQuiet() {
    return underWay_ == 0 && pair_.a().signalingState() == SignalingState::Stable &&
           pair_.b().signalingState() == SignalingState::Stable && settled(pair_.a()) &&
           settled(pair_.b());
  }
  std::string state() {
    std::string out = std::to_string(underWay_) + " messages under way";
    for (PeerConnection* pc : {&pair_.a(), &pair_.b()}) {
      out += std::string("; ") + toString(pc->signalingState());
      for (const RtpTransceiver& t : pc->getTransceivers())
        out += " " + t.mid().value_or("-") + ":" + toString(t.direction());
    }
    return out;
  }
  static bool settled(PeerConnection& pc) {
    for (const RtpTransceiver& t : pc.getTransceivers()) {
      // One that was stopped before it had a section never gets one.
      if (!t.mid() && t.direction() != TransceiverDirection::Stopped) return false;
    }
    return true;
  }

  void act(PeerConnection& pc) {
    const auto transceivers = pc.getTransceivers();
    const auto some = [&]() { return transceivers[random_.below(transceivers.size())]; };
    const std::shared_ptr<Loop>& loop = pc == pair_.a() ? pair_.loopA() : pair_.loopB();
    switch (transceivers.empty() ? random_.below(3) : random_.below(9)) {
      case 0:
        (void)pc.addTrack(media_ ? MediaStreamTrack::createAudio(loop, createToneSource(440))
                                 : MediaStreamTrack::createAudio(loop),
                          {"s" + std::to_string(++streams_)});
        break;
      case 1:
        (void)pc.addTrack(MediaStreamTrack::createVideo(loop), {"s" + std::to_string(++streams_)});
        break;
      case 2:
        (void)pc.createDataChannel("c");
        break;
      case 3:
        (void)pc.removeTrack(some().sender());
        break;
      case 4:
        (void)some().stop();
        break;
      case 5:
        (void)some().setDirection(static_cast<TransceiverDirection>(random_.below(4)));
        break;
      case 6:
        pc.restartIce();
        break;
      case 7: {
        TransceiverInit init;
        init.direction = static_cast<TransceiverDirection>(random_.below(4));
        (void)pc.addTransceiver(random_.below(2) == 0 ? MediaKind::Audio : MediaKind::Video, init);
        break;
      }
      default:
        (void)some().sender().setStreams({"s" + std::to_string(++streams_)});
        break;
    }
  }

  static std::map<std::string, RtpTransceiver> byMid(PeerConnection& pc) {
    std::map<std::string, RtpTransceiver> out;
    for (const RtpTransceiver& t : pc.getTransceivers()) {
      EXPECT_FALSE(t.stopped());
      if (!t.mid()) continue;
      EXPECT_TRUE(out.emplace(*t.mid(), t).second) << "mid " << *t.mid() << " twice";
    }
    return out;
  }

  void expectMatch(const RtpTransceiver& here, const RtpTransceiver& there,
                   const std::set<std::string>& arrivedThere) {
    const std::string mid = *here.mid();
    EXPECT_EQ(here.kind(), there.kind());
    ASSERT_TRUE(here.currentDirection()) << mid;
    ASSERT_TRUE(there.currentDirection()) << mid;
    EXPECT_EQ(*here.currentDirection(), mirrored(*there.currentDirection())) << mid;
    const bool sends = jsep::sends(here.direction()) && jsep::receives(there.direction());
    EXPECT_EQ(jsep::sends(*here.currentDirection()), sends) << mid;
    // A track that is sent has reached the other end, and is alive there.
    if (!sends) return;
    EXPECT_TRUE(arrivedThere.contains(mid)) << mid;
    EXPECT_EQ(there.receiver().track().readyState(), TrackState::Live) << mid;
  }

  Pair pair_;
  SeededRandom random_;
  const bool media_;
  std::vector<std::string> errors_;
  std::set<std::string> arrivedAtA_;  ///< mids of the tracks that an end was told of
  std::set<std::string> arrivedAtB_;
  int underWay_ = 0;
  uint32_t streams_ = 0;
  Timestamp towardsA_;
  Timestamp towardsB_;
  PerfectNegotiator a_;
  PerfectNegotiator b_;
};

TEST(GlareTest, AThousandSeedsConverge) {
  // Without addresses there are no candidates: negotiation alone, as dense as it gets.
  PairOptions options;
  options.configurationA.useAddress = [](const NetworkInterface&, const IpAddress&) {
    return false;
  };
  options.configurationB.useAddress = options.configurationA.useAddress;
  for (uint64_t seed = 1; seed <= 1000; ++seed) {
    Glare glare(seed, options, false);
    glare.run();
    glare.expectAgreement();
    if (::testing::Test::HasFailure()) FAIL() << "seed " << seed;
  }
}

/// A thousand calls in four parts, so that they may run beside each other.
class GlareUnderLossTest : public ::testing::TestWithParam<uint64_t> {};

TEST_P(GlareUnderLossTest, CallsConvergeAndConnect) {
  PairOptions options;
  options.aToB.delay = Duration::millis(20);
  options.aToB.loss = sim::LossModel::bernoulli(0.05);
  for (uint64_t seed = GetParam(); seed < GetParam() + 250; ++seed) {
    Glare glare(seed, options, true);
    (void)glare.pair().a().createDataChannel("life");
    glare.run();
    glare.expectAgreement();
    EXPECT_TRUE(glare.pair().runUntil(
        [&] {
          return glare.pair().a().connectionState() == PeerConnectionState::Connected &&
                 glare.pair().b().connectionState() == PeerConnectionState::Connected;
        },
        Duration::seconds(30)));
    if (::testing::Test::HasFailure()) FAIL() << "seed " << seed;
  }
}
INSTANTIATE_TEST_SUITE_P(Seeds, GlareUnderLossTest, ::testing::Values(1, 251, 501, 751));

}  // namespace
}  // namespace parley
