// The rules of every machine (support/machine_contract.h), for the agent, gathering and name
// look-up.

#include "support/machine_contract.h"

#include "parley/ice/agent.h"
#include "parley/ice/gatherer.h"
#include "parley/ice/mdns_resolver.h"
#include "parley/ice/port_mapper.h"
#include "parley/ice/upnp_mapper.h"
#include "parley/stun/message_builder.h"

#include "ice/tcp_links.h"

namespace parley::ice {
namespace {

using namespace parley::test;

const SocketAddress kFirst{IpAddress::v4(10, 0, 0, 1), 4001};
const SocketAddress kSecond{IpAddress::v4(10, 0, 0, 2), 4001};

class AgentContract final : public Contracted {
 public:
  AgentContract(uint64_t seed, bool isFirst)
      : world_(seed),
        local_(isFirst ? kFirst : kSecond),
        remote_(isFirst ? kSecond : kFirst),
        agent_(world_.environment, {.role = isFirst ? Role::Controlling : Role::Controlled}) {}
  static void introduce(AgentContract& a, AgentContract& b) {
    a.peer_ = b.agent_.localCredentials();
    b.peer_ = a.agent_.localCredentials();
  }
  static Candidate host(const SocketAddress& address) {
    Candidate candidate;
    candidate.foundation = "1";
    candidate.address = address;
    candidate.priority = 2'130'706'431;
    return candidate;
  }
  void start(Timestamp now) override {
    agent_.addLocalCandidate(host(local_), SocketId(1), now);
    agent_.setRemoteCredentials(peer_, false, now);
    agent_.addRemoteCandidate(host(remote_), now);
  }
  bool serve(Timestamp) override {
    Effect effect;
    return agent_.pollEffect(effect);
  }
  void handle(ByteSpan bytes, Timestamp now) override {
    (void)agent_.handleStun(SocketId(1), remote_, local_, bytes, now);
  }
  bool pollDatagram(Bytes& out) override {
    TxPacket packet;
    if (!agent_.pollTransmit(packet)) return false;
    out = toBytes(packet.data.span());
    return true;
  }
  bool pollEvent(std::string& out) override {
    AgentEvent event;
    if (!agent_.pollEvent(event)) return false;
    out = "event " + std::to_string(event.index());
    return true;
  }
  void advance(Timestamp now) override { agent_.advance(now); }
  Timestamp nextDeadline() const override { return agent_.nextDeadline(); }
  bool close(Timestamp now) override {
    agent_.close(now);
    return true;
  }

 private:
  ContractWorld world_;
  SocketAddress local_, remote_;
  Agent agent_;
  Credentials peer_;
};

class GathererContract final : public Contracted {
 public:
  explicit GathererContract(uint64_t seed)
      : world_(seed), gatherer_(world_.environment, ids_, config()) {}
  static GathererConfig config() {
    GathererConfig config;
    config.stunServers = {{.host = "10.0.0.2", .port = 4001, .url = "stun:10.0.0.2:4001"}};
    config.keepalive = Duration::millis(500);
    return config;
  }
  void start(Timestamp now) override { gatherer_.start(now); }
  void work(int round, Timestamp now) override {
    if (round == 15) gatherer_.restart(now);
  }
  bool serve(Timestamp now) override {
    Effect effect;
    if (!gatherer_.pollEffect(effect)) return false;
    return host_.answer(std::move(effect), [&](Input&& input) {
      if (auto* change = std::get_if<InterfacesChanged>(&input)) {
        gatherer_.handleInterfaces(*change, now);
      } else if (auto* opened = std::get_if<SocketOpened>(&input)) {
        gatherer_.handleSocketOpened(*opened, now);
      }
    });
  }
  void handle(ByteSpan bytes, Timestamp now) override {
    (void)gatherer_.handleDatagram(host_.socket, kSecond, bytes, now);
  }
  bool pollDatagram(Bytes& out) override {
    TxPacket packet;
    if (!gatherer_.pollTransmit(packet)) return false;
    out = toBytes(packet.data.span());
    return true;
  }
  bool pollEvent(std::string& out) override {
    GathererEvent event;
    if (!gatherer_.pollEvent(event)) return false;
    out = "event " + std::to_string(event.index());
    return true;
  }
  void advance(Timestamp now) override { gatherer_.advance(now); }
  Timestamp nextDeadline() const override { return gatherer_.nextDeadline(); }
  bool close(Timestamp now) override {
    gatherer_.close(now);
    return true;
  }

