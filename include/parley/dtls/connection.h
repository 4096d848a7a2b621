#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "parley/base/bytes.h"
#include "parley/base/environment.h"
#include "parley/base/export.h"
#include "parley/base/packet_buffer.h"
#include "parley/base/result.h"
#include "parley/base/time.h"
#include "parley/crypto/srtp_keying.h"
#include "parley/dtls/certificate.h"
#include "parley/dtls/fingerprint.h"

// dtls: one DTLS 1.2 association on top of OpenSSL, without I/O and without OpenSSL's clock. May
// use base and crypto.
//
// Path of a datagram during the handshake: handlePacket -> record_filter (drops what only an
// attacker would send) -> datagram_port (hands it to OpenSSL) -> answers into the transmit queue.
// After it OpenSSL's object is gone: handlePacket -> record_protection (opens in place) -> data
// queue; seal -> record_protection. Time: retransmit_timer.

namespace parley::dtls {

enum class Role : uint8_t { Client, Server };

enum class State : uint8_t {
  New,         ///< not started; early packets are kept
  Connecting,  ///< shaking hands, or done with it and waiting for the remote fingerprints
  Connected,   ///< handshake done and the peer's certificate matches a remote fingerprint
  Closed,      ///< by close() or by the peer's close_notify
  Failed,      ///< see Reason
};

enum class Reason : uint8_t {
  None,
  LocalClose,
  RemoteClose,
  HandshakeTimeout,
  HandshakeFailed,      ///< no common parameters, a malformed message, no extended master secret
  CertificateRejected,  ///< no certificate, a weak key, or a fingerprint that does not match
  PeerAlert,            ///< the peer ended it with a fatal alert
  NoSrtpProfile,        ///< media is to flow, and no protection profile was agreed for it
  InternalError,        ///< OpenSSL failed for a reason of its own, e.g. memory
};

PARLEY_EXPORT const char* toString(State state);
PARLEY_EXPORT const char* toString(Reason reason);

/// A change of state. Alerts are TLS AlertDescription numbers, for RTCError.sentAlert and
/// receivedAlert.
struct Event {
  State state = State::New;
  Reason reason = Reason::None;
  std::optional<uint8_t> sentAlert{};
  std::optional<uint8_t> receivedAlert{};
};

struct Config {
  std::shared_ptr<const Certificate> certificate;
  /// Offered, or chosen from, in this order. Empty: no use_srtp extension (data only).
  std::vector<crypto::SrtpProfile> srtpProfiles = {crypto::SrtpProfile::AeadAes128Gcm,
                                                   crypto::SrtpProfile::Aes128CmHmacSha1_80,
                                                   crypto::SrtpProfile::AeadAes256Gcm};
  /// UDP payload that the path carries; no datagram is larger. Clamped to
  /// 300..PacketBuf::kMaxPayload. Handshake flights that stay unanswered are cut smaller: to 900
  /// from the third repetition on, to 500 from the fourth.
  size_t mtu = 1200;
  /// The same for application data, where it is more: its sender has found out that it passes.
  size_t dataMtu = 0;
  /// From start(). Does not count while only the remote fingerprints are missing.
  Duration handshakeTimeout = Duration::seconds(30);
};

struct Counters {
  uint64_t datagramsReceived = 0;
  uint64_t datagramsDropped = 0;  ///< wrong size or state, early queue full
  uint64_t recordsDropped = 0;    ///< by the record filter or the record rate cap
  uint64_t datagramsSent = 0;
  uint64_t sendDropped = 0;   ///< transmit queue full or pool exhausted
  uint64_t dataReceived = 0;  ///< application records
  uint64_t dataDropped = 0;   ///< data queue full or pool exhausted
  uint64_t flightsRetransmitted = 0;
};

/// One DTLS-SRTP association (RFC 6347, RFC 5764, RFC 8827). A machine: thread-compatible, told the
/// time, polled.
///
/// Nothing is delivered, sent or exported before the peer's certificate has matched a fingerprint
/// from signalling (RFC 8827 section 6.5); the handshake itself may run ahead of it.
///
/// Outputs: transmits (bounded by Limits::maxQueuedTransmits; the newest is dropped when full),
/// data (the same bound, before verification 64; the newest is dropped when full) and events (at
/// most one per state).
class PARLEY_EXPORT Connection {
 public:
  /// A DTLS 1.2 AEAD record: header 13, explicit nonce 8, tag 16.
  static constexpr size_t kRecordOverhead = 37;

  /// `config.certificate` must not be null. The environment must outlive the connection.
  Connection(Environment& environment, Config config);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// What the remote description says about the peer's certificate. May come at any time, also
  /// after the handshake. A list that does not match the certificate (an empty one never does)
  /// fails the connection.
  void setRemoteFingerprints(std::vector<Fingerprint> fingerprints, Timestamp now);

  /// Begins the handshake. Packets that came earlier are looked at now. Later calls do nothing.
  void start(Role role, Timestamp now);

  /// The path's round trip, from ICE. The first retransmission of a flight waits clamp(2 * RTT, 50
  /// ms, 3 s), then twice as long each time up to 3 s; without a hint it waits 1 s (RFC 6347
  /// section 4.2.4.1). May come again, also while a flight is out.
  void setRttHint(Duration rtt);

  /// Sends the unanswered flight again at once and starts its backoff anew: for a new ICE pair. At
  /// most a few times per flight; then the timer alone decides.
  void resendFlightNow(Timestamp now);

  /// One datagram from the validated ICE path. Before start() up to Limits::maxQueuedDtlsPackets
  /// are kept, so that an early ClientHello costs no retransmission.
  /// The buffer becomes the plaintext that pollData gives.
  void handlePacket(PacketBuf datagram, Timestamp now);
  /// The same with a copy.
  void handlePacket(ByteSpan datagram, Timestamp now);

  /// Seals one record with at most maxDataSize() octets. Errors: InvalidState unless Connected;
  /// Range for an empty or too long record.
  Result<void> send(ByteSpan data, Timestamp now);
  /// The same without queue and copy: turns data into the datagram that carries it, to be sent
  /// behind what pollTransmit gives. Needs 21 octets before and 16 behind it; Range without.
  Result<void> seal(PacketBuf& data, Timestamp now);
  size_t maxDataSize() const;

  /// Sends close_notify (once the handshake is done) and forgets all keys. Keep polling transmits.
  void close(Timestamp now);

  bool pollTransmit(PacketBuf& out);
  bool pollData(PacketBuf& out);
  bool pollEvent(Event& out);

  void advance(Timestamp now);
  Timestamp nextDeadline() const;

  State state() const;
  /// Meaningful after start().
  Role role() const;
  /// Only while Connected and if an SRTP profile was agreed on.
  std::optional<crypto::SrtpKeying> srtpKeying() const;
  /// The profile agreed on, once the handshake is done; outlives the keys, for statistics.
  std::optional<crypto::SrtpProfile> srtpProfile() const;
  /// DER; empty until the peer has shown one. Unverified before Connected.
  const Bytes& remoteCertificateDer() const;
  /// IANA name of the cipher suite, e.g. "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"; empty before
  /// the handshake is done.
  const std::string& cipherName() const;
  /// As RTCTransportStats.tlsVersion has it: "FEFD" for DTLS 1.2; empty before.
  const std::string& tlsVersion() const;
  /// The key agreement group's name, e.g. "x25519"; empty before.
  const std::string& groupName() const;
  Counters counters() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace parley::dtls
