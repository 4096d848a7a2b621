#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "parley/ice/agent.h"
#include "parley/stun/message.h"
#include "parley/stun/message_builder.h"

using namespace parley;
using namespace parley::ice;

namespace {

// The input is a script: one opcode and a few operands per step, played against an agent whose
// passwords the script's author knows. So the fuzzer gets behind the integrity checks into the
// states.

constexpr size_t kMaxSteps = 400;
const Credentials kPeer{"peerufrag", "peerpasswordpeerpassword"};

class Script {
 public:
  explicit Script(ByteSpan bytes) : reader_(bytes) {}
  bool done() const { return reader_.atEnd(); }
  uint8_t next() { return reader_.u8(); }
  ByteSpan some() { return reader_.bytes(std::min<size_t>(reader_.u8(), reader_.remaining())); }

 private:
  ByteReader reader_;
};

class Stage {
 public:
  explicit Stage(uint8_t kind)
      : agent_(env_, config(kind), Credentials{"ours", "ourpasswordourpassword"}) {
    if (kind & 2) addLocal(0);
    if (kind & 4) agent_.setRemoteCredentials(kPeer, (kind & 8) != 0, now_);
    if (kind & 16) addRemote(0, 0);
    if (kind & 32) answer(0);
  }

  void step(Script& script) {
    const uint8_t operation = script.next();
    switch (operation % 17) {
      case 0:
        advance(Duration::millis(script.next()));
        break;
      case 1:
        advance(Duration::millis(script.next() * 100));
        break;
      case 2:
        advance(agent_.nextDeadline().isNever() ? Duration::seconds(1)
                                                : agent_.nextDeadline() - now_);
        break;
      case 3:
        request(script.next(), script.next(), script.next());
        break;
      case 4:
        answer(script.next());
        break;
      case 5:
        refuse(script.next(), script.next());
        break;
      case 6:
        addLocal(script.next());
        break;
      case 7:
        addRemote(script.next(), script.next());
        break;
      case 8:
        agent_.setRemoteCredentials(kPeer, (script.next() & 1) != 0, now_);
        break;
      case 9:
        agent_.restart({"ours", "ourpasswordourpassword"}, now_);
        break;
      case 10:
        agent_.rollbackRestart(now_);
        break;
      case 11:
        agent_.removeSocket(SocketId(script.next() % 4 + 1u), now_);
        break;
      case 12:
        agent_.setRole(script.next() & 1 ? Role::Controlled : Role::Controlling, now_);
        break;
      case 13:
        agent_.noteReceived(now_);
        agent_.setLocalEndOfCandidates(now_);
        agent_.setRemoteEndOfCandidates(now_);
        break;
      case 14:
        agent_.handleResolved({ResolveId(script.next() % 8u), {remote(script.next()).ip}}, now_);
        break;
      case 15:
        agent_.handleConnectionLost(SocketId(script.next() % 8 + 1u), remote(script.next()), now_);
        break;
      default:
        raw(script.some());
        break;
    }
    drain();
    if (agent_.pairStats().size() > env_.limits.maxCandidatePairs + 1) std::abort();
    if (agent_.sendPath() &&
        !agent_.isValidSource(agent_.sendPath()->socket, agent_.sendPath()->remote)) {
      std::abort();
    }
  }

 private:
  static AgentConfig config(uint8_t kind) {
    AgentConfig out;
    out.role = kind & 1 ? Role::Controlled : Role::Controlling;
    out.renomination = (kind & 64) != 0;
    return out;
  }
  static SocketAddress local(uint8_t n) { return {IpAddress::v4(10, 0, 0, n % 4), 1000}; }
  static SocketAddress remote(uint8_t n) { return {IpAddress::v4(10, 1, 0, n % 16), 2000}; }

