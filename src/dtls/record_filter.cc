#include "dtls/record_filter.h"

#include <algorithm>
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

bool Record::isSealed() const {
  return versionMajor == kDtlsMajor && epoch == 1 && type >= kAlert && type <= kApplicationData;
}

bool Record::isSealedHandshake() const {
  return isSealed() && type == kHandshake;
}

bool readRecord(ByteReader& reader, Record& out) {
  out.begin = reader.position();
  out.type = reader.u8();
  out.versionMajor = reader.u8();
  reader.skip(1);
  out.epoch = reader.u16();
  reader.skip(6);
  reader.skip(reader.u16());
  out.size = reader.position() - out.begin;
  return reader.ok();
}

FilterResult filterRecords(ByteSpan datagram, Role ownRole, size_t budget, MutableByteSpan out) {
  FilterResult result;
  ByteReader reader(datagram);
  Record record;
  while (!reader.atEnd()) {
    if (!readRecord(reader, record)) {
      ++result.dropped;
      break;
    }
    if (record.isSealed() && !record.isSealedHandshake()) continue;
    const ByteSpan bytes = datagram.subspan(record.begin, record.size);
    const bool sound = record.isSealedHandshake() ||
                       (record.versionMajor == kDtlsMajor && record.epoch == 0 &&
                        isSoundPlaintext(record.type, bytes.subspan(kRecordHeaderSize), ownRole));
    if (!sound || result.kept + result.dropped >= budget) {
      ++result.dropped;
      continue;
    }
    ++result.kept;
    if (record.epoch == 0 && record.type == kHandshake) {
      constexpr size_t kMessageSeq = kRecordHeaderSize + 4;
      const uint16_t message = loadU16(&bytes[kMessageSeq]);
      result.lowestMessage = std::min(result.lowestMessage, message);
      result.highestMessage = std::max(result.highestMessage, message);
    }
    std::memcpy(&out[result.size], bytes.data(), bytes.size());
    result.size += bytes.size();
  }
  return result;
}

}  // namespace parley::dtls
