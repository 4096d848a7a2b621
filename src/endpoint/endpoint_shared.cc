// Ports that all sessions share: handing them out, and who gets which datagram.

#include <utility>

#include "parley/endpoint/endpoint.h"

namespace parley::endpoint {
namespace {

/// Of all sessions on one shared TCP port; what is nobody's is bounded apart.
constexpr uint32_t kMaxAccepted = 65536;

}  // namespace

void Endpoint::openShared() {
  for (size_t port = 0; port < shared_.count(); ++port) {
    const SocketId socket =
        sockets_.add(SocketTable::kShared, SocketId(static_cast<uint32_t>(port)));
    shared_.setSocket(port, socket);
    effects_.push(OpenUdp{socket, shared_.wanted(port)});
  }
  for (size_t port = 0; port < sharedTcp_.count(); ++port) {
    const SocketId socket =
        sockets_.add(SocketTable::kSharedTcp, SocketId(static_cast<uint32_t>(port)));
    sharedTcp_.setSocket(port, socket);
    effects_.push(
        ListenTcp{.socket = socket, .local = sharedTcp_.wanted(port), .maxAccepted = kMaxAccepted});
  }
}

std::vector<SocketAddress> Endpoint::addressesOf(const SharedPorts& ports) {
  std::vector<SocketAddress> out;
  for (size_t port = 0; port < ports.count(); ++port) {
    if (ports.bound(port) && !ports.failed(port)) out.push_back(*ports.bound(port));
  }
  return out;
}

bool Endpoint::shareSocket(size_t index, const OpenUdp& wish, Timestamp now) {
  if (shared_.count() == 0 || !wish.mayShare) return false;
  jsep::Session& session = *slots_[index].session;
  const auto port = shared_.portFor(wish.local.ip);
  if (!port) {
    session.handle(SocketFailed{wish.socket, SocketFailure::AddressNotAvailable}, now);
    return true;
  }
  shared_.add(index, {wish.socket, *port, wish.local.ip});
  // Before it is open the session waits, as for a socket of its own.
  if (const auto& bound = shared_.bound(*port))
    session.handle(SocketOpened{wish.socket, {wish.local.ip, bound->port}}, now);
  return true;
}

void Endpoint::handleShared(size_t port, Input&& input, Timestamp now) {
  if (auto* datagram = std::get_if<Datagram>(&input)) {
    routeShared(port, {datagram, 1}, now);
  } else {
    noteShared(shared_, port, input, now);
  }
}

void Endpoint::handleSharedTcp(SocketId number, size_t port, Input&& input, Timestamp now) {
  if (port < sharedTcp_.count() && sharedTcp_.socketOf(port) == number) {
    noteShared(sharedTcp_, port, input, now);
  } else {
    handleWaiting(std::move(input), now);
  }
}

/// A shared port was opened, or cannot be.
void Endpoint::noteShared(SharedPorts& shared, size_t port, const Input& input, Timestamp now) {
  const auto* opened = std::get_if<SocketOpened>(&input);
  const auto* failed = std::get_if<SocketFailed>(&input);
  if (opened) shared.setBound(port, opened->local);
  if (failed) {
    PARLEY_LOG(environment_.log, Error, "endpoint", "the shared port %s cannot be used",
               shared.wanted(port).toString().c_str());
    shared.setFailed(port);
  }
  if (!opened && !failed) return;
  for (size_t i = 0; i < slots_.size(); ++i) {
    if (!slots_[i].session) continue;
    // What the session does with it may change the list.
    const auto current = shared.usesOf(i);
    const std::vector<SharedPorts::Use> uses(current.begin(), current.end());
    for (const SharedPorts::Use& use : uses) {
      if (use.port != port) continue;
      if (opened) {
        deliver(i, SocketOpened{use.sessionSocket, {use.local, opened->local.port}}, now);
      } else {
        shared.remove(i, use.sessionSocket);
        deliver(i, SocketFailed{use.sessionSocket, failed->reason}, now);
      }
    }
  }
}

void Endpoint::routeShared(size_t port, std::span<Datagram> datagrams, Timestamp now) {
  while (!datagrams.empty()) {
    const auto target = shared_.route(port, datagrams.front());
    if (!target) {
      ++counters_.datagramsUnrouted;
      datagrams.front().data.reset();
      datagrams = datagrams.subspan(1);
      continue;
    }
    // Packets of one peer come in runs: the next ones need no look-up.
    const SocketAddress from = datagrams.front().from;
    size_t run = 1;
    datagrams.front().socket = target->sessionSocket;
    while (!target->isCheck && run < datagrams.size() && datagrams[run].from == from &&
           datagrams[run].to.ip == datagrams.front().to.ip &&
           !SharedPorts::needsLookUp(datagrams[run])) {
      datagrams[run++].socket = target->sessionSocket;
    }
    jsep::Session& session = *slots_[target->session].session;
    session.handleDatagrams(datagrams.first(run), now);
    if (target->isCheck && session.transport().agent().isValidSource(target->sessionSocket, from))
      shared_.bind(target->session, port, from);
    collect(target->session, now);
    datagrams = datagrams.subspan(run);
  }
}

/// The driver's number of the socket; nullopt if the session has closed it.
std::optional<SocketId> Endpoint::socketFor(size_t index, TxPacket& packet) {
  if (const SharedPorts::Use* use = shared_.find(index, packet.socket)) {
    if (packet.from.isUnspecified()) packet.from = use->local;
    shared_.noteSent(index, packet.data.span());
    return shared_.socketOf(*use);
  }
  return sockets_.lookUp(index, packet.socket);
}

}  // namespace parley::endpoint
