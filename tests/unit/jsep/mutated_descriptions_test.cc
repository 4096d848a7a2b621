// Damaged descriptions against whole sessions: each is taken or refused, and a refusal changes
// nothing.

#include <algorithm>
#include <memory>
#include <string>

#include "parley/jsep/session.h"

#include "unit/jsep/peer.h"
#include "unit/sdp/mutation.h"
#include "unit/transport/transport_world.h"

namespace parley::jsep {
namespace {

class MutatedDescriptions : public ::testing::Test {
 protected:
  static constexpr Timestamp kNow = Timestamp::seconds(10);

  std::unique_ptr<Session> session(size_t who) {
    SessionConfig config;
    config.transport.certificate = transport::test::certificateOf(who);
    config.capabilities = test::capabilities(who == 0 ? "a" : "b");
    config.capabilities.fingerprints.clear();
    auto out = std::make_unique<Session>(environment, std::move(config), kNow);
    (void)out->addTrack(MediaKind::Audio, "sound", {"s"}, kNow);
    (void)out->addTrack(MediaKind::Video, "picture", {"s"}, kNow);
    return out;
  }

  static void drain(Session& session) {
    SessionEvent event;
    while (session.pollEvent(event)) {
    }
    Effect effect;
    while (session.pollEffect(effect)) {
    }
  }

  /// Whether it was taken.
  bool give(Session& to, SdpType type, const std::string& text) {
    drain(to);
    const SessionState before = to.state();
    const Result<void> taken = to.setRemoteDescription(type, text, kNow);
    if (taken) return true;
    // Where nothing is wrong with the text there is no line.
    if (taken.error().code != ErrorCode::InvalidState) {
      const int line = taken.error().sdpLineNumber.value_or(0);
      EXPECT_GE(line, 1) << taken.error().message;
      EXPECT_LE(line, std::count(text.begin(), text.end(), '\n') + 1);
      EXPECT_TRUE(taken.error().message.starts_with("line " + std::to_string(line) + ": "))
          << taken.error().message;
    }
    EXPECT_TRUE(to.state() == before) << "half applied: " << taken.error().message << "\n" << text;
    SessionEvent event;
    EXPECT_FALSE(to.pollEvent(event)) << "told of a refusal: " << taken.error().message;
    return false;
  }

  SeededRandom random{7};
  PacketPool pool;
  Environment environment{random, pool, nullLog(),
                          WallClock{Timestamp{}, transport::test::kNowUnixNanos}};
};

TEST_F(MutatedDescriptions, OffersAreAnsweredOrLeaveNoTrace) {
  parley::test::Mutator mutator(2);
  std::unique_ptr<Session> us;
  uint64_t answered = 0;
  for (uint64_t i = parley::test::mutationCount(120); i > 0; --i) {
    if (!us) us = session(0);
    if (!give(*us, SdpType::Offer, mutator.next())) continue;
    if (i % 2 == 0) {
      ASSERT_TRUE(us->setRemoteDescription(SdpType::Rollback, {}, kNow));
      ASSERT_EQ(us->state().signaling, SignalingState::Stable);
      continue;
    }
    const Result<void> done = us->setLocalDescription({}, {}, kNow);
    ASSERT_TRUE(done) << done.error().message << "\n"
                      << *sdp::write(us->state().pendingRemote->sdp);
    ASSERT_EQ(us->state().signaling, SignalingState::Stable);
    ASSERT_TRUE(us->createOffer(false, kNow));
    ++answered;
    us.reset();
  }
  EXPECT_GT(answered, 0u);
}

TEST_F(MutatedDescriptions, WhatCannotBeWrittenIsNotApplied) {
  SessionConfig config;
  config.transport.certificate = transport::test::certificateOf(0);
  config.capabilities = test::capabilities("a");
  config.capabilities.audioCodecs.edit([](auto& codecs) { codecs.front().name = "x y"; });
  Session us(environment, std::move(config), kNow);
  ASSERT_TRUE(us.addTrack(MediaKind::Audio, "sound", {"s"}, kNow));
  const SessionState before = us.state();
  const Result<void> done = us.setLocalDescription({}, {}, kNow);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::Type);
  EXPECT_TRUE(us.state() == before);
  SessionEvent event;
  EXPECT_FALSE(us.pollEvent(event));
}

TEST_F(MutatedDescriptions, AnswersApplyOrLeaveNoTrace) {
  parley::test::Mutator mutator(3);
  uint64_t applied = 0;
  std::unique_ptr<Session> us;
  std::string good;
  for (uint64_t i = parley::test::mutationCount(120); i > 0; --i) {
    if (!us) {
      us = session(0);
      ASSERT_TRUE(us->setLocalDescription({}, {}, kNow));
      const auto them = session(1);
      ASSERT_TRUE(them->setRemoteDescription(SdpType::Offer,
                                             *sdp::write(us->state().pendingLocal->sdp), kNow));
      good = *them->createAnswer(kNow);
    }
    if (!give(*us, SdpType::Answer, mutator.next(good))) continue;
    ASSERT_EQ(us->state().signaling, SignalingState::Stable);
    ++applied;
    // A damaged offer in a running session, too.
    for (int round = 0; round < 4; ++round) {
      if (give(*us, SdpType::Offer, mutator.next(good))) break;
    }
    if (us->state().signaling == SignalingState::HaveRemoteOffer) {
      const Result<void> done = us->setLocalDescription({}, {}, kNow);
      ASSERT_TRUE(done) << done.error().message;
    }
    us.reset();
  }
  EXPECT_GT(applied, 0u);
}

}  // namespace
}  // namespace parley::jsep
