#include <algorithm>
#include <array>

#include "parley/stun/channel_data.h"
#include "parley/stun/turn.h"

#include "turn/server_core.h"

// The path of data (RFC 8656 sections 11 and 12). Everything here works where the packet lies.

namespace parley::turn {

using stun::AttributeType;

void ServerCore::handleChannelData(Allocation& allocation, PacketBuf packet, Ecn ecn,
                                   Timestamp now) {
  const auto message = stun::ChannelData::parse(packet.span(), stun::kMaxChannelRfc5766);
  if (!message) {
    ++counters_.malformed;
    return;
  }
  const Allocation::Channel* channel = allocation.channelBy(message->channel, now);
  if (!channel) {
    ++counters_.droppedNoPermission;
    return;
  }
  const size_t size = message->data.size();
  packet.trimFront(stun::kChannelHeaderSize);
  packet.resize(size);
  toPeer(allocation, channel->peer, std::move(packet), ecn, now);
}

void ServerCore::handleSend(const stun::Message& message, Allocation& allocation, PacketBuf packet,
                            Ecn ecn, Timestamp now) {
  const auto peer = message.xorAddress(AttributeType::XorPeerAddress);
  const auto data = message.find(AttributeType::Data);
  std::array<uint16_t, 1> unknown;
  const auto known = [](AttributeType type) {
    return stun::isKnownForTurn(type) && type != AttributeType::DontFragment;
  };
  if (!peer || peer->port == 0 || !data || message.unknownRequired(unknown, known) != 0) {
    ++counters_.malformed;
    return;
  }
  const auto offset = static_cast<size_t>(data->data() - packet.data());
  const size_t size = data->size();
  packet.trimFront(offset);
  packet.resize(size);
  toPeer(allocation, *peer, std::move(packet), ecn, now);
}

void ServerCore::toPeer(Allocation& allocation, const SocketAddress& peer, PacketBuf data, Ecn ecn,
                        Timestamp now) {
  const Allocation::Relay& relay = allocation.relay(peer.ip.family());
  if (!relay.open || allocation.tcp || !allocation.permits(peer.ip, now)) {
    ++counters_.droppedNoPermission;
    return;
  }
  const size_t size = data.size();
  if (!allocation.toPeers.take(size, now) || !allocation.account->rate.take(size, now) ||
      !rate_.take(size, now)) {
    ++counters_.droppedRate;
    return;
  }
  ++counters_.packetsToPeers;
  counters_.bytesToPeers += size;
  allocation.bytesToPeers += size;
  if (isOwnRelay(peer.ip)) {
    const auto other = relayAddresses_.find(peer);
    if (other != relayAddresses_.end()) {
      fromPeer(other->second.slot, relay.advertised, std::move(data), ecn, now);
      return;
    }
    // The permission is for the address; what else lives on it is not covered by that.
    if (!mayReach(peer.ip)) {
      ++counters_.forbiddenPeers;
      return;
    }
  }
  TxPacket out;
  out.socket = relay.socket;
  out.to = peer;
  out.from = relay.bound.ip;
  out.ecn = ecn;
  out.txClass = TxClass::Bulk;
  out.data = std::move(data);
  push(std::move(out));
}

void ServerCore::fromPeer(uint32_t slot, const SocketAddress& peer, PacketBuf data, Ecn ecn,
                          Timestamp now) {
  Allocation& allocation = *slots_[slot];
  if (allocation.pending || !allocation.permits(peer.ip, now)) {
    ++counters_.droppedNoPermission;
    return;
  }
  const size_t size = data.size();
  if (!allocation.toClient.take(size, now) || !allocation.account->rate.take(size, now) ||
      !rate_.take(size, now)) {
    ++counters_.droppedRate;
    return;
  }
  const Allocation::Channel* channel = allocation.channelTo(peer, now);
  const bool wrapped = channel ? stun::prependChannelHeader(data, channel->number)
                               : stun::wrapInIndication(data, stun::Method::Data,
                                                        stun::newTransactionId(env_.random), peer);
  if (!wrapped) {
    ++counters_.droppedFull;
    return;
  }
  if (!transmit(allocation.client, std::move(data), TxClass::Bulk, ecn, now)) return;
  ++counters_.packetsToClients;
  counters_.bytesToClients += size;
  allocation.bytesToClient += size;
}

}  // namespace parley::turn
