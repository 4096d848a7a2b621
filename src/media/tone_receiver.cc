#include "media/tone_receiver.h"

#include <algorithm>
#include <utility>

#include "parley/base/seq_num.h"

#include "base/ticks.h"

namespace parley::media {
namespace {

// Section 2.5.1.3: a segment that the duration field cannot hold any more ends with this one.
constexpr uint32_t kFullSegment = 0xffff;

}  // namespace

bool ToneReceiver::receive(ByteSpan payload, uint32_t timestamp, uint32_t clockRate,
                           Timestamp now) {
  now = clock_.clamp(now);
  advance(now);
  if (payload.size() < rtp::TelephoneEvent::kSize || clockRate == 0) return false;
  for (size_t i = 0; i < kMaxBlocks; ++i) {
    const auto event = rtp::TelephoneEvent::parse(payload);
    if (!event) break;
    take(*event, timestamp, clockRate, now);
    timestamp += event->duration;
    payload = payload.subspan(rtp::TelephoneEvent::kSize);
  }
  return true;
}

void ToneReceiver::take(const rtp::TelephoneEvent& event, uint32_t timestamp, uint32_t clockRate,
                        Timestamp now) {
  if (current_ && timestamp != current_->segment) {
    if (!isNewer(timestamp, current_->segment)) return;
    const bool goesOn =
        event.event == current_->event.event && timestamp - current_->segment == kFullSegment;
    if (goesOn) {
      current_->segment = timestamp;
      // What is longer than can be told needs no more counting.
      if (current_->event.duration < kLongest) current_->before += kFullSegment;
    } else {
      end(now);
    }
  }
  if (!current_) {
    const bool remembered = ended_ && now - endedAt_ < kMemory;
    if (remembered && !isNewer(timestamp, *ended_)) return;
    begin(event, timestamp, now);
  }
  // Section 2.5.1.2: the event of a timestamp is one.
  if (event.event != current_->event.event) return;
  lastHeard_ = now;
  lengthen(event.duration, clockRate);
  if (event.end) end(now);
}

void ToneReceiver::begin(const rtp::TelephoneEvent& event, uint32_t timestamp, Timestamp now) {
  current_.emplace();
  current_->segment = timestamp;
  ToneEvent& told = current_->event;
  told.event = event.event;
  told.volume = event.volume;
  told.rtpTimestamp = timestamp;
  told.start = now;
  // Room is left for the ends of those that were told of.
  current_->told = events_.size() < kQueued && events_.push(told);
}

void ToneReceiver::lengthen(uint16_t ticks, uint32_t clockRate) {
  const int64_t total = current_->before + ticks;
  const Duration length = ticksToTime(total, clockRate) - Timestamp();
  current_->event.duration =
      std::clamp(std::max(current_->event.duration, length), Duration::zero(), kLongest);
  if (current_->event.duration == kLongest) tellEnd();
}

void ToneReceiver::tellEnd() {
  if (!current_->told || std::exchange(current_->over, true)) return;
  current_->event.ended = true;
  (void)events_.push(current_->event);
}

void ToneReceiver::end(Timestamp now) {
  tellEnd();
  ended_ = current_->segment;
  endedAt_ = now;
  current_.reset();
}

void ToneReceiver::advance(Timestamp now) {
  now = clock_.clamp(now);
  if (current_ && now >= lastHeard_ + kSilence) end(now);
}

bool ToneReceiver::poll(ToneEvent& out) {
  if (events_.empty()) return false;
  out = events_.pop();
  return true;
}

void ToneReceiver::reset() {
  if (current_) tellEnd();
  current_.reset();
  ended_.reset();
}

}  // namespace parley::media
