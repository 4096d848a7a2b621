#include "stun/xor_address.h"

#include <array>

namespace parley::stun {
namespace {

constexpr uint8_t kFamilyV4 = 1;
constexpr uint8_t kFamilyV6 = 2;

IpAddress fromBytes(ByteSpan bytes) {
  if (bytes.size() == 4) return IpAddress::v4(loadU32(bytes.data()));
  return IpAddress::v6(bytes.first<16>());
}

}  // namespace

std::optional<SocketAddress> decodeAddress(ByteSpan value) {
  if (value.size() < 4) return std::nullopt;
  const ByteSpan ip = value.subspan(4);
  const bool fits =
      (value[1] == kFamilyV4 && ip.size() == 4) || (value[1] == kFamilyV6 && ip.size() == 16);
  if (!fits) return std::nullopt;
  return SocketAddress{fromBytes(ip), loadU16(&value[2])};
}

SocketAddress xorWithHeader(const SocketAddress& address, ByteSpan cookieAndId) {
  std::array<uint8_t, 16> ip{};
  const ByteSpan in = address.ip.bytes();
  for (size_t i = 0; i < in.size(); ++i) ip[i] = in[i] ^ cookieAndId[i];
  const auto port = static_cast<uint16_t>(address.port ^ loadU16(cookieAndId.data()));
  return {fromBytes(ByteSpan(ip).first(in.size())), port};
}

}  // namespace parley::stun
