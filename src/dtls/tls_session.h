#pragma once

#include <memory>
#include <string>

#include <openssl/bio.h>
#include <openssl/types.h>

#include "parley/base/ring_queue.h"
#include "parley/dtls/tls.h"

#include "dtls/datagram_port.h"
#include "dtls/retransmit_timer.h"
#include "dtls/tls_context.h"

namespace parley::dtls {

/// What stands behind `TlsSession`. All calls into libssl for a connection to a server are here.
class TlsSessionCore {
 public:
  using State = TlsSession::State;

  TlsSessionCore(Environment& environment, std::shared_ptr<const TlsContext> context,
                 std::string serverName);
  ~TlsSessionCore();
  TlsSessionCore(const TlsSessionCore&) = delete;
  TlsSessionCore& operator=(const TlsSessionCore&) = delete;

  void start(Timestamp now);
  void handleBytes(ByteSpan bytes, Timestamp now);
  bool send(ByteSpan plaintext, Timestamp now);
  void close(Timestamp now);
  bool pollTransmit(PacketBuf& out);
  bool pollData(PacketBuf& out);
  State state() const { return state_; }
  const std::string& error() const { return error_; }
  void advance(Timestamp now);
  Timestamp nextDeadline() const;

  // For TlsContext.
  static bool fillBioMethod(BIO_METHOD* method);

 private:
  static int onBioRead(BIO* bio, char* out, int size);
  static int onBioWrite(BIO* bio, const char* data, int size);
  static long onBioControl(BIO* bio, int command, long number, void* pointer);
  static unsigned onTimer(SSL* ssl, unsigned previous);

  bool isStream() const { return context_->transport() == TlsTransport::Stream; }
  bool ended() const { return state_ == State::Closed || state_ == State::Failed; }
  void enter(Timestamp now) { timer_.setNow(clock_.clamp(now)); }
  bool open(Timestamp now);
  bool expectName(Timestamp now);
  void handshake();
  void readAll();
  /// False when the session goes on.
  bool endedBy(int result);
  void fail(std::string reason);
  std::string reasonFor(unsigned long error) const;
  void writeStream(ByteSpan bytes);

  Environment& env_;
  std::shared_ptr<const TlsContext> context_;
  std::string serverName_;
  MonotonicGuard clock_;
  State state_ = State::New;
  std::string error_;
  SSL* ssl_ = nullptr;
  Timestamp handshakeDeadline_ = Timestamp::never();

  ByteSpan inbound_;  ///< stream bytes that OpenSSL has not taken yet; borrowed
  RingQueue<PacketBuf> ciphertext_;
  RingQueue<PacketBuf> plaintext_;
  bool overflow_ = false;
  DatagramPort port_;
  RetransmitTimer timer_;
};

}  // namespace parley::dtls