 private:
  ContractWorld world_;
  IdAllocator ids_;
  ContractHost host_{kFirst.ip};
  Gatherer gatherer_;
};

/// One end of a TCP connection: a datagram is what the stream carries at a time.
class TcpLinksContract final : public Contracted {
 public:
  TcpLinksContract(uint64_t seed, bool isFirst)
      : world_(seed),
        isFirst_(isFirst),
        local_(isFirst ? kFirst : kSecond),
        remote_(isFirst ? kSecond : kFirst),
        links_(world_.environment, ids_) {}
  static void introduce(TcpLinksContract&, TcpLinksContract&) {}
  void start(Timestamp now) override {
    links_.addLocal(kSocket, isFirst_ ? TcpType::Active : TcpType::Passive, local_);
    if (!isFirst_) {
      stream_ = SocketId(0x8000'0000);
      links_.handleAccepted({kSocket, stream_, remote_, local_}, now);
    }
    links_.markProven(kSocket, remote_);
  }
  void work(int round, Timestamp now) override {
    TxPacket packet;
    packet.socket = kSocket;
    packet.to = remote_;
    packet.data = world_.pool.copyOf(asBytes("round " + std::to_string(round)));
    (void)links_.send(std::move(packet), now);
    links_.markProven(kSocket, remote_);
  }
  bool serve(Timestamp now) override {
    Effect effect;
    if (!links_.pollEffect(effect)) return false;
    if (const auto* open = std::get_if<OpenTcp>(&effect)) {
      stream_ = open->socket;
      links_.handleOpened({stream_, local_}, now);
    }
    return true;
  }
  void handle(ByteSpan bytes, Timestamp now) override {
    for (size_t at = 0; at < bytes.size(); at += PacketBuf::kMaxPayload) {
      const auto part = bytes.subspan(at, std::min(PacketBuf::kMaxPayload, bytes.size() - at));
      (void)links_.handleStream({stream_, world_.pool.copyOf(part)}, now);
    }
  }
  bool pollDatagram(Bytes& out) override {
    TxPacket packet;
    if (!links_.pollTransmit(packet)) return false;
    out = toBytes(packet.data.span());
    return true;
  }
  bool pollEvent(std::string& out) override {
    TcpLinks::Lost lost;
    Datagram datagram;
    if (links_.pollLost(lost)) {
      out = "lost " + lost.remote.toString();
    } else if (links_.pollReceived(datagram)) {
      out = asText(datagram.data.span());
    } else {
      return false;
    }
    return true;
  }
  void advance(Timestamp now) override { links_.advance(now); }
  Timestamp nextDeadline() const override { return links_.nextDeadline(); }
  bool close(Timestamp) override {
    links_.closeAll();
    return true;
  }

 private:
  static constexpr SocketId kSocket{77};
  ContractWorld world_;
  IdAllocator ids_;
  bool isFirst_;
  SocketAddress local_, remote_;
  TcpLinks links_;
  SocketId stream_{};
};

/// Answers Binding requests.
class StunResponder final : public Contracted {
 public:
  void handle(ByteSpan bytes, Timestamp) override {
    const auto request = stun::Message::parse(bytes);
    if (!request || request->messageClass() != stun::Class::Request) return;
    uint8_t buffer[200];
    stun::MessageBuilder answer(buffer, stun::Class::Success, stun::Method::Binding,
                                request->transactionId());
    answer.xorAddress(stun::AttributeType::XorMappedAddress, {IpAddress::v4(192, 0, 2, 1), 7});
    answers_.push_back(toBytes(answer.written()));
  }
  bool pollDatagram(Bytes& out) override {
    if (answers_.empty()) return false;
    out = std::move(answers_.back());
    answers_.pop_back();
    return true;
  }
  void advance(Timestamp) override {}
  Timestamp nextDeadline() const override { return Timestamp::never(); }

