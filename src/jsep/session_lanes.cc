// Transports beside the first: of sections that the peer does not bundle (RFC 9143 section 7). Each
// has sockets, ICE, DTLS and an RTP session of its own.

#include <algorithm>
#include <utility>

#include "parley/base/check.h"
#include "parley/jsep/session.h"

#include "base/overloaded.h"
#include "jsep/lane_slots.h"

namespace parley::jsep {
namespace {

/// The number of a socket or look-up that an input is about; 0 for what concerns everybody.
uint32_t numberOf(const Input& input) {
  return std::visit(Overloaded{
                        [](const Resolved& e) { return e.id.value; },
                        [](const TcpAccepted& e) { return e.listener.value; },
                        [](const InterfacesChanged&) { return 0u; },
                        [](const auto& e) { return e.socket.value; },
                    },
                    input);
}

}  // namespace

Lane* Session::lane(uint32_t transport) {
  return const_cast<Lane*>(std::as_const(*this).lane(transport));
}

const Lane* Session::lane(uint32_t transport) const {
  if (transport == 0) return &first_;
  for (const auto& side : sides_) {
    if (side->id == transport && !side->ending) return side.get();
  }
  return nullptr;
}

Lane& Session::laneOfMedia(uint32_t transceiver) {
  return const_cast<Lane&>(std::as_const(*this).laneOfMedia(transceiver));
}

const Lane& Session::laneOfMedia(uint32_t transceiver) const {
  const auto it = senders_.find(transceiver);
  return it == senders_.end() || !it->second.lane ? first_ : *it->second.lane;
}

const transport::PeerTransport* Session::transport(uint32_t number) const {
  const Lane* known = lane(number);
  return known ? &known->transport : nullptr;
}

std::vector<uint32_t> Session::transports() const {
  std::vector<uint32_t> out{0};
  for (const auto& side : sides_) {
    if (!side->ending) out.push_back(side->id);
  }
  return out;
}

const media::RtpSession* Session::rtp(uint32_t transport) const {
  const Lane* known = lane(transport);
  return known ? known->rtp.get() : nullptr;
}

const media::RtpSession* Session::rtpOf(uint32_t transceiver) const {
  return laneOfMedia(transceiver).rtp.get();
}

void Session::setServers(ice::GathererConfig config, Timestamp now) {
  servers_ = config;
  for (const auto& side : sides_) side->transport.setServers(config);
  first_.transport.setServers(std::move(config));
  if (!pooling_) return;
  // What was found with other servers, or under another policy, must neither be told nor used.
  pool_.clear();
  first_.transport.reset(clock_.clamp(now));
  capabilities_.freshIce = {first_.transport.localCredentials().ufrag,
                            first_.transport.localCredentials().password};
  transport::TransportEvent none;
  while (first_.transport.pollEvent(none)) {
  }
  first_.transport.startGathering(now);
}

void Session::gatherEarly(Timestamp now) {
  if (closed_ || pooling_ || state_.local()) return;
  pooling_ = true;
  first_.transport.startGathering(clock_.clamp(now));
}

void Session::releasePool() {
  pooling_ = false;
  for (transport::TransportEvent& event : std::exchange(pool_, {}))
    onGathering(first_, std::move(event));
}

// --- their life ----------------------------------------------------------------------------------

Lane& Session::addLane(uint32_t transport, const TransportChange& change) {
  transport::TransportConfig config = first_.transport.config();
  if (servers_) {
    config.gatherer.stunServers = servers_->stunServers;
    config.gatherer.turnServers = servers_->turnServers;
    config.gatherer.turnMobility = servers_->turnMobility;
    config.gatherer.hostAndReflexive = servers_->hostAndReflexive;
    config.gatherer.tellHosts = servers_->tellHosts;
  }
  config.credentials.reset();
  if (change.localIce)
    config.credentials = ice::Credentials{change.localIce->ufrag, change.localIce->pwd};
  uint32_t slot = 1;
  const auto taken = [&](const auto& side) { return side->slot == slot; };
  while (std::any_of(sides_.begin(), sides_.end(), taken)) ++slot;
  PARLEY_CHECK(slot <= kSlots);  // see `apply`
  config.idBase = slot << kSlotShift;
  auto added = std::make_unique<Lane>(environment_, std::move(config), transport);
  added->slot = slot;
  added->rtpConfig = rtpConfig_;
  sides_.push_back(std::move(added));
  events_.push(TransportAdded{transport});
  return *sides_.back();
}

void Session::applySides(const std::vector<SideTransportChange>& changes, Timestamp now) {
  for (const SideTransportChange& change : changes) {
    Lane* known = change.ended ? nullptr : lane(change.id);
    if (known) applyTransport(*known, change.change, now);
  }
}

/// Says good-bye and is forgotten once that has left.
void Session::endLane(uint32_t transport, Timestamp now) {
  Lane* gone = lane(transport);
  if (!gone || gone == &first_) return;
  if (dataLane_ == gone) moveData(first_, now);
  for (auto& [id, sender] : senders_) {
    if (sender.lane == gone) moveMedia(id, sender, first_, now);
  }
  if (gone->rtp) gone->rtp->close(now);
  pumpMedia(*gone, now);
  gone->ending = true;
  gone->transport.close(now);
  events_.push(TransportEnded{transport});
}

void Session::dropEndedLanes() {
  std::erase_if(sides_, [](const auto& side) {
    return side->ending && side->sockets.empty() && !side->transport.isEnding();
  });
}

/// Channels that wait for their association go along; those of one that is under way end.
void Session::moveData(Lane& to, Timestamp now) {
  if (dataLane_ == &to) return;
  Lane& from = *std::exchange(dataLane_, &to);
  if (from.transport.sctpEnabled()) from.transport.disableSctp(now);
  (void)from.transport.swapChannels(to.transport, now);
  from.dataShare = to.dataShare = {};
}

// --- whose sockets and look-ups these are --------------------------------------------------------

Lane& Session::laneOfNumber(uint32_t number) {
  uint32_t slot = number >> kSlotShift;
  if (number & kAcceptedBit) {
    slot = 0;
    for (const auto& [socket, owner] : accepted_) {
      if (socket.value == number) slot = owner;
    }
  }
  for (const auto& side : sides_) {
    if (side->slot == slot) return *side;
  }
  return first_;
}

void Session::handleOnLanes(Input&& input, Timestamp now) {
  if (const auto* changed = std::get_if<InterfacesChanged>(&input)) {
    eachLane([&](Lane& each) { each.transport.handle(InterfacesChanged(*changed), now); });
    return;
  }
  Lane& owner = laneOfNumber(numberOf(input));
  if (const auto* accepted = std::get_if<TcpAccepted>(&input); accepted && owner.slot != 0) {
    accepted_.emplace_back(accepted->socket, owner.slot);
    owner.sockets.push_back(accepted->socket);
  } else if (const auto* failed = std::get_if<SocketFailed>(&input)) {
    forgetSocket(owner, failed->socket);
  }
  owner.transport.handle(std::move(input), now);
}

void Session::forgetSocket(Lane& owner, SocketId socket) {
  std::erase(owner.sockets, socket);
  std::erase_if(accepted_, [&](const auto& entry) { return entry.first == socket; });
}

/// A transport leaves its sockets to the owner of the session; one that ends before that has to
/// have them closed.
void Session::noteSockets(Lane& of, const Effect& effect) {
  std::visit(Overloaded{
                 [&](const OpenUdp& e) { of.sockets.push_back(e.socket); },
                 [&](const OpenTcp& e) { of.sockets.push_back(e.socket); },
                 [&](const ListenTcp& e) { of.sockets.push_back(e.socket); },
                 [&](const CloseSocket& e) { forgetSocket(of, e.socket); },
                 [](const auto&) {},
             },
             effect);
}

bool Session::pollSideEffect(Effect& out) {
  for (const auto& side : sides_) {
    if (side->transport.pollEffect(out)) {
      noteSockets(*side, out);
      return true;
    }
    if (!side->ending || side->transport.isEnding() || side->sockets.empty()) continue;
    const SocketId socket = side->sockets.back();
    forgetSocket(*side, socket);
    out = CloseSocket{socket};
    return true;
  }
  dropEndedLanes();
  return false;
}

transport::Diagnosis Session::diagnose(Timestamp now) const {
  transport::Diagnosis out = first_.transport.diagnose(now);
  for (const auto& side : sides_) {
    if (side->ending) continue;
    transport::Diagnosis& other = out.others.emplace_back(side->transport.diagnose(now));
    other.mid = transportMid(side->id);
  }
  if (out.others.empty()) return out;
  out.mid = transportMid();
  out.verdict = transport::judgeTogether(out);
  return out;
}

}  // namespace parley::jsep
