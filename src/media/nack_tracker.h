#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "parley/base/inline_vector.h"
#include "parley/base/time.h"

namespace parley::media {

/// Knows which packets of a source are missing and when to ask for each again.
///
/// Limits (checklist of the W3C stacks): at most `maxList` missing packets, none older than 10000
/// sequence numbers, ten requests per packet. Beyond any of them the losses are given up and a key
/// frame is wanted instead.
class NackTracker {
 public:
  static constexpr int64_t kMaxAge = 10'000;
  static constexpr int kMaxRequests = 10;
  using Sequences = InlineVector<uint16_t, 253>;

  explicit NackTracker(size_t maxList) : maxList_(maxList) {}

  /// A packet arrived. `sequence` is unwrapped; `recovered` says that it came as a retransmission.
  void handlePacket(int64_t sequence, bool keyFrame, bool recovered, Timestamp now);
  /// Nothing before this one is of use any more.
  void forgetBefore(int64_t sequence);
  /// What has been missing since before `time` would come too late.
  void forgetMissedBefore(Timestamp time);
  void reset();
  void setRtt(Duration rtt) { rtt_ = rtt; }
  /// How long a missing packet may come by other means before it is asked for.
  void setPatience(Duration patience) { patience_ = patience; }

  /// Moves packets that are to be asked for now to `out`, as many as fit.
  void collect(Timestamp now, Sequences& out);
  Timestamp nextDeadline() const { return earliest_; }
  /// True once after losses were given up.
  bool takeGaveUp();

  bool isMissing(uint16_t sequence) const;
  size_t missing() const { return entries_.size(); }

 private:
  struct Entry {
    int64_t sequence = 0;
    Timestamp missedAt;
    Timestamp nextRequest;
    int requests = 0;
  };
  Duration interval() const;
  void addGap(int64_t first, int64_t end, Timestamp now);
  void noteArrival(int64_t sequence, bool recovered, Timestamp now);
  void updateEarliest();

  size_t maxList_;
  std::vector<Entry> entries_;  // ascending
  std::optional<int64_t> newest_;
  std::optional<int64_t> lastKeyFrame_;
  Duration rtt_ = Duration::millis(100);
  Duration reorderDelay_;
  Duration patience_;
  Timestamp earliest_ = Timestamp::never();
  bool gaveUp_ = false;
};

}  // namespace parley::media
