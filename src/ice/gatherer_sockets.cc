// The sockets of host candidates: one per usable local address, and the ports they get.

#include <algorithm>
#include <utility>

#include "ice/address_selection.h"
#include "ice/gatherer_core.h"

namespace parley::ice {

void GathererCore::handleInterfaces(const InterfacesChanged& change, Timestamp now) {
  now = clock_.clamp(now);
  if (!started_ || closed_ || !config_.sockets.empty()) return;
  const bool closed = addressesKnown_ && done_ && !config_.continual;
  addressesKnown_ = true;
  if (config_.hostAndReflexive) {
    std::vector<IpAddress> addresses = selectHostAddresses(change.interfaces, config_);
    if (closed) {
      std::erase_if(addresses, [&](const IpAddress& ip) {
        return std::none_of(sockets_.begin(), sockets_.end(),
                            [&](const Socket& socket) { return socket.local.ip == ip; });
      });
    }
    openSockets(addresses, now);
    forgetNames(addresses);
    if (tcp_.setAddresses(addresses, now)) done_ = false;
  }
  // An allocation that can move does not become a new candidate.
  if (!closed || config_.turnMobility) relays_.handleInterfaces(change.interfaces, now);
  pump(now);
}

void GathererCore::openSockets(const std::vector<IpAddress>& addresses, Timestamp now) {
  std::vector<SocketId> gone;
  for (const Socket& socket : sockets_) {
    if (std::find(addresses.begin(), addresses.end(), socket.local.ip) == addresses.end()) {
      gone.push_back(socket.id);
    }
  }
  for (SocketId id : gone) dropSocket(id, true);

  for (const IpAddress& ip : addresses) {
    const bool known = std::any_of(sockets_.begin(), sockets_.end(),
                                   [&](const Socket& socket) { return socket.local.ip == ip; });
    if (known) continue;
    Socket& socket = sockets_.emplace_back();
    socket.id = ids_.nextSocket();
    socket.rank = nextRank_++;
    socket.giveUpAt = now + config_.patience;
    socket.port = PortChoice(config_, env_.random);
    socket.local = {ip, socket.port.port()};
    effects_.push(OpenUdp{socket.id, socket.local, false, true});
    done_ = false;
  }
}

bool GathererCore::tryAnotherPort(Socket& socket, Timestamp now) {
  if (!socket.port.next()) return false;
  socket.id = ids_.nextSocket();
  socket.local.port = socket.port.port();
  socket.giveUpAt = now + config_.patience;
  effects_.push(OpenUdp{socket.id, socket.local, false, true});
  return true;
}

void GathererCore::dropSocket(SocketId id, bool close) {
  const Socket* socket = findSocket(id);
  if (!socket) return;
  if (mapper_) mapper_->remove(id, clock_.last());
  if (upnp_) upnp_->remove(id, clock_.last());
  if (close && socket->owned) effects_.push(CloseSocket{id});
  if (socket->open) events_.push(SocketGone{id});
  std::erase_if(requests_, [&](const Request& request) { return request.socket == id; });
  std::erase_if(sockets_, [&](const Socket& s) { return s.id == id; });
}

bool GathererCore::handleSocketOpened(const SocketOpened& opened, Timestamp now) {
  now = clock_.clamp(now);
  if (relays_.handleOpened(opened, now) || tcp_.handleOpened(opened, now) ||
      (mapper_ && mapper_->handleSocketOpened(opened, now)) ||
      (upnp_ && upnp_->handleSocketOpened(opened, now))) {
    pump(now);
    return true;
  }
  Socket* socket = findSocket(opened.socket);
  if (!socket || !socket->owned) return false;
  if (!socket->open) {
    socket->open = true;
    socket->local.port = opened.local.port;
    tellHost(*socket);
    if (mapper_) {
      mapper_->add(socket->id, socket->local, now);
      // The search goes on while the router is asked for what costs less.
      upnp_->prepare(socket->local.ip, now);
    }
    pump(now);
  }
  return true;
}

bool GathererCore::handleSocketFailed(const SocketFailed& failed, Timestamp now) {
  now = clock_.clamp(now);
  if (relays_.handleFailed(failed, now) || tcp_.handleFailed(failed, now) ||
      (mapper_ && mapper_->handleSocketFailed(failed, now)) ||
      (upnp_ && upnp_->handleSocketFailed(failed, now))) {
    pump(now);
    return true;
  }
  Socket* socket = findSocket(failed.socket);
  if (!socket || !socket->owned) return false;
  if (!socket->open && failed.reason == SocketFailure::AddressInUse &&
      tryAnotherPort(*socket, now)) {
    return true;
  }
  PARLEY_LOG(env_.log, Info, "ice", "socket for %s failed", socket->local.ip.toString().c_str());
  dropSocket(failed.socket, false);
  pump(now);
  return true;
}

}  // namespace parley::ice