  void advance(Duration by) {
    now_ += by;
    agent_.advance(now_);
    if (agent_.nextDeadline() <= now_) std::abort();
  }
  void addLocal(uint8_t n) {
    Candidate candidate;
    candidate.foundation = std::to_string(n % 3);
    candidate.address = local(n);
    candidate.type = n & 64 ? CandidateType::ServerReflexive : CandidateType::Host;
    candidate.priority = 1000u + n;
    if (n & 32) makeTcp(candidate, n);
    agent_.addLocalCandidate(candidate, SocketId((n & 32 ? 4u : 0u) + n % 4 + 1u), now_);
  }
  static void makeTcp(Candidate& candidate, uint8_t kind) {
    candidate.protocol = Protocol::Tcp;
    candidate.tcpType = static_cast<TcpType>(kind / 4 % 3);
  }
  void addRemote(uint8_t n, uint8_t kind) {
    Candidate candidate;
    candidate.foundation = std::to_string(kind % 3);
    candidate.address = remote(n);
    candidate.priority = 500u + n;
    if (kind & 32) makeTcp(candidate, kind);
    if (kind & 64) candidate.hostname = "1f4712db-ea17-4bcf-a596-105139dfd8bf.local";
    agent_.addRemoteCandidate(candidate, now_);
  }
  void request(uint8_t where, uint8_t kind, uint8_t tie) {
    uint8_t out[256];
    stun::MessageBuilder builder(out, stun::Class::Request, stun::Method::Binding,
                                 stun::newTransactionId(random_));
    builder.text(stun::AttributeType::Username, "ours:peerufrag")
        .u32(stun::AttributeType::Priority, tie)
        .u64(kind & 1 ? stun::AttributeType::IceControlling : stun::AttributeType::IceControlled,
             uint64_t{tie} << 56);
    if (kind & 2) builder.flag(stun::AttributeType::UseCandidate);
    if (kind & 4) builder.u32(stun::AttributeType::GoogNomination, kind >> 4);
    if (!(kind & 8)) builder.messageIntegrity(asBytes("ourpasswordourpassword"));
    builder.fingerprint();
    receive(where, builder.written());
  }
  void answer(uint8_t which) {
    drain();
    if (asked_.empty()) return;
    const Asked asked = asked_[which % asked_.size()];
    uint8_t out[256];
    stun::MessageBuilder builder(out, stun::Class::Success, stun::Method::Binding, asked.id);
    builder
        .xorAddress(stun::AttributeType::XorMappedAddress,
                    which & 128 ? remote(which) : local(which))
        .messageIntegrity(asBytes(kPeer.password))
        .fingerprint();
    agent_.handleStun(asked.socket, asked.to, {}, builder.written(), now_);
  }
  void refuse(uint8_t which, uint8_t code) {
    if (asked_.empty()) return;
    const Asked asked = asked_[which % asked_.size()];
    constexpr std::array kCodes = {stun::StunError::RoleConflict, stun::StunError::Unauthenticated,
                                   stun::StunError::BadRequest, stun::StunError::ServerError};
    uint8_t out[256];
    stun::MessageBuilder builder(out, stun::Class::Error, stun::Method::Binding, asked.id);
    builder.error(kCodes[code % kCodes.size()])
        .messageIntegrity(asBytes(kPeer.password))
        .fingerprint();
    agent_.handleStun(asked.socket, asked.to, {}, builder.written(), now_);
  }
  void raw(ByteSpan bytes) { receive(0, bytes); }
  void receive(uint8_t where, ByteSpan bytes) {
    agent_.handleStun(SocketId(where % 8 + 1u), remote(static_cast<uint8_t>(where >> 4)),
                      local(where), bytes, now_);
  }
  void drain() {
    TxPacket packet;
    while (agent_.pollTransmit(packet)) {
      const auto message = stun::Message::parse(packet.data.span());
      if (!message) std::abort();
      if (message->messageClass() != stun::Class::Request) continue;
      if (asked_.size() >= 32) asked_.erase(asked_.begin());
      asked_.push_back({message->transactionId(), packet.socket, packet.to});
    }
    AgentEvent event;
    while (agent_.pollEvent(event)) {
    }
    Effect effect;
    while (agent_.pollEffect(effect)) {
    }
  }

  struct Asked {
    stun::TransactionId id;
    SocketId socket;
    SocketAddress to;
  };
  PacketPool pool_;
  SeededRandom random_{1};
  Environment env_{random_, pool_};
  Timestamp now_ = Timestamp::seconds(1);
  std::vector<Asked> asked_;
  Agent agent_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Script script(ByteSpan(data, size));
  Stage stage(script.next());
  for (size_t i = 0; i < kMaxSteps && !script.done(); ++i) stage.step(script);
  return 0;
}
