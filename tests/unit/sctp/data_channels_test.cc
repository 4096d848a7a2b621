#include "parley/sctp/data_channels.h"

#include <deque>
#include <map>

#include <gtest/gtest.h>

#include "unit/sctp/data_channels_fixture.h"

namespace parley::sctp {
namespace {

INSTANTIATE_TEST_SUITE_P(Engines, DataChannelsTest, oursFirst(), nameOf);

TEST_P(DataChannelsTest, ChannelOpenedBeforeEverythingReachesThePeer) {
  const ChannelInit init{.label =
                             "l\xC3\xA4"
                             "bel",
                         .protocol = "p",
                         .ordered = false,
                         .maxRetransmits = 3,
                         .priority = Priority::High};
  const ChannelId id = open(*a, init);
  EXPECT_EQ(a->channels->state(id), ChannelState::Connecting);
  EXPECT_FALSE(a->channels->streamId(id)) << "the role is not known yet";
  connect();
  ASSERT_TRUE(until([&] { return !b->got<ChannelIncoming>().empty(); }));
  EXPECT_EQ(a->channels->state(id), ChannelState::Open);
  EXPECT_EQ(a->channels->streamId(id), 0);
  ChannelInit expected = init;
  expected.id = 0;
  EXPECT_EQ(b->got<ChannelIncoming>()[0].init, expected);
  EXPECT_EQ(a->got<ChannelOpened>().size(), 1u);
}

TEST_P(DataChannelsTest, DtlsClientTakesEvenIdsServerOddOnes) {
  const ChannelId a1 = open(*a), a2 = open(*a), b1 = open(*b), b2 = open(*b);
  connect();
  EXPECT_EQ(a->channels->streamId(a1), 0);
  EXPECT_EQ(a->channels->streamId(a2), 2);
  EXPECT_EQ(b->channels->streamId(b1), 1);
  EXPECT_EQ(b->channels->streamId(b2), 3);
}

TEST_P(DataChannelsTest, NegotiatedIdsAreSkipped) {
  open(*a, {.negotiated = true, .id = 0});
  const ChannelId id = open(*a);
  connect();
  EXPECT_EQ(a->channels->streamId(id), 2);
}

TEST_P(DataChannelsTest, InvalidOptionsAreRefused) {
  const auto code = [&](const ChannelInit& init) {
    return a->channels->open(init, pair->now()).error().code;
  };
  EXPECT_EQ(code({.label = std::string(65'536, 'x')}), ErrorCode::Type);
  EXPECT_EQ(code({.protocol = std::string(65'536, 'x')}), ErrorCode::Type);
  EXPECT_EQ(code({.label = "\xFF"}), ErrorCode::Type);
  EXPECT_EQ(code({.maxRetransmits = 1, .maxPacketLifeTimeMs = 1}), ErrorCode::Type);
  EXPECT_EQ(code({.negotiated = true}), ErrorCode::Type);
  EXPECT_EQ(code({.negotiated = true, .id = 65'535}), ErrorCode::Type);
  open(*a, {.negotiated = true, .id = 7});
  EXPECT_EQ(code({.negotiated = true, .id = 7}), ErrorCode::Operation);
  open(*a, {.label = std::string(65'535, 'x')});
  connect({.streams = 16});
  EXPECT_EQ(code({.negotiated = true, .id = 16}), ErrorCode::Operation);
  EXPECT_EQ(a->channels->channelCount(), 2u);
}

TEST_P(DataChannelsTest, ChannelsBeyondTheNegotiatedStreamsFail) {
  const ChannelId tooHigh = open(*a, {.negotiated = true, .id = 100});
  connect({.streams = 16});
  a->drain();
  ASSERT_EQ(a->got<ChannelFailed>().size(), 1u);
  EXPECT_EQ(a->got<ChannelFailed>()[0].id, tooHigh);
  EXPECT_EQ(a->got<ChannelClosed>().size(), 1u);
  for (int i = 0; i < 8; ++i) open(*a);
  EXPECT_EQ(a->channels->open({}, pair->now()).error().code, ErrorCode::Operation);
}

TEST_P(DataChannelsTest, LongLabelsTravel) {
  open(*a, {.label = std::string(65'535, 'l'), .protocol = std::string(65'535, 'p')});
  connect();
  ASSERT_TRUE(until([&] { return !b->got<ChannelIncoming>().empty(); }));
  EXPECT_EQ(b->got<ChannelIncoming>()[0].init.label.size(), 65'535u);
}

TEST_P(DataChannelsTest, TextBinaryAndEmptyMessagesKeepTheirKind) {
  const ChannelId id = open(*a);
  connect();
  ASSERT_TRUE(send(*a, id, "text"));
  ASSERT_TRUE(send(*a, id, "bin", false));
  ASSERT_TRUE(send(*a, id, ""));
  ASSERT_TRUE(send(*a, id, "", false));
  ASSERT_TRUE(until([&] { return b->messages.size() == 4; }));
  EXPECT_EQ(asText(b->messages[0].data), "text");
  EXPECT_TRUE(b->messages[0].isText);
  EXPECT_FALSE(b->messages[1].isText);
  EXPECT_TRUE(b->messages[2].isText && b->messages[2].data.empty());
  EXPECT_TRUE(!b->messages[3].isText && b->messages[3].data.empty());
  EXPECT_EQ(a->channels->stats(id), (ChannelStats{4, 7, 0, 0}));
  EXPECT_EQ(b->channels->stats(b->messages[0].channel), (ChannelStats{0, 0, 4, 7}));
}

TEST_P(DataChannelsTest, AnswersFlowBeforeTheAck) {
  const ChannelId id = open(*a, {.ordered = false});
  connect();
  ASSERT_TRUE(send(*a, id, "right behind the OPEN"));
  ASSERT_TRUE(until([&] { return b->messages.size() == 1; }));
  ASSERT_TRUE(send(*b, b->messages[0].channel, "back"));
  ASSERT_TRUE(until([&] { return a->messages.size() == 1; }));
  EXPECT_EQ(a->messages[0].channel, id);
}

TEST_P(DataChannelsTest, ThousandMessagesBothWaysUnderLoss) {
  make({.delay = Duration::millis(8),
        .jitter = Duration::millis(4),
        .loss = 0.01,
        .duplicate = 0.01},
       31);
  const ChannelId fromA = open(*a),
                  fromB = open(*b, {.label = "b", .ordered = true, .negotiated = false});
  connect();
  SeededRandom random(3);
  std::deque<std::pair<Bytes, bool>> toB, toA;
  size_t count = 0;
  const auto refill = [&] {
    while (count < 1000 &&
           a->channels->bufferedAmount(fromA) + b->channels->bufferedAmount(fromB) < 600'000) {
      const size_t size = count % 100 == 7 ? 262'144 : count % 10 == 3 ? 0 : random.below(4000);
      Bytes data = pattern(size, count);
      const bool isText = count % 3 == 0;
      if (isText)
        for (uint8_t& c : data) c &= 0x7F;
      ChannelPeer& from = count % 2 == 0 ? *a : *b;
      ASSERT_TRUE(from.channels->send(count % 2 == 0 ? fromA : fromB, data, isText, pair->now()));
      (count % 2 == 0 ? toB : toA).emplace_back(std::move(data), isText);
      ++count;
    }
  };
  ASSERT_TRUE(until(
      [&] {
        refill();
        return count == 1000 && a->messages.size() == 500 && b->messages.size() == 500;
      },
      Duration::seconds(900)));
  for (size_t i = 0; i < 500; ++i) {
    EXPECT_TRUE(b->messages[i].data == toB[i].first && b->messages[i].isText == toB[i].second) << i;
    EXPECT_TRUE(a->messages[i].data == toA[i].first && a->messages[i].isText == toA[i].second) << i;
  }
}

TEST_P(DataChannelsTest, ThousandChannels) {
  std::vector<ChannelId> ours, theirs;
  for (int i = 0; i < 500; ++i) {
    ours.push_back(open(*a, {.label = std::to_string(i)}));
    theirs.push_back(open(*b, {.label = std::to_string(i)}));
  }
  connect();
  for (int i = 0; i < 500; ++i) {
    ASSERT_TRUE(send(*a, ours[i], std::to_string(i)));
    ASSERT_TRUE(send(*b, theirs[i], std::to_string(i)));
  }
  ASSERT_TRUE(until([&] { return a->messages.size() == 500 && b->messages.size() == 500; }));
  EXPECT_EQ(a->got<ChannelIncoming>().size(), 500u);
  std::map<ChannelId, std::string> labels;
  for (const auto& in : b->got<ChannelIncoming>()) labels[in.id] = in.init.label;
  for (const auto& m : b->messages) EXPECT_EQ(labels[m.channel], asText(m.data));
  for (const ChannelId id : ours) a->channels->close(id, pair->now());
  for (const ChannelId id : theirs) b->channels->close(id, pair->now());
  ASSERT_TRUE(
      until([&] { return a->channels->channelCount() == 0 && b->channels->channelCount() == 0; }));
  EXPECT_EQ(a->got<ChannelClosed>().size(), 1000u);
}

TEST_P(DataChannelsTest, SendChecksStateSizeAndBuffer) {
  const ChannelId id = open(*a);
  EXPECT_EQ(send(*a, id, "early").error().code, ErrorCode::InvalidState);
  EXPECT_EQ(send(*a, ChannelId{99}, "unknown").error().code, ErrorCode::InvalidState);
  a->world.env.limits.maxBufferedAmount = 400'000;
  connect();
  a->channels->setRemoteMaxMessageSize(1000);
  EXPECT_EQ(a->channels->maxMessageSize(), 1000u);
  EXPECT_TRUE(a->channels->send(id, Bytes(1000), false, pair->now()));
  EXPECT_EQ(a->channels->send(id, Bytes(1001), false, pair->now()).error().code, ErrorCode::Type);
  a->channels->setRemoteMaxMessageSize(0);
  EXPECT_TRUE(a->channels->send(id, Bytes(300'000), false, pair->now()));
  EXPECT_EQ(a->channels->send(id, Bytes(300'000), false, pair->now()).error().code,
            ErrorCode::Operation);
  EXPECT_EQ(a->channels->bufferedAmount(id), 301'000u);
  size_t empty = 0;
  while (empty < 100'000 && send(*a, id, "")) ++empty;
  EXPECT_LT(empty, 10'000u) << "each costs its book-keeping";
  EXPECT_EQ(a->channels->bufferedAmount(id), 301'000u);
  a->channels->close(id, pair->now());
  EXPECT_EQ(send(*a, id, "late").error().code, ErrorCode::InvalidState);
}

TEST_P(DataChannelsTest, BufferedAmountCountsApplicationBytesOnly) {
  const ChannelId id = open(*a);
  connect();
  pair->run(Duration::millis(100));
  EXPECT_EQ(a->channels->bufferedAmount(id), 0u) << "the OPEN does not count";
  ASSERT_TRUE(send(*a, id, ""));
  EXPECT_EQ(a->channels->bufferedAmount(id), 0u) << "the filler byte does not count";
  ASSERT_TRUE(send(*a, id, "12345"));
  EXPECT_EQ(a->channels->bufferedAmount(id), 5u);
  pair->flush();
  EXPECT_EQ(a->channels->bufferedAmount(id), 0u);
}

TEST_P(DataChannelsTest, LowEventFiresOncePerCrossing) {
  const ChannelId id = open(*a);
  connect();
  a->channels->setBufferedAmountLowThreshold(id, 100'000);
  for (int round = 1; round <= 3; ++round) {
    for (int i = 0; i < 8; ++i)
      ASSERT_TRUE(a->channels->send(id, Bytes(50'000), false, pair->now()));
    ASSERT_TRUE(until([&] { return a->channels->bufferedAmount(id) == 0; }));
    a->drain();
    EXPECT_EQ(a->got<BufferedAmountLow>().size(), static_cast<size_t>(round));
  }
  ASSERT_TRUE(send(*a, id, "small"));
  pair->run(Duration::millis(100));
  EXPECT_EQ(a->got<BufferedAmountLow>().size(), 3u) << "never above the threshold";
}

TEST_P(DataChannelsTest, CloseDeliversWhatIsQueuedFirst) {
  const ChannelId id = open(*a);
  connect();
  for (int i = 0; i < 20; ++i)
    ASSERT_TRUE(a->channels->send(id, pattern(60'000, i), false, pair->now()));
  a->channels->close(id, pair->now());
  EXPECT_EQ(a->channels->state(id), ChannelState::Closing);
  ASSERT_TRUE(
      until([&] { return !b->got<ChannelClosed>().empty() && !a->got<ChannelClosed>().empty(); }));
  EXPECT_EQ(b->messages.size(), 20u);
  EXPECT_TRUE(a->got<ChannelClosing>().empty()) << "our own wish is no news";
  EXPECT_EQ(b->got<ChannelClosing>().size(), 1u);
  EXPECT_EQ(a->got<ChannelClosed>()[0].stats.bytesSent, 1'200'000u);
  EXPECT_EQ(b->got<ChannelClosed>()[0].stats.bytesReceived, 1'200'000u);
  EXPECT_EQ(a->channels->state(id), ChannelState::Closed);
}

TEST_P(DataChannelsTest, CloseCompletesThoughTheLastMessageWasLost) {
  const ChannelId id = open(*a);
  connect();
  ASSERT_TRUE(until([&] { return !b->got<ChannelIncoming>().empty(); }));
  pair->run(Duration::millis(100));
  bool dropNext = true;
  pair->setFilter([&](size_t from, ByteSpan packet) {
    if (from == 0 && packet[12] == 0 && dropNext) return dropNext = false;
    return true;
  });
  ASSERT_TRUE(send(*a, id, "last words"));
  a->channels->close(id, pair->now());
  ASSERT_TRUE(until([&] { return a->channels->channelCount() + b->channels->channelCount() == 0; },
                    Duration::seconds(5)));
  ASSERT_EQ(b->messages.size(), 1u);
  EXPECT_EQ(asText(b->messages[0].data), "last words");
}

TEST_P(DataChannelsTest, BothClosingAtOnceEndsOnce) {
  const ChannelId id = open(*a);
  connect();
  ASSERT_TRUE(until([&] { return !b->got<ChannelIncoming>().empty(); }));
  a->channels->close(id, pair->now());
  b->channels->close(b->got<ChannelIncoming>()[0].id, pair->now());
  ASSERT_TRUE(
      until([&] { return !b->got<ChannelClosed>().empty() && !a->got<ChannelClosed>().empty(); }));
  pair->run(Duration::seconds(2));
  EXPECT_EQ(a->got<ChannelClosed>().size(), 1u);
  EXPECT_EQ(b->got<ChannelClosed>().size(), 1u);
  EXPECT_TRUE(a->got<ChannelClosing>().empty());
}

TEST_P(DataChannelsTest, ClosingBeforeTheAssociationIsUp) {
  const ChannelId id = open(*a);
  a->channels->close(id, pair->now());
  a->drain();
  EXPECT_EQ(a->got<ChannelClosed>().size(), 1u);
  connect();
  pair->run(Duration::seconds(1));
  EXPECT_TRUE(b->got<ChannelIncoming>().empty());
}

TEST_P(DataChannelsTest, IdsAreReusedAfterBothResets) {
  make({.delay = Duration::millis(5), .jitter = Duration::millis(5), .loss = 0.05}, 5);
  connect();
  for (int round = 0; round < 30; ++round) {
    ChannelPeer& opener = round % 2 == 0 ? *a : *b;
    ChannelPeer& other = round % 2 == 0 ? *b : *a;
    const ChannelId id = open(opener, {.label = std::to_string(round)});
    EXPECT_EQ(opener.channels->streamId(id), round % 2) << "the id is free again";
    ASSERT_TRUE(send(opener, id, "hello"));
    ASSERT_TRUE(until([&] { return !other.messages.empty(); })) << round;
    EXPECT_EQ(other.got<ChannelIncoming>().back().init.label, std::to_string(round));
    const ChannelId remote = other.messages[0].channel;
    (round % 3 == 0 ? opener : other).channels->close(round % 3 == 0 ? id : remote, pair->now());
    ASSERT_TRUE(until(
        [&] { return a->channels->channelCount() == 0 && b->channels->channelCount() == 0; }));
    other.messages.clear();
  }
}

TEST_P(DataChannelsTest, ReopeningAtOnceNeverMixesUpTwoLives) {
  make({.delay = Duration::millis(5), .jitter = Duration::millis(3), .loss = 0.1}, 9);
  connect();
  // The opener reuses the id the moment its own side is done; the other side may still be waiting.
  int round = 0;
  ChannelId current = open(*a, {.label = "0"});
  ASSERT_TRUE(send(*a, current, "0"));
  std::map<ChannelId, std::string> labels;
  ASSERT_TRUE(until(
      [&] {
        if (a->channels->state(current) == ChannelState::Open &&
            b->messages.size() == static_cast<size_t>(round) + 1) {
          b->channels->close(b->messages.back().channel, pair->now());
        }
        if (a->channels->state(current) == ChannelState::Closed) {
          ++round;
          current = open(*a, {.label = std::to_string(round)});
          EXPECT_TRUE(send(*a, current, std::to_string(round)));
        }
        return round == 30;
      },
      Duration::seconds(300)));
  for (const auto& in : b->got<ChannelIncoming>()) labels[in.id] = in.init.label;
  for (const auto& m : b->messages) EXPECT_EQ(labels[m.channel], asText(m.data));
}

TEST_P(DataChannelsTest, NegotiatedChannelsNeedNoDcep) {
  const ChannelId ours = open(*a, {.label = "n", .negotiated = true, .id = 5});
  const ChannelId theirs = open(*b, {.label = "n", .negotiated = true, .id = 5});
  connect();
  ASSERT_TRUE(send(*a, ours, "to b"));
  ASSERT_TRUE(send(*b, theirs, "to a"));
  ASSERT_TRUE(until([&] { return a->messages.size() == 1 && b->messages.size() == 1; }));
  EXPECT_TRUE(a->got<ChannelIncoming>().empty());
  EXPECT_TRUE(b->got<ChannelIncoming>().empty());
  a->channels->close(ours, pair->now());
  ASSERT_TRUE(
      until([&] { return a->channels->channelCount() + b->channels->channelCount() == 0; }));
}

TEST_P(DataChannelsTest, NegotiatedChannelOpenedLateGetsWhatCameEarly) {
  const ChannelId ours = open(*a, {.negotiated = true, .id = 5});
  connect();
  ASSERT_TRUE(send(*a, ours, "early"));
  pair->run(Duration::seconds(2));
  const ChannelId theirs = open(*b, {.negotiated = true, .id = 5});
  ASSERT_TRUE(until([&] { return b->messages.size() == 1; }));
  EXPECT_EQ(b->messages[0].channel, theirs);
}

TEST_P(DataChannelsTest, MaxPacketLifeTimeDropsStaleMessages) {
  const ChannelId id = open(*a, {.ordered = false, .maxPacketLifeTimeMs = 200});
  connect();
  ASSERT_TRUE(send(*a, id, "one"));
  ASSERT_TRUE(until([&] { return b->messages.size() == 1; }));
  bool blackout = true;
  pair->setFilter([&](size_t, ByteSpan) { return !blackout; });
  ASSERT_TRUE(send(*a, id, "stale"));
  pair->run(Duration::seconds(1));
  blackout = false;
  ASSERT_TRUE(send(*a, id, "fresh"));
  ASSERT_TRUE(until([&] { return b->messages.size() == 2; }));
  EXPECT_EQ(asText(b->messages[1].data), "fresh");
}

TEST_P(DataChannelsTest, FailureOfTheAssociationFailsEveryChannel) {
  const ChannelId id = open(*a);
  open(*a);
  connect();
  ASSERT_TRUE(until([&] { return b->got<ChannelIncoming>().size() == 2; }));
  b->channels->closeAll(pair->now());
  EXPECT_EQ(b->channels->channelCount(), 0u);
  b->drain();
  EXPECT_TRUE(b->got<ChannelFailed>().empty()) << "our own wish is no error";
  EXPECT_EQ(b->got<ChannelClosed>().size(), 2u);
  ASSERT_TRUE(until([&] { return a->got<ChannelClosed>().size() == 2; }));
  EXPECT_EQ(a->got<ChannelFailed>().size(), 2u);
  EXPECT_EQ(a->got<TransportChanged>().back().state, AssociationState::Failed);
  EXPECT_EQ(send(*a, id, "x").error().code, ErrorCode::InvalidState);
  EXPECT_EQ(a->channels->open({}, pair->now()).error().code, ErrorCode::InvalidState);
  EXPECT_TRUE(a->channels->nextDeadline().isNever());
}

TEST_P(DataChannelsTest, UnreadMessagesBlockOnlyTheData) {
  const ChannelId id = open(*a);
  connect({.receiveBuffer = 300'000});
  b->readMessages = false;
  for (int i = 0; i < 60; ++i)
    ASSERT_TRUE(a->channels->send(id, pattern(50'000, i), false, pair->now()));
  pair->run(Duration::seconds(10));
  EXPECT_GT(a->channels->bufferedAmount(id), 1'000'000u);
  EXPECT_EQ(b->got<ChannelIncoming>().size(), 1u);
  b->channels->closeAll(pair->now());
  b->readMessages = true;
  b->drain();
  EXPECT_GE(b->messages.size(), 20u) << "what was read ahead stays readable";
  for (size_t i = 0; i < b->messages.size(); ++i)
    EXPECT_TRUE(b->messages[i].data == pattern(50'000, i));
}

TEST_P(DataChannelsTest, UnreadMessagesResumeWhenRead) {
  const ChannelId id = open(*a);
  connect({.receiveBuffer = 300'000});
  b->readMessages = false;
  for (int i = 0; i < 60; ++i)
    ASSERT_TRUE(a->channels->send(id, pattern(50'000, i), false, pair->now()));
  pair->run(Duration::seconds(10));
  b->readMessages = true;
  ASSERT_TRUE(until([&] { return b->messages.size() == 60; }));
}

TEST_P(DataChannelsTest, PacketsBeforeStartAreKept) {
  open(*a);
  a->channels->setDtlsRole(true, pair->now());
  b->channels->setDtlsRole(false, pair->now());
  a->channels->start(createWith(GetParam().first, a->world.env), pair->now());
  pair->run(Duration::millis(200));
  b->channels->start(createWith(GetParam().second, b->world.env), pair->now());
  ASSERT_TRUE(until([&] { return !b->got<ChannelIncoming>().empty(); }, Duration::millis(100)));
}

TEST_P(DataChannelsTest, ARestartFailsOpenChannelsAndServesNewOnes) {
  connect();
  const ChannelId old = open(*a);
  ASSERT_TRUE(until([&] { return !b->got<ChannelIncoming>().empty(); }));
  ASSERT_TRUE(send(*b, b->got<ChannelIncoming>()[0].id, "last words"));
  ASSERT_TRUE(until([&] { return !a->messages.empty(); }));
  PacketBuf packet;
  while (a->channels->pollTransmit(packet) || b->channels->pollTransmit(packet)) {
  }
  for (ChannelPeer* peer : {a.get(), b.get()}) peer->channels->restart(pair->now());
  EXPECT_FALSE(a->channels->pollTransmit(packet)) << "no word to whoever was the peer";
  a->drain();
  ASSERT_EQ(a->got<ChannelFailed>().size(), 1u);
  EXPECT_EQ(a->got<ChannelClosed>().size(), 1u);
  EXPECT_EQ(a->got<TransportChanged>().back().state, AssociationState::Closed);
  EXPECT_EQ(a->channels->state(old), ChannelState::Closed);
  EXPECT_EQ(a->channels->associationState(), AssociationState::New);

  // The roles may be others than before.
  const ChannelId early = open(*a, {.label = "early"});
  EXPECT_NE(early, old) << "ids are never reused";
  std::swap(a, b);
  rewire();
  connect();
  std::swap(a, b);
  EXPECT_EQ(a->channels->state(early), ChannelState::Open);
  EXPECT_EQ(a->channels->streamId(early), 1) << "now the server";
  ASSERT_TRUE(send(*a, early, "hello again"));
  ASSERT_TRUE(until([&] { return b->messages.size() == 1; }));
}

TEST_P(DataChannelsTest, ARestartBeforeTheAssociationIsUpCostsNoChannel) {
  const ChannelId id = open(*a);
  a->channels->setDtlsRole(true, pair->now());
  a->channels->start(createWith(GetParam().first, a->world.env), pair->now());
  a->channels->restart(pair->now());
  a->drain();
  EXPECT_TRUE(a->events.empty());
  connect();
  EXPECT_EQ(a->channels->state(id), ChannelState::Open);
}

TEST_P(DataChannelsTest, AChannelThatStillWaitsFollowsTheRoleOfTheNextAssociation) {
  a->channels->setDtlsRole(false, pair->now());
  const ChannelId gone = open(*a);
  const ChannelId early = open(*a, {.label = "early"});
  const ChannelId agreed = open(*a, {.label = "agreed", .negotiated = true, .id = 5});
  EXPECT_EQ(a->channels->streamId(early), 3);
  a->channels->close(gone, pair->now());
  // The same role again: the id that the application has seen stays.
  a->channels->restart(pair->now());
  a->channels->setDtlsRole(false, pair->now());
  EXPECT_EQ(a->channels->streamId(early), 3);
  a->channels->restart(pair->now());
  connect();
  EXPECT_EQ(a->channels->streamId(early), 0) << "now the client";
  EXPECT_EQ(a->channels->streamId(agreed), 5) << "the application's choice";
  ASSERT_TRUE(until([&] { return b->got<ChannelIncoming>().size() == 1; }));
  EXPECT_EQ(b->got<ChannelIncoming>()[0].init.id, 0);
  ASSERT_TRUE(send(*a, early, "hello"));
  ASSERT_TRUE(until([&] { return b->messages.size() == 1; }));
  // What it had before is free.
  EXPECT_TRUE(a->channels->open({.label = "x", .negotiated = true, .id = 3}, pair->now()));
}

TEST_P(DataChannelsTest, ARestartRevivesWhatHadEnded) {
  connect();
  a->channels->closeAll(pair->now());
  EXPECT_FALSE(a->channels->open({.label = "x"}, pair->now()));
  a->channels->restart(pair->now());
  b->channels->restart(pair->now());
  const ChannelId id = open(*a);
  rewire();
  connect();
  EXPECT_EQ(a->channels->state(id), ChannelState::Open);
}

TEST_P(DataChannelsTest, CallsInAnyStateAreHarmless) {
  const ChannelId nobody{42};
  PacketBuf packet;
  for (int round = 0; round < 3; ++round) {
    if (round == 1) connect();
    if (round == 2) a->channels->closeAll(pair->now());
    for (int i = 0; i < 3; ++i) a->channels->advance(pair->now());
    EXPECT_GT(a->channels->nextDeadline(), pair->now());
    a->channels->handlePacket(toBytes("garbage"), pair->now());
    a->channels->close(nobody, pair->now());
    a->channels->setBufferedAmountLowThreshold(nobody, 1);
    a->channels->setDtlsRole(true, pair->now());
    EXPECT_EQ(a->channels->state(nobody), ChannelState::Closed);
    EXPECT_EQ(a->channels->bufferedAmount(nobody), 0u);
    EXPECT_FALSE(a->channels->streamId(nobody));
    static_cast<void>(a->channels->pollTransmit(packet));
    a->drain();
  }
  a->channels->start(createWith(GetParam().first, a->world.env), pair->now());
  EXPECT_TRUE(a->channels->nextDeadline().isNever());
}

TEST_P(DataChannelsTest, MayBeDestroyedAtAnyPoint) {
  for (int steps = 0; steps < 25; ++steps) {
    make({}, 100 + steps);
    const ChannelId id = open(*a);
    open(*b);
    start();
    int left = steps;
    until([&] {
      static_cast<void>(send(*a, id, "data"));
      if (left == 8) a->channels->close(id, pair->now());
      return left-- <= 0;
    });
    pair->remove(0);
    a.reset();
    pair->run(Duration::millis(100));
    pair->remove(1);
    b.reset();
  }
}

}  // namespace
}  // namespace parley::sctp
