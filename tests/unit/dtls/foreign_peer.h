#pragma once

#include <deque>
#include <string>

#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "parley/base/bytes.h"
#include "parley/dtls/connection.h"

namespace parley::dtls::test {

/// A DTLS endpoint that shares no code with the layer under test: OpenSSL as another project would
/// use it, with OpenSSL's defaults unless the test changes them.
class ForeignPeer {
 public:
  explicit ForeignPeer(bool isServer)
      : context_(SSL_CTX_new(isServer ? DTLS_server_method() : DTLS_client_method())) {
    SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, [](int, X509_STORE_CTX*) { return 1; });
    SSL_CTX_set_tlsext_use_srtp(context_, "SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_128_GCM");
    isServer_ = isServer;
  }
  ~ForeignPeer() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
    BIO_meth_free(method_);
    ERR_clear_error();
  }
  ForeignPeer(const ForeignPeer&) = delete;
  ForeignPeer& operator=(const ForeignPeer&) = delete;

  SSL_CTX* context() { return context_; }

  void usePem(const std::string& pem) {
    BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
    EVP_PKEY* key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
    BIO_free(bio);
    bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
    X509* certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
    BIO_free(bio);
    ASSERT_EQ(SSL_CTX_use_certificate(context_, certificate), 1);
    ASSERT_EQ(SSL_CTX_use_PrivateKey(context_, key), 1);
    unsigned char* at = nullptr;
    const int size = i2d_X509(certificate, &at);
    der.assign(at, at + size);
    OPENSSL_free(at);
    X509_free(certificate);
    EVP_PKEY_free(key);
  }

  void open(long mtu = 1200) {
    method_ = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "foreign");
    BIO_meth_set_read(method_, [](BIO* bio, char* out, int size) -> int {
      auto* self = static_cast<ForeignPeer*>(BIO_get_data(bio));
      BIO_clear_retry_flags(bio);
      if (self->inbox_.empty()) {
        BIO_set_retry_read(bio);
        return -1;
      }
      const Bytes datagram = std::move(self->inbox_.front());
      self->inbox_.pop_front();
      const size_t n = std::min(datagram.size(), static_cast<size_t>(size));
      std::copy_n(datagram.begin(), n, out);
      return static_cast<int>(n);
    });
    BIO_meth_set_write(method_, [](BIO* bio, const char* data, int size) -> int {
      static_cast<ForeignPeer*>(BIO_get_data(bio))->outbox.emplace_back(data, data + size);
      return size;
    });
    BIO_meth_set_ctrl(method_, [](BIO*, int command, long, void*) -> long {
      return command == BIO_CTRL_FLUSH ? 1 : 0;
    });
    BIO* bio = BIO_new(method_);
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    ssl_ = SSL_new(context_);
    SSL_set_bio(ssl_, bio, bio);
    SSL_set_options(ssl_, SSL_OP_NO_QUERY_MTU);
    SSL_set_mtu(ssl_, mtu);
    if (isServer_) {
      SSL_set_accept_state(ssl_);
    } else {
      SSL_set_connect_state(ssl_);
    }
  }
  SSL* ssl() { return ssl_; }
  bool done() const { return SSL_is_init_finished(ssl_) == 1; }
  void deliver(ByteSpan datagram) {
    inbox_.push_back(toBytes(datagram));
    step();
  }
  void step() {
    ERR_clear_error();
    if (!done()) SSL_do_handshake(ssl_);
    while (done()) {
      char data[4096];
      const int n = SSL_read(ssl_, data, sizeof data);
      if (n <= 0) {
        closed = closed || SSL_get_error(ssl_, n) == SSL_ERROR_ZERO_RETURN;
        break;
      }
      received.emplace_back(data, static_cast<size_t>(n));
    }
    ERR_clear_error();
  }

  std::deque<Bytes> outbox;
  std::vector<std::string> received;
  Bytes der;
  bool closed = false;

 private:
  SSL_CTX* context_;
  SSL* ssl_ = nullptr;
  BIO_METHOD* method_ = nullptr;
  std::deque<Bytes> inbox_;
  bool isServer_ = false;
};

/// Carries datagrams between the two, lossless and in order, until neither has anything to say.
inline void exchange(Connection& ours, ForeignPeer& theirs, Timestamp now) {
  theirs.step();
  for (bool busy = true; busy;) {
    busy = false;
    PacketBuf packet;
    while (ours.pollTransmit(packet)) {
      theirs.deliver(packet.span());
      busy = true;
    }
    while (!theirs.outbox.empty()) {
      const Bytes datagram = std::move(theirs.outbox.front());
      theirs.outbox.pop_front();
      ours.handlePacket(datagram, now);
      busy = true;
    }
  }
}

}  // namespace parley::dtls::test
