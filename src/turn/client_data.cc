#include <algorithm>
#include <utility>

#include "parley/stun/channel_data.h"
#include "parley/stun/turn.h"

#include "turn/client_core.h"

// Permissions, channels, and the data that they carry.

namespace parley::turn {
namespace {

using stun::AttributeType;

/// RFC 8656 section 9: 300 s; section 12: 600 s. Asked anew a minute before.
constexpr Duration kPermissionLifetime = Duration::seconds(300);
constexpr Duration kPermissionRefresh = Duration::seconds(240);
constexpr Duration kChannelLifetime = Duration::seconds(600);
constexpr Duration kChannelRefresh = Duration::seconds(540);
/// A peer that nothing was sent to for so long loses its permission.
constexpr Duration kUnused = Duration::seconds(300);
constexpr size_t kMaxPermissions = 128;
constexpr size_t kMaxChannels = 128;
constexpr size_t kMaxBatch = 16;

bool isStun(ByteSpan data) {
  return !data.empty() && data[0] <= 3;
}

}  // namespace

bool ClientCore::reaches(const IpAddress& peer) const {
  return std::any_of(relayed_.begin(), relayed_.end(), [&](const SocketAddress& address) {
    return address.ip.family() == peer.family();
  });
}

// ---- permissions ----

ClientCore::Permission* ClientCore::findPermission(const IpAddress& ip) {
  for (Permission& permission : permissions_) {
    if (permission.ip == ip) return &permission;
  }
  return nullptr;
}

ClientCore::Permission& ClientCore::permissionFor(const IpAddress& ip, Timestamp now) {
  if (Permission* known = findPermission(ip)) {
    known->usedAt = now;
    return *known;
  }
  if (permissions_.size() == kMaxPermissions) {
    const auto oldest = std::min_element(
        permissions_.begin(), permissions_.end(),
        [](const Permission& a, const Permission& b) { return a.usedAt < b.usedAt; });
    permissions_.erase(oldest);
  }
  Permission fresh;
  fresh.ip = ip;
  fresh.dueAt = fresh.usedAt = now;
  permissions_.push_back(fresh);
  return permissions_.back();
}

void ClientCore::permit(const IpAddress& peer, Timestamp now) {
  now = clock_.clamp(now);
  if (isDone() || state_ == State::Closing || peer.isUnspecified()) return;
  if (state_ == State::Allocated && !reaches(peer)) return;
  permissionFor(peer, now);
  pump(now);
}

/// One CreatePermission for all that are due (RFC 8656 section 9.1 allows many peers).
void ClientCore::askPermissions(Timestamp now) {
  std::erase_if(permissions_, [&](const Permission& permission) {
    return permission.dueAt <= now &&
           (!reaches(permission.ip) || now - permission.usedAt > kUnused || permission.refused);
  });
  std::vector<IpAddress> batch;
  for (Permission& permission : permissions_) {
    if (permission.dueAt > now) continue;
    permission.dueAt = Timestamp::never();
    if (permission.alone) {
      ask({Kind::Permit, 1, {permission.ip}}, now);
      continue;
    }
    batch.push_back(permission.ip);
    if (batch.size() == kMaxBatch) ask({Kind::Permit, 1, std::exchange(batch, {})}, now);
  }
  if (!batch.empty()) ask({Kind::Permit, 1, std::move(batch)}, now);
}

void ClientCore::permitted(const Request& request, Timestamp now) {
  for (const IpAddress& ip : request.peers) {
    Permission* permission = findPermission(ip);
    if (!permission) continue;
    permission->installed = true;
    permission->refused = permission->alone = false;
    permission->expiresAt = now + kPermissionLifetime;
    permission->dueAt = now + kPermissionRefresh;
  }
  flushWaiting(now);
}

void ClientCore::permissionRefused(const Request& request, Timestamp now, Duration again,
                                   bool final) {
  const bool several = request.peers.size() > 1;
  for (const IpAddress& ip : request.peers) {
    Permission* permission = findPermission(ip);
    if (!permission) continue;
    // One forbidden peer spoils the whole request: the others are asked for again, each alone.
    permission->alone = several;
    permission->refused = final && !several;
    permission->installed = permission->installed && !permission->refused;
    permission->dueAt = several && final ? now : now + again;
  }
  flushWaiting(now);
  if (several && final) askPermissions(now);
}

/// Sends what waited for permissions that came, and drops what waited for those that will not.
void ClientCore::flushWaiting(Timestamp now) {
  for (size_t count = waiting_.size(); count > 0; --count) {
    TxPacket packet = waiting_.pop();
    const Permission* permission = findPermission(packet.to.ip);
    if (!permission || permission->refused) {
      ++counters_.dataDropped;
    } else if (permission->installed) {
      sendNow(std::move(packet), now);
    } else {
      waiting_.push(std::move(packet));
    }
  }
}

// ---- channels ----

ClientCore::Channel* ClientCore::findChannel(const SocketAddress& peer) {
  for (Channel& channel : channels_) {
    if (channel.peer == peer) return &channel;
  }
  return nullptr;
}

void ClientCore::askChannels(Timestamp now) {
  for (Channel& channel : channels_) {
    if (channel.dueAt > now) continue;
    channel.dueAt = Timestamp::never();
    ask({Kind::BindChannel, 1, {}, channel.peer, channel.number}, now);
  }
}

void ClientCore::bound(const Request& request, Timestamp now) {
  Channel* channel = findChannel(request.peer);
  if (!channel) return;
  channel->state = ChannelState::Bound;
  channel->expiresAt = now + kChannelLifetime;
  channel->dueAt = now + kChannelRefresh;
  // RFC 8656 section 12.2: a binding installs or refreshes the permission, too.
  if (Permission* permission = findPermission(request.peer.ip)) {
    permission->installed = true;
    permission->refused = false;
    permission->expiresAt = now + kPermissionLifetime;
  }
}

void ClientCore::bindingRefused(const Request& request, bool final, Timestamp now) {
  Channel* channel = findChannel(request.peer);
  if (!channel) return;
  if (final) {
    // Indications do as well; a server that has no channel left need not be asked again.
    channel->state = ChannelState::Refused;
  } else {
    channel->dueAt = now + Duration::seconds(5);
  }
}

// ---- out ----

bool ClientCore::send(TxPacket&& packet, Timestamp now) {
  now = clock_.clamp(now);
  if (state_ != State::Allocated || config_.tcpRelay || !reaches(packet.to.ip) ||
      packet.data.empty()) {
    ++counters_.dataDropped;
    return false;
  }
  Permission& permission = permissionFor(packet.to.ip, now);
  if (permission.refused) {
    ++counters_.dataDropped;
    return false;
  }
  if (permission.installed && permission.expiresAt > now) return sendNow(std::move(packet), now);
  permission.installed = false;
  if (!waiting_.push(std::move(packet))) {
    ++counters_.dataDropped;
    return false;
  }
  askPermissions(now);
  return true;
}

bool ClientCore::sendNow(TxPacket&& packet, Timestamp now) {
  Channel* channel = findChannel(packet.to);
  if (!channel && !isStun(packet.data.span()) && channels_.size() < kMaxChannels) {
    // A number is never used for two peers: RFC 8656 section 12 has it blocked for five minutes.
    channels_.push_back({packet.to, nextChannel_++});
    ask({Kind::BindChannel, 1, {}, packet.to, channels_.back().number}, now);
    channel = nullptr;
  }
  const bool useChannel =
      channel && channel->state == ChannelState::Bound && channel->expiresAt > now;
  const bool wrapped = useChannel
                           ? stun::prependChannelHeader(packet.data, channel->number)
                           : stun::wrapInIndication(packet.data, stun::Method::Send,
                                                    stun::newTransactionId(env_.random), packet.to);
  lastSentAt_ = now;
  if (!wrapped || !link_->send(std::move(packet), now)) {
    ++counters_.dataDropped;
    return false;
  }
  ++counters_.dataSent;
  return true;
}

// ---- in ----

void ClientCore::handleFrame(PacketBuf frame, Timestamp now) {
  if (stun::ChannelData::looksLikeChannelData(frame.span())) {
    handleChannelData(std::move(frame));
    return;
  }
  const auto message = stun::Message::parse(frame.span());
  if (!message || stun::verifyFingerprint(*message) == stun::IntegrityCheck::Wrong) {
    ++counters_.malformed;
    return;
  }
  switch (message->messageClass()) {
    case stun::Class::Success:
    case stun::Class::Error:
      handleResponse(*message, now);
      break;
    case stun::Class::Indication:
      if (message->method() == stun::Method::ConnectionAttempt) {
        handleAttempt(*message, now);
      } else if (message->method() == stun::Method::Data) {
        handleDataIndication(*message, std::move(frame));
      }
      break;
    case stun::Class::Request:
      break;  // a server asks nothing
  }
}

void ClientCore::handleChannelData(PacketBuf frame) {
  const auto message = stun::ChannelData::parse(frame.span());
  const auto channel =
      message ? std::find_if(channels_.begin(), channels_.end(),
                             [&](const Channel& c) { return c.number == message->channel; })
              : channels_.end();
  if (channel == channels_.end()) {
    ++(message ? counters_.strayData : counters_.malformed);
    return;
  }
  deliver(channel->peer, std::move(frame), stun::kChannelHeaderSize, message->data.size());
}

void ClientCore::handleDataIndication(const stun::Message& message, PacketBuf frame) {
  const auto peer = message.xorAddress(AttributeType::XorPeerAddress);
  const auto value = message.find(AttributeType::Data);
  if (message.has(AttributeType::Icmp)) {
    // RFC 8656 section 11.6: soft errors must not end anything; paths are ICE's to judge.
    ++counters_.icmpErrors;
    return;
  }
  if (!peer || !value) {
    ++counters_.malformed;
    return;
  }
  if (!findPermission(peer->ip)) {
    ++counters_.strayData;
    return;
  }
  const auto offset = static_cast<size_t>(value->data() - frame.data());
  deliver(*peer, std::move(frame), offset, value->size());
}

void ClientCore::deliver(const SocketAddress& peer, PacketBuf frame, size_t offset, size_t size) {
  frame.trimFront(offset);
  frame.resize(size);
  SocketAddress relayed;
  for (const SocketAddress& address : relayed_) {
    if (address.ip.family() == peer.ip.family()) relayed = address;
  }
  if (!data_.push(PeerData{peer, relayed, std::move(frame), Ecn::NotEct})) {
    ++counters_.dataDropped;
    return;
  }
  ++counters_.dataReceived;
}

Timestamp ClientCore::dataDeadline() const {
  Timestamp next = Timestamp::never();
  for (const Permission& permission : permissions_) next = earliest(next, permission.dueAt);
  for (const Channel& channel : channels_) next = earliest(next, channel.dueAt);
  return next;
}

}  // namespace parley::turn
