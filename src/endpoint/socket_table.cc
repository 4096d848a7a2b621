#include "parley/endpoint/socket_table.h"

#include <algorithm>

namespace parley::endpoint {

std::vector<uint32_t>& SocketTable::listOf(size_t session) {
  if (session == kEndpoint) return ofEndpoint_;
  if (session == kShared) return shared_;
  if (session >= bySession_.size()) bySession_.resize(session + 1);
  return bySession_[session];
}

const std::vector<uint32_t>* SocketTable::findList(size_t session) const {
  if (session == kEndpoint) return &ofEndpoint_;
  if (session == kShared) return &shared_;
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

void SocketTable::remove(SocketId socket) {
  if (!find(socket)) return;
  Entry& entry = entries_[socket.value];
  std::erase(listOf(entry.owner.session), socket.value);
  entry = {};
  free_.push_back(socket.value);
}

const SocketTable::Owner* SocketTable::find(SocketId socket) const {
  if (socket.value >= entries_.size() || !entries_[socket.value].used) return nullptr;
  return &entries_[socket.value].owner;
}

std::optional<SocketId> SocketTable::lookUp(size_t session, SocketId sessionSocket) const {
  const std::vector<uint32_t>* list = findList(session);
  if (!list) return std::nullopt;
  for (uint32_t number : *list) {
    if (entries_[number].owner.sessionSocket == sessionSocket) return SocketId(number);
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
