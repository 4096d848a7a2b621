#include "parley/endpoint/socket_table.h"

#include <algorithm>

namespace parley::endpoint {

std::vector<uint32_t>& SocketTable::listOf(size_t session) {
  if (session == kEndpoint) return ofEndpoint_;
  if (session == kShared) return shared_;
  if (session == kSharedTcp) return sharedTcp_;
  if (session >= bySession_.size()) bySession_.resize(session + 1);
  return bySession_[session];
}

const std::vector<uint32_t>* SocketTable::findList(size_t session) const {
  if (session == kEndpoint) return &ofEndpoint_;
  if (session == kShared) return &shared_;
  if (session == kSharedTcp) return &sharedTcp_;
  return session < bySession_.size() ? &bySession_[session] : nullptr;
}

SocketId SocketTable::add(size_t session, SocketId sessionSocket) {
  uint32_t number;
  if (free_.empty()) {
    number = static_cast<uint32_t>(entries_.size());
    entries_.emplace_back();
  } else {
    number = free_.back();
    free_.pop_back();
  }
  entries_[number] = {true, {session, sessionSocket}};
  listOf(session).push_back(number);
  return SocketId(number);
}

void SocketTable::addAccepted(size_t session, SocketId socket) {
  accepted_[socket.value] = {session, socket};
  // What waits for its session has no place in a list: there may be many.
  if (session != kSharedTcp) listOf(session).push_back(socket.value);
}

void SocketTable::remove(SocketId socket) {
  const Owner* owner = find(socket);
  if (!owner) return;
  if (isAccepted(socket.value)) {
    std::erase(listOf(owner->session), socket.value);
    accepted_.erase(socket.value);
    return;
  }
  Entry& entry = entries_[socket.value];
  std::erase(listOf(entry.owner.session), socket.value);
  entry = {};
  free_.push_back(socket.value);
}

const SocketTable::Owner* SocketTable::find(SocketId socket) const {
  if (isAccepted(socket.value)) {
    const auto at = accepted_.find(socket.value);
    return at == accepted_.end() ? nullptr : &at->second;
  }
  if (socket.value >= entries_.size() || !entries_[socket.value].used) return nullptr;
  return &entries_[socket.value].owner;
}

std::optional<SocketId> SocketTable::lookUp(size_t session, SocketId sessionSocket) const {
  const std::vector<uint32_t>* list = findList(session);
  if (!list) return std::nullopt;
  for (uint32_t number : *list) {
    const SocketId own =
        isAccepted(number) ? SocketId(number) : entries_[number].owner.sessionSocket;
    if (own == sessionSocket) return SocketId(number);
  }
  return std::nullopt;
}

std::vector<SocketId> SocketTable::ofSession(size_t session) const {
  std::vector<SocketId> out;
  const std::vector<uint32_t>* list = findList(session);
  if (!list) return out;
  for (uint32_t number : *list) out.emplace_back(number);
  return out;
}

}  // namespace parley::endpoint
