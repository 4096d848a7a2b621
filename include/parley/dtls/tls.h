#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "parley/base/bytes.h"
#include "parley/base/environment.h"
#include "parley/base/export.h"
#include "parley/base/packet_buffer.h"
#include "parley/base/result.h"
#include "parley/base/time.h"

// TLS and DTLS towards servers: certificates of a public key infrastructure, names, no SRTP. Peers
// of a call use Connection (connection.h), whose certificates are known by fingerprint.

namespace parley::dtls {

/// TLS over a byte stream, or DTLS 1.2 over datagrams.
enum class TlsTransport : uint8_t { Stream, Datagram };

struct TlsClientOptions {
  TlsTransport transport = TlsTransport::Stream;
  /// False: any certificate is accepted. For tests against self-signed servers only.
  bool verifyPeer = true;
  /// Root certificates in PEM. Empty: those that the system's OpenSSL trusts.
  std::string roots{};
};

struct TlsServerOptions {
  TlsTransport transport = TlsTransport::Stream;
  /// PEM: the server's certificate, then the intermediate ones.
  std::string certificateChain{};
  /// PEM, not encrypted. Empty: it stands in `certificateChain`, too.
  std::string privateKey{};
};

/// What the sessions of one client or server share. Immutable; may be shared between threads.
class PARLEY_EXPORT TlsContext {
 public:
  /// Errors: Syntax for roots that do not parse; Operation if OpenSSL fails.
  static Result<std::shared_ptr<const TlsContext>> client(const TlsClientOptions& options);
  /// Errors: Syntax for a chain or key that does not parse or does not fit together.
  static Result<std::shared_ptr<const TlsContext>> server(const TlsServerOptions& options);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  TlsTransport transport() const;
  bool isServer() const;

  struct State;
  /// For TlsSession only.
  const State& state() const { return *state_; }

 private:
  explicit TlsContext(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// One connection's TLS: ciphertext in and out on one side, plaintext on the other. A machine.
///
/// Over a stream nothing may be lost: its owner polls all ciphertext after each call (and must not
/// drop it), and all plaintext after each `handleBytes`. An unpolled queue of 256 buffers ends the
/// session.
class PARLEY_EXPORT TlsSession {
 public:
  enum class State : uint8_t { New, Handshaking, Connected, Closed, Failed };
  static constexpr Duration kHandshakeTimeout = Duration::seconds(10);

  /// `serverName`: a client checks the server's certificate for it, a name or a literal address,
  /// and sends it (if it is a name). A server leaves it empty.
  TlsSession(Environment& environment, std::shared_ptr<const TlsContext> context,
             std::string serverName = {});
  ~TlsSession();
  TlsSession(TlsSession&&) noexcept;
  TlsSession& operator=(TlsSession&&) noexcept;

  void start(Timestamp now);
  /// Bytes of the stream, or one datagram.
  void handleBytes(ByteSpan bytes, Timestamp now);
  /// Encrypts one piece. False (and nothing sent) unless connected.
  bool send(ByteSpan plaintext, Timestamp now);
  /// Says good-bye.
  void close(Timestamp now);

  bool pollTransmit(PacketBuf& out);
  bool pollData(PacketBuf& out);
  State state() const;
  /// Why it failed, in words.
  const std::string& error() const;
  void advance(Timestamp now);
  Timestamp nextDeadline() const;

 private:
  std::unique_ptr<class TlsSessionCore> core_;
};

}  // namespace parley::dtls
