// Setting up (RFC 9260 section 5). Both sides send INIT: the collision of section 5.2 is the normal
// case.

#include <algorithm>
#include <utility>

#include "sctp/engine/native_association.h"

namespace parley::sctp {
namespace {

constexpr uint16_t kCauseProtocolViolation = 13;

}  // namespace

InitChunk NativeAssociation::ownInit(uint32_t tag, uint32_t tsn) const {
  InitChunk init;
  init.tag = tag;
  init.receiverWindow = static_cast<uint32_t>(receiveTarget_);
  init.outgoingStreams = init.incomingStreams = std::max<uint16_t>(config_.streams, 1);
  init.initialTsn = tsn;
  init.forwardTsn = true;
  init.reConfig = true;
  init.interleaving = config_.interleaving;
  init.zeroChecksum = config_.zeroChecksum;
  init.padding = true;
  return init;
}

void NativeAssociation::handleInit(const ChunkView& c) {
  if (phase_ == Phase::ShutdownAckSent) {
    // Section 9.2: one that begins anew while this association ends has not heard of the end.
    shutdownDue_ = true;
    return;
  }
  const std::optional<InitChunk> init = parseInit(c.value);
  if (!init) return;
  StateCookie cookie;
  cookie.secret = cookieSecret_;
  cookie.peer = PeerInit::from(*init);
  uint32_t tag = localTag_;
  uint32_t tsn = localTsn_;
  if (isUp()) {
    // Section 5.2.2: an INIT in the middle. Either a late one, which gets an answer that leads
    // nowhere, or a peer that starts anew: then its COOKIE ECHO will tell.
    do {
      tag = env_.random.u32();
    } while (tag == 0 || tag == localTag_);
    tsn = env_.random.u32();
    cookie.localTieTag = localTag_;
    cookie.peerTieTag = peerTag_;
  }
  cookie.localTag = tag;
  InitChunk answer = ownInit(tag, tsn);
  // Nobody sends without checksums who did not say so himself, and some implementations drop what
  // has parameters that they do not know (Pion until 1.8.8): then their own INIT gets through.
  answer.zeroChecksum = answer.zeroChecksum && init->zeroChecksum;
  answer.cookie = cookie.write();
  answer.unknown = init->unknown;
  queueReply({chunk::kInitAck, 0, init->tag, writeInit(answer)});
}

void NativeAssociation::handleInitAck(const ChunkView& c) {
  if (phase_ != Phase::CookieWait) return;
  std::optional<InitChunk> init = parseInit(c.value);
  if (!init || init->cookie.empty() || init->cookie.size() + kCommonHeaderSize + 4 > fullMtu_) {
    return;
  }
  if (handshakeAttempts_ == 1) noteRtt(now_ - handshakeSentAt_);
  adopt(PeerInit::from(*init));
  cookie_ = std::move(init->cookie);
  phase_ = Phase::CookieEchoed;
  initDue_ = false;
  cookieEchoDue_ = true;
  handshakeAttempts_ = 0;
  handshakeTimer_ = Timestamp::never();
}

/// Takes over what the peer announced about itself.
void NativeAssociation::adopt(const PeerInit& peer) {
  peer_ = peer;
  peerTag_ = peer.tag;
  peerWindow_ = peer.receiverWindow;
  received_.start(peer.initialTsn);
  expectedRequest_ = peer.initialTsn;
}

void NativeAssociation::handleCookieEcho(const ChunkView& c, uint32_t tag) {
  const std::optional<StateCookie> cookie = StateCookie::parse(c.value, cookieSecret_);
  if (!cookie || cookie->localTag != tag) return;
  if (phase_ == Phase::CookieWait || phase_ == Phase::CookieEchoed) {
    // Section 5.2.4, cases B and D: our tag, and the peer's as it is now.
    if (cookie->localTag != localTag_) return;
    adopt(cookie->peer);
    cookieAckDue_ = true;
    establish();
    return;
  }
  if (!isUp()) return;
  if (cookie->localTag == localTag_ && cookie->peer.tag == peerTag_) {
    cookieAckDue_ = true;  // the first COOKIE ACK was lost
    return;
  }
  // Case A: the peer has restarted. RFC 8261 ties an association to its DTLS connection: a peer
  // that starts anew within one has lost all channels, and so have we.
  if (cookie->localTieTag == localTag_ && cookie->peerTieTag == peerTag_) {
    peerTag_ = cookie->peer.tag;
    failWith(kCauseProtocolViolation, "the peer restarted the association");
  }
}

void NativeAssociation::handleCookieAck() {
  const size_t passed = std::exchange(cookieEchoSize_, 0);
  if (phase_ != Phase::CookieEchoed) {
    notePassed(passed);
    return;
  }
  if (handshakeAttempts_ == 1) noteRtt(now_ - handshakeSentAt_);
  establish();
  notePassed(passed);
}

void NativeAssociation::establish() {
  beginPath();
  phase_ = Phase::Established;
  initDue_ = cookieEchoDue_ = false;
  handshakeTimer_ = Timestamp::never();
  cookie_ = {};
  rtt_.clearBackoff();
  const bool interleaving = config_.interleaving && peer_.interleaving;
  scheduler_.setInterleaving(interleaving, peerWindow_);
  outstanding_.start(localTsn_, interleaving, !isOwnKind());
  forwardSent_ = outstanding_.forwardPoint();
  reassembly_.setInterleaving(interleaving);
  streams_ = std::min({config_.streams, peer_.outgoingStreams, peer_.incomingStreams});
  windowSince_ = now_;
  advertised_ = static_cast<uint32_t>(receiveTarget_);
  heartbeatTimer_ = now_ + Duration::seconds(30);
  // The peer's COOKIE ECHO may have come before the answer to ours.
  if (config_.mtu < fullMtu_ || (peer_.padding && config_.mtu < maxMtu_))
    pathProbeTimer_ = now_ + pathPatience();
  PARLEY_LOG(env_.log, Info, "sctp", "association up, %u streams%s", unsigned{streams_},
             interleaving ? ", interleaving" : "");
  setState(AssociationState::Connected);
}

}  // namespace parley::sctp
