#include "sctp/engine/init_chunk.h"

#include "sctp/packet.h"

namespace parley::sctp {
namespace {

constexpr size_t kFixedSize = 16;
constexpr size_t kMaxParameters = 64;
constexpr size_t kMaxReported = 512;
constexpr uint16_t kParamIpv4 = 5;
constexpr uint16_t kParamIpv6 = 6;
constexpr uint16_t kParamStateCookie = 7;
constexpr uint16_t kParamUnrecognized = 8;
constexpr uint16_t kParamCookiePreservative = 9;
constexpr uint16_t kParamHostname = 11;
constexpr uint16_t kParamSupportedAddresses = 12;
constexpr uint16_t kParamEcnCapable = 0x8000;
constexpr uint16_t kParamZeroChecksum = 0x8001;
constexpr uint16_t kParamSupportedExtensions = 0x8008;
constexpr uint16_t kParamForwardTsn = 0xC000;
constexpr uint32_t kEdmidDtls = 1;

bool isKnownAndUnused(uint16_t type) {
  return type == kParamIpv4 || type == kParamIpv6 || type == kParamHostname ||
         type == kParamSupportedAddresses || type == kParamCookiePreservative ||
         type == kParamUnrecognized || type == kParamEcnCapable;
}

void putU16(Bytes& out, uint16_t v) {
  out.push_back(static_cast<uint8_t>(v >> 8));
  out.push_back(static_cast<uint8_t>(v));
}

void putParameter(Bytes& out, uint16_t type, ByteSpan value) {
  putU16(out, type);
  putU16(out, static_cast<uint16_t>(value.size() + 4));
  out.insert(out.end(), value.begin(), value.end());
  while (out.size() % 4 != 0) out.push_back(0);
}

void readExtensions(ByteSpan types, InitChunk& out) {
  for (const uint8_t type : types) {
    if (type == chunk::kReConfig) out.reConfig = true;
    if (type == chunk::kForwardTsn) out.forwardTsn = true;
    if (type == chunk::kIData) out.interleaving = true;
    if (type == chunk::kPad) out.padding = true;
  }
}

/// False: an unknown parameter that ends the processing of the chunk.
bool readParameter(uint16_t type, ByteSpan value, ByteSpan whole, InitChunk& out) {
  switch (type) {
    case kParamStateCookie:
      out.cookie = toBytes(value);
      return true;
    case kParamForwardTsn:
      out.forwardTsn = true;
      return true;
    case kParamSupportedExtensions:
      readExtensions(value, out);
      return true;
    case kParamZeroChecksum:
      if (value.size() == 4 && loadU32(value.data()) == kEdmidDtls) out.zeroChecksum = true;
      return true;
    default:
      break;
  }
  if (isKnownAndUnused(type)) return true;
  // RFC 9260 section 3.2.1: the two upper bits say whether to go on and whether to report.
  if ((type & 0x4000) != 0) out.unknown.push_back(toBytes(whole));
  return (type & 0x8000) != 0;
}

}  // namespace

std::optional<InitChunk> parseInit(ByteSpan value) {
  if (value.size() < kFixedSize) return std::nullopt;
  InitChunk out;
  out.tag = loadU32(&value[0]);
  out.receiverWindow = loadU32(&value[4]);
  out.outgoingStreams = loadU16(&value[8]);
  out.incomingStreams = loadU16(&value[10]);
  out.initialTsn = loadU32(&value[12]);
  if (out.tag == 0 || out.outgoingStreams == 0 || out.incomingStreams == 0) return std::nullopt;
  bool reading = true;
  size_t count = 0;
  for (size_t at = kFixedSize; at < value.size();) {
    if (value.size() - at < 4 || ++count > kMaxParameters) return std::nullopt;
    const size_t length = loadU16(&value[at + 2]);
    if (length < 4 || length > value.size() - at) return std::nullopt;
    const ByteSpan whole = value.subspan(at, length);
    if (reading) reading = readParameter(loadU16(&value[at]), whole.subspan(4), whole, out);
    at += (length + 3) & ~size_t{3};
  }
  return out;
}

Bytes writeInit(const InitChunk& init) {
  Bytes out(kFixedSize);
  storeU32(&out[0], init.tag);
  storeU32(&out[4], init.receiverWindow);
  storeU16(&out[8], init.outgoingStreams);
  storeU16(&out[10], init.incomingStreams);
  storeU32(&out[12], init.initialTsn);
  if (!init.cookie.empty()) putParameter(out, kParamStateCookie, init.cookie);
  if (init.forwardTsn) putParameter(out, kParamForwardTsn, {});
  Bytes extensions;
  if (init.reConfig) extensions.push_back(chunk::kReConfig);
  if (init.forwardTsn) extensions.push_back(chunk::kForwardTsn);
  if (init.interleaving) {
    // RFC 8260 section 2.2.1: I-FORWARD-TSN is announced with I-DATA where partial reliability is.
    extensions.push_back(chunk::kIData);
    if (init.forwardTsn) extensions.push_back(chunk::kIForwardTsn);
  }
  if (init.padding) extensions.push_back(chunk::kPad);
  if (!extensions.empty()) putParameter(out, kParamSupportedExtensions, extensions);
  if (init.zeroChecksum) {
    const uint8_t edmid[4] = {0, 0, 0, kEdmidDtls};
    putParameter(out, kParamZeroChecksum, edmid);
  }
  size_t reported = 0;
  for (const Bytes& parameter : init.unknown) {
    reported += parameter.size() + 8;
    if (reported > kMaxReported) break;
    putParameter(out, kParamUnrecognized, parameter);
  }
  return out;
}

}  // namespace parley::sctp