 private:
  std::vector<Bytes> answers_;
};

class MdnsContract final : public Contracted {
 public:
  explicit MdnsContract(uint64_t seed)
      : world_(seed), resolver_(world_.environment, ids_, {.timeout = Duration::seconds(1)}) {}
  void work(int round, Timestamp now) override {
    if (round % 7 != 0) return;
    const auto digit = static_cast<char>('0' + round % 10);
    resolver_.resolve(ResolveId(static_cast<uint32_t>(round + 1)),
                      std::string("d0a5c0f2-7a6a-4c4b-9a3e-00000000000") + digit + ".local", now);
  }
  bool serve(Timestamp now) override {
    Effect effect;
    if (!resolver_.pollEffect(effect)) return false;
    return host_.answer(std::move(effect), [&](Input&& input) {
      if (auto* opened = std::get_if<SocketOpened>(&input))
        resolver_.handleSocketOpened(*opened, now);
    });
  }
  void handle(ByteSpan bytes, Timestamp now) override {
    (void)resolver_.handleDatagram(host_.socket, {kSecond.ip, 5353}, bytes, now);
  }
  bool pollDatagram(Bytes& out) override {
    TxPacket packet;
    if (!resolver_.pollTransmit(packet)) return false;
    out = toBytes(packet.data.span());
    return true;
  }
  bool pollEvent(std::string& out) override {
    Resolved result;
    if (!resolver_.pollResult(result)) return false;
    out = "result " + std::to_string(result.id.value);
    return true;
  }
  void advance(Timestamp now) override { resolver_.advance(now); }
  Timestamp nextDeadline() const override { return resolver_.nextDeadline(); }

 private:
  ContractWorld world_;
  IdAllocator ids_;
  ContractHost host_{kFirst.ip};
  MdnsResolver resolver_;
};

class MapperContract final : public Contracted {
 public:
  explicit MapperContract(uint64_t seed) : world_(seed), mapper_(world_.environment, ids_) {}
  void work(int round, Timestamp now) override {
    if (round % 10 != 0) return;
    const auto socket = static_cast<uint32_t>(1000 + round % 30);
    mapper_.add(SocketId(socket), {kFirst.ip, static_cast<uint16_t>(socket)}, now);
  }
  bool serve(Timestamp now) override {
    Effect effect;
    if (!mapper_.pollEffect(effect)) return false;
    if (const auto* name = std::get_if<Resolve>(&effect)) {
      mapper_.handleResolved({name->id, {kSecond.ip}}, now);
      return true;
    }
    return host_.answer(std::move(effect), [&](Input&& input) {
      if (auto* opened = std::get_if<SocketOpened>(&input))
        mapper_.handleSocketOpened(*opened, now);
    });
  }
  void handle(ByteSpan bytes, Timestamp now) override {
    (void)mapper_.handleDatagram(host_.socket, {kSecond.ip, 5351}, bytes, now);
  }
  bool pollDatagram(Bytes& out) override {
    TxPacket packet;
    if (!mapper_.pollTransmit(packet)) return false;
    out = toBytes(packet.data.span());
    return true;
  }
  bool pollEvent(std::string& out) override {
    PortMapperEvent event;
    if (!mapper_.pollEvent(event)) return false;
    const auto* mapped = std::get_if<PortMapped>(&event);
    out = mapped ? "mapped " + mapped->external.toString() : "unmapped";
    return true;
  }
  void advance(Timestamp now) override { mapper_.advance(now); }
  Timestamp nextDeadline() const override { return mapper_.nextDeadline(); }
  bool close(Timestamp now) override {
    mapper_.close(now);
    return true;
  }

 private:
  ContractWorld world_;
  IdAllocator ids_;
  ContractHost host_{kFirst.ip};
  PortMapper mapper_;
};

/// Grants every mapping, for two minutes.
class RouterResponder final : public Contracted {
 public:
  void handle(ByteSpan bytes, Timestamp now) override {
    if (bytes.size() != 60 || bytes[1] != 1) return;
    Bytes answer = toBytes(bytes);
    answer[1] = 0x81;
    if (loadU32(&answer[4]) != 0) storeU32(&answer[4], 120);
    storeU32(&answer[8], static_cast<uint32_t>(now.millis() / 1000));
    answer[56] = 203;
    answers_.push_back(std::move(answer));
  }
  bool pollDatagram(Bytes& out) override {
    if (answers_.empty()) return false;
    out = std::move(answers_.front());
    answers_.erase(answers_.begin());
    return true;
  }
  void advance(Timestamp) override {}
  Timestamp nextDeadline() const override { return Timestamp::never(); }

