#pragma once

#include <cstdint>
#include <optional>

#include "parley/base/bytes.h"
#include "parley/base/ring_queue.h"
#include "parley/base/time.h"
#include "parley/media/receive_types.h"
#include "parley/rtp/payload_format/telephone_event.h"

namespace parley::media {

/// One that has begun.
struct HeardTone {
  ToneEvent event;
  uint32_t segment = 0;  ///< timestamp of the present segment
  int64_t before = 0;    ///< ticks, of the segments before it
  bool told = false;     ///< that it has begun
  bool over = false;     ///< too long: told to be over, while it goes on
};

/// Telephone events (RFC 4733) of one source, out of packets that tell each of them many times: one
/// event when a tone begins and one when it is over, which is said by its last packet, by the next
/// tone, or by silence.
///
/// Bounds (bad-input rule B45): one tone at a time, six seconds at most; kQueued events wait, then
/// tones that begin are not told of.
class ToneReceiver {
 public:
  static constexpr size_t kQueued = 16;

  /// False if the payload is malformed. `timestamp` is that of the packet.
  bool receive(ByteSpan payload, uint32_t timestamp, uint32_t clockRate, Timestamp now);
  /// Ends a tone of which nothing more is heard.
  void advance(Timestamp now);
  Timestamp nextDeadline() const { return current_ ? lastHeard_ + kSilence : Timestamp::never(); }
  /// `receiver` and `ssrc` are the caller's to fill in.
  bool poll(ToneEvent& out);
  /// Another sequence begins.
  void reset();

 private:
  /// Four of the updates that senders make every 50 ms (RFC 4733 section 2.5.1.2), all lost.
  static constexpr Duration kSilence = Duration::millis(200);
  static constexpr Duration kLongest = Duration::seconds(6);
  /// For how long repeated ends of a tone, and what was late, are told from another tone.
  static constexpr Duration kMemory = Duration::seconds(10);
  /// Contiguous events in one packet (section 2.5.1.5): what is behind these is not looked at.
  static constexpr size_t kMaxBlocks = 8;

  void take(const rtp::TelephoneEvent& event, uint32_t timestamp, uint32_t clockRate,
            Timestamp now);
  void begin(const rtp::TelephoneEvent& event, uint32_t timestamp, Timestamp now);
  void lengthen(uint16_t ticks, uint32_t clockRate);
  void tellEnd();
  void end(Timestamp now);

  MonotonicGuard clock_;
  std::optional<HeardTone> current_;
  Timestamp lastHeard_;
  std::optional<uint32_t> ended_;  ///< the last segment of the tone before
  Timestamp endedAt_;
  RingQueue<ToneEvent> events_{2 * kQueued};
};

}  // namespace parley::media
