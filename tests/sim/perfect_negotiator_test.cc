// What PerfectNegotiator tells of, beside what glare_test.cc shows of it.

#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "parley/parley.h"
#include "parley/testing/pair.h"

namespace parley {
namespace {

/// Our negotiator, and another end whose messages the test passes by hand.
class PerfectNegotiatorTest : public ::testing::Test {
 protected:
  PerfectNegotiatorTest()
      : us_(pair_.a(), true, [this](const NegotiationMessage& m) { sent_.push_back(m); }) {
    us_.onError([this](const Error& error) { errors_.push_back(error.message); });
    (void)pair_.b().createDataChannel("c");
  }

  SessionDescription offerOfTheirs(bool iceRestart = false) {
    std::optional<Result<SessionDescription>> made;
    pair_.b().createOffer({iceRestart}, [&](auto result) { made.emplace(std::move(result)); });
    pair_.run(Duration::millis(5));
    const SessionDescription offer = made->value();
    pair_.b().setLocalDescription(offer, [](auto result) { EXPECT_TRUE(result); });
    pair_.run(Duration::millis(5));
    return offer;
  }
  void receive(const SessionDescription& description) {
    us_.receive({description, {}});
    pair_.run(Duration::millis(5));
  }
  void candidate(const std::string& mid, const std::string& ufrag) {
    IceCandidate c;
    c.candidate = "candidate:1 1 udp 2113937151 192.0.2.1 5000 typ host ufrag " + ufrag;
    c.sdpMid = mid;
    c.usernameFragment = ufrag;
    us_.receive({{}, c});
    pair_.run(Duration::millis(5));
  }
  static std::string ufragOf(const SessionDescription& d) {
    const size_t at = d.sdp.find("a=ice-ufrag:") + 12;
    return d.sdp.substr(at, d.sdp.find('\r', at) - at);
  }

  testing::Pair pair_;
  std::vector<NegotiationMessage> sent_;
  std::vector<std::string> errors_;
  PerfectNegotiator us_;
};

TEST_F(PerfectNegotiatorTest, ACandidateOfTheDescriptionInForceThatCannotBeAppliedIsReported) {
  const SessionDescription offer = offerOfTheirs();
  receive(offer);
  candidate("0", ufragOf(offer));
  EXPECT_TRUE(errors_.empty()) << errors_.front();
  candidate("no such section", ufragOf(offer));
  EXPECT_EQ(errors_.size(), 1u);
  candidate("0", "stranger");
  EXPECT_EQ(errors_.size(), 2u);
}

TEST_F(PerfectNegotiatorTest, ACandidateOfAnEarlierGenerationMayBeLate) {
  const SessionDescription first = offerOfTheirs();
  receive(first);
  ASSERT_FALSE(sent_.empty());
  for (const NegotiationMessage& m : sent_) {
    if (m.description) pair_.b().setRemoteDescription(*m.description, [](auto) {});
  }
  pair_.run(Duration::millis(20));
  const SessionDescription second = offerOfTheirs(true);
  ASSERT_NE(ufragOf(first), ufragOf(second));
  receive(second);
  candidate("0", ufragOf(first));
  EXPECT_TRUE(errors_.empty()) << errors_.front();
  candidate("0", ufragOf(second));
  EXPECT_TRUE(errors_.empty()) << errors_.front();
  candidate("no such section", ufragOf(second));
  EXPECT_EQ(errors_.size(), 1u);
}

TEST_F(PerfectNegotiatorTest, ADescriptionThatIsRefusedReplacesNothing) {
  const SessionDescription offer = offerOfTheirs();
  receive(offer);
  SessionDescription broken{SdpType::Offer, "a=ice-ufrag:other\r\n"};
  for (int i = 0; i < 100'000; ++i) broken.sdp += "a=ice-ufrag:u" + std::to_string(i) + "\r\n";
  receive(broken);
  EXPECT_EQ(errors_.size(), 1u);
  // The generation in force is the one before.
  candidate("no such section", ufragOf(offer));
  EXPECT_EQ(errors_.size(), 2u);
  candidate("0", "other");
  EXPECT_EQ(errors_.size(), 3u);
}

TEST_F(PerfectNegotiatorTest, ALateCandidateMayComeInTheSameBreathAsTheNextDescription) {
  const SessionDescription first = offerOfTheirs();
  receive(first);
  for (const NegotiationMessage& m : sent_) {
    if (m.description) pair_.b().setRemoteDescription(*m.description, [](auto) {});
  }
  pair_.run(Duration::millis(20));
  const SessionDescription second = offerOfTheirs(true);
  us_.receive({second, {}});
  candidate("0", ufragOf(first));
  EXPECT_TRUE(errors_.empty()) << errors_.front();
}

}  // namespace
}  // namespace parley
