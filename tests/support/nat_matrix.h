#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "parley/sim/servers/turn_server.h"
#include "parley/testing/pair.h"

#include "support/nat_theory.h"
#include "support/tls_identity.h"

namespace parley::test {

struct NatOutcome {
  NetPath path = NetPath::None;
  /// From the moment the answer leaves to the first byte on a data channel, in round trips of the
  /// direct way between the two.
  double roundTrips = 0;
  /// From that byte until the best path is in use; data flows meanwhile.
  Duration settling;
  /// Each side's pair is the other's, seen from there.
  bool agreed = false;
  std::string story;  ///< what both sides tell, if it is another path than the best
};

/// One call between two peers of the matrix: offered by the first, with a data channel. Every host
/// is 10 ms from the middle of the network, so that a round trip takes 40 ms, to the server too;
/// signalling takes half of one. Each direction of a path loses `loss` of its packets.
class NatCall {
 public:
  static constexpr Duration kRoundTrip = Duration::millis(40);

  NatCall(NetKind a, NetKind b, bool relays, uint64_t seed, double loss)
      : world_(seed),
        wire_{.delay = kRoundTrip / 4, .loss = sim::LossModel::bernoulli(loss)},
        server_(world_, world_.addHost("server", internet_, port({})), serverConfig()) {
    for (const AddressFamily family : {AddressFamily::V4, AddressFamily::V6})
      world_.dns().add("turn.example", server_.address(family).ip);
    world_.dns().setDelay(kRoundTrip);
    testing::PairOptions options;
    options.signalingDelay = kRoundTrip / 2;
    options.configurationA = options.configurationB = configuration(relays);
    if (a == NetKind::TcpOnly || b == NetKind::TcpOnly)
      options.configurationA.tcpCandidates = options.configurationB.tcpCandidates =
          TcpCandidates::ActiveAndPassive;
    pair_ = std::make_unique<testing::Pair>(world_, options);
    place(pair_->hostA(), a);
    place(pair_->hostB(), b);
    for (sim::Host* host : {&pair_->hostA(), &pair_->hostB()}) host->setUp(host->port(0), false);
  }

  /// `best`: the path to wait for.
  NatOutcome run(NetPath best) {
    Timestamp answered = Timestamp::never();
    Timestamp heard = Timestamp::never();
    pair_->b().onSignalingStateChange([&](SignalingState state) {
      if (state == SignalingState::Stable && answered.isNever()) answered = world_.now();
    });
    std::vector<DataChannel> channels;
    DataChannelInit init;
    init.negotiated = true;
    init.id = uint16_t{0};
    for (PeerConnection* pc : {&pair_->a(), &pair_->b()}) {
      channels.push_back(*pc->createDataChannel("c", init));
      DataChannel& channel = channels.back();
      channel.onOpen([channel]() mutable { (void)channel.send("first"); });
      channel.onMessage([&](const DataMessage&) { heard = earliest(heard, world_.now()); });
    }
    pair_->negotiate();
    const auto failed = [](const PeerConnection& pc) {
      return pc.connectionState() == PeerConnectionState::Failed;
    };
    pair_->runUntil([&] { return !heard.isNever() || (failed(pair_->a()) && failed(pair_->b())); },
                    Duration::seconds(90));
    NatOutcome out;
    if (heard.isNever()) {
      if (best != NetPath::None) out.story = story();
      return out;
    }
    out.roundTrips = (heard - answered).seconds() / kRoundTrip.seconds();
    // With losses a check of a better pair may still be under way.
    for (out.path = path(); out.path != best && out.settling < Duration::seconds(40);) {
      pair_->run(Duration::millis(100));
      out.settling += Duration::millis(100);
      out.path = path();
    }
    for (Duration waited; !(out.agreed = agreed()) && waited < Duration::seconds(40);) {
      pair_->run(Duration::millis(100));
      waited += Duration::millis(100);
    }
    if (out.path != best || !out.agreed) out.story = story();
    return out;
  }

 private:
  sim::PortConfig port(std::vector<IpAddress> addresses) const {
    return {.addresses = std::move(addresses), .up = wire_, .down = {.delay = kRoundTrip / 4}};
  }
  static turn::ServerConfig serverConfig() {
    turn::ServerConfig config;
    config.realm = "example.org";
    config.users = {{"alice", "wonderland"}};
    config.tls = *dtls::TlsContext::server(
        {.certificateChain = kServerCertificate, .privateKey = kServerKey});
    for (const AddressFamily family : {AddressFamily::V4, AddressFamily::V6})
      config.listeners.push_back({turn::Transport::Tls, {IpAddress::any(family), 443}});
    return config;
  }
  static Configuration configuration(bool relays) {
    Configuration out;
    // Keys take time to make and make no difference.
    static const Certificate certificate = *Certificate::generate();
    out.certificates = {certificate};
    out.iceServers = {{{"stun:turn.example"}, {}, {}}};
    if (!relays) return out;
    IceServer turn{{"turn:turn.example", "turns:turn.example:443"}, "alice", "wonderland"};
    turn.verifyCertificate = false;
    out.iceServers.push_back(turn);
    return out;
  }

