// Large messages that neither side holds whole, and a buffer that says when it is full.

#include <gtest/gtest.h>

#include "unit/sctp/data_channels_fixture.h"

namespace parley::sctp {
namespace {

class DataChannelPartsTest : public DataChannelsTest {
 protected:
  void unlimited() {
    for (ChannelPeer* p : {a.get(), b.get()}) {
      p->world.env.limits.maxMessageSize = size_t{1} << 30;
      p->channels->setRemoteMaxMessageSize(0);
    }
  }
  void up(size_t maxMessage) {
    unlimited();
    AssociationConfig config;
    config.maxMessageSize = maxMessage;
    connect(config);
    unlimited();
  }
  /// Hands over as much of `data` as is taken.
  void feed(ChannelId id, const Bytes& data, size_t& at, size_t part = 50'000) {
    while (at < data.size()) {
      const size_t n = std::min(part, data.size() - at);
      if (!a->channels->sendPart(id, ByteSpan(data).subspan(at, n), pair->now())) return;
      at += n;
    }
  }
};

INSTANTIATE_TEST_SUITE_P(Engines, DataChannelPartsTest,
                         ::testing::Values(Engines{Engine::Native, Engine::Native}), nameOf);

TEST_P(DataChannelPartsTest, LargeMessagesAreHeldNowhereWhole) {
  a->world.env.limits.maxBufferedAmount = 300'000;
  a->channels = std::make_unique<DataChannels>(a->world.env);
  rewire({.delay = Duration::millis(5), .loss = 0.01, .rate = 12.5e6});
  const ChannelId id = open(*a);
  up(size_t{1} << 30);
  ASSERT_TRUE(until([&] { return b->got<ChannelIncoming>().size() == 1; }));
  b->channels->setPartSize(b->got<ChannelIncoming>()[0].id, 64 * 1024);
  const Bytes data = pattern(4'000'000, 9);
  ASSERT_TRUE(a->channels->beginMessage(id, data.size(), false, pair->now()));
  EXPECT_EQ(send(*a, id, "x").error().code, ErrorCode::InvalidState);
  size_t at = 0;
  Bytes got;
  size_t largest = 0;
  ASSERT_TRUE(until([&] {
    feed(id, data, at);
    EXPECT_LE(a->channels->bufferedAmount(id), 300'000u);
    for (const ChannelMessage& m : b->messages) {
      EXPECT_EQ(m.first, got.empty());
      largest = std::max(largest, m.data.size());
      got.insert(got.end(), m.data.begin(), m.data.end());
      EXPECT_EQ(m.last, got.size() == data.size());
    }
    b->messages.clear();
    return got.size() == data.size();
  }));
  EXPECT_TRUE(got == data);
  EXPECT_LE(largest, 80'000u);
  EXPECT_EQ(a->channels->stats(id).messagesSent, 1u);
  EXPECT_EQ(b->channels->stats(b->got<ChannelIncoming>()[0].id).messagesReceived, 1u);
  ASSERT_TRUE(send(*a, id, "next"));
  ASSERT_TRUE(until([&] { return b->messages.size() == 1; }));
}

TEST_P(DataChannelPartsTest, OtherChannelsGoOnWhileAMessageIsUnfinished) {
  const ChannelId slow = open(*a);
  const ChannelId quick = open(*a);
  up(size_t{1} << 30);
  ASSERT_TRUE(a->channels->beginMessage(slow, 1'000'000, false, pair->now()));
  ASSERT_TRUE(a->channels->sendPart(slow, pattern(5'000, 1), pair->now()));
  pair->run(Duration::millis(100));
  ASSERT_TRUE(a->channels->send(quick, pattern(200'000, 2), false, pair->now()));
  ASSERT_TRUE(until([&] { return b->messages.size() == 1; }, Duration::seconds(2)));
  EXPECT_EQ(b->messages[0].data.size(), 200'000u);
}

TEST_P(DataChannelPartsTest, ClosingBreaksAMessageOff) {
  const ChannelId id = open(*a);
  up(size_t{1} << 30);
  ASSERT_TRUE(until([&] { return b->got<ChannelIncoming>().size() == 1; }));
  b->channels->setPartSize(b->got<ChannelIncoming>()[0].id, 10'000);
  ASSERT_TRUE(a->channels->beginMessage(id, 1'000'000, false, pair->now()));
  ASSERT_TRUE(a->channels->sendPart(id, pattern(50'000, 1), pair->now()));
  pair->run(Duration::millis(100));
  ASSERT_FALSE(b->messages.empty());
  a->channels->close(id, pair->now());
  ASSERT_TRUE(until([&] { return a->channels->channelCount() + b->channels->channelCount() == 0; },
                    Duration::seconds(5)));
  EXPECT_TRUE(b->messages.back().abandoned);
  // The stream carries another channel afterwards.
  const ChannelId again = open(*a);
  ASSERT_TRUE(send(*a, again, "hello"));
  ASSERT_TRUE(until([&] { return asText(b->messages.back().data) == "hello"; }));
}

TEST_P(DataChannelPartsTest, PartsAreChecked) {
  const ChannelId id = open(*a);
  EXPECT_EQ(a->channels->beginMessage(id, 10, false, pair->now()).error().code,
            ErrorCode::InvalidState);
  connect();
  EXPECT_EQ(a->channels->beginMessage(id, 0, false, pair->now()).error().code, ErrorCode::Type);
  EXPECT_EQ(a->channels->beginMessage(id, 262'145, false, pair->now()).error().code,
            ErrorCode::Type);
  EXPECT_EQ(a->channels->sendPart(id, toBytes("x"), pair->now()).error().code,
            ErrorCode::InvalidState);
  ASSERT_TRUE(a->channels->beginMessage(id, 10, true, pair->now()));
  EXPECT_EQ(a->channels->beginMessage(id, 10, true, pair->now()).error().code,
            ErrorCode::InvalidState);
  EXPECT_EQ(a->channels->sendPart(id, {}, pair->now()).error().code, ErrorCode::Type);
  EXPECT_EQ(a->channels->sendPart(id, Bytes(11), pair->now()).error().code, ErrorCode::Type);
  ASSERT_TRUE(a->channels->sendPart(id, toBytes("01234"), pair->now()));
  pair->run(Duration::millis(50));
  ASSERT_TRUE(a->channels->sendPart(id, toBytes("56789"), pair->now()));
  ASSERT_TRUE(until([&] { return b->messages.size() == 1; }));
  EXPECT_EQ(asText(b->messages[0].data), "0123456789");
  EXPECT_TRUE(b->messages[0].isText);
  EXPECT_TRUE(b->messages[0].first && b->messages[0].last) << "not asked for parts";
}

TEST_P(DataChannelPartsTest, WritableIsToldWhenTheBufferIsHalfEmpty) {
  a->world.env.limits.maxBufferedAmount = 200'000;
  a->channels = std::make_unique<DataChannels>(a->world.env);
  rewire();
  const ChannelId id = open(*a);
  const ChannelId other = open(*a);
  connect();
  EXPECT_TRUE(a->channels->canSend(id, 1000));
  int refused = 0;
  while (a->channels->send(id, Bytes(30'000), false, pair->now())) ++refused;
  EXPECT_EQ(refused, 6);
  EXPECT_FALSE(a->channels->canSend(id, 30'000));
  EXPECT_TRUE(a->got<ChannelWritable>().empty());
  size_t atEvent = 0;
  ASSERT_TRUE(until([&] {
    atEvent = a->channels->bufferedAmount(id);
    return !a->got<ChannelWritable>().empty();
  }));
  EXPECT_LE(atEvent, 100'000u);
  EXPECT_EQ(a->got<ChannelWritable>()[0].id, id);
  pair->run(Duration::seconds(1));
  EXPECT_EQ(a->got<ChannelWritable>().size(), 1u) << "once, and only for who asked";
  EXPECT_TRUE(a->channels->canSend(other, 30'000));
}

TEST_P(DataChannelPartsTest, MessagesAboveTheLimitFailTheChannelInPartsToo) {
  const ChannelId id = open(*a);
  up(100'000);
  ASSERT_TRUE(until([&] { return b->got<ChannelIncoming>().size() == 1; }));
  b->channels->setPartSize(b->got<ChannelIncoming>()[0].id, 10'000);
  ASSERT_TRUE(a->channels->beginMessage(id, 200'000, false, pair->now()));
  ASSERT_TRUE(a->channels->sendPart(id, Bytes(200'000), pair->now()));
  ASSERT_TRUE(until([&] { return !b->got<ChannelFailed>().empty(); }));
  size_t got = 0;
  for (const ChannelMessage& m : b->messages) got += m.data.size();
  EXPECT_LE(got, 100'000u);
}

}  // namespace
}  // namespace parley::sctp
