#include "parley/sim/servers/port_gateway.h"

#include <algorithm>
#include <array>

namespace parley::sim {
namespace {

constexpr uint16_t kPort = 5351;
constexpr uint8_t kUnsupportedVersion = 1;
constexpr uint8_t kNoResources = 8;  // of PCP
constexpr size_t kPcpMapSize = 60;

}  // namespace

PortGateway::PortGateway(World& world, Nat& nat, PortGatewayConfig config)
    : world_(world), nat_(nat), config_(config), startedAt_(world.now()) {
  nat_.onRequest([this](const Packet& packet) { handle(packet); });
}

PortGateway::~PortGateway() {
  nat_.onRequest({});
}

void PortGateway::restart() {
  nat_.forgetMappings();
  external_.clear();
  startedAt_ = world_.now();
}

uint32_t PortGateway::epoch() const {
  return static_cast<uint32_t>((world_.now() - startedAt_).millis() / 1000);
}

void PortGateway::handle(const Packet& packet) {
  if (packet.protocol != Protocol::Udp || packet.to.port != kPort || packet.data.size() < 2) return;
  const uint8_t version = packet.data.span()[0];
  if (version == 2 && (config_.pcp || config_.natPmp)) {
    ++requests_;
    handlePcp(packet);
  } else if (version == 0 && config_.natPmp) {
    ++requests_;
    handleNatPmp(packet);
  }
}

std::optional<SocketAddress> PortGateway::map(const SocketAddress& internal, uint16_t wanted,
                                              uint32_t lifetime) {
  if (lifetime == 0) {
    nat_.endForward(internal, Protocol::Udp);
    external_.erase(internal);
    return SocketAddress{};
  }
  if (config_.error != 0 || (config_.noRenewal && external_.contains(internal)))
    return std::nullopt;
  const auto external = nat_.forward(internal, Protocol::Udp, wanted);
  if (!external) return std::nullopt;
  external_[internal] = *external;
  return config_.lie.value_or(*external);
}

void PortGateway::handlePcp(const Packet& packet) {
  const ByteSpan d = packet.data.span();
  if (!config_.pcp) {
    // RFC 6886 section 3.5, in its own version.
    const uint8_t error[8] = {0, static_cast<uint8_t>(0x80 | d[1]), 0, kUnsupportedVersion};
    answer(packet, error);
    return;
  }
  if (d.size() < kPcpMapSize || d[1] != 1) return;
  std::array<uint8_t, kPcpMapSize> out{};
  std::copy_n(d.begin(), kPcpMapSize, out.begin());
  out[1] = 0x81;
  const uint32_t lifetime = std::min(loadU32(&d[4]), config_.lifetime);
  const SocketAddress internal{packet.from.ip, loadU16(&d[40])};
  const auto external = map(internal, loadU16(&d[42]), lifetime);
  out[3] = external ? uint8_t{0} : (config_.error != 0 ? config_.error : kNoResources);
  storeU32(&out[4], lifetime);
  storeU32(&out[8], epoch());
  std::fill_n(&out[12], 12, uint8_t{0});
  if (external && external->ip.isV4()) {
    storeU16(&out[42], external->port);
    std::fill_n(&out[44], 10, uint8_t{0});
    out[54] = out[55] = 0xFF;
    const ByteSpan ip = external->ip.bytes();
    std::copy(ip.begin(), ip.end(), &out[56]);
  }
  answer(packet, out);
}

void PortGateway::handleNatPmp(const Packet& packet) {
  const ByteSpan d = packet.data.span();
  if (d[1] == 0) {
    std::array<uint8_t, 12> out{0, 128};
    storeU32(&out[4], epoch());
    const IpAddress outer = config_.lie
                                ? config_.lie->ip
                                : nat_.outside().address(AddressFamily::V4).value_or(IpAddress());
    const ByteSpan ip = outer.bytes();
    std::copy_n(ip.begin(), 4, &out[8]);
    answer(packet, out);
    return;
  }
  if (d[1] != 1 || d.size() != 12) return;
  std::array<uint8_t, 16> out{0, 129};
  const uint32_t lifetime = std::min(loadU32(&d[8]), config_.lifetime);
  const SocketAddress internal{packet.from.ip, loadU16(&d[4])};
  const auto external = map(internal, loadU16(&d[6]), lifetime);
  constexpr uint8_t kOutOfResources = 4;
  if (!external) out[3] = config_.error != 0 ? config_.error : kOutOfResources;
  storeU32(&out[4], epoch());
  storeU16(&out[8], internal.port);
  if (external) storeU16(&out[10], external->port);
  storeU32(&out[12], lifetime);
  answer(packet, out);
}

void PortGateway::answer(const Packet& request, ByteSpan bytes) {
  nat_.sendInside(request.to, request.from, bytes);
}

}  // namespace parley::sim
