// What is still told, and what is not, once something has ended.

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "parley/api/forwarder.h"
#include "parley/parley.h"
#include "parley/testing/pair.h"

namespace parley {
namespace {

class EndsTest : public ::testing::Test {
 protected:
  std::unique_ptr<PerfectNegotiator> negotiator(std::vector<NegotiationMessage>& sent,
                                                bool polite = true) {
    auto out = std::make_unique<PerfectNegotiator>(
        pair_.a(), polite, [&sent](const NegotiationMessage& m) { sent.push_back(m); });
    out->onError([this](const Error& error) { errors_.push_back(error.message); });
    return out;
  }
  static std::optional<SessionDescription> firstDescription(
      const std::vector<NegotiationMessage>& sent) {
    for (const NegotiationMessage& message : sent) {
      if (message.description) return message.description;
    }
    return std::nullopt;
  }
  SessionDescription offerOfB() {
    (void)pair_.b().createDataChannel("c");
    pair_.b().setLocalDescription([](Result<void>) {});
    pair_.run(Duration::millis(5));
    return pair_.b().localDescription().value();
  }

  testing::Pair pair_;
  std::vector<std::string> errors_;
};

TEST_F(EndsTest, ANegotiatorThatIsGoneSendsNoOffer) {
  std::vector<NegotiationMessage> sent;
  auto us = negotiator(sent);
  // Its offer is applied, which it has not been told yet.
  pair_.a().onSignalingStateChange([&](SignalingState) { us.reset(); });
  (void)pair_.a().createDataChannel("c");
  pair_.run(Duration::millis(200));
  EXPECT_FALSE(us);
  EXPECT_TRUE(sent.empty());
}

TEST_F(EndsTest, ANegotiatorThatIsGoneAnswersNothing) {
  const SessionDescription offer = offerOfB();
  std::vector<NegotiationMessage> sent;
  auto us = negotiator(sent);
  us->receive({offer, {}});
  us.reset();
  pair_.run(Duration::millis(200));
  EXPECT_TRUE(sent.empty());
  EXPECT_EQ(pair_.a().signalingState(), SignalingState::HaveRemoteOffer);
}

TEST_F(EndsTest, ANegotiatorThatIsGoneReportsNothing) {
  std::vector<NegotiationMessage> sent;
  auto us = negotiator(sent);
  us->receive({SessionDescription{SdpType::Offer, "no description"}, {}});
  us.reset();
  pair_.run(Duration::millis(200));
  EXPECT_TRUE(errors_.empty());
}

TEST_F(EndsTest, ANegotiatorMayEndItselfWhileItSends) {
  std::unique_ptr<PerfectNegotiator> us;
  int sent = 0;
  us = std::make_unique<PerfectNegotiator>(pair_.a(), true, [&](const NegotiationMessage&) {
    ++sent;
    us.reset();
  });
  (void)pair_.a().createDataChannel("c");
  pair_.run(Duration::millis(200));
  EXPECT_EQ(sent, 1);
}

TEST_F(EndsTest, ANegotiatorMayTakeThePlaceOfAnother) {
  std::vector<NegotiationMessage> first, second;
  auto us = negotiator(first);
  us = negotiator(second);
  (void)pair_.a().createDataChannel("c");
  pair_.run(Duration::millis(200));
  EXPECT_TRUE(first.empty());
  ASSERT_FALSE(second.empty());
  EXPECT_TRUE(second.front().description);
}

TEST_F(EndsTest, AnOfferThatANegotiatorHasNotSentIsMadeByTheNext) {
  for (const bool polite : {true, false}) {
    testing::Pair pair;
    std::vector<NegotiationMessage> first, second;
    const auto into = [&](std::vector<NegotiationMessage>& sent) {
      return std::make_unique<PerfectNegotiator>(
          pair.a(), polite, [&sent](const NegotiationMessage& m) { sent.push_back(m); });
    };
    auto us = into(first);
    bool replaced = false;
    // Its offer is applied, which it has not been told yet.
    pair.a().onSignalingStateChange([&](SignalingState) {
      if (!std::exchange(replaced, true)) us = into(second);
    });
    (void)pair.a().createDataChannel("c");
    pair.run(Duration::millis(200));
    EXPECT_TRUE(first.empty());
    const auto offer = firstDescription(second);
    ASSERT_TRUE(offer) << polite;
    EXPECT_EQ(offer->type, SdpType::Offer);
    EXPECT_EQ(pair.a().signalingState(), SignalingState::HaveLocalOffer);
  }
}

TEST_F(EndsTest, ANegotiatorOffersWhatWasNeededWhenThereWasNone) {
  std::vector<NegotiationMessage> first, second;
  auto us = negotiator(first);
  pair_.a().onSignalingStateChange([&](SignalingState) { us.reset(); });
  (void)pair_.a().createDataChannel("c");
  pair_.run(Duration::millis(200));
  EXPECT_EQ(pair_.a().signalingState(), SignalingState::Stable) << "it is taken back";
  us = negotiator(second);
  pair_.a().onSignalingStateChange({});
  pair_.run(Duration::millis(200));
  EXPECT_TRUE(first.empty());
  const auto offer = firstDescription(second);
  ASSERT_TRUE(offer);
  EXPECT_EQ(offer->type, SdpType::Offer);
}

TEST_F(EndsTest, AnOfferThatANegotiatorHasNotAnsweredIsAnsweredByTheNext) {
  const SessionDescription offer = offerOfB();
  std::vector<NegotiationMessage> first, second;
  auto us = negotiator(first, false);
  bool replaced = false;
  pair_.a().onSignalingStateChange([&](SignalingState) {
    if (!std::exchange(replaced, true)) us = negotiator(second, false);
  });
  us->receive({offer, {}});
  pair_.run(Duration::millis(200));
  EXPECT_TRUE(first.empty());
  const auto answer = firstDescription(second);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->type, SdpType::Answer);
  EXPECT_EQ(pair_.a().signalingState(), SignalingState::Stable);
  EXPECT_TRUE(errors_.empty());
}

TEST_F(EndsTest, AnOfferThatIsBeingAppliedIsAnsweredByTheNextNegotiator) {
  const SessionDescription offer = offerOfB();
  std::vector<NegotiationMessage> first, second;
  auto us = negotiator(first);
  us->receive({offer, {}});
  us = negotiator(second);
  pair_.run(Duration::millis(200));
  EXPECT_TRUE(first.empty());
  const auto answer = firstDescription(second);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->type, SdpType::Answer);
  EXPECT_TRUE(errors_.empty());
}