  sim::NatConfig natConfig(NetKind kind) const {
    using enum sim::NatBehavior;
    switch (kind) {
      case NetKind::NatEi:
        return {.mapping = EndpointIndependent, .filtering = EndpointIndependent};
      case NetKind::NatAd:
        return {.mapping = AddressDependent,
                .filtering = AddressDependent,
                .ports = sim::NatPorts::Random};
      case NetKind::NatApd:
        return {.mapping = AddressAndPortDependent,
                .filtering = AddressAndPortDependent,
                .ports = sim::NatPorts::Random};
      default:
        return {.mapping = EndpointIndependent, .filtering = AddressAndPortDependent};
    }
  }
  sim::Segment& lan(const std::string& name, bool v6) {
    // Private networks look alike everywhere; they differ here so that a direct hit is no accident.
    const auto n = static_cast<uint8_t>(++lans_);
    sim::SegmentConfig config{.name = name, .v4Base = IpAddress::v4(192, 168, n, 0)};
    if (v6) {
      std::array<uint8_t, 16> prefix{0x20, 0x01, 0x0D, 0xB8, 0, n};
      config.v6Base = IpAddress::v6(prefix);
    }
    return world_.addSegment(config);
  }
  void place(sim::Host& host, NetKind kind) {
    switch (kind) {
      case NetKind::Open:
        host.attach(internet_, port({*internet_.allocate(AddressFamily::V4)}));
        return;
      case NetKind::V6Only:
        host.attach(internet_, port({*internet_.allocate(AddressFamily::V6)}));
        return;
      case NetKind::UdpBlocked:
      case NetKind::TcpOnly: {
        sim::Segment& office = lan(host.name() + " office", false);
        // Without translation, as large institutions have it: what is tested is the blocking.
        world_.addFirewall(
            host.name() + " firewall", office, internet_,
            {.blockUdp = true,
             .allowedTcpPorts =
                 kind == NetKind::TcpOnly ? std::vector<uint16_t>{} : std::vector<uint16_t>{443}});
        host.attach(office, port({}));
        return;
      }
      case NetKind::CarrierNat: {
        if (!carrier_) {
          carrier_ = &lan("carrier", false);
          world_.addNat("carrier nat", *carrier_, internet_, natConfig(kind));
        }
        sim::Segment& home = lan(host.name() + " home", false);
        world_.addNat(host.name() + " nat", home, *carrier_, natConfig(kind));
        host.attach(home, port({}));
        return;
      }
      case NetKind::SharedNat: {
        if (!shared_) {
          shared_ = &lan("shared", false);
          sharedNat_ = &world_.addNat("shared nat", *shared_, internet_, natConfig(kind));
        }
        host.attach(*shared_, port({})).up.script([this](const sim::Packet& packet) {
          const bool neighbour =
              shared_->ownsLocally(packet.to.ip) && !sharedNat_->inside().owns(packet.to.ip);
          return neighbour ? sim::Verdict::Drop : sim::Verdict::Pass;
        });
        return;
      }
      default: {
        sim::Segment& home = lan(host.name() + " home", kind == NetKind::DualStack);
        world_.addNat(host.name() + " nat", home, internet_, natConfig(kind));
        host.attach(home, port({}));
        return;
      }
    }
  }

  static std::optional<IceCandidatePair> selected(const PeerConnection& pc) {
    return pc.sctp().transport().iceTransport().getSelectedCandidatePair();
  }
  /// Whether the candidate has an address of that host.
  static bool isOf(const IceCandidate& candidate, const sim::Host& host) {
    const std::optional<IceCandidate::Parsed> parsed = candidate.parse();
    for (const NetworkInterface& interface : host.interfaces()) {
      for (const IpAddress& ip : interface.addresses) {
        if (parsed && ip.toString() == parsed->address) return true;
      }
    }
    return false;
  }
  static bool isRelay(const IceCandidate& candidate) {
    const std::optional<IceCandidate::Parsed> parsed = candidate.parse();
    return parsed && parsed->type == IceCandidateType::Relay;
  }
  std::string story() const {
    return "offerer: " + pair_->a().diagnose().text() + "answerer: " + pair_->b().diagnose().text();
  }
  bool agreed() const {
    const auto a = selected(pair_->a());
    const auto b = selected(pair_->b());
    const auto same = [](const IceCandidate& x, const IceCandidate& y) {
      const auto one = x.parse();
      const auto other = y.parse();
      return one && other && one->address == other->address && one->port == other->port;
    };
    return a && b && same(a->local, b->remote) && same(a->remote, b->local);
  }
  NetPath path() const {
    const auto a = selected(pair_->a());
    const auto b = selected(pair_->b());
    if (!a || !b) return NetPath::None;
    for (const IceCandidatePair& pair : {*a, *b}) {
      if (isRelay(pair.local) || isRelay(pair.remote)) return NetPath::Relay;
    }
    const bool direct = isOf(a->remote, pair_->hostB()) && isOf(b->remote, pair_->hostA());
    return direct ? NetPath::Host : NetPath::Reflexive;
  }

  sim::World world_;
  sim::LinkConfig wire_;
  sim::Segment& internet_ = world_.addSegment("internet");
  sim::TurnServer server_;
  int lans_ = 0;
  sim::Segment* carrier_ = nullptr;
  sim::Segment* shared_ = nullptr;
  sim::Nat* sharedNat_ = nullptr;
  std::unique_ptr<testing::Pair> pair_;
};

}  // namespace parley::test
