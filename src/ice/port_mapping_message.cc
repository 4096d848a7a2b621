#include "ice/port_mapping_message.h"

#include <algorithm>

namespace parley::ice::port_mapping {
namespace {

constexpr uint8_t kResponse = 0x80;
constexpr uint8_t kPcpOpMap = 1;
constexpr uint8_t kNatPmpOpAddress = 0;
constexpr uint8_t kNatPmpOpMapUdp = 1;
constexpr uint8_t kUdp = 17;
constexpr uint8_t kUnsupportedVersion = 1;  // of both protocols
constexpr size_t kPcpHeaderSize = 24;
constexpr size_t kPcpMaxSize = 1100;  // RFC 6887 section 7

/// RFC 6887 section 5: IPv4 addresses as ::ffff:a.b.c.d.
void writeMapped(uint8_t* to, const IpAddress& ip) {
  to[10] = to[11] = 0xFF;
  const ByteSpan bytes = ip.bytes();
  if (ip.isV4()) std::copy(bytes.begin(), bytes.end(), to + 12);
}

std::optional<IpAddress> readMapped(ByteSpan from) {
  const IpAddress ip = IpAddress::v6(from.first<16>());
  if (!ip.isV4Mapped()) return std::nullopt;
  return IpAddress::v4(loadU32(&from[12]));
}

std::optional<Answer> parsePcp(ByteSpan d) {
  // RFC 6887 section 8.3: "a multiple of 4", "at least 24".
  if (d.size() < kPcpHeaderSize || d.size() > kPcpMaxSize || d.size() % 4 != 0) return std::nullopt;
  Answer out;
  out.version = d[0];
  out.result = d[3];
  out.lifetime = loadU32(&d[4]);
  out.epoch = loadU32(&d[8]);
  if (out.result == kUnsupportedVersion) {
    out.kind = Answer::Kind::WrongVersion;
    return out;
  }
  if (d[1] != (kResponse | kPcpOpMap) || d[0] != kPcpVersion || d.size() < kPcpMapSize ||
      d[36] != kUdp) {
    return std::nullopt;
  }
  out.kind = Answer::Kind::PcpMap;
  std::copy_n(&d[24], out.nonce.size(), out.nonce.begin());
  out.internalPort = loadU16(&d[40]);
  const auto external = readMapped(d.subspan(44, 16));
  if (!external && out.result == 0) return std::nullopt;
  out.external = {external.value_or(IpAddress()), loadU16(&d[42])};
  return out;
}

std::optional<Answer> parseNatPmp(ByteSpan d) {
  if (d.size() < 8) return std::nullopt;
  Answer out;
  out.result = loadU16(&d[2]);
  out.epoch = loadU32(&d[4]);
  if (out.result == kUnsupportedVersion) {
    out.kind = Answer::Kind::WrongVersion;
    return out;
  }
  if (d[1] == (kResponse | kNatPmpOpAddress)) {
    out.kind = Answer::Kind::NatPmpAddress;
    if (d.size() != 12) return std::nullopt;
    out.external = {IpAddress::v4(loadU32(&d[8])), 0};
    return out;
  }
  if (d[1] != (kResponse | kNatPmpOpMapUdp) || d.size() != 16) return std::nullopt;
  out.kind = Answer::Kind::NatPmpMap;
  out.internalPort = loadU16(&d[8]);
  out.external = {IpAddress(), loadU16(&d[10])};
  out.lifetime = loadU32(&d[12]);
  return out;
}

}  // namespace

std::array<uint8_t, kPcpMapSize> writePcpMap(const MapRequest& request) {
  std::array<uint8_t, kPcpMapSize> out{};
  out[0] = kPcpVersion;
  out[1] = kPcpOpMap;
  storeU32(&out[4], request.lifetime);
  writeMapped(&out[8], request.client);
  std::copy(request.nonce.begin(), request.nonce.end(), &out[24]);
  out[36] = kUdp;
  storeU16(&out[40], request.internalPort);
  storeU16(&out[42], request.suggested.port);
  writeMapped(&out[44], request.suggested.ip);
  return out;
}

std::array<uint8_t, kNatPmpMapSize> writeNatPmpMap(const MapRequest& request) {
  std::array<uint8_t, kNatPmpMapSize> out{};
  out[0] = kNatPmpVersion;
  out[1] = kNatPmpOpMapUdp;
  storeU16(&out[4], request.internalPort);
  // RFC 6886 section 3.4: an end of a mapping has neither.
  storeU16(&out[6], request.lifetime == 0 ? uint16_t{0} : request.suggested.port);
  storeU32(&out[8], request.lifetime);
  return out;
}

std::array<uint8_t, kNatPmpAddressSize> writeNatPmpAddress() {
  return {kNatPmpVersion, kNatPmpOpAddress};
}

std::optional<Answer> parseAnswer(ByteSpan datagram) {
  if (datagram.size() < 4 || (datagram[1] & kResponse) == 0) return std::nullopt;
  return datagram[0] == kNatPmpVersion ? parseNatPmp(datagram) : parsePcp(datagram);
}

}  // namespace parley::ice::port_mapping
