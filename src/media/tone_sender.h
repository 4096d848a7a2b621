#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "parley/base/time.h"
#include "parley/rtp/payload_format/telephone_event.h"

namespace parley::media {

/// When which packets of a telephone event leave (RFC 4733 section 2.5): one soon after its start,
/// then one every 50 ms, each with the duration so far, and the final one three times. An event too
/// long for the duration field goes on in further segments.
class ToneSender {
 public:
  struct Packet {
    bool marker = false;  ///< the first one of the event
    uint32_t timestamp = 0;
    rtp::TelephoneEvent event;
  };

  /// Ends the one before, which is not heard of any more.
  void start(uint8_t event, Duration duration, uint32_t timestamp, int clockRate, Timestamp now) {
    event_ = event;
    begin_ = now;
    end_ = now + duration;
    timestamp_ = timestamp;
    clockRate_ = clockRate;
    segment_ = 0;
    first_ = true;
    endsLeft_ = kEnds;
    next_ = std::min(now + kFirst, end_);
  }
  /// Whether the sound of the stream gives way to it.
  bool isPlaying(Timestamp now) const { return endsLeft_ > 0 && now < end_; }

  bool poll(Timestamp now, Packet& out) {
    if (endsLeft_ == 0 || now < next_) return false;
    const bool over = now >= end_;
    const int64_t ticks =
        (std::min(now, end_) - begin_).nanos() * clockRate_ / 1'000'000'000 - segment_;
    out.marker = std::exchange(first_, false);
    out.timestamp = timestamp_ + static_cast<uint32_t>(segment_);
    out.event.event = event_;
    out.event.volume = kVolume;
    if (ticks > kMaxDuration) {
      // Section 2.5.1.3: the segment ends with the longest duration and without the E bit.
      out.event.end = false;
      out.event.duration = kMaxDuration;
      segment_ += kMaxDuration;
      return true;
    }
    out.event.end = over;
    out.event.duration = static_cast<uint16_t>(std::max<int64_t>(ticks, 1));
    if (over) {
      --endsLeft_;
      next_ = now + kEndInterval;
    } else {
      next_ = std::min(now + kInterval, end_);
    }
    return true;
  }
  Timestamp nextDeadline() const { return endsLeft_ > 0 ? next_ : Timestamp::never(); }

 private:
  static constexpr int kEnds = 3;
  static constexpr int64_t kMaxDuration = 0xffff;
  static constexpr uint8_t kVolume = 10;  // -10 dBm0, as loud as telephones are
  static constexpr Duration kFirst = Duration::millis(20);
  static constexpr Duration kInterval = Duration::millis(50);
  // Within the shortest gap between two tones (W3C: 30 ms).
  static constexpr Duration kEndInterval = Duration::millis(10);

  uint8_t event_ = 0;
  Timestamp begin_;
  Timestamp end_;
  uint32_t timestamp_ = 0;
  int64_t clockRate_ = 0;
  int64_t segment_ = 0;  // where the present one begins, in ticks
  bool first_ = false;
  int endsLeft_ = 0;
  Timestamp next_;
};

}  // namespace parley::media
