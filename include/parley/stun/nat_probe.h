#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "parley/base/driven.h"
#include "parley/base/environment.h"
#include "parley/base/export.h"
#include "parley/base/id_allocator.h"
#include "parley/base/ring_queue.h"
#include "parley/base/time.h"
#include "parley/stun/message.h"
#include "parley/stun/transaction.h"

namespace parley::stun {

/// What a mapping or a filter of a NAT depends on (RFC 4787 sections 4.1 and 5).
enum class NatDependence : uint8_t {
  Unknown,
  EndpointIndependent,
  AddressDependent,
  AddressAndPortDependent,
};
PARLEY_EXPORT const char* toString(NatDependence dependence);

/// What stands between this machine and a STUN server.
struct NatReport {
  bool answered = false;  ///< the server did, over UDP
  /// The server has a second address and answers from there when asked (RFC 5780). Without it the
  /// behaviours stay unknown.
  bool supported = false;
  SocketAddress local;
  SocketAddress mapped;
  bool translated = false;     ///< `mapped` is not `local`
  bool portPreserved = false;  ///< and has its port
  NatDependence mapping = NatDependence::Unknown;
  /// Of a firewall, if nothing is translated.
  NatDependence filtering = NatDependence::Unknown;
  /// Whether two sockets here reach each other by their mapped addresses; unknown without a
  /// translation, or if the mapping depends on the destination.
  std::optional<bool> hairpin;

  /// "mapping endpoint-independent, filtering address-and-port-dependent, ..."
  PARLEY_EXPORT std::string toString() const;
};

/// Finds out how a NAT maps and filters (RFC 5780 sections 4.3 and 4.4), with two sockets: what the
/// first sends to the server's other addresses must not open the second's filters. A machine; takes
/// up to some 10 s, because silence is among the answers.
///
/// Queues: 16 packets and 8 effects, more than it ever has under way.
class PARLEY_EXPORT NatProbe {
 public:
  /// `ids` names sockets. `local`: the address to leave from; unspecified: the system's choice.
  NatProbe(Environment& environment, IdAllocator& ids, const SocketAddress& server,
           const IpAddress& local = {});

  void start(Timestamp now);
  /// Closes the sockets; the report stays as it is.
  void close(Timestamp now);

  // Each answers false if the socket is not the probe's.
  bool handleSocketOpened(const SocketOpened& opened, Timestamp now);
  bool handleSocketFailed(const SocketFailed& failed, Timestamp now);
  bool handleDatagram(const Datagram& datagram, Timestamp now);

  bool pollTransmit(TxPacket& out);
  bool pollEffect(Effect& out);
  void advance(Timestamp now);
  Timestamp nextDeadline() const;

  bool done() const { return step_ == Step::Done; }
  const NatReport& report() const { return report_; }

 private:
  enum class Step : uint8_t {
    Idle,
    Opening,
    Mapped,         ///< first socket to the server: RFC 5780's test I
    MappedAddress,  ///< to the other address
    MappedPort,     ///< and to the other port of it
    FilterOpen,     ///< second socket to the server
    FilterAddress,  ///< asks for an answer from the other address and port
    FilterPort,     ///< from the other port
    Hairpin,
    Done,
  };
  struct Socket {
    SocketId id{};
    SocketAddress local;
    SocketAddress mapped;
    bool open = false;
  };

  void begin(Step step, Timestamp now);
  void send();
  void sendHairpin();
  void queue(const Socket& from, const SocketAddress& to, const TransactionId& id,
             std::optional<uint32_t> change);
  void handleAnswer(const Message& answer, const Datagram& datagram, Timestamp now);
  void handleSilence(Timestamp now);
  void learnServer(const Message& answer, const Datagram& datagram, Timestamp now);
  void finish();
  const Socket& asker() const { return sockets_[step_ >= Step::FilterOpen ? 1 : 0]; }

  Environment& env_;
  IdAllocator& ids_;
  const SocketAddress server_;
  const IpAddress bind_;
  MonotonicGuard clock_;
  SocketAddress other_;
  std::array<Socket, 2> sockets_;
  Step step_ = Step::Idle;
  std::optional<Transaction> transaction_;
  SocketAddress to_;
  Timestamp giveUpAt_ = Timestamp::never();  ///< of the sockets' opening
  std::array<TransactionId, 2> hairpinIds_{};
  NatReport report_;
  SocketAddress mappedByOther_;
  RingQueue<TxPacket> transmits_{16};
  RingQueue<Effect> effects_{8};
};

}  // namespace parley::stun
