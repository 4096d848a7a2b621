#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "parley/base/bytes.h"
#include "parley/base/environment.h"
#include "parley/base/export.h"
#include "parley/base/packet_buffer.h"
#include "parley/base/result.h"
#include "parley/base/time.h"
#include "parley/base/units.h"

// The sctp room: SCTP over DTLS (RFC 8261) and WebRTC data channels on top (RFC 8831, RFC 8832).
//
//   decrypted record -> Association::handlePacket -> pollInbound -> DataChannels -> the application
//   the application  -> DataChannels -> Association::send -> pollTransmit -> one DTLS record each
//
// `Association` is an interface: the engine in use is our own (createAssociation); usrsctp stands
// beside it (createUsrSctpAssociation), as a second implementation to be tested against. Nothing
// outside this layer knows either.

namespace parley::sctp {

/// How an association is set up. Fixed for its life.
struct AssociationConfig {
  uint16_t localPort = 5000;   ///< a=sctp-port of the local description
  uint16_t remotePort = 5000;  ///< a=sctp-port of the remote description
  /// Largest SCTP packet, headers included. 1148 + 37 (DTLS 1.2 with GCM) + 4 (TURN ChannelData) +
  /// 48 (UDP and IPv6) = 1237, below the IPv6 minimum MTU of 1280 with room for CBC suites. More is
  /// never tried. With peers that announce PAD chunks (RFC 4820) a handshake that does not get
  /// through with packets of this size ends with 896 or 508 in its place, until a larger one has
  /// passed.
  size_t mtu = 1148;
  /// Above `mtu`: with peers that announce PAD chunks, packets up to this size are probed for once
  /// the association stands (RFC 8899), and used where they pass. A chunk never exceeds `mtu`, so
  /// that whatever is under way still fits when the path narrows. Packets that ask must not be
  /// fragmented (Association::isPathProbe).
  size_t maxMtu = 0;
  /// Streams asked for, each way; the peer may reduce them. RFC 8831 section 6.2 recommends 65535.
  /// A stream costs memory only while it is used. (usrsctp allocates 110 bytes per stream pair at
  /// once: it asks for 1024 at most.)
  uint16_t streams = 65'535;
  /// Bytes in flight at most. What is really in flight follows the path's bandwidth and delay; more
  /// than 1 MiB is taken from Environment::memory.
  size_t sendBuffer = 32u << 20;
  /// The receiver window at most. It begins at 1 MiB and grows while the application keeps up with
  /// a peer that fills it; what it grows by is taken from Environment::memory.
  size_t receiveBuffer = 32u << 20;
  size_t maxMessageSize = 262'144;  ///< larger incoming messages are dropped and reported
  /// A round trip time known from elsewhere (ICE), for the first timeouts; zero: none.
  Duration rttHint{};
  /// Offers RFC 9653 (no CRC32c inside DTLS) and uses it if the peer offers it too.
  bool zeroChecksum = true;
  /// Offers RFC 8260 (I-DATA): big messages do not block small ones.
  bool interleaving = true;
};

enum class AssociationState : uint8_t { New, Connecting, Connected, ShuttingDown, Closed, Failed };

PARLEY_EXPORT const char* toString(AssociationState state);

/// How one message is to be delivered. At most one of the two limits may be set (RFC 3758, RFC
/// 7496).
struct SendOptions {
  bool unordered = false;
  std::optional<uint16_t> maxRetransmits{};  ///< give up after so many retransmissions
  std::optional<Duration> lifetime{};        ///< give up when older than this, counted from send()
  uint16_t priority = 256;  ///< weight against other streams (RFC 8831 section 6.4)
  /// Bytes that are not the application's (DCEP messages, the filler of an empty message): not part
  /// of bufferedAmount.
  bool control = false;
  /// Accepted beyond the buffer's limit: for what the protocol needs, never for what the
  /// application can ask for at will.
  bool beyondLimit = false;
};

/// What the peer's streams carried, in the order in which it takes effect.
struct Inbound {
  enum class Kind : uint8_t {
    Message,
    StreamReset,      ///< the peer reset its outgoing stream: no more messages until reused
    AllStreamsReset,  ///< the same for every stream; `stream` is meaningless
    TooBig,           ///< a message above maxMessageSize was dropped
    Abandoned,        ///< the peer gave up a message of which parts were delivered
  };
  Kind kind = Kind::Message;
  uint16_t stream = 0;
  uint32_t ppid = 0;  ///< host byte order
  bool unordered = false;
  /// A message that arrives in parts (Association::setPartSize) has one Inbound each; they follow
  /// each other in order, with other streams' messages between them.
  bool first = true;
  bool last = true;
  Bytes data;
};

struct AssociationStateChanged {
  AssociationState state = AssociationState::New;
  std::string reason;  ///< for Failed and Closed; printable ASCII
  std::optional<uint16_t>
      causeCode{};  ///< SCTP error cause if the peer sent one (RFC 9260 section 3.3.10)
};
/// The peer has confirmed the reset of these outgoing streams; they may be used again.
struct OutgoingStreamsReset {
  std::vector<uint16_t> streams;
};
/// bufferedAmount(stream) became smaller. Coalesced: one per stream until polled.
struct BufferedAmountDecreased {
  uint16_t stream = 0;
};
using AssociationEvent = std::variant<std::monostate, AssociationStateChanged, OutgoingStreamsReset,
                                      BufferedAmountDecreased>;

struct AssociationStats {
  uint64_t packetsSent = 0;
  uint64_t packetsReceived = 0;
  uint64_t packetsDropped = 0;  ///< arrived malformed or with a bad checksum
  uint64_t bytesSent = 0;       ///< SCTP packets
  uint64_t bytesReceived = 0;
  uint64_t retransmittedChunks = 0;
  uint64_t retransmittedBytes = 0;  ///< of payload
  uint64_t timeouts = 0;            ///< retransmission timer expiries
  uint32_t unansweredTimeouts = 0;  ///< of all timers, in a row, with nothing acknowledged since
  uint64_t messagesAbandoned = 0;   ///< given up for their limits (partial reliability)
  uint32_t congestionWindow = 0;    ///< bytes
  uint32_t receiverWindow = 0;      ///< the peer's, bytes
  Duration smoothedRtt;
  uint32_t mtu = 0;
  uint32_t unackedChunks = 0;
  uint32_t bytesInFlight = 0;
  uint32_t localReceiverWindow = 0;  ///< what we offer at most now, bytes
  uint64_t receivedBytesHeld = 0;    ///< arrived and not read, with the cost of keeping them
  Duration minRtt;
  uint64_t pacingRate = 0;    ///< bytes per second; 0: not paced
  bool zeroChecksum = false;  ///< packets leave without CRC32c
  bool interleaving = false;  ///< RFC 8260 is in use
};

/// One SCTP association: a machine. Nothing is called back; outputs are polled. Wire input never
/// fails a call: malformed packets are counted and dropped.
///
/// Thread rule: thread-compatible, one thread at a time. Different associations may live on
/// different threads.
class PARLEY_EXPORT Association {
 public:
  virtual ~Association() = default;

