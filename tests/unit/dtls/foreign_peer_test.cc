#include "unit/dtls/foreign_peer.h"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "unit/dtls/dtls_pair.h"

namespace parley::dtls {
namespace {

using test::ForeignPeer;

std::string readVector(const char* name) {
  std::ifstream file(std::string(PARLEY_TEST_DATA "/dtls/") + name);
  return {std::istreambuf_iterator<char>(file), {}};
}

struct Ours : test::End {
  explicit Ours(Role r) : End(r) { config.certificate = test::certificateOf(r); }
  void create(const Bytes& remoteDer) {
    connection = std::make_unique<Connection>(environment, config);
    connection->setRemoteFingerprints({*Fingerprint::ofCertificate("sha-256", remoteDer)}, now);
  }
  Config config;
  Timestamp now = Timestamp::seconds(5);
};

class EitherRole : public testing::TestWithParam<Role> {
 protected:
  EitherRole() : ours(GetParam()), theirs(GetParam() == Role::Client) {}
  void connect() {
    theirs.open();
    ours.create(theirs.der);
    ours.connection->start(GetParam(), ours.now);
    test::exchange(*ours.connection, theirs, ours.now);
    ours.collect();
  }
  Ours ours;
  ForeignPeer theirs;
};
INSTANTIATE_TEST_SUITE_P(Roles, EitherRole, testing::Values(Role::Client, Role::Server));

TEST_P(EitherRole, InteroperatesWithEcdsaAndAgreesOnTheExporter) {
  theirs.usePem(test::makeCertificate(7)->toPem());
  connect();
  ASSERT_EQ(ours.connection->state(), State::Connected);
  ASSERT_TRUE(theirs.done());

  const auto keying = ours.connection->srtpKeying();
  ASSERT_TRUE(keying);
  Bytes exported(crypto::srtpExporterLength(keying->profile));
  ASSERT_EQ(SSL_export_keying_material(theirs.ssl(), exported.data(), exported.size(),
                                       "EXTRACTOR-dtls_srtp", 19, nullptr, 0, 0),
            1);
  const auto expected = crypto::SrtpKeying::fromExporter(keying->profile, exported);
  EXPECT_TRUE(std::ranges::equal(keying->clientKey.span(), expected->clientKey.span()));
  EXPECT_TRUE(std::ranges::equal(keying->serverSalt.span(), expected->serverSalt.span()));

  ASSERT_TRUE(ours.connection->send(asBytes("hello"), ours.now));
  ASSERT_EQ(SSL_write(theirs.ssl(), "world", 5), 5);
  test::exchange(*ours.connection, theirs, ours.now);
  ours.collect();
  EXPECT_EQ(theirs.received, std::vector<std::string>{"hello"});
  ASSERT_EQ(ours.received.size(), 1u);
  EXPECT_EQ(asText(ours.received[0]), "world");
}

TEST_P(EitherRole, EveryCipherCarriesManyRecordsBothWays) {
  for (const char* cipher : {"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
                             "ECDHE-ECDSA-CHACHA20-POLY1305"}) {
    SCOPED_TRACE(cipher);
    Ours us(GetParam());
    ForeignPeer them(GetParam() == Role::Client);
    SSL_CTX_set_cipher_list(them.context(), cipher);
    them.usePem(test::makeCertificate(7)->toPem());
    them.open();
    us.create(them.der);
    us.connection->start(GetParam(), us.now);
    test::exchange(*us.connection, them, us.now);
    ASSERT_EQ(us.connection->state(), State::Connected);
    constexpr int kRecords = 300;
    for (int i = 0; i < kRecords; ++i) {
      const std::string text(static_cast<size_t>(1 + i * 3), static_cast<char>('a' + i % 26));
      ASSERT_TRUE(us.connection->send(asBytes(text), us.now));
      ASSERT_GT(SSL_write(them.ssl(), text.data(), static_cast<int>(text.size())), 0);
      test::exchange(*us.connection, them, us.now);
    }
    us.collect();
    EXPECT_EQ(them.received.size(), size_t{kRecords});
    ASSERT_EQ(us.received.size(), size_t{kRecords});
    EXPECT_EQ(asText(us.received.back()), them.received.back());
    us.connection->close(us.now);
    test::exchange(*us.connection, them, us.now);
    EXPECT_TRUE(SSL_get_shutdown(them.ssl()) & SSL_RECEIVED_SHUTDOWN);
  }
}

TEST_P(EitherRole, AcceptsAnRsaCertificate) {
  theirs.usePem(readVector("rsa2048.pem"));
  connect();
  EXPECT_EQ(ours.connection->state(), State::Connected);
  if (GetParam() == Role::Client) {
    EXPECT_EQ(ours.connection->cipherName(), "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
  }
}

TEST_P(EitherRole, OurRsaCertificateWorks) {
  ours.config.certificate = *Certificate::fromPem(readVector("rsa2048.pem"));
  theirs.usePem(test::makeCertificate(7)->toPem());
  connect();
  EXPECT_EQ(ours.connection->state(), State::Connected);
}

TEST_P(EitherRole, RefusesAWeakRsaKeyAlthoughItsFingerprintMatches) {
  SSL_CTX_set_security_level(theirs.context(), 0);
  theirs.usePem(readVector("rsa1024.pem"));
  connect();
  EXPECT_EQ(ours.connection->state(), State::Failed);
  EXPECT_EQ(ours.events.back().reason, Reason::CertificateRejected);
}

TEST_P(EitherRole, RefusesToGoOnWithoutExtendedMasterSecret) {
  SSL_CTX_set_options(theirs.context(), SSL_OP_NO_EXTENDED_MASTER_SECRET);
  theirs.usePem(test::makeCertificate(7)->toPem());
  connect();
  EXPECT_EQ(ours.connection->state(), State::Failed);
  EXPECT_EQ(ours.events.back().reason, Reason::HandshakeFailed);
}

TEST_P(EitherRole, NoCommonCipherFailsOnceWithAnAlert) {
  SSL_CTX_set_cipher_list(theirs.context(), "ECDHE-ECDSA-AES128-SHA:AES128-SHA");
  theirs.usePem(test::makeCertificate(7)->toPem());
  connect();
  EXPECT_EQ(ours.connection->state(), State::Failed);
  const Event& last = ours.events.back();
  constexpr uint8_t kHandshakeFailure = 40;
  if (GetParam() == Role::Server) {
    EXPECT_EQ(last.reason, Reason::HandshakeFailed);
    EXPECT_EQ(last.sentAlert, kHandshakeFailure);
  } else {
    EXPECT_EQ(last.reason, Reason::PeerAlert);
    EXPECT_EQ(last.receivedAlert, kHandshakeFailure);
  }
}

TEST_P(EitherRole, OlderDtlsIsRefused) {
  SSL_CTX_set_security_level(theirs.context(), 0);
  SSL_CTX_set_min_proto_version(theirs.context(), DTLS1_VERSION);
  SSL_CTX_set_max_proto_version(theirs.context(), DTLS1_VERSION);
  theirs.usePem(test::makeCertificate(7)->toPem());
  connect();
  EXPECT_EQ(ours.connection->state(), State::Failed);
  EXPECT_FALSE(theirs.done());
}

TEST_P(EitherRole, CloseNotifyWorksBothWays) {
  for (bool weClose : {true, false}) {
    Ours end(GetParam());
    ForeignPeer peer(GetParam() == Role::Client);
    peer.usePem(test::makeCertificate(7)->toPem());
    peer.open();
    end.create(peer.der);
    end.connection->start(GetParam(), end.now);
    test::exchange(*end.connection, peer, end.now);
    ASSERT_EQ(end.connection->state(), State::Connected);
    if (weClose) {
      end.connection->close(end.now);
    } else {
      SSL_shutdown(peer.ssl());
    }
    test::exchange(*end.connection, peer, end.now);
    end.collect();
    EXPECT_TRUE(peer.closed);
    EXPECT_EQ(end.connection->state(), State::Closed);
    EXPECT_EQ(end.events.back().reason, weClose ? Reason::LocalClose : Reason::RemoteClose);
    EXPECT_FALSE(end.connection->srtpKeying());
  }
}

TEST_P(EitherRole, RenegotiationIsNotDone) {
  theirs.usePem(test::makeCertificate(7)->toPem());
  connect();
  ASSERT_EQ(ours.connection->state(), State::Connected);
  SSL_renegotiate(theirs.ssl());
  SSL_do_handshake(theirs.ssl());
  while (!theirs.outbox.empty()) {
    ours.connection->handlePacket(theirs.outbox.front(), ours.now);
    theirs.outbox.pop_front();
  }
  EXPECT_EQ(ours.connection->state(), State::Connected);
  EXPECT_TRUE(ours.connection->send(asBytes("still here"), ours.now));
}

TEST(ForeignClient, WithoutACertificateIsRefused) {
  Ours ours(Role::Server);
  ForeignPeer theirs(false);
  theirs.open();
  ours.create(Bytes{1});
  ours.connection->start(Role::Server, ours.now);
  test::exchange(*ours.connection, theirs, ours.now);
  ours.collect();
  EXPECT_EQ(ours.connection->state(), State::Failed);
  EXPECT_EQ(ours.events.back().reason, Reason::CertificateRejected);
  EXPECT_TRUE(ours.events.back().sentAlert);
  EXPECT_FALSE(theirs.done());
}

TEST(ForeignClient, MayNotSkipTheProofOfItsKey) {
  // CertificateVerify lost on the way is not a handshake without it.
  Ours ours(Role::Server);
  ForeignPeer theirs(false);
  theirs.usePem(test::makeCertificate(7)->toPem());
  theirs.open();
  ours.create(theirs.der);
  ours.connection->start(Role::Server, ours.now);
  theirs.step();
  for (int round = 0; round < 4; ++round) {
    PacketBuf packet;
    while (ours.connection->pollTransmit(packet)) theirs.deliver(packet.span());
    while (!theirs.outbox.empty()) {
      const Bytes datagram = std::move(theirs.outbox.front());
      theirs.outbox.pop_front();
      Bytes kept;
      for (const auto& record : test::recordsOf(datagram)) {
        constexpr uint8_t kHandshake = 22, kCertificateVerify = 15;
        const bool drop = record.type == kHandshake && record.epoch == 0 &&
                          datagram[record.offset + 13] == kCertificateVerify;
        const auto begin = datagram.begin() + static_cast<std::ptrdiff_t>(record.offset);
        if (!drop) kept.insert(kept.end(), begin, begin + static_cast<std::ptrdiff_t>(record.size));
      }
      ours.connection->handlePacket(kept, ours.now);
    }
  }
  EXPECT_EQ(ours.connection->state(), State::Connecting);
}

// Browsers with post-quantum key shares send a ClientHello that needs two datagrams.
TEST(ForeignClient, ClientHelloInTwoDatagramsIsReassembled) {
  for (int order = 0; order < 3; ++order) {
    for (bool early : {false, true}) {
      Ours ours(Role::Server);
      ForeignPeer theirs(false);
      theirs.usePem(test::makeCertificate(7)->toPem());
      theirs.open();
      Bytes protocols;
      for (int i = 0; i < 14; ++i) {
        protocols.push_back(100);
        protocols.insert(protocols.end(), 100, static_cast<uint8_t>('a' + i));
      }
      SSL_set_alpn_protos(theirs.ssl(), protocols.data(), static_cast<unsigned>(protocols.size()));
      theirs.step();
      ASSERT_EQ(theirs.outbox.size(), 2u);
      std::vector<Bytes> arriving(theirs.outbox.begin(), theirs.outbox.end());
      theirs.outbox.clear();
      if (order == 1) std::swap(arriving[0], arriving[1]);
      if (order == 2) arriving.push_back(arriving[0]);

      ours.create(theirs.der);
      if (!early) ours.connection->start(Role::Server, ours.now);
      for (const Bytes& datagram : arriving) ours.connection->handlePacket(datagram, ours.now);
      if (early) ours.connection->start(Role::Server, ours.now);
      test::exchange(*ours.connection, theirs, ours.now);
      EXPECT_EQ(ours.connection->state(), State::Connected) << order << early;
      EXPECT_TRUE(theirs.done());
    }
  }
}

TEST(ForeignServer, HelloVerifyRequestIsAnswered) {
  Ours ours(Role::Client);
  ForeignPeer theirs(true);
  theirs.usePem(test::makeCertificate(7)->toPem());
  SSL_CTX_set_options(theirs.context(), SSL_OP_COOKIE_EXCHANGE);
  SSL_CTX_set_cookie_generate_cb(theirs.context(),
                                 [](SSL*, unsigned char* cookie, unsigned* size) -> int {
                                   std::fill_n(cookie, 16, 'c');
                                   *size = 16;
                                   return 1;
                                 });
  SSL_CTX_set_cookie_verify_cb(
      theirs.context(), [](SSL*, const unsigned char* cookie, unsigned size) -> int {
        return size == 16 && std::all_of(cookie, cookie + 16, [](auto c) { return c == 'c'; });
      });
  theirs.open();
  ours.create(theirs.der);
  ours.connection->start(Role::Client, ours.now);
  test::exchange(*ours.connection, theirs, ours.now);
  EXPECT_EQ(ours.connection->state(), State::Connected);
  EXPECT_TRUE(theirs.done());
}

}  // namespace
}  // namespace parley::dtls
