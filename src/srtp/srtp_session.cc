#include "parley/srtp/srtp_session.h"

#include <algorithm>
#include <cstring>

#include <srtp2/srtp.h>

#include "parley/base/bytes.h"
#include "parley/base/check.h"
#include "parley/crypto/const_time.h"

namespace parley::srtp {
namespace {

constexpr size_t kRtpHeaderSize = 12;
constexpr size_t kRtcpHeaderSize = 8;
constexpr size_t kSrtcpIndexSize = 4;

bool isGcm(crypto::SrtpProfile profile) {
  return profile == crypto::SrtpProfile::AeadAes128Gcm ||
         profile == crypto::SrtpProfile::AeadAes256Gcm;
}

srtp_profile_t libraryProfile(crypto::SrtpProfile profile) {
  switch (profile) {
    case crypto::SrtpProfile::Aes128CmHmacSha1_80:
      return srtp_profile_aes128_cm_sha1_80;
    case crypto::SrtpProfile::Aes128CmHmacSha1_32:
      return srtp_profile_aes128_cm_sha1_32;
    case crypto::SrtpProfile::AeadAes128Gcm:
      return srtp_profile_aead_aes_128_gcm;
    case crypto::SrtpProfile::AeadAes256Gcm:
      return srtp_profile_aead_aes_256_gcm;
  }
  return srtp_profile_reserved;
}

Status statusOf(srtp_err_status_t status) {
  switch (status) {
    case srtp_err_status_ok:
      return Status::Ok;
    case srtp_err_status_auth_fail:
      return Status::AuthFailed;
    case srtp_err_status_replay_fail:
    case srtp_err_status_replay_old:
    case srtp_err_status_pkt_idx_old:
      return Status::Replayed;
    case srtp_err_status_bad_param:
    case srtp_err_status_parse_err:
    case srtp_err_status_no_ctx:
    case srtp_err_status_bad_mki:
    case srtp_err_status_cant_check:
      return Status::Malformed;
    case srtp_err_status_key_expired:
      return Status::KeyExpired;
    default:
      return Status::Failed;
  }
}

/// Size of header, CSRCs and header extension; 0 if they do not fit in the packet (RFC 3550 section
/// 5.1). libsrtp checks too, but computes some lengths before it does.
size_t rtpHeaderSize(ByteSpan packet) {
  if (packet.size() < kRtpHeaderSize || packet[0] >> 6 != 2) return 0;
  size_t size = kRtpHeaderSize + size_t{4} * (packet[0] & 15);
  if ((packet[0] & 0x10) != 0) {
    if (packet.size() < size + 4) return 0;
    size += 4 + size_t{4} * loadU16(&packet[size + 2]);
  }
  return packet.size() < size ? 0 : size;
}

bool looksLikeRtcp(ByteSpan packet) {
  return packet.size() >= kRtcpHeaderSize && packet[0] >> 6 == 2;
}

srtp_t contextOf(void* context) {
  return static_cast<srtp_t>(context);
}

srtp_err_status_t makeContext(crypto::SrtpProfile profile, const crypto::Secret& key,
                              const crypto::Secret& salt, srtp_ssrc_type_t direction,
                              size_t replayWindow, void** out) {
  std::array<uint8_t, 2 * crypto::Secret::kMaxSize> keyAndSalt{};
  std::copy_n(key.span().begin(), key.size(), keyAndSalt.begin());
  std::copy_n(salt.span().begin(), salt.size(), keyAndSalt.begin() + key.size());

  srtp_policy_t policy{};
  policy.ssrc.type = direction;
  policy.key = keyAndSalt.data();
  policy.window_size = replayWindow;
  // Retransmissions without RTX send the very same packet again, to the byte: media sees to that,
  // as GCM would not survive another one under the same nonce.
  policy.allow_repeat_tx = 1;
  const srtp_profile_t libProfile = libraryProfile(profile);
  srtp_err_status_t status = srtp_crypto_policy_set_from_profile_for_rtp(&policy.rtp, libProfile);
  if (status == srtp_err_status_ok) {
    status = srtp_crypto_policy_set_from_profile_for_rtcp(&policy.rtcp, libProfile);
  }
  srtp_t context = nullptr;
  if (status == srtp_err_status_ok) status = srtp_create(&context, &policy);
  crypto::wipe(keyAndSalt);
  *out = context;
  return status;
}

/// libsrtp keeps a process-wide table of ciphers, filled once and only read afterwards. It is never
/// taken down: other users of libsrtp in the process may still need it.
struct Library {
  srtp_err_status_t status = srtp_init();
  /// With NSS every context opens the library, and the last one to go unloads it: this one stays.
  void* keeper = nullptr;
  Library() {
    if (status != srtp_err_status_ok) return;
    const std::array<uint8_t, 16> key{};
    const crypto::Secret keySecret{ByteSpan(key)};
    const crypto::Secret salt{ByteSpan(key).first(12)};
    // Without GCM in libsrtp there is nothing to keep.
    (void)makeContext(crypto::SrtpProfile::AeadAes128Gcm, keySecret, salt, ssrc_any_inbound, 64,
                      &keeper);
  }
};

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

bool prepareLibrary() {
  static const Library library;
  return library.status == srtp_err_status_ok;
}

Result<std::unique_ptr<SrtpSession>> SrtpSession::create(const crypto::SrtpKeying& keying,
                                                         bool isDtlsClient, SrtpOptions options) {
  const size_t keyLength = crypto::srtpKeyLength(keying.profile);
  const size_t saltLength = crypto::srtpSaltLength(keying.profile);
  if (keying.clientKey.size() != keyLength || keying.serverKey.size() != keyLength ||
      keying.clientSalt.size() != saltLength || keying.serverSalt.size() != saltLength) {
    return fail(ErrorCode::Range, "SRTP key or salt does not have the length of its profile.");
  }
  if (!prepareLibrary()) return fail(ErrorCode::Operation, "libsrtp failed to initialise.");
  options.replayWindow = std::clamp<size_t>(options.replayWindow, 64, 0x7fff);

  std::unique_ptr<SrtpSession> session(new SrtpSession(keying.profile, options));
  const crypto::Secret& sendKey = isDtlsClient ? keying.clientKey : keying.serverKey;
  const crypto::Secret& sendSalt = isDtlsClient ? keying.clientSalt : keying.serverSalt;
  const crypto::Secret& receiveKey = isDtlsClient ? keying.serverKey : keying.clientKey;
  const crypto::Secret& receiveSalt = isDtlsClient ? keying.serverSalt : keying.clientSalt;
  srtp_err_status_t status = makeContext(keying.profile, sendKey, sendSalt, ssrc_any_outbound,
                                         options.replayWindow, &session->outbound_.context);
  if (status == srtp_err_status_ok) {
    status = makeContext(keying.profile, receiveKey, receiveSalt, ssrc_any_inbound,
                         options.replayWindow, &session->inbound_.context);
  }
  if (status == srtp_err_status_bad_param || status == srtp_err_status_no_such_op) {
    return fail(ErrorCode::NotSupported, "libsrtp was built without this SRTP profile.");
  }
  if (status != srtp_err_status_ok) {
    return fail(ErrorCode::Operation, "libsrtp could not set up the SRTP keys.");
  }
  return session;
}

SrtpSession::SrtpSession(crypto::SrtpProfile profile, SrtpOptions options)
    : profile_(profile), options_(options) {
  inbound_.maxSources = std::max<size_t>(options.maxInboundSources, 1);
  outbound_.maxSources = std::max<size_t>(options.maxOutboundSources, 1);
  for (Direction* direction : {&inbound_, &outbound_}) {
    direction->sources.reserve(direction->maxSources);
    direction->released.reserve(direction->maxSources);
  }
}

SrtpSession::~SrtpSession() {
  // srtp_dealloc overwrites the session keys.
  if (inbound_.context != nullptr) srtp_dealloc(contextOf(inbound_.context));
  if (outbound_.context != nullptr) srtp_dealloc(contextOf(outbound_.context));
}

size_t SrtpSession::tagSize(Kind kind) const {
  if (isGcm(profile_)) return 16;
  // RFC 5764 section 4.1.2: also the 32-bit profile has 80 bits on SRTCP.
  return profile_ == crypto::SrtpProfile::Aes128CmHmacSha1_32 && kind == Kind::Rtp ? 4 : 10;
}

bool SrtpSession::admits(const Direction& direction, uint32_t ssrc) {
  return direction.sources.size() < direction.maxSources || !direction.released.empty() ||
         std::find(direction.sources.begin(), direction.sources.end(), ssrc) !=
             direction.sources.end();
}

void SrtpSession::remember(Direction& direction, uint32_t ssrc) {
  if (!direction.released.empty()) std::erase(direction.released, ssrc);
  std::vector<uint32_t>& sources = direction.sources;
  // The most recent stands last: bursts of one source are found at once.
  if (!sources.empty() && sources.back() == ssrc) return;
  const auto found = std::find(sources.begin(), sources.end(), ssrc);
  if (found != sources.end()) {
    std::swap(*found, sources.back());
    return;
  }
  if (sources.size() == direction.maxSources) forget(direction, direction.released.front());
  sources.push_back(ssrc);
}

void SrtpSession::forget(Direction& direction, uint32_t ssrc) {
  std::erase(direction.released, ssrc);
  if (std::erase(direction.sources, ssrc) == 0) return;
  // libsrtp wants the four octets as they stand in the packet.
  uint8_t octets[4];
  storeU32(octets, ssrc);
  unsigned int wire = 0;
  std::memcpy(&wire, octets, sizeof octets);
  srtp_remove_stream(contextOf(direction.context), wire);
}

Status SrtpSession::protect(Kind kind, PacketBuf& packet) {
  const ByteSpan plain = packet.span();
  const bool sound = kind == Kind::Rtp ? rtpHeaderSize(plain) != 0 : looksLikeRtcp(plain);
  if (!sound) return Status::Malformed;
  const size_t trailer = tagSize(kind) + (kind == Kind::Rtcp ? kSrtcpIndexSize : 0);
  if (packet.writable().size() < plain.size() + trailer) return Status::NoRoom;
  const uint32_t ssrc = loadU32(&plain[kind == Kind::Rtp ? 8 : 4]);
  if (!admits(outbound_, ssrc)) return Status::TooManySources;

  int size = static_cast<int>(plain.size());
  const srtp_err_status_t status =
      kind == Kind::Rtp ? srtp_protect(contextOf(outbound_.context), packet.data(), &size)
                        : srtp_protect_rtcp(contextOf(outbound_.context), packet.data(), &size);
  if (status != srtp_err_status_ok) return statusOf(status);
  remember(outbound_, ssrc);
  packet.resize(static_cast<size_t>(size));
  return Status::Ok;
}

Status SrtpSession::unprotect(Kind kind, PacketBuf& packet) {
  const ByteSpan sealed = packet.span();
  size_t least = tagSize(kind);
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

  int size = static_cast<int>(sealed.size());
  const srtp_err_status_t status =
      kind == Kind::Rtp ? srtp_unprotect(contextOf(inbound_.context), packet.data(), &size)
                        : srtp_unprotect_rtcp(contextOf(inbound_.context), packet.data(), &size);
  if (status != srtp_err_status_ok) return statusOf(status);
  remember(inbound_, ssrc);
  packet.resize(static_cast<size_t>(size));
  return Status::Ok;
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
