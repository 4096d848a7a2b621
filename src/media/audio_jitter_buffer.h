#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "parley/base/packet_buffer.h"
#include "parley/base/time.h"
#include "parley/media/receive_types.h"

#include "media/arrival_delay.h"

namespace parley::media {

/// One audio packet (or one block of a RED packet) waiting to be played.
struct AudioPacket {
  int64_t rtp = 0;  ///< unwrapped timestamp of its first sample
  uint32_t samples = 0;
  uint8_t payloadType = 0;
  bool silence = false;  ///< comfort noise: nothing to decode
  bool dtx = false;      ///< the sender has stopped sending until further notice
  bool hasFec = false;
  bool redundant = false;
  Timestamp arrival;
  std::optional<NtpTime> captureTime;
  ByteSpan payload;  ///< inside `buffer`
  PacketBuf buffer;
};

/// Orders audio packets, waits as long as the network's jitter asks for, and says at the pace of
/// playout what to play: a packet, the copy of a lost one inside the next, or nothing.
///
/// The playout delay follows the 97th percentile of recent delays. It grows at once when a packet
/// is missing (the sound is extended), and otherwise by playing packets a quarter slower or faster.
/// When packets stop coming, playout stops after a fifth of a second and starts anew with the next
/// packet.
class AudioJitterBuffer {
 public:
  static constexpr size_t kMaxPackets = 256;

  explicit AudioJitterBuffer(uint32_t clockRate);

  enum class Insert : uint8_t { Ok, Duplicate, TooLate, Overflow };
  Insert insert(AudioPacket packet, Timestamp now);
  /// What to play at the time `nextDeadline()` gave; false if that is not reached. Fills kind,
  /// payload, payloadType, rtpTimestamp, samples, playSamples, playoutTime, captureTime.
  bool produce(Timestamp now, AudioPlayoutUnit& out);
  Timestamp nextDeadline() const { return playing_ ? nextTime_ : Timestamp::never(); }
  void reset();
  /// Drops what waits; playout starts anew with the next packet.
  void dropPackets() {
    packets_.clear();
    playing_ = false;
  }
  /// Starts anew with another RTP clock; delays and counters stay.
  void changeClockRate(uint32_t clockRate);

  void setMinimumDelay(Duration delay) { minimumDelay_ = delay; }
  void setSyncDelay(Duration delay) { syncDelay_ = delay; }
  Duration targetDelay() const;
  bool isLearning() const { return delay_.isEmpty(); }
  /// When a sample would be played if it were not for the sync delay.
  Timestamp idealPlayout(int64_t rtp) const {
    return delay_.idealArrival(rtp) + (targetDelay() - syncDelay_);
  }
  bool has(int64_t rtp) const;
  /// A copy came of a packet that is not here. While packets are lost the playout delay waits for
  /// copies, which come later than the packets they stand for.
  void noteCopy(int64_t rtp, Timestamp now);
  size_t packets() const { return packets_.size(); }
  /// Whether `rtp` was played or given up already.
  bool isPast(int64_t rtp) const { return playing_ && rtp < cursor_; }
  /// Fills the counters that concern playout.
  void fillStats(InboundStats& out) const;

 private:
  Duration toDuration(int64_t samples) const {
    return Duration::nanos(samples * 1'000'000'000 / clockRate_);
  }
  int64_t toSamples(Duration d) const { return d.nanos() * clockRate_ / 1'000'000'000; }
  void start(const AudioPacket& packet, Timestamp now);
  void dropLate();
  void playPacket(AudioPlayoutUnit& out);
  void conceal(AudioPlayoutUnit& out, AudioPlayoutUnit::Kind kind, int64_t samples);
  void concealGap(AudioPlayoutUnit& out);
  bool concealUnderrun(AudioPlayoutUnit& out);
  void stretch(AudioPlayoutUnit& out);
  int64_t buffered() const;
  int64_t frame20() const { return clockRate_ / 50; }
  /// What is invented at a time: as much as a packet holds, but whoever sends one sample in each
  /// must not make us tick with the sampling clock.
  int64_t concealmentUnit() const { return std::max(lastSamples_, frame20() / 4); }

  int64_t clockRate_;
  ArrivalDelay delay_;
  Duration jitterDelay_;
  Duration copyDelay_;  ///< how late copies came of what was missing of late
  std::optional<Timestamp> lastCopy_;
  size_t arrivals_ = 0;
  std::vector<AudioPacket> packets_;  // by rtp
  std::optional<int64_t> lastRtp_;
  bool playing_ = false;
  int64_t cursor_ = 0;   // first sample not played yet
  Timestamp nextTime_;   // when it is its turn
  int64_t lastSamples_;  // of the last packet played
  uint8_t lastPayloadType_ = 0;
  bool inDtx_ = false;
  bool concealing_ = false;
  int64_t underrun_ = 0;  // samples invented since the buffer ran empty
  int64_t silence_ = 0;   // samples of comfort noise since the last packet
  size_t sinceStretch_ = 0;
  Duration minimumDelay_;
  Duration syncDelay_;
  InboundStats counters_;
};

}  // namespace parley::media
