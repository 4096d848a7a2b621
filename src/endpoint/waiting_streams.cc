#include "endpoint/waiting_streams.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "parley/stun/message.h"

namespace parley::endpoint {
namespace {

constexpr size_t kFrameHeader = 2;
constexpr size_t kStunHeader = 20;
/// Checks are far smaller: a user name of two fragments, a few attributes, integrity.
constexpr size_t kMaxCheck = 1024;

size_t firstSize(const WaitingStream& stream) {
  return static_cast<size_t>(stream.held.data()[0] << 8 | stream.held.data()[1]);
}

}  // namespace

std::optional<SocketId> WaitingStreams::add(WaitingStream&& stream) {
  const IpAddress& ip = stream.remote.ip;
  const auto isNeighbour = [&](const WaitingStream& other) { return other.remote.ip == ip; };
  auto victim = streams_.end();
  const auto neighbours = std::count_if(streams_.begin(), streams_.end(), isNeighbour);
  if (static_cast<size_t>(neighbours) >= kMaxPerAddress) {
    victim = std::find_if(streams_.begin(), streams_.end(), isNeighbour);
  } else if (streams_.size() >= max_) {
    victim = streams_.begin();
  }
  std::optional<SocketId> gone;
  if (victim != streams_.end()) {
    gone = victim->socket;
    streams_.erase(victim);
  }
  streams_.push_back(std::move(stream));
  return gone;
}

WaitingStream* WaitingStreams::find(SocketId socket) {
  const auto at = std::find_if(streams_.begin(), streams_.end(), [&](const WaitingStream& stream) {
    return stream.socket == socket;
  });
  return at == streams_.end() ? nullptr : &*at;
}

void WaitingStreams::remove(SocketId socket) {
  std::erase_if(streams_, [&](const WaitingStream& stream) { return stream.socket == socket; });
}

WaitingStreams::Verdict WaitingStreams::take(WaitingStream& stream, ByteSpan bytes) {
  const size_t have = stream.held.size();
  if (have + bytes.size() > PacketBuf::kMaxPayload) return Verdict::Close;
  stream.held.resize(have + bytes.size());
  std::memcpy(stream.held.data() + have, bytes.data(), bytes.size());
  return judge(stream);
}

WaitingStreams::Verdict WaitingStreams::judge(const WaitingStream& stream) {
  const size_t have = stream.held.size();
  if (have < kFrameHeader) return Verdict::Wait;
  const size_t size = firstSize(stream);
  if (size < kStunHeader || size > kMaxCheck) return Verdict::Close;
  // As soon as it can be told from what else might come to an open port.
  if (have >= kFrameHeader + kStunHeader) {
    const auto packet = stream.held.span().subspan(kFrameHeader);
    if (packet.size() >= size && !stun::Message::looksLikeStun(packet.first(size)))
      return Verdict::Close;
    if (packet[0] > 3) return Verdict::Close;  // RFC 7983: STUN begins with 0 to 3
  }
  return have < kFrameHeader + size ? Verdict::Wait : Verdict::Check;
}

ByteSpan WaitingStreams::firstPacket(const WaitingStream& stream) {
  return stream.held.span().subspan(kFrameHeader, firstSize(stream));
}

WaitingStreams::Verdict WaitingStreams::skipFirst(WaitingStream& stream) {
  // Moved to the front: there must be room for another whole packet behind it.
  const size_t gone = kFrameHeader + firstSize(stream);
  const size_t left = stream.held.size() - gone;
  std::memmove(stream.held.data(), stream.held.data() + gone, left);
  stream.held.resize(left);
  return judge(stream);
}

std::optional<SocketId> WaitingStreams::takeExpired(Timestamp now) {
  if (streams_.empty() || streams_.front().giveUpAt > now) return std::nullopt;
  const SocketId socket = streams_.front().socket;
  streams_.pop_front();
  return socket;
}

Timestamp WaitingStreams::nextDeadline() const {
  return streams_.empty() ? Timestamp::never() : streams_.front().giveUpAt;
}

}  // namespace parley::endpoint