TEST_F(EndsTest, RemoteStreamsMayTakeThePlaceOfOthers) {
  int before = 0, after = 0;
  auto streams = std::make_unique<RemoteStreams>(pair_.b());
  streams->onAddStream([&](const MediaStream&) { ++before; });
  streams = std::make_unique<RemoteStreams>(pair_.b());
  streams->onAddStream([&](const MediaStream&) {
    ++after;
    streams.reset();
  });
  for (const char* id : {"one", "two"})
    ASSERT_TRUE(pair_.a().addTrack(MediaStreamTrack::createAudio(pair_.loopA()), {id}));
  ASSERT_TRUE(pair_.connect());
  EXPECT_EQ(before, 0);
  EXPECT_EQ(after, 1) << "it ended with the first";
}

TEST_F(EndsTest, StatisticsOfAClosedConnectionAreSelectedAsThoseOfAnOpenOne) {
  const MediaStreamTrack track = MediaStreamTrack::createVideo(pair_.loopA());
  const RtpSender video = pair_.a().addTrack(track).value();
  (void)pair_.a().addTrack(MediaStreamTrack::createAudio(pair_.loopA()));
  ASSERT_TRUE(pair_.connect());
  pair_.run(Duration::seconds(1));
  const auto ids = [this](auto ask) {
    std::vector<std::string> out;
    ask([&](const Result<StatsReport>& report) {
      for (const Stats& stats : report.value().all()) out.push_back(stats.id);
    });
    pair_.run(Duration::millis(5));
    return out;
  };
  const auto ofAll = [&](auto done) { pair_.a().getStats(done); };
  const auto ofSender = [&](auto done) { video.getStats(done); };
  const auto ofTrack = [&](auto done) { pair_.a().getStats(track, done); };
  const auto all = ids(ofAll), sender = ids(ofSender), byTrack = ids(ofTrack);
  ASSERT_LT(sender.size(), all.size());
  pair_.a().close();
  EXPECT_EQ(ids(ofAll), all);
  EXPECT_EQ(ids(ofSender), sender);
  EXPECT_EQ(ids(ofTrack), byTrack);
}

TEST(EmptyHandles, WithoutALoopThereIsNoTrack) {
  EXPECT_FALSE(MediaStreamTrack::createVideo(nullptr));
  EXPECT_FALSE(MediaStreamTrack::createAudio(nullptr));
  EXPECT_FALSE(MediaStreamTrack::createVideo(nullptr, createTestPatternSource(16, 16)));
  EXPECT_FALSE(MediaStreamTrack::createAudio(nullptr, createToneSource(440)));
  EXPECT_FALSE(MediaStreamTrack::createEncodedVideo(nullptr, "VP8"));
  EXPECT_FALSE(MediaStreamTrack::createEncodedAudio(nullptr, "opus"));
  EXPECT_FALSE(MediaStreamTrack::createRtp(nullptr, {}));
  const auto loop = Loop::create();
  EXPECT_FALSE(MediaStreamTrack::createVideo(loop, nullptr));
  EXPECT_FALSE(MediaStreamTrack::createAudio(loop, nullptr));
}

TEST(EmptyHandles, AForwarderAnswersThemWithType) {
  Forwarder nowhere(nullptr);
  EXPECT_EQ(nowhere.publish({}).error().code, ErrorCode::Type);
  EXPECT_EQ(nowhere.subscribe({}, {}).error().code, ErrorCode::Type);
  nowhere.unpublish({});
  nowhere.unsubscribe({});
  nowhere.setPaused({}, true);
  nowhere.setMaxHeight({}, 180);
  nowhere.setMaxBitrate({}, std::nullopt);
  nowhere.onDominantSpeaker([](auto) {});
  nowhere.onLayersChanged([](auto, auto) {});
  EXPECT_TRUE(nowhere.encodings({}).empty());
  EXPECT_FALSE(nowhere.stats({}));
  EXPECT_EQ(nowhere.counters().malformedPackets, 0u);
  Forwarder room(Loop::create());
  EXPECT_EQ(room.publish({}).error().code, ErrorCode::Type);
  EXPECT_EQ(room.subscribe({}, {}).error().code, ErrorCode::Type);
  room.setMaxBitrate({}, std::nullopt);
}

}  // namespace
}  // namespace parley
