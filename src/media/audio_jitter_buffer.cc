#include "media/audio_jitter_buffer.h"

#include <algorithm>
#include <cmath>

namespace parley::media {

namespace {

constexpr double kQuantile = 0.97;
// A driver that wakes a little late must not run the buffer dry.
constexpr Duration kMargin = Duration::millis(10);
// Until enough arrivals are known, rather a little more delay than a gap.
constexpr size_t kLearning = 25;
constexpr Duration kLearningDelay = Duration::millis(40);
constexpr Duration kMaxDelay = Duration::seconds(10);
// Copies (RED) are waited for as long as some were needed within this time, but not beyond what a
// conversation bears.
constexpr Duration kCopyMemory = Duration::seconds(10);
constexpr Duration kMaxCopyDelay = Duration::millis(150);
// Playing slower or faster starts when the delay is off by so much.
constexpr Duration kTooLong = Duration::millis(25);
// Less than the margin, or the buffer would run dry before it is noticed.
constexpr Duration kTooShort = Duration::millis(5);
constexpr Duration kFarOff = Duration::millis(60);
constexpr size_t kUnitsBetweenStretches = 3;
// Above the target by so much, sound is thrown away instead of played faster.
constexpr Duration kMaxExcess = Duration::millis(500);
// After so long without packets playout stops.
constexpr Duration kMaxUnderrun = Duration::millis(200);
constexpr Duration kMaxSilence = Duration::seconds(2);
// A gap in the timestamps beyond this is a pause of the sender, not a loss to conceal.
constexpr Duration kMaxGap = Duration::seconds(1);
constexpr int64_t kMaxJumpSeconds = 30;

}  // namespace

AudioJitterBuffer::AudioJitterBuffer(uint32_t clockRate)
    : clockRate_(clockRate ? clockRate : 48'000), delay_(clockRate), lastSamples_(frame20()) {
  packets_.reserve(64);
}

Duration AudioJitterBuffer::targetDelay() const {
  Duration target = std::max(jitterDelay_, copyDelay_) + kMargin;
  if (arrivals_ < kLearning) target = std::max(target, kLearningDelay);
  return std::min(std::max(target, minimumDelay_) + syncDelay_, kMaxDelay);
}

bool AudioJitterBuffer::has(int64_t rtp) const {
  return std::any_of(packets_.begin(), packets_.end(),
                     [rtp](const AudioPacket& p) { return p.rtp == rtp; });
}

void AudioJitterBuffer::noteCopy(int64_t rtp, Timestamp now) {
  if (delay_.isEmpty()) return;
  const Duration late = std::min(now - delay_.idealArrival(rtp), kMaxCopyDelay);
  copyDelay_ = std::max(copyDelay_, late);
  lastCopy_ = now;
}

AudioJitterBuffer::Insert AudioJitterBuffer::insert(AudioPacket packet, Timestamp now) {
  if (lastRtp_ && std::abs(packet.rtp - *lastRtp_) > kMaxJumpSeconds * clockRate_) reset();
  lastRtp_ = packet.rtp;
  Insert result = Insert::Ok;
  if (lastCopy_ && now - *lastCopy_ > kCopyMemory) {
    copyDelay_ = Duration::zero();
    lastCopy_.reset();
  }
  if (!packet.redundant) {
    delay_.update(packet.rtp, packet.arrival);
    jitterDelay_ = delay_.quantile(kQuantile);
    ++arrivals_;
  }
  // A packet that overlaps what was played by a little is still worth playing.
  if (playing_ && packet.rtp + packet.samples / 2 < cursor_) return Insert::TooLate;
  if (packets_.size() == kMaxPackets) {
    dropPackets();
    result = Insert::Overflow;
  }
  const auto place =
      std::lower_bound(packets_.begin(), packets_.end(), packet.rtp,
                       [](const AudioPacket& p, int64_t rtp) { return p.rtp < rtp; });
  if (place != packets_.end() && place->rtp == packet.rtp) {
    if (!place->redundant || packet.redundant) return Insert::Duplicate;
    *place = std::move(packet);
    return result;
  }
  if (!playing_) start(packet, now);
  packets_.insert(place, std::move(packet));
  return result;
}

void AudioJitterBuffer::start(const AudioPacket& packet, Timestamp now) {
  // A source whose clock stood still while it was silent appears to be late by all that time.
  if (now - delay_.idealArrival(packet.rtp) > targetDelay() + kMaxExcess) {
    delay_.reset();
    delay_.update(packet.rtp, packet.arrival);
    jitterDelay_ = Duration::zero();
    arrivals_ = 1;
  }
  playing_ = true;
  cursor_ = packet.rtp;
  nextTime_ = std::max(now, delay_.idealArrival(packet.rtp) + targetDelay());
  underrun_ = 0;
  silence_ = 0;
  inDtx_ = false;
  concealing_ = false;
}

void AudioJitterBuffer::reset() {
  dropPackets();
  delay_.reset();
  jitterDelay_ = Duration::zero();
  arrivals_ = 0;
  lastRtp_.reset();
}

void AudioJitterBuffer::changeClockRate(uint32_t clockRate) {
  clockRate_ = clockRate ? clockRate : 48'000;
  delay_ = ArrivalDelay(clockRate);
  lastSamples_ = frame20();
  reset();
}

int64_t AudioJitterBuffer::buffered() const {
  return packets_.empty() ? 0 : packets_.back().rtp + packets_.back().samples - cursor_;
}

void AudioJitterBuffer::dropLate() {
  while (!packets_.empty() && packets_.front().rtp + packets_.front().samples / 2 < cursor_) {
    ++counters_.packetsDiscarded;
    packets_.erase(packets_.begin());
  }
  while (packets_.size() > 1 && buffered() > toSamples(targetDelay() + kMaxExcess)) {
    counters_.removedSamplesForAcceleration +=
        static_cast<uint64_t>(std::max<int64_t>(packets_[1].rtp - cursor_, 0));
    ++counters_.packetsDiscarded;
    cursor_ = packets_[1].rtp;
    packets_.erase(packets_.begin());
  }
}

bool AudioJitterBuffer::produce(Timestamp now, AudioPlayoutUnit& out) {
  if (!playing_ || now < nextTime_) return false;
  // A driver that was away for long does not get all that silence at once.
  if (now - nextTime_ > kMaxExcess) nextTime_ = now;
  dropLate();
  if (packets_.empty()) {
    if (!concealUnderrun(out)) return false;
  } else if (packets_.front().rtp <= cursor_) {
    playPacket(out);
  } else {
    concealGap(out);
  }
  out.playoutTime = nextTime_;
  nextTime_ += toDuration(out.playSamples);
  counters_.totalSamplesReceived += out.playSamples;
  return true;
}

void AudioJitterBuffer::playPacket(AudioPlayoutUnit& out) {
  AudioPacket& packet = packets_.front();
  out.rtpTimestamp = static_cast<uint32_t>(packet.rtp);
  out.payloadType = packet.payloadType;
  out.captureTime = packet.captureTime;
  out.samples = packet.samples;
  out.playSamples = packet.samples;
  if (packet.silence) {
    out.kind = AudioPlayoutUnit::Kind::Conceal;
  } else {
    out.kind = AudioPlayoutUnit::Kind::Packet;
  }
  out.payload.assign(packet.payload.begin(), packet.payload.end());
  lastPayloadType_ = packet.payloadType;
  const double samples = packet.samples;
  counters_.jitterBufferDelay += (nextTime_ - packet.arrival).seconds() * samples;
  counters_.jitterBufferTargetDelay += targetDelay().seconds() * samples;
  counters_.jitterBufferMinimumDelay += (jitterDelay_ + kMargin).seconds() * samples;
  counters_.jitterBufferEmittedCount += packet.samples;
  stretch(out);
  cursor_ = packet.rtp + packet.samples;
  lastSamples_ = packet.samples;
  inDtx_ = packet.dtx || packet.silence;
  concealing_ = false;
  underrun_ = 0;
  silence_ = 0;
  packets_.erase(packets_.begin());
}

void AudioJitterBuffer::stretch(AudioPlayoutUnit& out) {
  const int64_t quarter = out.samples / 4;
  ++sinceStretch_;
  if (quarter == 0 || delay_.isEmpty()) return;
  const Duration excess = nextTime_ - delay_.idealArrival(packets_.front().rtp) - targetDelay();
  const bool far = excess > kFarOff || excess < -kFarOff;
  if (!far && sinceStretch_ < kUnitsBetweenStretches) return;
  // Faster only while there is more to play: a path that got longer leaves the buffer short.
  if (excess > kTooLong && buffered() > 2 * static_cast<int64_t>(out.samples)) {
    out.playSamples = static_cast<uint32_t>(out.samples - quarter);
    counters_.removedSamplesForAcceleration += static_cast<uint64_t>(quarter);
    sinceStretch_ = 0;
  } else if (excess < -kTooShort) {
    out.playSamples = static_cast<uint32_t>(out.samples + quarter);
    counters_.insertedSamplesForDeceleration += static_cast<uint64_t>(quarter);
    sinceStretch_ = 0;
  }
}

void AudioJitterBuffer::conceal(AudioPlayoutUnit& out, AudioPlayoutUnit::Kind kind,
                                int64_t samples) {
  out.kind = kind;
  out.payload.clear();
  out.payloadType = lastPayloadType_;
  out.captureTime.reset();
  out.rtpTimestamp = static_cast<uint32_t>(cursor_);
  out.samples = static_cast<uint32_t>(samples);
  out.playSamples = out.samples;
  if (kind == AudioPlayoutUnit::Kind::Fec) {
    // webrtc-stats counts as concealed what "had to be synthesized": this is the sender's own
    // sound.
    concealing_ = false;
    return;
  }
  counters_.concealedSamples += out.samples;
  if (inDtx_) counters_.silentConcealedSamples += out.samples;
  if (!concealing_ && !inDtx_) ++counters_.concealmentEvents;
  concealing_ = true;
}

void AudioJitterBuffer::concealGap(AudioPlayoutUnit& out) {
  // What was invented while the buffer was empty stood for the packets that are missing now.
  if (underrun_ > 0) {
    cursor_ = std::min(cursor_ + underrun_, packets_.front().rtp);
    underrun_ = 0;
  }
  const AudioPacket& next = packets_.front();
  if (next.rtp - cursor_ > toSamples(kMaxGap) && !inDtx_) cursor_ = next.rtp;
  const int64_t gap = next.rtp - cursor_;
  if (gap <= 0) {
    playPacket(out);
    return;
  }
  if (!inDtx_ && next.hasFec && gap <= static_cast<int64_t>(next.samples)) {
    conceal(out, AudioPlayoutUnit::Kind::Fec, gap);
    out.payload.assign(next.payload.begin(), next.payload.end());
    out.payloadType = next.payloadType;
  } else {
    conceal(out, AudioPlayoutUnit::Kind::Conceal,
            std::min(gap, inDtx_ ? frame20() : concealmentUnit()));
  }
  cursor_ += out.samples;
}

bool AudioJitterBuffer::concealUnderrun(AudioPlayoutUnit& out) {
  if (inDtx_) {
    if (silence_ >= toSamples(kMaxSilence)) {
      playing_ = false;
      return false;
    }
    conceal(out, AudioPlayoutUnit::Kind::Conceal, frame20());
    silence_ += out.samples;
    cursor_ += out.samples;
    return true;
  }
  if (underrun_ >= toSamples(kMaxUnderrun)) {
    playing_ = false;
    return false;
  }
  // The cursor stays: the packet may only be late, and then it is still played.
  conceal(out, AudioPlayoutUnit::Kind::Conceal, concealmentUnit());
  underrun_ += out.samples;
  return true;
}

void AudioJitterBuffer::fillStats(InboundStats& out) const {
  out.jitterBufferDelay = counters_.jitterBufferDelay;
  out.jitterBufferTargetDelay = counters_.jitterBufferTargetDelay;
  out.jitterBufferMinimumDelay = counters_.jitterBufferMinimumDelay;
  out.jitterBufferEmittedCount = counters_.jitterBufferEmittedCount;
  out.packetsDiscarded += counters_.packetsDiscarded;
  out.totalSamplesReceived = counters_.totalSamplesReceived;
  out.concealedSamples = counters_.concealedSamples;
  out.silentConcealedSamples = counters_.silentConcealedSamples;
  out.concealmentEvents = counters_.concealmentEvents;
  out.insertedSamplesForDeceleration = counters_.insertedSamplesForDeceleration;
  out.removedSamplesForAcceleration = counters_.removedSamplesForAcceleration;
}

}  // namespace parley::media
