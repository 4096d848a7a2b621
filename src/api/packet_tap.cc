#include "api/packet_tap.h"

#include <utility>

#include "parley/api/rtp_transceiver.h"

#include "api/forwarding_runtime.h"
#include "api/peer_connection_core.h"

namespace parley {
namespace api_internal {

bool PacketTap::add(media::ReceivedPacket&& packet, const media::ReceiveConfig* config) {
  const auto view = rtp::PacketView::parse(packet.data.span());
  if (!config || !view || waiting_.size() == kMaxWaiting) return false;
  const bool first = waiting_.empty();
  Packet& added = waiting_.emplace_back();
  added.received = std::move(packet);
  added.extensions = config->extensions;
  if (const media::ReceiveCodec* codec = config->codecOf(view->payloadType()))
    added.codec = codec->name;
  return first;
}

std::shared_ptr<const RtpPacketSink> PacketTap::take(std::vector<Packet>& out) {
  out.clear();
  std::swap(out, waiting_);
  return sink_;
}

void deliver(const PacketTap::Packet& packet, const RtpPacketSink& sink) {
  ReceivedRtpPacket shown;
  shown.packet = *rtp::PacketView::parse(packet.received.data.span());
  shown.headerExtensions = &packet.extensions;
  shown.codec = packet.codec;
  shown.rid = packet.received.rid;
  shown.arrival = packet.received.arrival;
  shown.repaired = packet.received.recovered;
  sink(shown);
}

Result<void> PeerConnectionCore::setPacketSink(uint32_t id, RtpPacketSink sink,
                                               PacketRepair repair) {
  const auto it = taps_.find(id);
  if (!sink) {
    if (it == taps_.end()) return ok();
    loop_->bury([gone = std::make_shared<PacketTap>(std::move(it->second))] {});
    taps_.erase(it);
    session()->handOnPackets(id, std::nullopt, loop_->now());
    afterCall(loop_->now());
    return ok();
  }
  if (it == taps_.end() && loop_->forwarding().isPublished(*this, id))
    return fail(ErrorCode::InvalidState, "the receiver is published in a Forwarder");
  if (it == taps_.end()) {
    taps_.emplace(id, PacketTap(std::move(sink)));
  } else {
    loop_->bury([former = it->second.replace(std::move(sink))] {});
  }
  session()->handOnPackets(id, repair, loop_->now());
  afterCall(loop_->now());
  return ok();
}

void PeerConnectionCore::takePacket(media::ReceivedPacket&& packet) {
  const uint32_t id = packet.receiver.value;
  const auto it = taps_.find(id);
  if (it == taps_.end()) return;
  if (it->second.add(std::move(packet), session()->receiveConfig(id)))
    queueTask([self = shared_from_this(), id] { self->deliverPackets(id); });
}

// Without the lock.
void PeerConnectionCore::deliverPackets(uint32_t id) {
  std::vector<PacketTap::Packet> packets;
  for (size_t next = 0;; ++next) {
    std::shared_ptr<const RtpPacketSink> sink;
    {
      const LoopCore::Lock lock(*loop_);
      const auto it = closed_ ? taps_.end() : taps_.find(id);
      // A callback of this very run may have closed the connection, or removed the sink.
      if (it == taps_.end()) return packets.clear();
      if (next == 0) {
        packets = std::move(tapMemory_);
        sink = it->second.take(packets);
      } else {
        sink = it->second.sink();
      }
      if (next == packets.size()) {
        packets.clear();
        tapMemory_ = std::move(packets);
        return;
      }
    }
    deliver(packets[next], *sink);
  }
}

}  // namespace api_internal

Result<void> RtpReceiver::setPacketSink(RtpPacketSink sink, PacketRepair repair) {
  const api_internal::LoopCore::Lock lock(core_->loop());
  const jsep::TransceiverState* state =
      core_->closed() ? nullptr : core_->transceiver(transceiver_);
  if (!state || state->stopping || state->stopped)
    return fail(ErrorCode::InvalidState, "the transceiver has stopped, or the connection closed");
  return core_->setPacketSink(transceiver_, std::move(sink), repair);
}

}  // namespace parley
