#pragma once

#include <bitset>
#include <cstdint>
#include <optional>

#include "parley/base/seq_num.h"

namespace parley::media {

/// Carries the numbers of packets that were made elsewhere over into those of a stream. What is
/// missing there stays a gap here, so that the receiver knows of it, and what comes out of order
/// leaves under the number of its place. No number is given twice: encrypted a second time with
/// other content it would give away what AES-GCM hides.
class ForeignNumbers {
 public:
  struct Numbers {
    int64_t sequence = 0;
    uint32_t timestamp = 0;
  };

  /// `next` is the stream's next number, `lastTimestamp` that of what it sent last, and
  /// `clockTimestamp` what its clock says now. Nothing for a packet that has come before, or whose
  /// place is taken.
  /// A source that jumps further ahead than losses do, or back, begins anew, as does another one.
  std::optional<Numbers> map(uint32_t ssrc, uint16_t sequence, uint32_t timestamp, int64_t next,
                             uint32_t lastTimestamp, uint32_t clockTimestamp);

  bool hasBegun() const { return ssrc_.has_value(); }
  /// In the stream's time.
  uint32_t newestTimestamp() const { return newestTimestamp_; }

 private:
  /// How far behind the newest a packet may come: more than a second of 8 Mb/s.
  static constexpr int64_t kWindow = 1024;
  /// RFC 3550 appendix A.1, MAX_DROPOUT: a jump ahead that is no loss.
  static constexpr int64_t kMaxDropout = 3000;

  void begin(uint32_t ssrc, uint16_t sequence, int64_t next);
  bool isGiven(int64_t sequence) const {
    return given_.test(static_cast<size_t>(sequence) % kWindow);
  }

  std::optional<uint32_t> ssrc_;
  SeqUnwrapper<uint16_t> source_;
  int64_t offset_ = 0;  ///< from the source's numbers to the stream's
  int64_t floor_ = 0;   ///< numbers below were given before the source began, or to others
  int64_t newest_ = -1;
  std::bitset<kWindow> given_;  ///< of the last numbers up to the newest
  uint32_t timestampOffset_ = 0;
  uint32_t newestTimestamp_ = 0;
};

}  // namespace parley::media
