#include "media/tone_sender.h"

#include <vector>

#include <gtest/gtest.h>

namespace parley::media {
namespace {

struct Sent {
  int64_t ms;
  ToneSender::Packet packet;
};

std::vector<Sent> play(Duration duration, Duration limit) {
  ToneSender sender;
  sender.start(5, duration, 1000, 48'000, Timestamp::seconds(10));
  std::vector<Sent> out;
  for (Timestamp now = Timestamp::seconds(10); now < Timestamp::seconds(10) + limit;
       now += Duration::millis(1)) {
    ToneSender::Packet packet;
    while (sender.poll(now, packet))
      out.push_back({(now - Timestamp::seconds(10)).millis(), packet});
    EXPECT_GT(sender.nextDeadline(), now);
  }
  EXPECT_TRUE(sender.nextDeadline().isNever());
  return out;
}

TEST(ToneSender, Rfc4733Section2_5ReportsTheDurationSoFarAndTheEndThrice) {
  const std::vector<Sent> sent = play(Duration::millis(100), Duration::seconds(1));
  ASSERT_EQ(sent.size(), 5u);
  const std::vector<int64_t> times = {20, 70, 100, 110, 120};
  const std::vector<uint16_t> durations = {960, 3360, 4800, 4800, 4800};
  for (size_t i = 0; i < sent.size(); ++i) {
    EXPECT_EQ(sent[i].ms, times[i]);
    EXPECT_EQ(sent[i].packet.event.event, 5);
    EXPECT_EQ(sent[i].packet.event.duration, durations[i]);
    EXPECT_EQ(sent[i].packet.event.end, i >= 2);
    EXPECT_EQ(sent[i].packet.marker, i == 0);
    EXPECT_EQ(sent[i].packet.timestamp, 1000u);
  }
}

TEST(ToneSender, Rfc4733Section2_5_1_3LongEventsGoOnInSegments) {
  const std::vector<Sent> sent = play(Duration::seconds(6), Duration::seconds(7));
  uint32_t segments = 0;
  uint32_t markers = 0;
  uint32_t ends = 0;
  for (const Sent& s : sent) {
    markers += s.packet.marker;
    ends += s.packet.event.end;
    EXPECT_EQ(s.packet.timestamp, 1000 + segments * 0xffff);
    if (s.packet.event.duration == 0xffff) {
      EXPECT_FALSE(s.packet.event.end);
      ++segments;
    }
  }
  EXPECT_EQ(segments, 4u);  // 6 s are 288,000 ticks
  EXPECT_EQ(markers, 1u);
  EXPECT_EQ(ends, 3u);
  EXPECT_EQ(sent.back().packet.event.duration, 288'000 - 4 * 0xffff);
}

TEST(ToneSender, SoundGivesWayUntilTheEnd) {
  ToneSender sender;
  EXPECT_FALSE(sender.isPlaying(Timestamp::seconds(1)));
  sender.start(0, Duration::millis(40), 0, 8000, Timestamp::seconds(1));
  EXPECT_TRUE(sender.isPlaying(Timestamp::seconds(1)));
  EXPECT_FALSE(sender.isPlaying(Timestamp::seconds(1) + Duration::millis(40)));
}

}  // namespace
}  // namespace parley::media
