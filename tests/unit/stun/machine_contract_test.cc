// The rules of every machine (support/machine_contract.h), for the discovery of NAT behaviour.

#include "support/machine_contract.h"

#include "parley/stun/message_builder.h"
#include "parley/stun/nat_probe.h"

namespace parley::stun {
namespace {

using namespace parley::test;

const SocketAddress kClient{IpAddress::v4(10, 0, 0, 1), 4001};
const SocketAddress kServer{IpAddress::v4(10, 0, 0, 2), 3478};
const SocketAddress kOther{IpAddress::v4(10, 0, 0, 3), 3479};

class ProbeContract final : public Contracted {
 public:
  explicit ProbeContract(uint64_t seed) : world_(seed), probe_(world_.environment, ids_, kServer) {}
  void start(Timestamp now) override { probe_.start(now); }
  bool serve(Timestamp now) override {
    Effect effect;
    if (!probe_.pollEffect(effect)) return false;
    return host_.answer(std::move(effect), [&](Input&& input) {
      if (auto* opened = std::get_if<SocketOpened>(&input)) probe_.handleSocketOpened(*opened, now);
    });
  }
  void handle(ByteSpan bytes, Timestamp now) override {
    const Datagram datagram{lastSocket_, lastTo_, kClient, world_.pool.copyOf(bytes)};
    probe_.handleDatagram(datagram, now);
  }
  bool pollDatagram(Bytes& out) override {
    TxPacket packet;
    if (!probe_.pollTransmit(packet)) return false;
    lastSocket_ = packet.socket;
    lastTo_ = packet.to;
    out = toBytes(packet.data.span());
    return true;
  }
  bool pollEvent(std::string& out) override {
    if (told_ || !probe_.done()) return false;
    told_ = true;
    out = probe_.report().toString();
    return true;
  }
  void advance(Timestamp now) override { probe_.advance(now); }
  Timestamp nextDeadline() const override { return probe_.nextDeadline(); }
  bool close(Timestamp now) override {
    probe_.close(now);
    return true;
  }

 private:
  ContractWorld world_;
  IdAllocator ids_;
  ContractHost host_{kClient.ip};
  NatProbe probe_;
  SocketId lastSocket_{};
  SocketAddress lastTo_;
  bool told_ = false;
};

/// Answers every request from where it was asked.
class ResponderContract final : public Contracted {
 public:
  explicit ResponderContract(uint64_t) {}
  void start(Timestamp) override {}
  bool serve(Timestamp) override { return false; }
  void handle(ByteSpan bytes, Timestamp) override {
    const auto request = Message::parse(bytes);
    if (!request) return;
    std::array<uint8_t, 256> buffer;
    auto answer = MessageBuilder::responseTo(*request, Class::Success, buffer);
    answer.xorAddress(AttributeType::XorMappedAddress, kClient)
        .address(AttributeType::OtherAddress, kOther)
        .fingerprint();
    answers_.push_back(toBytes(answer.written()));
  }
  bool pollDatagram(Bytes& out) override {
    if (answers_.empty()) return false;
    out = std::move(answers_.front());
    answers_.erase(answers_.begin());
    return true;
  }
  bool pollEvent(std::string&) override { return false; }
  void advance(Timestamp) override {}
  Timestamp nextDeadline() const override { return Timestamp::never(); }

 private:
  std::vector<Bytes> answers_;
};

ContractedPair probeAndServer(uint64_t seed) {
  return {std::make_unique<ProbeContract>(seed), std::make_unique<ResponderContract>(seed)};
}

PARLEY_MACHINES(Stun, MachineCase{"NatProbe", probeAndServer});

}  // namespace
}  // namespace parley::stun
