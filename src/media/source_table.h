#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "parley/base/time.h"
#include "parley/media/receive_types.h"
#include "parley/rtp/extensions/abs_capture_time.h"
#include "parley/rtp/packet_view.h"

namespace parley::media {

/// Who was heard lately on which receiver: the data of getSynchronizationSources() and
/// getContributingSources() (webrtc-pc section 5.3, with its ten seconds).
class SourceTable {
 public:
  void note(const ReceiveConfig& config, const rtp::PacketView& view, uint32_t clockRate,
            Timestamp now);
  void list(ReceiverId receiver, Timestamp now, std::vector<RtpSource>& out) const;
  void remove(ReceiverId receiver);

 private:
  static constexpr size_t kMaxEntries = 256;
  struct Entry {
    ReceiverId receiver;
    RtpSource source;
  };
  /// What abs-capture-time says, or said lately.
  static void noteCapture(RtpSource& source, const std::optional<rtp::AbsCaptureTimeValue>& told,
                          uint32_t rtpTimestamp, uint32_t clockRate);
  RtpSource& entryOf(ReceiverId receiver, uint32_t source, bool isContributing);
  std::vector<Entry> entries_;
  /// Where in entries_: of synchronization and of contributing sources.
  std::unordered_map<uint64_t, size_t> places_[2];
};

}  // namespace parley::media
