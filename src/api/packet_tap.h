#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "parley/api/rtp_packets.h"

namespace parley::api_internal {

/// A receiver whose packets the app takes itself. All with the loop's lock held.
class PacketTap {
 public:
  /// What waits to be delivered; more is dropped. About a second of 10 Mb/s.
  static constexpr size_t kMaxWaiting = 1024;

  struct Packet {
    media::ReceivedPacket received;
    rtp::ExtensionMap extensions;
    std::string codec;
  };

  explicit PacketTap(RtpPacketSink sink)
      : sink_(std::make_shared<const RtpPacketSink>(std::move(sink))) {}

  /// True: there is something to deliver from now on.
  bool add(media::ReceivedPacket&& packet, const media::ReceiveConfig* config);
  /// Swaps memory: `out` is given back by the next call.
  std::shared_ptr<const RtpPacketSink> take(std::vector<Packet>& out);
  const std::shared_ptr<const RtpPacketSink>& sink() const { return sink_; }
  /// Gives the former one, to be destroyed without the lock.
  std::shared_ptr<const RtpPacketSink> replace(RtpPacketSink sink) {
    return std::exchange(sink_, std::make_shared<const RtpPacketSink>(std::move(sink)));
  }

 private:
  std::shared_ptr<const RtpPacketSink> sink_;
  std::vector<Packet> waiting_;
};

/// Calls the sink.
void deliver(const PacketTap::Packet& packet, const RtpPacketSink& sink);

}  // namespace parley::api_internal
