#include "ice/tcp_gatherer.h"

#include <algorithm>
#include <utility>

namespace parley::ice {
namespace {

constexpr size_t kMaxPlaces = 32;
constexpr uint16_t kOtherPreferences = 8191;  // 13 bits: RFC 6544 section 4.2

}  // namespace

TcpGatherer::TcpGatherer(Environment& environment, IdAllocator& ids, const GathererConfig& config)
    : env_(environment), ids_(ids), config_(config), links_(environment, ids) {}

bool TcpGatherer::setAddresses(const std::vector<IpAddress>& addresses, Timestamp now) {
  // Under a policy that hides the machine's addresses there is nothing to tell.
  if (!config_.tellHosts || !config_.hostAndReflexive) return false;
  std::vector<SocketId> gone;
  for (const Place& place : places_) {
    if (std::find(addresses.begin(), addresses.end(), place.local.ip) == addresses.end())
      gone.push_back(place.socket);
  }
  for (const SocketId socket : gone) drop(socket, true);

  bool changed = false;
  const auto want = [&](bool wanted, TcpType type, const IpAddress& ip) {
    const bool known = std::any_of(places_.begin(), places_.end(), [&](const Place& place) {
      return place.type == type && place.local.ip == ip;
    });
    if (!wanted || known || places_.size() >= kMaxPlaces) return;
    add(type, ip, now);
    changed = true;
  };
  for (const IpAddress& ip : addresses) {
    want(config_.tcpActive, TcpType::Active, ip);
    want(config_.tcpPassive, TcpType::Passive, ip);
    want(config_.tcpSimultaneousOpen, TcpType::SimultaneousOpen, ip);
  }
  return changed;
}

void TcpGatherer::add(TcpType type, const IpAddress& ip, Timestamp now) {
  Place& place = places_.emplace_back();
  place.socket = ids_.nextSocket();
  place.type = type;
  place.local = {ip, 0};
  place.rank = nextRank_++;
  if (type != TcpType::Active) {
    place.port = PortChoice(config_, env_.random);
    listen(place, now);
    return;
  }
  place.open = true;
  links_.addLocal(place.socket, type, place.local);
  tell(place);
}

void TcpGatherer::listen(Place& place, Timestamp now) {
  place.local.port = place.port.port();
  place.giveUpAt = now + config_.patience;
  const bool mayConnect = place.type == TcpType::SimultaneousOpen;
  effects_.push(ListenTcp{.socket = place.socket,
                          .local = place.local,
                          .mayShare = !mayConnect,
                          .mayConnect = mayConnect});
}

void TcpGatherer::drop(SocketId socket, bool close) {
  const Place* place = find(socket);
  if (!place) return;
  if (place->open) events_.push(SocketGone{socket});
  if (close && place->type != TcpType::Active) effects_.push(CloseSocket{socket});
  links_.removeLocal(socket);
  std::erase_if(places_, [&](const Place& other) { return other.socket == socket; });
}

void TcpGatherer::restart() {
  std::erase_if(former_, [&](SocketId socket) {
    if (links_.inUse(socket)) return false;
    links_.removeLocal(socket);
    return true;
  });
  for (Place& place : places_) {
    if (place.type == TcpType::Active) {
      former_.push_back(place.socket);
      place.socket = ids_.nextSocket();
      links_.addLocal(place.socket, place.type, place.local);
    }
    // Under a policy that came since then there is nothing to tell any more.
    if (place.open && config_.tellHosts && config_.hostAndReflexive) tell(place);
  }
}

void TcpGatherer::close() {
  effects_.clear();
  for (const Place& place : places_) {
    if (place.type != TcpType::Active) effects_.push(CloseSocket{place.socket});
  }
  places_.clear();
  links_.closeAll();
}

bool TcpGatherer::finished() const {
  return std::all_of(places_.begin(), places_.end(), [](const Place& place) { return place.open; });
}

void TcpGatherer::tell(Place& place) {
  const uint16_t port = place.type == TcpType::Active ? kActivePort : place.local.port;
  bool isForwarded = false;
  for (const IpAddress& ip : config_.announced) {
    if (ip.family() != place.local.ip.family() || place.local.ip.isLoopback()) continue;
    isForwarded = true;
    tell(place, {ip, port});
  }
  if (!isForwarded) tell(place, {place.local.ip, port});
}

void TcpGatherer::tell(Place& place, const SocketAddress& address) {
  const auto has = [&](const Place& other) {
    return std::find(other.told.begin(), other.told.end(), address) != other.told.end();
  };
  // The same port on several addresses is forwarded to one of them.
  for (const Place& other : places_) {
    if (&other != &place && other.type == place.type && has(other)) return;
  }
  if (!has(place)) place.told.push_back(address);
  Candidate candidate;
  candidate.type = CandidateType::Host;
  candidate.protocol = Protocol::Tcp;
  candidate.tcpType = place.type;
  candidate.address = address;
  candidate.foundation = foundation(place.local.ip);
  const auto other = static_cast<uint16_t>(kOtherPreferences - place.rank);
  candidate.priority = candidatePriority(CandidateType::Host,
                                         tcpLocalPreference(CandidateType::Host, place.type, other),
                                         1, Protocol::Tcp);
  candidate.base = place.local;
  events_.push(CandidateGathered{std::move(candidate), place.socket});
}

/// Those of UDP candidates are plain numbers.
std::string TcpGatherer::foundation(const IpAddress& base) {
  auto at = std::find(foundations_.begin(), foundations_.end(), base);
  if (at == foundations_.end()) at = foundations_.insert(foundations_.end(), base);
  return "t" + std::to_string(at - foundations_.begin() + 1);
}

TcpGatherer::Place* TcpGatherer::find(SocketId socket) {
  const auto at = std::find_if(places_.begin(), places_.end(),
                               [&](const Place& place) { return place.socket == socket; });
  return at == places_.end() ? nullptr : &*at;
}

bool TcpGatherer::handleOpened(const SocketOpened& opened, Timestamp now) {
  Place* place = find(opened.socket);
  if (!place) return links_.handleOpened(opened, now);
  if (place->open) return true;
  place->open = true;
  place->local.port = opened.local.port;
  links_.addLocal(place->socket, place->type, place->local);
  tell(*place);
  return true;
}

bool TcpGatherer::handleFailed(const SocketFailed& failed, Timestamp now) {
  Place* place = find(failed.socket);
  if (!place) return links_.handleFailed(failed, now);
  if (!place->open && failed.reason == SocketFailure::AddressInUse && place->port.next()) {
    place->socket = ids_.nextSocket();
    listen(*place, now);
    return true;
  }
  PARLEY_LOG(env_.log, Info, "ice", "no TCP port at %s", place->local.ip.toString().c_str());
  drop(failed.socket, false);
  return true;
}

void TcpGatherer::advance(Timestamp now) {
  for (size_t i = places_.size(); i-- > 0;) {
    const Place& place = places_[i];
    if (!place.open && place.giveUpAt <= now) drop(place.socket, true);
  }
  links_.advance(now);
}

Timestamp TcpGatherer::nextDeadline() const {
  Timestamp next = links_.nextDeadline();
  for (const Place& place : places_) {
    if (!place.open) next = earliest(next, place.giveUpAt);
  }
  return next;
}

bool TcpGatherer::pollEffect(Effect& out) {
  if (effects_.empty()) return links_.pollEffect(out);
  out = effects_.pop();
  return true;
}

bool TcpGatherer::pollEvent(GathererEvent& out) {
  TcpLinks::Lost lost;
  if (links_.pollLost(lost)) {
    out = ConnectionLost{lost.socket, lost.remote};
    return true;
  }
  if (events_.empty()) return false;
  out = events_.pop();
  return true;
}

}  // namespace parley::ice
