#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <openssl/bio.h>
#include <openssl/types.h>

#include "parley/base/bytes.h"
#include "parley/crypto/srtp_keying.h"
#include "parley/dtls/connection.h"
#include "parley/dtls/fingerprint.h"

#include "dtls/datagram_port.h"
#include "dtls/record_protection.h"
#include "dtls/retransmit_timer.h"
#include "dtls/ssl_context.h"

namespace parley::dtls {

/// One OpenSSL DTLS object between a DatagramPort and a RetransmitTimer, for one handshake. All
/// calls into libssl for a connection are here.
class SslSession {
 public:
  enum class Outcome : uint8_t { Ok, WantMore, PeerClosed, Fatal };

  /// `expected` is looked at when the peer shows its certificate; null means not known yet. All
  /// references must outlive the session.
  SslSession(std::shared_ptr<const SslContext> context, DatagramPort& port, RetransmitTimer& timer,
             const std::optional<std::vector<Fingerprint>>& expected);
  ~SslSession();
  SslSession(const SslSession&) = delete;
  SslSession& operator=(const SslSession&) = delete;

  bool open(Role role, size_t mtu, const std::vector<crypto::SrtpProfile>& srtpProfiles);

  /// Ok when the handshake is done.
  Outcome handshake();
  /// Queues close_notify.
  void shutdown();
  /// Repeats the flight; see RetransmitTimer::fire.
  Outcome fireTimer(RetransmitTimer::Backoff backoff);
  /// Of the datagrams written from now on.
  void setMtu(size_t mtu);

  bool hasExtendedMasterSecret() const;
  std::optional<crypto::SrtpProfile> srtpProfile() const;
  std::optional<crypto::SrtpKeying> exportKeying() const;
  /// The keys of the records that follow the handshake (RFC 5246 section 6.3).
  std::optional<RecordKeys> recordKeys() const;
  std::string cipherName() const;
  std::string tlsVersion() const;
  std::string groupName() const;

  Bytes takePeerCertificate() { return std::move(peerCertificate_); }
  bool certificateRejected() const { return certificateRejected_; }
  /// As a server: the client sent none, or no proof that it owns the key.
  bool failedForLackOfCertificate() const;
  std::optional<uint8_t> sentAlert() const { return sentAlert_; }
  std::optional<uint8_t> receivedAlert() const { return receivedAlert_; }
  /// OpenSSL's words for the first failure, for the log.
  const char* errorText() const;

  // For SslContext.
  static bool fillBioMethod(BIO_METHOD* method);
  static int verify(X509_STORE_CTX* store, void*);
  static void onInfo(const SSL* ssl, int where, int value);

 private:
  static int onBioRead(BIO* bio, char* out, int size);
  static int onBioWrite(BIO* bio, const char* data, int size);
  static long onBioControl(BIO* bio, int command, long number, void* pointer);
  static unsigned onTimer(SSL* ssl, unsigned previous);
  bool acceptCertificate(const X509* certificate);
  bool expandKeys(MutableByteSpan out) const;
  Outcome classify(int result);

  const std::shared_ptr<const SslContext> context_;
  DatagramPort& port_;
  RetransmitTimer& timer_;
  const std::optional<std::vector<Fingerprint>>& expected_;
  SSL* ssl_ = nullptr;
  Bytes peerCertificate_;
  unsigned long error_ = 0;
  std::optional<uint8_t> sentAlert_;
  std::optional<uint8_t> receivedAlert_;
  bool certificateRejected_ = false;
};

}  // namespace parley::dtls
