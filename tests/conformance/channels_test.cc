// webrtc-pc sections 6.1 to 6.3 and 11: data channels, and errors.

#include "conformance/peers.h"

namespace parley::conformance {
namespace {

class Channels : public Peers {
 protected:
  /// A's channel and B's end of it, both open.
  void open(DataChannelInit init = {}) {
    b.onDataChannel([this](DataChannel c) { far = std::move(c); });
    near = a.createDataChannel("label", std::move(init)).value();
    connect();
    ASSERT_TRUE(runUntil([&] { return near.readyState() == DataChannelState::Open && far; }));
  }
  DataChannel near, far;
};

TEST_F(Channels, S6_1_ArgumentsOfCreateDataChannelAreChecked) {
  const std::string longest(65535, 'x');
  const auto make = [&](DataChannelInit init, std::string label = "c") {
    return a.createDataChannel(std::move(label), std::move(init));
  };
  EXPECT_TRUE(make({}, longest));
  EXPECT_TRUE(make({.protocol = longest}));
  expectError(make({}, longest + "x"), ErrorCode::Type);
  expectError(make({.protocol = longest + "x"}), ErrorCode::Type);
  expectError(make({.maxPacketLifeTime = 1, .maxRetransmits = 1}), ErrorCode::Type);
  expectError(make({.negotiated = true}), ErrorCode::Type);
  expectError(make({.negotiated = true, .id = 65535}), ErrorCode::Type);
  EXPECT_TRUE(make({.negotiated = true, .id = 7}));
  expectError(make({.negotiated = true, .id = 7}), ErrorCode::Operation);
  a.close();
  expectError(make({}), ErrorCode::InvalidState);
}

TEST_F(Channels, S6_1_AttributesAreThoseOfTheDictionary) {
  DataChannel plain = a.createDataChannel("one").value();
  EXPECT_EQ(plain.label(), "one");
  EXPECT_EQ(plain.protocol(), "");
  EXPECT_TRUE(plain.ordered());
  EXPECT_FALSE(plain.maxPacketLifeTime() || plain.maxRetransmits() || plain.negotiated());
  EXPECT_FALSE(plain.id()) << "not before the DTLS role is known";
  EXPECT_EQ(plain.readyState(), DataChannelState::Connecting);
  EXPECT_EQ(plain.bufferedAmount(), 0u);
  EXPECT_EQ(plain.bufferedAmountLowThreshold(), 0u);
  DataChannel other =
      a.createDataChannel(
           "two",
           {.ordered = false, .maxRetransmits = 3, .protocol = "p", .negotiated = true, .id = 9})
          .value();
  EXPECT_FALSE(other.ordered());
  EXPECT_EQ(other.maxRetransmits(), 3);
  EXPECT_EQ(other.protocol(), "p");
  EXPECT_TRUE(other.negotiated());
  EXPECT_EQ(other.id(), 9);
}

TEST_F(Channels, S6_1_AnIdThatIsNotNegotiatedIsIgnored) {
  DataChannel channel = a.createDataChannel("c", {.id = 42}).value();
  EXPECT_FALSE(channel.id());
}

TEST_F(Channels, S6_1_IdsFollowTheDtlsRole) {
  DataChannel first = a.createDataChannel("1").value();
  DataChannel second = a.createDataChannel("2").value();
  connect();
  ASSERT_TRUE(first.id() && second.id());
  EXPECT_EQ(*second.id() - *first.id(), 2);
  DataChannel theirs = b.createDataChannel("3").value();
  ASSERT_TRUE(theirs.id());
  EXPECT_NE(*theirs.id() % 2, *first.id() % 2) << "RFC 8832: the client has the even ones";
}

TEST_F(Channels, S6_2_BothEndsOpenWithTheSameAttributes) {
  open({.ordered = false, .maxPacketLifeTime = 500, .protocol = "p"});
  EXPECT_EQ(far.label(), "label");
  EXPECT_EQ(far.protocol(), "p");
  EXPECT_FALSE(far.ordered());
  EXPECT_EQ(far.maxPacketLifeTime(), 500);
  EXPECT_FALSE(far.maxRetransmits());
  EXPECT_FALSE(far.negotiated());
  EXPECT_EQ(far.id(), near.id());
}

TEST_F(Channels, S6_2_NegotiatedChannelsOpenWithoutAnEvent) {
  DataChannel one = a.createDataChannel("x", {.negotiated = true, .id = 3}).value();
  DataChannel two = b.createDataChannel("y", {.negotiated = true, .id = 3}).value();
  bool announced = false;
  b.onDataChannel([&](const DataChannel&) { announced = true; });
  std::string got;
  two.onMessage([&](const DataMessage& m) { got = std::string(m.text()); });
  one.onOpen([&] { EXPECT_TRUE(one.send("hello")); });
  connect();
  ASSERT_TRUE(runUntil([&] { return !got.empty(); }));
  EXPECT_EQ(got, "hello");
  EXPECT_FALSE(announced);
}

TEST_F(Channels, S6_2_SendingNeedsAnOpenChannel) {
  near = a.createDataChannel("c").value();
  expectError(near.send("early"), ErrorCode::InvalidState);
  open();
  EXPECT_TRUE(near.send("now"));
  near.close();
  expectError(near.send("late"), ErrorCode::InvalidState);
}

TEST_F(Channels, S6_2_AMessageAboveThePeersLimitIsATypeError) {
  open();
  const uint64_t limit = a.sctp().maxMessageSize().value_or(0);
  ASSERT_GT(limit, 0u);
  const Bytes tooMuch(limit + 1);
  expectError(near.send(ByteSpan(tooMuch)), ErrorCode::Type);
}

TEST_F(Channels, S6_2_TextStaysTextAndNothingStaysNothing) {
  open();
  std::vector<std::string> got;
  far.onMessage([&](const DataMessage& m) {
    got.push_back((m.isText ? "text " : "binary ") + std::string(m.text()));
  });
  EXPECT_TRUE(near.send("a"));
  EXPECT_TRUE(near.send(ByteSpan(Bytes{'b'})));
  EXPECT_TRUE(near.send(""));
  EXPECT_TRUE(near.send(ByteSpan()));
  ASSERT_TRUE(runUntil([&] { return got.size() == 4; }));
  EXPECT_EQ(got, (std::vector<std::string>{"text a", "binary b", "text ", "binary "}));
}

TEST_F(Channels, S6_2_ClosingTakesBothEndsAlong) {
  open();
  Log log;
  near.onClosing([&] { log.add("near closing"); });
  near.onClose([&] { log.add("near closed"); });
  far.onClosing([&] {
    EXPECT_EQ(far.readyState(), DataChannelState::Closing);
    log.add("far closing");
  });
  far.onClose([&] { log.add("far closed"); });
  far.onError([&](const Error&) { log.add("error"); });
  size_t got = 0;
  far.onMessage([&](const DataMessage&) { ++got; });
  EXPECT_TRUE(near.send("last words"));
  near.close();
  EXPECT_EQ(near.readyState(), DataChannelState::Closing);
  ASSERT_TRUE(runUntil([&] {
    return near.readyState() == DataChannelState::Closed &&
           far.readyState() == DataChannelState::Closed;
  }));
  run();
  EXPECT_EQ(got, 1u) << "what was queued has been sent";
  const Lines lines = log.take();
  EXPECT_EQ(std::count(lines.begin(), lines.end(), "near closing"), 0) << "it asked for it itself";
  EXPECT_EQ(std::count(lines.begin(), lines.end(), "near closed"), 1);
  EXPECT_EQ(std::count(lines.begin(), lines.end(), "far closing"), 1);
  EXPECT_EQ(std::count(lines.begin(), lines.end(), "far closed"), 1);
  EXPECT_EQ(std::count(lines.begin(), lines.end(), "error"), 0);
}

TEST_F(Channels, S6_2_AClosedConnectionClosesItsChannels) {
  open();
  Log log;
  near.onClosing([&] { log.add("closing"); });
  near.onClose([&] { log.add("close"); });
  a.close();
  EXPECT_EQ(near.readyState(), DataChannelState::Closed);
  EXPECT_EQ(log.size(), 0u);
  run();
  EXPECT_EQ(log.take(), (Lines{"close"})) << "by a task of its own";
}

TEST_F(Channels, S6_3_TheChannelIsAnnouncedBeforeItOpens) {
  near = a.createDataChannel("c").value();
  Log log;
  b.onDataChannel([&](DataChannel c) {
    EXPECT_EQ(c.readyState(), DataChannelState::Open);
    log.add("datachannel");
    far = c;
    far.onOpen([&] { log.add("open"); });
    far.onMessage([&](const DataMessage&) { log.add("message"); });
  });
  near.onOpen([&] { EXPECT_TRUE(near.send("at once")); });
  connect();
  ASSERT_TRUE(runUntil([&] { return log.size() == 3; }));
  EXPECT_EQ(log.take(), (Lines{"datachannel", "open", "message"}));
}

TEST_F(Channels, S11_1_ASyntaxErrorHasItsLineAndItsDetail) {
  const Result<void> set = setRemote(a, {SdpType::Offer, "v=0\r\nx\r\n"});
  ASSERT_FALSE(set);
  EXPECT_EQ(set.error().detail, ErrorDetail::SdpSyntaxError);
  EXPECT_EQ(set.error().sdpLineNumber, 2);
  EXPECT_STREQ(toString(*set.error().detail), "sdp-syntax-error");
}

TEST_F(Channels, S11_2_APeerThatGoesIsAnErrorOfTheChannel) {
  open();
  Log log;
  std::optional<Error> error;
  far.onError([&](const Error& e) {
    log.add("error");
    error = e;
  });
  far.onClose([&] { log.add("close"); });
  a.close();
  ASSERT_TRUE(runUntil([&] { return far.readyState() == DataChannelState::Closed; }));
  run();
  EXPECT_EQ(log.take(), (Lines{"error", "close"}));
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, ErrorCode::Operation);
  EXPECT_EQ(error->detail, ErrorDetail::SctpFailure);
}

TEST_F(Channels, Priority_ThePeerLearnsThePriorityOfAChannel) {
  EXPECT_EQ(make().createDataChannel("c")->priority(), PriorityType::Low);
  open({.priority = PriorityType::High});
  EXPECT_EQ(near.priority(), PriorityType::High);
  EXPECT_EQ(far.priority(), PriorityType::High);
}

TEST_F(Channels, Priority_EncodingsAreLowUnlessAskedOtherwise) {
  const RtpSender plain = a.addTransceiver(MediaKind::Audio)->sender();
  EXPECT_EQ(plain.getParameters().encodings.at(0).priority, PriorityType::Low);
  EXPECT_EQ(plain.getParameters().encodings.at(0).networkPriority, PriorityType::Low);
  TransceiverInit init;
  init.sendEncodings.resize(1);
  init.sendEncodings[0].priority = PriorityType::High;
  init.sendEncodings[0].networkPriority = PriorityType::VeryLow;
  const RtpSender asked = a.addTransceiver(MediaKind::Video, init)->sender();
  EXPECT_EQ(asked.getParameters().encodings.at(0).priority, PriorityType::High);
  EXPECT_EQ(asked.getParameters().encodings.at(0).networkPriority, PriorityType::VeryLow);
}

}  // namespace
}  // namespace parley::conformance