  /// Sends INIT. Both peers do this (RFC 8832 has no passive side); simultaneous INITs are the
  /// normal case. Only the first call counts.
  virtual void connect(Timestamp now) = 0;
  /// One decrypted DTLS record. Packets that arrive before connect() are kept (16 at most).
  virtual void handlePacket(ByteSpan packet, Timestamp now) = 0;
  /// Queues one message. Errors: InvalidState (not connected, or the stream is being reset), Type
  /// (both limits set, empty, or larger than maxSendSize()), Range (stream number),
  /// ResourceExhausted (buffer full).
  virtual Result<void> send(uint16_t stream, uint32_t ppid, ByteSpan message,
                            const SendOptions& options, Timestamp now) = 0;
  /// Queues a part of a message that is not held whole; `last` ends it. The parts of one message
  /// follow each other on their stream; options and PPID of the first one count. Only the last part
  /// may be empty. Without interleaving other streams wait until the message is ended. Errors as of
  /// send(); Type also for a message that becomes larger than maxSendSize() allows.
  virtual Result<void> sendPart(uint16_t stream, uint32_t ppid, ByteSpan part, bool last,
                                const SendOptions& options, Timestamp now);
  /// Incoming messages of the stream that exceed `bytes` come in parts of about that size, each an
  /// Inbound of its own. 0: whole messages, the default also after the stream was reset.
  virtual void setPartSize(uint16_t stream, size_t bytes);
  /// Resets outgoing streams (RFC 6525) once what was sent on them before has been delivered.
  /// Answered by OutgoingStreamsReset; send() on them fails until then.
  virtual void resetStreams(std::span<const uint16_t> streams, Timestamp now) = 0;
  /// Forgets messages of a stream that the engine has not taken yet.
  virtual void discardQueued(uint16_t stream) = 0;
  /// Ends politely: what is queued goes out first, then SHUTDOWN.
  virtual void shutdown(Timestamp now) = 0;
  /// Ends at once: ABORT goes to pollTransmit, everything else is dropped.
  virtual void abort(Timestamp now) = 0;

  /// The next packet to send, one DTLS record each. False: nothing waits, or the pool is exhausted.
  virtual bool pollTransmit(PacketBuf& out) = 0;
  /// Whether the packet polled last asks if its size passes: it is to go out whole or not at all.
  virtual bool isPathProbe() const { return false; }
  /// The next message or stream reset. `out.data` keeps its capacity between calls. Not polling it
  /// closes the receiver window; events keep coming as long as the peer's data does not pile up.
  virtual bool pollInbound(Inbound& out) = 0;
  virtual bool pollEvent(AssociationEvent& out) = 0;
  virtual void advance(Timestamp now) = 0;
  virtual Timestamp nextDeadline() const = 0;

  virtual AssociationState state() const = 0;
  /// Streams usable both ways: as configured until connected, then as negotiated.
  virtual uint16_t streamCount() const = 0;
  virtual size_t maxSendSize() const = 0;
  /// Application bytes accepted by send() and not yet handed out by pollTransmit().
  virtual size_t bufferedAmount() const = 0;
  virtual size_t bufferedAmount(uint16_t stream) const = 0;
  /// Sends no faster than this: media on the same path has gone first. Infinite, the default: as
  /// congestion control finds. An engine that cannot be slowed down ignores it.
  virtual void setRateLimit(DataRate limit);
  /// Whether send() has room for so many bytes.
  virtual bool canTake(size_t bytes) const;
  virtual AssociationStats stats() const = 0;
};

/// An association run by our own engine.
PARLEY_EXPORT std::unique_ptr<Association> createAssociation(Environment& environment,
                                                             const AssociationConfig& config);

/// An association run by usrsctp. That engine keeps process-wide state and runs its timers for all
/// associations together; the associations of a process share one lock around it.
PARLEY_EXPORT std::unique_ptr<Association> createUsrSctpAssociation(
    Environment& environment, const AssociationConfig& config);

}  // namespace parley::sctp
