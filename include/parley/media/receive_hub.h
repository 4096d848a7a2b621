#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "parley/base/driven.h"
#include "parley/base/environment.h"
#include "parley/base/export.h"
#include "parley/base/packet_buffer.h"
#include "parley/base/time.h"
#include "parley/media/receive_types.h"
#include "parley/rtp/packet_view.h"
#include "parley/rtp/rtcp/report_block.h"
#include "parley/rtp/rtcp/sender_report.h"

namespace parley::media {

/// How arrivals are reported to the sender's congestion control.
enum class ArrivalFeedback : uint8_t {
  None,
  TransportWide,  ///< transport-wide-cc
  Rfc8888,        ///< ack ccfb
};

/// Everything between "an RTP packet was decrypted" and "here is a frame": finds the source of each
/// packet, repairs losses, puts frames together in decodable order and hands them out when they are
/// due, and says what should be reported back.
///
/// A machine (src/README.md, rules M1 to M10). Thread-compatible. Steady-state packets do not
/// allocate. Bounds: Limits::maxReceiveSsrcs sources (the least recently heard one that no
/// description names makes room), maxJitterFrames per source (then its buffer is emptied and a key
/// frame asked for), maxJitterBytes of frames and maxHeldPackets packets for all sources together
/// (then the source that holds most gives up all it has), 64 frames or audio units per source ready
/// to be polled (video then waits in its buffer, audio loses the oldest). What has been incomplete
/// for three seconds is dropped.
class PARLEY_EXPORT ReceiveHub {
 public:
  explicit ReceiveHub(const Environment& environment);
  ~ReceiveHub();
  ReceiveHub(const ReceiveHub&) = delete;
  ReceiveHub& operator=(const ReceiveHub&) = delete;

  // --- control
  /// Adds a receiver, or replaces the configuration of the one with the same id. Sources heard
  /// before stay if their payload types are still agreed.
  void setReceiver(const ReceiveConfig& config);
  void removeReceiver(ReceiverId id);
  void setArrivalFeedback(ArrivalFeedback mode);
  /// Round-trip time to the sender; spaces retransmission requests. 100 ms until told.
  void setRtt(Duration rtt);
  /// W3C jitterBufferTarget: the least playout delay; zero for the buffer's own choice.
  void setMinimumDelay(ReceiverId id, Duration delay);

  // --- input
  /// `view` is the parsed packet in `packet`.
  void handleRtp(PacketBuf packet, const rtp::PacketView& view, Ecn ecn, Timestamp now);
  void handleSenderReport(const rtp::rtcp::SenderReport& report, Timestamp now);
  /// The round trip to the peer, as its answer to our stamp has shown: of all its sources, which
  /// come the same way.
  void noteRoundTrip(Duration rtt);
  /// Ends a source, never a receiver. Ignored for sources that were not heard here.
  void handleBye(uint32_t ssrc, Timestamp now);
  /// Asks the sender for a key frame, rate-limited. Frames go on coming.
  void requestKeyFrame(ReceiverId id, Timestamp now);
  /// The decoder cannot go on without a key frame: asks for one, and hands out nothing else until
  /// it is there. Where the peer takes no such requests (no PLI, no FIR) frames go on coming.
  void decoderLostState(ReceiverId id, Timestamp now);
  /// The same as requestKeyFrame for one source of it.
  void requestKeyFrameOf(uint32_t ssrc, Timestamp now);
  void advance(Timestamp now);
  Timestamp nextDeadline() const;

  // --- output
  /// The next frame that is due. `out.payload` keeps its capacity between calls.
  bool pollFrame(ReceivedFrame& out);
  bool pollAudio(AudioPlayoutUnit& out);
  /// Of receivers that hand them on; in the order of arrival within a source.
  bool pollPacket(ReceivedPacket& out);
  bool pollTone(ToneEvent& out);
  bool pollFeedback(FeedbackRequest& out);
  bool pollEvent(SourceEvent& out);
  /// Writes one due arrival report (an RTCP packet to be put into a compound). 0: none is due.
  size_t pollArrivalFeedback(ByteWriter& w, uint32_t senderSsrc, size_t maxBytes);
  /// What is to be told to senders that have agreed to be told; at most one per packet handled.
  bool pollRateReport(RateReport& out);
  /// Appends a report block per source heard since the last call; what does not fit in `max` comes
  /// first next time.
  void takeReportBlocks(Timestamp now, size_t max, std::vector<rtp::rtcp::ReportBlock>& out);

  // --- observation
  void stats(std::vector<InboundStats>& out) const;
  /// Who was heard on this receiver in the last ten seconds, latest first.
  void sources(ReceiverId id, Timestamp now, std::vector<RtpSource>& out) const;
  /// Complete frames that wait to be decodable or due.
  size_t bufferedFrameBytes() const;
  /// Packets that no receiver wanted: unknown mid, payload type or source.
  uint64_t unroutedPackets() const;
  /// The receiver a source belongs to, if it was heard.
  std::optional<ReceiverId> receiverOf(uint32_t ssrc) const;
  /// The configuration of a receiver; nullptr for an unknown id.
  const ReceiveConfig* receiver(ReceiverId id) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace parley::media
