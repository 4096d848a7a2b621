// The largest packet that the path carries, without ICMP (in the manner of RFC 8899).
//
// The first COOKIE ECHOs are filled up to the largest size, so that the one that is answered has
// shown what passes, and the usual call knows before its data. Where only smaller ones come
// through, the rest is up to probes: a HEARTBEAT with a PAD chunk (RFC 4820) behind it, alone in
// its packet. Both are for peers that announce PAD: others may drop what they do not know, and are
// sent the largest size without a proof.
//
// More than `AssociationConfig::mtu` is probed for if `maxMtu` says so, and given up when packets
// of that size no longer arrive. Chunks stay within `mtu`: larger packets hold more than one.
//
// A chunk is cut once and keeps its TSN, so that it cannot shrink again. If the path narrows while
// chunks are under way, RFC 9260 section 6.9 leaves them to IP fragmentation, and so do we: our
// sockets let routers fragment.

#include <algorithm>
#include <utility>

#include "sctp/engine/native_association.h"

namespace parley::sctp {
namespace {

/// What every path carries: behind 28 bytes of UDP and IPv4 and 37 of DTLS it fits 576 (RFC 791).
constexpr size_t kSafeMtu = 508;
/// Behind 48 bytes of UDP and IPv6, 37 of DTLS and 4 of TURN it fits 1000.
constexpr size_t kMiddleMtu = 896;
constexpr int kTriesPerSize = 2;
constexpr uint16_t kHeartbeatInfo = 1;
constexpr Duration kVerifyInterval = Duration::seconds(1);

}  // namespace

/// A handshake that needed no repetition gives no reason for doubt, though the peer's COOKIE ECHO
/// may have come before the answer to ours. Else small packets do until a larger one has passed.
void NativeAssociation::beginPath() {
  if (!peer_.padding || handshakeAttempts_ <= 1) return;
  config_.mtu = std::min(fullMtu_, handshakeAttempts_ <= 2 * kTriesPerSize ? kMiddleMtu : kSafeMtu);
}

void NativeAssociation::notePassed(size_t size) {
  if (verifying_ && size >= config_.mtu) {
    verifying_ = false;
    pathProbeTimer_ = Timestamp::never();
  }
  if (size <= config_.mtu) return;
  config_.mtu = std::min(size, maxMtu_);
  pathProbeTimer_ = Timestamp::never();
  if (isUp()) probePath(config_.mtu == fullMtu_ ? 0 : pathProbes_);
}

/// Losses may be those of large packets alone: two questions of that size tell.
void NativeAssociation::verifyPath() {
  if (config_.mtu <= fullMtu_ || verifying_ || now_ < verifyFrom_) return;
  verifying_ = true;
  verifyFrom_ = now_ + kVerifyInterval;
  probePath(0);
}

/// RFC 8899 section 4.3 (black hole detection): back to the size that a path has to carry. With the
/// next heartbeats more is asked for again.
void NativeAssociation::leaveLargePackets() {
  verifying_ = false;
  if (config_.mtu <= fullMtu_) return;
  config_.mtu = fullMtu_;
  pathProbes_ = 2 * kTriesPerSize;
  pathProbeDue_ = false;
  pathProbeTimer_ = Timestamp::never();
}

/// An answer that does not come may mean that the packet was too large: two tries of each size.
bool NativeAssociation::buildCookieEcho(PacketBuilder& b) {
  if (!b.add(chunk::kCookieEcho, 0, cookie_)) return false;
  size_t size = 0;
  if (peer_.padding && handshakeAttempts_ < 2 * kTriesPerSize)
    size = handshakeAttempts_ < kTriesPerSize ? fullMtu_ : std::min(fullMtu_, kMiddleMtu);
  if (size > b.size() + 4) b.pad(size);
  cookieEchoSize_ = b.size();
  return true;
}

void NativeAssociation::probePath(int attempt) {
  pathProbes_ = attempt;
  pathProbeDue_ = pathProbeSize() != 0;
}

/// 0: nothing to probe, or tried often enough for now.
size_t NativeAssociation::pathProbeSize() const {
  if (verifying_) return pathProbes_ < kTriesPerSize ? config_.mtu : 0;
  const bool isBelow = config_.mtu < fullMtu_;
  if (!isBelow && (config_.mtu >= maxMtu_ || !peer_.padding)) return 0;
  if (pathProbes_ < kTriesPerSize) return isBelow ? fullMtu_ : maxMtu_;
  const size_t middle =
      isBelow ? std::min(fullMtu_, kMiddleMtu) : (fullMtu_ + (maxMtu_ - fullMtu_) / 2) & ~size_t{3};
  return pathProbes_ < 2 * kTriesPerSize && config_.mtu < middle ? middle : 0;
}

/// A lost probe costs nothing but the time in which smaller packets are sent.
Duration NativeAssociation::pathPatience() const {
  constexpr Duration kAtLeast = Duration::millis(20);
  return rtt_.hasSample() ? std::max(rtt_.smoothed() * 2, kAtLeast) : rtt_.handshakeRto();
}

void NativeAssociation::onPathProbeTimer() {
  pathProbeTimer_ = Timestamp::never();
  if (verifying_ && pathProbes_ >= kTriesPerSize) {
    leaveLargePackets();
    return;
  }
  probePath(pathProbes_);
}

bool NativeAssociation::buildPathProbe(PacketBuf& out) {
  const size_t size = pathProbeSize();
  if (!isUp() || size == 0) {
    pathProbeDue_ = false;
    return false;
  }
  PacketBuf packet = env_.pool.allocate();
  if (!packet) return false;
  PacketBuilder b(packet, size, config_.localPort, config_.remotePort, peerTag_);
  uint8_t* p = b.add(chunk::kHeartbeat, 0, 12);
  storeU16(p, kHeartbeatInfo);
  storeU16(p + 2, 12);
  storeU64(p + 4, ++pathProbeNonce_);
  b.pad(size);
  b.finish();
  finishPacket(packet, false);
  pathProbeDue_ = false;
  ++pathProbes_;
  pathProbeSizes_[pathProbeNonce_ % pathProbeSizes_.size()] = size;
  pathProbeTimer_ = now_ + pathPatience();
  lastIsPathProbe_ = true;
  out = std::move(packet);
  return true;
}

}  // namespace parley::sctp
