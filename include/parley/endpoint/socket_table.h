#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "parley/base/driven.h"
#include "parley/base/export.h"

namespace parley::endpoint {

/// Who owns a socket: each session numbers its own sockets, the endpoint hands the driver numbers
/// that are unique over all sessions. Both directions are O(1): the endpoint's number is an index
/// here, and sessions keep few sockets.
class PARLEY_EXPORT SocketTable {
 public:
  /// Stands for the endpoint itself where a session is named.
  static constexpr size_t kEndpoint = SIZE_MAX;
  /// Stands for all sessions: the sockets that they share.
  static constexpr size_t kShared = SIZE_MAX - 1;

  struct Owner {
    size_t session = 0;        ///< slot of the owning session
    SocketId sessionSocket{};  ///< the session's own number
  };

  /// Registers a session's socket and gives the number to use towards the driver.
  SocketId add(size_t session, SocketId sessionSocket);
  /// Gives up a number; it may be used again after the driver has been told to close it.
  void remove(SocketId socket);
  const Owner* find(SocketId socket) const;
  std::optional<SocketId> lookUp(size_t session, SocketId sessionSocket) const;
  /// The driver's numbers of all sockets of a session.
  std::vector<SocketId> ofSession(size_t session) const;

 private:
  struct Entry {
    bool used = false;
    Owner owner;
  };
  std::vector<uint32_t>& listOf(size_t session);
  const std::vector<uint32_t>* findList(size_t session) const;

  // Numbers are never zero, so that a forgotten SocketId{} cannot hit someone's socket.
  std::vector<Entry> entries_{1};
  std::vector<uint32_t> free_;
  std::vector<std::vector<uint32_t>> bySession_;
  std::vector<uint32_t> ofEndpoint_;
  std::vector<uint32_t> shared_;
};

}  // namespace parley::endpoint
