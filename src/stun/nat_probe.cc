#include "parley/stun/nat_probe.h"

#include <algorithm>
#include <utility>

#include "parley/base/machine.h"
#include "parley/stun/integrity.h"
#include "parley/stun/message_builder.h"

namespace parley::stun {
namespace {

static_assert(Machine<NatProbe>);

constexpr Duration kPatience = Duration::seconds(10);
/// Requests at 0, 0.4, 1.2 and 2.8 s, given up at 4.4 s: four losses in a row are told from a
/// filter. Shorter than RFC 8489 has it, as people wait for it.
constexpr RetransmitPolicy kPolicy{Duration::millis(400), 4, 4};

// RFC 5780 section 7.2.
constexpr uint32_t kChangeAddress = 4;
constexpr uint32_t kChangePort = 2;

bool isUsable(const SocketAddress& other, const SocketAddress& server) {
  // RFC 5780 section 6: the two differ in both.
  return other.port != 0 && other.port != server.port && other.ip != server.ip &&
         other.ip.family() == server.ip.family() && !other.ip.isUnspecified() &&
         !other.ip.isMulticast() && !other.ip.isBroadcast() &&
         other.ip.isLoopback() == server.ip.isLoopback();
}

}  // namespace

const char* toString(NatDependence dependence) {
  switch (dependence) {
    case NatDependence::Unknown:
      break;
    case NatDependence::EndpointIndependent:
      return "endpoint-independent";
    case NatDependence::AddressDependent:
      return "address-dependent";
    case NatDependence::AddressAndPortDependent:
      return "address-and-port-dependent";
  }
  return "unknown";
}

std::string NatReport::toString() const {
  if (!answered) return "no answer by UDP";
  std::string out = translated ? "NAT: " + local.toString() + " is seen as " + mapped.toString()
                               : "no NAT: " + local.toString();
  if (!supported) return out + "; the server does not help to find out more (RFC 5780)";
  if (translated) {
    out += std::string("; mapping ") + stun::toString(mapping);
    if (portPreserved) out += ", ports preserved";
  }
  out += std::string("; filtering ") + stun::toString(filtering);
  if (hairpin) out += *hairpin ? "; hairpinning" : "; no hairpinning";
  return out;
}

NatProbe::NatProbe(Environment& environment, IdAllocator& ids, const SocketAddress& server,
                   const IpAddress& local)
    : env_(environment),
      ids_(ids),
      server_(server),
      bind_(local.isUnspecified() ? IpAddress::any(server.ip.family()) : local) {}

void NatProbe::start(Timestamp now) {
  now = clock_.clamp(now);
  if (step_ != Step::Idle) return;
  step_ = Step::Opening;
  giveUpAt_ = now + kPatience;
  for (Socket& socket : sockets_) {
    socket.id = ids_.nextSocket();
    effects_.push(OpenUdp{socket.id, {bind_, 0}});
  }
}

void NatProbe::close(Timestamp now) {
  (void)clock_.clamp(now);
  finish();
}

void NatProbe::finish() {
  transaction_.reset();
  transmits_.clear();
  giveUpAt_ = Timestamp::never();
  for (Socket& socket : sockets_) {
    if (socket.id != SocketId{}) effects_.push(CloseSocket{std::exchange(socket.id, {})});
  }
  step_ = Step::Done;
}

bool NatProbe::handleSocketOpened(const SocketOpened& opened, Timestamp now) {
  now = clock_.clamp(now);
  const auto socket = std::find_if(sockets_.begin(), sockets_.end(),
                                   [&](const Socket& s) { return s.id == opened.socket; });
  if (socket == sockets_.end() || opened.socket == SocketId{}) return false;
  socket->open = true;
  socket->local = opened.local;
  if (step_ == Step::Opening && sockets_[0].open && sockets_[1].open) begin(Step::Mapped, now);
  return true;
}

bool NatProbe::handleSocketFailed(const SocketFailed& failed, Timestamp now) {
  (void)clock_.clamp(now);
  const auto socket = std::find_if(sockets_.begin(), sockets_.end(),
                                   [&](const Socket& s) { return s.id == failed.socket; });
  if (socket == sockets_.end() || failed.socket == SocketId{}) return false;
  socket->id = {};
  finish();
  return true;
}

void NatProbe::begin(Step step, Timestamp now) {
  step_ = step;
  giveUpAt_ = Timestamp::never();
  if (step == Step::MappedAddress) {
    to_ = {other_.ip, server_.port};
  } else if (step == Step::MappedPort) {
    to_ = other_;
  } else {
    to_ = server_;
  }
  transaction_.emplace(newTransactionId(env_.random), kPolicy, now);
  if (step == Step::Hairpin) {
    for (TransactionId& id : hairpinIds_) id = newTransactionId(env_.random);
  }
  send();
}

void NatProbe::send() {
  if (step_ == Step::Hairpin) {
    sendHairpin();
    return;
  }
  std::optional<uint32_t> change;
  if (step_ == Step::FilterAddress) change = kChangeAddress | kChangePort;
  if (step_ == Step::FilterPort) change = kChangePort;
  queue(asker(), to_, transaction_->id(), change);
}

/// Each to the other's mapped address, so that the filters of both are open for the second try at
/// the latest.
void NatProbe::sendHairpin() {
  queue(sockets_[0], sockets_[1].mapped, hairpinIds_[0], {});
  queue(sockets_[1], sockets_[0].mapped, hairpinIds_[1], {});
}

void NatProbe::queue(const Socket& from, const SocketAddress& to, const TransactionId& id,
                     std::optional<uint32_t> change) {
  PacketBuf packet = env_.pool.allocate();
  MessageBuilder builder(packet, Class::Request, Method::Binding, id);
  if (change) builder.u32(AttributeType::ChangeRequest, *change);
  builder.fingerprint();
  if (!builder.finishInto(packet)) return;
  TxPacket out;
  out.socket = from.id;
  out.to = to;
  out.data = std::move(packet);
  transmits_.push(std::move(out));
}

bool NatProbe::handleDatagram(const Datagram& datagram, Timestamp now) {
  now = clock_.clamp(now);
  const auto socket = std::find_if(sockets_.begin(), sockets_.end(),
                                   [&](const Socket& s) { return s.id == datagram.socket; });
  if (socket == sockets_.end() || datagram.socket == SocketId{}) return false;
  const auto message = Message::parse(datagram.data.span());
  if (!message || !transaction_ || message->method() != Method::Binding ||
      verifyFingerprint(*message) == IntegrityCheck::Wrong) {
    return true;
  }
  if (step_ == Step::Hairpin) {
    const bool ours = std::find(hairpinIds_.begin(), hairpinIds_.end(), message->transactionId()) !=
                      hairpinIds_.end();
    if (!ours || message->messageClass() != Class::Request) return true;
    report_.hairpin = true;
    finish();
    return true;
  }
  if (message->transactionId() == transaction_->id() && datagram.socket == asker().id)
    handleAnswer(*message, datagram, now);
  return true;
}

void NatProbe::handleAnswer(const Message& answer, const Datagram& datagram, Timestamp now) {
  const SocketAddress expected = step_ == Step::FilterAddress ? other_
                                 : step_ == Step::FilterPort
                                     ? SocketAddress{server_.ip, other_.port}
                                     : to_;
  if (answer.messageClass() == Class::Error && datagram.from == to_) {
    // 420 to CHANGE-REQUEST, and whatever else: what was asked stays unknown.
    if (step_ == Step::FilterAddress || step_ == Step::FilterPort) report_.supported = false;
    finish();
    return;
  }
  if (answer.messageClass() != Class::Success) return;
  if (datagram.from != expected) {
    // A server that answers from where it was asked does not know the attribute.
    if (datagram.from != to_) return;
    report_.supported = false;
    finish();
    return;
  }
  auto mapped = answer.xorAddress(AttributeType::XorMappedAddress);
  if (!mapped) mapped = answer.address(AttributeType::MappedAddress);
  if (!mapped || mapped->ip.family() != server_.ip.family()) return;
  switch (step_) {
    case Step::Mapped:
      sockets_[0].mapped = *mapped;
      learnServer(answer, datagram, now);
      return;
    case Step::MappedAddress:
      mappedByOther_ = *mapped;
      if (*mapped == sockets_[0].mapped) {
        report_.mapping = NatDependence::EndpointIndependent;
        begin(Step::FilterOpen, now);
      } else {
        begin(Step::MappedPort, now);
      }
      return;
    case Step::MappedPort:
      report_.mapping = *mapped == mappedByOther_ ? NatDependence::AddressDependent
                                                  : NatDependence::AddressAndPortDependent;
      begin(Step::FilterOpen, now);
      return;
    case Step::FilterOpen:
      sockets_[1].mapped = *mapped;
      begin(Step::FilterAddress, now);
      return;
    case Step::FilterAddress:
    case Step::FilterPort:
      report_.filtering = step_ == Step::FilterAddress ? NatDependence::EndpointIndependent
                                                       : NatDependence::AddressDependent;
      break;
    default:
      return;
  }
  handleSilence(now);
}

void NatProbe::learnServer(const Message& answer, const Datagram& datagram, Timestamp now) {
  report_.answered = true;
  report_.local = {datagram.to.ip.isUnspecified() ? sockets_[0].local.ip : datagram.to.ip,
                   sockets_[0].local.port};
  report_.mapped = sockets_[0].mapped;
  report_.translated = report_.mapped != report_.local;
  report_.portPreserved = report_.mapped.port == report_.local.port;
  const auto other = answer.address(AttributeType::OtherAddress);
  if (!other || !isUsable(*other, server_)) {
    finish();
    return;
  }
  other_ = *other;
  report_.supported = true;
  begin(Step::MappedAddress, now);
}

/// The step has no more to say.
void NatProbe::handleSilence(Timestamp now) {
  switch (step_) {
    case Step::MappedAddress:
    case Step::MappedPort:
      begin(Step::FilterOpen, now);
      return;
    case Step::FilterAddress:
      if (report_.filtering == NatDependence::Unknown) {
        begin(Step::FilterPort, now);
        return;
      }
      break;
    case Step::FilterPort:
      if (report_.filtering == NatDependence::Unknown)
        report_.filtering = NatDependence::AddressAndPortDependent;
      break;
    case Step::Hairpin:
      report_.hairpin = false;
      finish();
      return;
    default:
      finish();
      return;
  }
  if (report_.translated && report_.mapping == NatDependence::EndpointIndependent) {
    begin(Step::Hairpin, now);
  } else {
    finish();
  }
}

void NatProbe::advance(Timestamp now) {
  now = clock_.clamp(now);
  if (giveUpAt_ <= now) finish();
  if (!transaction_) return;
  switch (transaction_->advance(now)) {
    case Transaction::Due::Nothing:
      break;
    case Transaction::Due::Retransmit:
      send();
      break;
    case Transaction::Due::TimedOut:
      handleSilence(now);
      break;
  }
}

Timestamp NatProbe::nextDeadline() const {
  return transaction_ ? earliest(giveUpAt_, transaction_->deadline()) : giveUpAt_;
}

bool NatProbe::pollTransmit(TxPacket& out) {
  if (transmits_.empty()) return false;
  out = transmits_.pop();
  return true;
}

bool NatProbe::pollEffect(Effect& out) {
  if (effects_.empty()) return false;
  out = effects_.pop();
  return true;
}

}  // namespace parley::stun
