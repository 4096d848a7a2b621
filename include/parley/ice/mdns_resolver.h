#pragma once

#include <memory>
#include <string_view>

#include "parley/base/driven.h"
#include "parley/base/environment.h"
#include "parley/base/export.h"
#include "parley/base/id_allocator.h"
#include "parley/base/time.h"

namespace parley::ice {

struct MdnsConfig {
  bool ipv4 = true;
  bool ipv6 = true;
  Duration timeout = Duration::seconds(4);
  /// The multicast sockets are closed after so long without a question.
  Duration idleClose = Duration::seconds(5);
  /// Further ones are answered "no address" immediately.
  size_t maxQuestions = 64;
  /// Names of our own, further ones stay unknown.
  size_t maxNames = 256;
};

/// Multicast DNS (RFC 6762) for the names that hide addresses in candidates, and for nothing else:
/// asks for those of the peers, and answers for our own. One per endpoint; a machine. It asks for
/// unicast answers (QU), takes multicast ones too, and opens its sockets with the first question.
/// If port 5353 cannot be had it asks from another port as a "one-shot" querier (RFC 6762
/// section 5.1).
class PARLEY_EXPORT MdnsResolver {
 public:
  MdnsResolver(Environment& environment, IdAllocator& ids, const MdnsConfig& config = {});
  ~MdnsResolver();
  MdnsResolver(MdnsResolver&&) noexcept;
  MdnsResolver& operator=(MdnsResolver&&) noexcept;

  /// Answered once by `pollResult` with the same id, within `timeout`. No address: the name is not
  /// `<uuid>.local`, nobody answered, or somebody answered with more than one address (section 3.2
  /// of draft-ietf-mmusic-mdns-ice-candidates has such names ignored).
  void resolve(ResolveId id, std::string_view host, Timestamp now);
  /// Unknown ids are ignored.
  void cancel(ResolveId id);

  /// From now on tells who asks for `name` (`<uuid>.local`) that it is `address`. Neither probed
  /// nor announced: nobody else has the name, and nobody knows it before signalling tells. On the
  /// interface with this index; 0: the system's choice. A name that is there gets the address.
  void publish(std::string_view name, const IpAddress& address, uint32_t interfaceIndex,
               Timestamp now);
  /// Says good-bye to caches (section 10.1), if anybody has asked.
  void withdraw(std::string_view name, Timestamp now);

  // Each answers false if the socket is not this resolver's.
  bool handleSocketOpened(const SocketOpened& opened, Timestamp now);
  bool handleSocketFailed(const SocketFailed& failed, Timestamp now);
  bool handleDatagram(SocketId socket, const SocketAddress& from, ByteSpan datagram, Timestamp now);

  bool pollTransmit(TxPacket& out);
  bool pollEffect(Effect& out);
  bool pollResult(Resolved& out);
  void advance(Timestamp now);
  Timestamp nextDeadline() const;

 private:
  std::unique_ptr<class MdnsCore> core_;
};

}  // namespace parley::ice