 private:
  std::vector<Bytes> answers_;
};

class UpnpContract final : public Contracted {
 public:
  explicit UpnpContract(uint64_t seed) : world_(seed), mapper_(world_.environment, ids_) {}
  void work(int round, Timestamp now) override {
    if (round % 10 != 0) return;
    const auto socket = static_cast<uint32_t>(1000 + round % 30);
    mapper_.add(SocketId(socket), {kFirst.ip, static_cast<uint16_t>(socket)}, now);
  }
  bool serve(Timestamp now) override {
    Effect effect;
    if (!mapper_.pollEffect(effect)) return false;
    if (const auto* connect = std::get_if<OpenTcp>(&effect)) {
      stream_ = connect->socket;
      mapper_.handleSocketOpened({stream_, {kFirst.ip, 4002}}, now);
      return true;
    }
    return host_.answer(std::move(effect), [&](Input&& input) {
      if (auto* opened = std::get_if<SocketOpened>(&input))
        mapper_.handleSocketOpened(*opened, now);
    });
  }
  void handle(ByteSpan bytes, Timestamp now) override {
    if (asText(bytes).find("\r\nST: ") != std::string_view::npos) {
      (void)mapper_.handleDatagram(host_.socket, kSecond, bytes, now);
    } else {
      (void)mapper_.handleStream(stream_, bytes, now);
    }
  }
  bool pollDatagram(Bytes& out) override {
    TxPacket packet;
    if (!mapper_.pollTransmit(packet)) return false;
    out = toBytes(packet.data.span());
    return true;
  }
  bool pollEvent(std::string& out) override {
    PortMapperEvent event;
    if (!mapper_.pollEvent(event)) return false;
    const auto* mapped = std::get_if<PortMapped>(&event);
    out = mapped ? "mapped " + mapped->external.toString() : "unmapped";
    return true;
  }
  void advance(Timestamp now) override { mapper_.advance(now); }
  Timestamp nextDeadline() const override { return mapper_.nextDeadline(); }
  bool close(Timestamp now) override {
    mapper_.close(now);
    return true;
  }

 private:
  ContractWorld world_;
  IdAllocator ids_;
  ContractHost host_{kFirst.ip};
  SocketId stream_{};
  UpnpMapper mapper_;
};

/// Is found, described, and grants every mapping.
class UpnpResponder final : public Contracted {
 public:
  void handle(ByteSpan bytes, Timestamp) override {
    const std::string_view text = asText(bytes);
    std::string body;
    if (text.starts_with("M-SEARCH")) {
      answers_.push_back(
          toBytes("HTTP/1.1 200 OK\r\nST: a:InternetGatewayDevice:1\r\nLOCATION: http://" +
                  kSecond.ip.toString() + "/d\r\n\r\n"));
      return;
    }
    if (text.starts_with("GET")) {
      body =
          "<r><service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType>"
          "<controlURL>/c</controlURL></service></r>";
    } else if (text.starts_with("POST")) {
      body = "<r><NewExternalIPAddress>203.0.113.5</NewExternalIPAddress></r>";
    } else {
      return;
    }
    answers_.push_back(toBytes("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) +
                               "\r\n\r\n" + body));
  }
  bool pollDatagram(Bytes& out) override {
    if (answers_.empty()) return false;
    out = std::move(answers_.front());
    answers_.erase(answers_.begin());
    return true;
  }
  void advance(Timestamp) override {}
  Timestamp nextDeadline() const override { return Timestamp::never(); }

 private:
  std::vector<Bytes> answers_;
};

PARLEY_MACHINES(Ice, MachineCase{"Agent", pairOf<AgentContract>()},
                // Part of a stream's bytes are bytes of the stream.
                MachineCase{
                    .name = "TcpLinks", .make = pairOf<TcpLinksContract>(), .noticesCuts = false},
                MachineCase{"PortMapper",
                            [](uint64_t seed) {
                              return ContractedPair{std::make_unique<MapperContract>(seed),
                                                    std::make_unique<RouterResponder>()};
                            }},
                MachineCase{.name = "UpnpMapper",
                            .make =
                                [](uint64_t seed) {
                                  return ContractedPair{std::make_unique<UpnpContract>(seed),
                                                        std::make_unique<UpnpResponder>()};
                                },
                            .noticesCuts = false},
                MachineCase{"Gatherer",
                            [](uint64_t seed) {
                              return ContractedPair{std::make_unique<GathererContract>(seed),
                                                    std::make_unique<StunResponder>()};
                            }},
                // Two of them hear each other's questions.
                MachineCase{"MdnsResolver", [](uint64_t seed) {
                              return ContractedPair{std::make_unique<MdnsContract>(seed),
                                                    std::make_unique<MdnsContract>(seed + 1)};
                            }});

}  // namespace
}  // namespace parley::ice
