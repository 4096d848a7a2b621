#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "parley/base/driven.h"
#include "parley/base/export.h"

namespace parley::endpoint {

/// Who owns a socket: each session numbers its own sockets, the endpoint hands the driver numbers
/// that are unique over all sessions. Both directions are O(1): the endpoint's number is an index
/// here (of accepted connections, a key), and sessions keep few sockets.
class PARLEY_EXPORT SocketTable {
 public:
  /// Stands for the endpoint itself where a session is named.
  static constexpr size_t kEndpoint = SIZE_MAX;
  /// Stands for all sessions: the sockets that they share.
  static constexpr size_t kShared = SIZE_MAX - 1;
  /// The same for TCP: shared listeners, and what was accepted there and is nobody's yet.
  static constexpr size_t kSharedTcp = SIZE_MAX - 2;

  struct Owner {
    size_t session = 0;        ///< slot of the owning session
    SocketId sessionSocket{};  ///< the session's own number
  };

  /// Registers a session's socket and gives the number to use towards the driver.
  SocketId add(size_t session, SocketId sessionSocket);
  /// Registers a connection that the driver has accepted and numbered (the top bit is set). The
  /// session's number of it is the same.
  void addAccepted(size_t session, SocketId socket);
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
  static bool isAccepted(uint32_t number) { return (number & 0x8000'0000) != 0; }
  std::vector<uint32_t>& listOf(size_t session);
  const std::vector<uint32_t>* findList(size_t session) const;

  // Numbers are never zero, so that a forgotten SocketId{} cannot hit someone's socket.
  std::vector<Entry> entries_{1};
  std::vector<uint32_t> free_;
  std::vector<std::vector<uint32_t>> bySession_;
  std::vector<uint32_t> ofEndpoint_;
  std::vector<uint32_t> shared_;
  std::vector<uint32_t> sharedTcp_;
  std::unordered_map<uint32_t, Owner> accepted_;
};

}  // namespace parley::endpoint
