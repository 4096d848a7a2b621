#include "media/tone_receiver.h"

#include <vector>

#include <gtest/gtest.h>

#include "media/tone_sender.h"
#include "unit/media/media_fixture.h"

namespace parley::media {
namespace {

using namespace test;

class Tones : public testing::Test {
 protected:
  bool packet(uint8_t event, uint16_t duration, bool end, uint32_t timestamp) {
    uint8_t bytes[4];
    ByteWriter w(bytes);
    rtp::TelephoneEvent{event, end, 10, duration}.write(w);
    return tones_.receive(bytes, timestamp, 8000, now_);
  }
  /// Runs deadlines up to then.
  void run(Duration d) {
    const Timestamp end = now_ + d;
    while (tones_.nextDeadline() <= end) {
      now_ = tones_.nextDeadline();
      tones_.advance(now_);
      ASSERT_GT(tones_.nextDeadline(), now_) << "machine rule M4";
    }
    now_ = end;
  }
  std::vector<ToneEvent> take() {
    std::vector<ToneEvent> out;
    ToneEvent event;
    while (tones_.poll(event)) out.push_back(event);
    return out;
  }
  /// What a sender of ours makes of a tone, without the packets at these places.
  void send(uint8_t event, Duration duration, uint32_t timestamp, std::vector<int> lost = {}) {
    ToneSender sender;
    sender.start(event, duration, timestamp, 8000, now_);
    int number = 0;
    while (!sender.nextDeadline().isNever()) {
      run(sender.nextDeadline() - now_);
      ToneSender::Packet due;
      if (!sender.poll(now_, due)) continue;
      if (std::find(lost.begin(), lost.end(), number++) != lost.end()) continue;
      packet(due.event.event, due.event.duration, due.event.end, due.timestamp);
    }
  }

  ToneReceiver tones_;
  Timestamp now_ = Timestamp::seconds(5);
};

TEST_F(Tones, AToneBeginsAndEndsOnceHoweverOftenItIsSaid) {
  const Timestamp start = now_;
  send(5, Duration::millis(160), 1000);
  run(Duration::seconds(1));
  const auto events = take();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].event, 5);
  EXPECT_FALSE(events[0].ended);
  EXPECT_EQ(events[0].start, start + Duration::millis(20));
  EXPECT_EQ(events[0].rtpTimestamp, 1000u);
  EXPECT_EQ(events[0].volume, 10);
  EXPECT_TRUE(events[1].ended);
  EXPECT_EQ(events[1].event, 5);
  EXPECT_EQ(events[1].duration, Duration::millis(160));
}

TEST_F(Tones, TheBeginningMayBeLost) {
  send(11, Duration::millis(100), 1000, {0, 1, 2});
  const auto events = take();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[1].event, 11);
  EXPECT_EQ(events[1].duration, Duration::millis(100));
}

TEST_F(Tones, WithAllEndsLostSilenceEndsIt) {
  send(7, Duration::millis(100), 1000, {2, 3, 4});
  EXPECT_EQ(take().size(), 1u);
  run(Duration::millis(200));
  const auto events = take();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_TRUE(events[0].ended);
  EXPECT_EQ(events[0].duration, Duration::millis(70)) << "as far as was heard";
  EXPECT_TRUE(tones_.nextDeadline().isNever());
  packet(7, 800, true, 1000);
  EXPECT_TRUE(take().empty()) << "a late end";
}

TEST_F(Tones, WithAllEndsLostTheNextToneEndsIt) {
  packet(1, 400, false, 1000);
  packet(1, 160, false, 4000);
  const auto events = take();
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].event, 1);
  EXPECT_TRUE(events[1].ended);
  EXPECT_EQ(events[1].duration, Duration::millis(50));
  EXPECT_FALSE(events[2].ended);
  EXPECT_EQ(events[2].rtpTimestamp, 4000u);
}

TEST_F(Tones, TheSameKeyTwiceIsTwoTones) {
  send(3, Duration::millis(60), 1000);
  send(3, Duration::millis(60), 3000);
  EXPECT_EQ(take().size(), 4u);
}

TEST_F(Tones, OutOfOrderPacketsChangeNothing) {
  packet(2, 800, false, 1000);
  packet(2, 400, false, 1000);
  packet(9, 400, true, 200);
  packet(2, 960, true, 1000);
  packet(2, 900, false, 1000);
  const auto events = take();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[1].duration, Duration::millis(120));
}

