#include "dtls/record_filter.h"

#include <cstring>

namespace parley::dtls {
namespace {

constexpr uint8_t kChangeCipherSpec = 20;
constexpr uint8_t kAlert = 21;
constexpr uint8_t kHandshake = 22;
constexpr uint8_t kApplicationData = 23;
constexpr uint8_t kDtlsMajor = 0xfe;

bool peerMaySend(uint8_t messageType, Role ownRole) {
  constexpr uint8_t kClientHello = 1, kServerHello = 2, kHelloVerifyRequest = 3, kCertificate = 11,
                    kServerKeyExchange = 12, kCertificateRequest = 13, kServerHelloDone = 14,
                    kCertificateVerify = 15, kClientKeyExchange = 16;
  switch (messageType) {
    case kCertificate:
      return true;
    case kClientHello:
    case kCertificateVerify:
    case kClientKeyExchange:
      return ownRole == Role::Server;
    case kServerHello:
    case kHelloVerifyRequest:
    case kServerKeyExchange:
    case kCertificateRequest:
    case kServerHelloDone:
      return ownRole == Role::Client;
    default:
      return false;  // Finished is never in the clear; the rest we never asked for
  }
}

/// A record may hold several messages or fragments (RFC 6347 section 4.2.3); all must be sound.
bool isSoundHandshake(ByteSpan body, Role ownRole) {
  constexpr uint32_t kMaxMessage = 16 * 1024;
  ByteReader reader(body);
  while (!reader.atEnd()) {
    const uint8_t type = reader.u8();
    const uint32_t length = reader.u24();
    reader.skip(2);  // message_seq
    const uint32_t offset = reader.u24();
    const uint32_t fragment = reader.u24();
    reader.skip(fragment);
    if (!reader.ok() || length > kMaxMessage || offset + fragment > length) return false;
    if (fragment == 0 && length != 0) return false;
    if (!peerMaySend(type, ownRole)) return false;
  }
  return reader.ok() && !body.empty();
}

bool isSoundPlaintext(uint8_t type, ByteSpan body, Role ownRole) {
  constexpr uint8_t kFatal = 2;
  switch (type) {
    case kChangeCipherSpec:
      return body.size() == 1 && body[0] == 1;
    case kAlert:
      return body.size() == 2 && body[0] == kFatal;
    case kHandshake:
      return isSoundHandshake(body, ownRole);
    default:
      return false;
  }
}

}  // namespace

FilterResult filterRecords(ByteSpan datagram, Role ownRole, bool handshakeDone, size_t budget,
                           MutableByteSpan out) {
  FilterResult result;
  ByteReader reader(datagram);
  while (!reader.atEnd()) {
    const size_t begin = reader.position();
    const uint8_t type = reader.u8();
    const uint8_t major = reader.u8();
    reader.skip(1);
    const uint16_t epoch = reader.u16();
    reader.skip(6);
    const ByteSpan body = reader.bytes(reader.u16());
    if (!reader.ok()) {
      ++result.dropped;
      break;
    }
    const bool sealed = epoch == 1 && type >= kAlert && type <= kApplicationData;
    const bool keep =
        major == kDtlsMajor && result.kept + result.dropped < budget &&
        (sealed || (epoch == 0 && !handshakeDone && isSoundPlaintext(type, body, ownRole)));
    if (!keep) {
      ++result.dropped;
      continue;
    }
    ++result.kept;
    const size_t size = reader.position() - begin;
    std::memcpy(&out[result.size], &datagram[begin], size);
    result.size += size;
  }
  return result;
}

}  // namespace parley::dtls
