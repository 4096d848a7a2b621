#include "parley/srtp/srtp_session.h"

#include <algorithm>

#include "parley/base/bytes.h"

#include "srtp/transform.h"

namespace parley::srtp {
namespace {

bool looksLikeRtcp(ByteSpan packet) {
  return packet.size() >= kRtcpHeaderSize && packet[0] >> 6 == 2;
}

}  // namespace

const char* toString(Status status) {
  switch (status) {
    case Status::Ok:
      return "ok";
    case Status::AuthFailed:
      return "authentication failed";
    case Status::Replayed:
      return "replayed";
    case Status::Malformed:
      return "malformed";
    case Status::NoRoom:
      return "no room";
    case Status::TooManySources:
      return "too many sources";
    case Status::KeyExpired:
      return "key expired";
    case Status::Failed:
      return "failed";
  }
  return "";
}

Result<std::unique_ptr<SrtpSession>> SrtpSession::create(const crypto::SrtpKeying& keying,
                                                         bool isDtlsClient, SrtpOptions options) {
  const size_t keyLength = crypto::srtpKeyLength(keying.profile);
  const size_t saltLength = crypto::srtpSaltLength(keying.profile);
  if (keying.clientKey.size() != keyLength || keying.serverKey.size() != keyLength ||
      keying.clientSalt.size() != saltLength || keying.serverSalt.size() != saltLength) {
    return fail(ErrorCode::Range, "SRTP key or salt does not have the length of its profile.");
  }
  options.replayWindow = std::clamp<size_t>(options.replayWindow, 64, 0x7fff);

  std::unique_ptr<SrtpSession> session(new SrtpSession(keying.profile, options));
  const TransformConfig sending{keying.profile,
                                isDtlsClient ? keying.clientKey : keying.serverKey,
                                isDtlsClient ? keying.clientSalt : keying.serverSalt,
                                true,
                                options.replayWindow,
                                options.outboundHeaders};
  const TransformConfig receiving{keying.profile,
                                  isDtlsClient ? keying.serverKey : keying.clientKey,
                                  isDtlsClient ? keying.serverSalt : keying.clientSalt,
                                  false,
                                  options.replayWindow,
                                  options.inboundHeaders};
  if (options.engine == SrtpEngine::Ciphers) {
    session->outbound_.transform = makeCipherTransform(sending);
    session->inbound_.transform = makeCipherTransform(receiving);
    return session;
  }
  for (const TransformConfig* config : {&sending, &receiving}) {
    auto transform = makeLibraryTransform(*config);
    if (!transform) return fail(transform.error());
    (config->outbound ? session->outbound_ : session->inbound_).transform = *std::move(transform);
  }
  return session;
}

SrtpSession::SrtpSession(crypto::SrtpProfile profile, SrtpOptions options)
    : profile_(profile), options_(options) {
  inbound_.maxSources = std::max<size_t>(options.maxInboundSources, 1);
  outbound_.maxSources = std::max<size_t>(options.maxOutboundSources, 1);
  for (Direction* direction : {&inbound_, &outbound_}) {
    direction->sources.reserve(std::min<size_t>(direction->maxSources, 64));
  }
}

SrtpSession::~SrtpSession() = default;

bool SrtpSession::setHeaderEncryption(const HeaderEncryption& outbound,
                                      const HeaderEncryption& inbound) {
  return outbound_.transform->setHeaderEncryption(outbound) &&
         inbound_.transform->setHeaderEncryption(inbound);
}

bool SrtpSession::admits(const Direction& direction, uint32_t ssrc) {
  return direction.sources.size() < direction.maxSources || !direction.released.empty() ||
         std::find(direction.sources.rbegin(), direction.sources.rend(), ssrc) !=
             direction.sources.rend();
}

void SrtpSession::remember(Direction& direction, uint32_t ssrc) {
  if (!direction.released.empty()) std::erase(direction.released, ssrc);
  std::vector<uint32_t>& sources = direction.sources;
  // The most recent stand last: those that are in use are found at once.
  const auto found = std::find(sources.rbegin(), sources.rend(), ssrc);
  if (found != sources.rend()) {
    std::rotate(found.base() - 1, found.base(), sources.end());
    return;
  }
  if (sources.size() == direction.maxSources) forget(direction, direction.released.front());
  sources.push_back(ssrc);
}

void SrtpSession::forget(Direction& direction, uint32_t ssrc) {
  std::erase(direction.released, ssrc);
  if (std::erase(direction.sources, ssrc) > 0) direction.transform->forget(ssrc);
}

Status SrtpSession::protect(Kind kind, PacketBuf& packet) {
  const ByteSpan plain = packet.span();
  const bool sound = kind == Kind::Rtp ? rtpHeaderSize(plain) != 0 : looksLikeRtcp(plain);
  if (!sound) return Status::Malformed;
  const size_t trailer = tagSize(profile_, kind) + (kind == Kind::Rtcp ? kSrtcpIndexSize : 0);
  if (packet.writable().size() < plain.size() + trailer) return Status::NoRoom;
  const uint32_t ssrc = loadU32(&plain[kind == Kind::Rtp ? 8 : 4]);
  if (!admits(outbound_, ssrc)) return Status::TooManySources;

  const Status status = outbound_.transform->protect(kind, packet);
  if (status == Status::Ok) remember(outbound_, ssrc);
  return status;
}

Status SrtpSession::unprotect(Kind kind, PacketBuf& packet) {
  const ByteSpan sealed = packet.span();
  size_t least = tagSize(profile_, kind);
  if (kind == Kind::Rtp) {
    const size_t header = rtpHeaderSize(sealed);
    if (header == 0) return Status::Malformed;
    least += header;
  } else {
    if (!looksLikeRtcp(sealed)) return Status::Malformed;
    least += kRtcpHeaderSize + kSrtcpIndexSize;
  }
  if (sealed.size() < least) return Status::Malformed;
  const uint32_t ssrc = loadU32(&sealed[kind == Kind::Rtp ? 8 : 4]);
  if (!admits(inbound_, ssrc)) return Status::TooManySources;

  const Status status = inbound_.transform->unprotect(kind, packet);
  if (status == Status::Ok) remember(inbound_, ssrc);
  return status;
}

Status SrtpSession::protectRtp(PacketBuf& packet) {
  const Status status = protect(Kind::Rtp, packet);
  ++counters_.protectRtp[static_cast<size_t>(status)];
  return status;
}

Status SrtpSession::protectRtcp(PacketBuf& packet) {
  const Status status = protect(Kind::Rtcp, packet);
  ++counters_.protectRtcp[static_cast<size_t>(status)];
  return status;
}

Status SrtpSession::unprotectRtp(PacketBuf& packet) {
  const Status status = unprotect(Kind::Rtp, packet);
  ++counters_.unprotectRtp[static_cast<size_t>(status)];
  return status;
}

Status SrtpSession::unprotectRtcp(PacketBuf& packet) {
  const Status status = unprotect(Kind::Rtcp, packet);
  ++counters_.unprotectRtcp[static_cast<size_t>(status)];
  return status;
}

void SrtpSession::removeInbound(uint32_t ssrc) {
  forget(inbound_, ssrc);
}
void SrtpSession::releaseInbound(uint32_t ssrc) {
  const auto holds = [ssrc](const std::vector<uint32_t>& list) {
    return std::find(list.begin(), list.end(), ssrc) != list.end();
  };
  if (holds(inbound_.sources) && !holds(inbound_.released)) inbound_.released.push_back(ssrc);
}
void SrtpSession::removeOutbound(uint32_t ssrc) {
  forget(outbound_, ssrc);
}

}  // namespace parley::srtp