TEST_F(Tones, ALongToneGoesOnInSegments) {
  // 0xffff ticks of 48 kHz are 1.4 s.
  const auto at48 = [&](uint16_t duration, bool end, uint32_t timestamp) {
    uint8_t bytes[4];
    ByteWriter w(bytes);
    rtp::TelephoneEvent{8, end, 10, duration}.write(w);
    return tones_.receive(bytes, timestamp, 48'000, now_);
  };
  at48(0xffff, false, 5000);
  at48(4800, false, 5000 + 0xffff);
  at48(9600, true, 5000 + 0xffff);
  const auto events = take();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[1].rtpTimestamp, 5000u);
  EXPECT_EQ(events[1].duration.millis(), (0xffff + 9600) / 48);
}

TEST_F(Tones, ContiguousEventsMayShareAPacket) {
  const Bytes two = parley::test::fromHex(
      "018a0190"
      "028a0190");
  EXPECT_TRUE(tones_.receive(two, 1000, 8000, now_));
  const auto events = take();
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[0].event, 1);
  EXPECT_EQ(events[2].event, 2);
  EXPECT_EQ(events[2].rtpTimestamp, 1400u);
}

TEST_F(Tones, B45ALyingToneEndsAfterSixSeconds) {
  uint32_t timestamp = 1000;
  for (int i = 0; i < 100; ++i, timestamp += 0xffff) packet(6, 0xffff, false, timestamp);
  const auto events = take();
  ASSERT_EQ(events.size(), 2u) << "one tone, though it never stops";
  EXPECT_TRUE(events[1].ended);
  EXPECT_EQ(events[1].duration, Duration::seconds(6));
}

TEST_F(Tones, B45AToneOfSegmentsWithoutEndIsNotCountedWithoutEnd) {
  uint32_t timestamp = 1000;
  for (int i = 0; i < 200'000; ++i, timestamp += 0xffff) packet(6, 0xffff, false, timestamp);
  EXPECT_EQ(take().size(), 2u);
}

TEST_F(Tones, B45AFloodOfTonesIsBoundedAndEachThatBeganEnds) {
  for (uint32_t i = 0; i < 10'000; ++i)
    packet(static_cast<uint8_t>(i), 80, i % 3 == 0, 1000 + 100 * i);
  run(Duration::seconds(1));
  const auto events = take();
  EXPECT_LE(events.size(), 2 * ToneReceiver::kQueued);
  int open = 0;
  for (const ToneEvent& event : events) {
    open += event.ended ? -1 : 1;
    EXPECT_GE(open, 0);
    EXPECT_LE(open, 1) << "one at a time";
  }
  EXPECT_EQ(open, 0);
}

TEST_F(Tones, DamagedPayloadsAreNoTones) {
  EXPECT_FALSE(tones_.receive({}, 1, 8000, now_));
  EXPECT_FALSE(tones_.receive(parley::test::fromHex("018a01"), 1, 8000, now_));
  EXPECT_FALSE(tones_.receive(parley::test::fromHex("018a0190"), 1, 0, now_));
  EXPECT_TRUE(take().empty());
}

TEST_F(Tones, OldTimestampsAreForgottenInTime) {
  send(1, Duration::millis(60), 0x90000000);
  run(Duration::seconds(11));
  send(2, Duration::millis(60), 1000);
  EXPECT_EQ(take().size(), 4u);
}

class ToneHub : public HubTest {};

TEST_F(ToneHub, TellsWhoseToneItIs) {
  hub_->setReceiver(audioConfig(1, "a"));
  Sender sender;
  sender.mid = "a";
  deliver(sender.packet(kDtmf, true, parley::test::fromHex("0b0a00a0")));
  deliver(sender.packet(kDtmf, false, parley::test::fromHex("0b0a01")));
  ToneEvent event;
  ASSERT_TRUE(hub_->pollTone(event));
  EXPECT_EQ(event.receiver, ReceiverId(1));
  EXPECT_EQ(event.ssrc, sender.ssrc);
  EXPECT_EQ(event.event, 11);
  EXPECT_FALSE(hub_->pollTone(event));
  run(Duration::millis(300));
  ASSERT_TRUE(hub_->pollTone(event));
  EXPECT_TRUE(event.ended);
  EXPECT_EQ(event.duration, Duration::millis(20));
  EXPECT_EQ(statsOf(sender.ssrc).malformedPackets, 1u);
}

}  // namespace
}  // namespace parley::media
