#include "parley/forwarding/dominant_speaker.h"

#include <functional>

#include <gtest/gtest.h>

#include "parley/base/random.h"

namespace parley::forwarding {
namespace {

/// Levels of several people, one packet each 20 ms.
class Room {
 public:
  using Level = std::function<uint8_t(int step)>;
  void add(uint32_t key, Level level) {
    speaker.add(key);
    people_.push_back({key, std::move(level)});
  }
  void run(Duration time) {
    for (Timestamp end = now + time; now < end; now += Duration::millis(20), ++step_) {
      for (const auto& [key, level] : people_) speaker.handleLevel(key, level(step_), now);
      changes += speaker.decide(now);
    }
  }

  DominantSpeaker speaker;
  Timestamp now = Timestamp() + Duration::seconds(100);
  int changes = 0;

 private:
  std::vector<std::pair<uint32_t, Level>> people_;
  int step_ = 0;
};

uint8_t quiet(int) {
  return 90;
}
/// Syllables of 160 ms with 60 ms between, words of 4 with a pause.
uint8_t speech(int step) {
  return step % 50 < 44 && step % 11 < 8 ? 25 : 85;
}

TEST(DominantSpeaker, WhoSpeaksIsFoundWithinASecond) {
  Room room;
  room.add(1, quiet);
  room.add(2, speech);
  room.add(3, quiet);
  room.run(Duration::seconds(1));
  EXPECT_EQ(room.speaker.dominant(), 2u);
}

TEST(DominantSpeaker, TheFloorChangesOnceWhenAnotherSpeaks) {
  Room room;
  bool second = false;
  room.add(1, [&](int step) { return second ? quiet(step) : speech(step); });
  room.add(2, [&](int step) { return second ? speech(step) : quiet(step); });
  room.run(Duration::seconds(5));
  EXPECT_EQ(room.speaker.dominant(), 1u);
  EXPECT_EQ(room.changes, 1);
  second = true;
  room.run(Duration::seconds(3));
  EXPECT_EQ(room.speaker.dominant(), 2u);
  EXPECT_EQ(room.changes, 2);
}

TEST(DominantSpeaker, ACoughTakesNoFloor) {
  Room room;
  room.add(1, speech);
  room.add(2, [](int step) { return step % 250 >= 240 ? uint8_t{5} : uint8_t{90}; });
  room.run(Duration::seconds(20));
  EXPECT_EQ(room.speaker.dominant(), 1u);
  EXPECT_EQ(room.changes, 1);
}

TEST(DominantSpeaker, AHumIsNoSpeaker) {
  Room room;
  room.add(1, [](int) { return uint8_t{40}; });
  room.add(2, [](int step) { return step < 1000 ? uint8_t{90} : speech(step); });
  room.run(Duration::seconds(19));
  room.run(Duration::seconds(5));
  EXPECT_EQ(room.speaker.dominant(), 2u);
}

TEST(DominantSpeaker, KeepsTheLastOneInSilenceAndForgetsTheRemoved) {
  Room room;
  bool silent = false;
  room.add(1, [&](int step) { return silent ? quiet(step) : speech(step); });
  room.add(2, quiet);
  room.run(Duration::seconds(3));
  silent = true;
  room.run(Duration::seconds(5));
  EXPECT_EQ(room.speaker.dominant(), 1u);
  room.speaker.remove(1);
  EXPECT_EQ(room.speaker.dominant(), std::nullopt);
}

TEST(DominantSpeaker, SleepsWhenNobodySendsAndNeverForThePast) {
  Room room;
  EXPECT_TRUE(room.speaker.nextDecision().isNever());
  room.add(1, speech);
  room.run(Duration::seconds(1));
  room.speaker.decide(room.now);
  EXPECT_GT(room.speaker.nextDecision(), room.now);
  for (int i = 0; i < 20 && !room.speaker.nextDecision().isNever(); ++i)
    room.speaker.decide(room.speaker.nextDecision());
  EXPECT_TRUE(room.speaker.nextDecision().isNever());
}

}  // namespace
}  // namespace parley::forwarding
