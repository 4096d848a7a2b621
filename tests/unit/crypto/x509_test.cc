#include "crypto/x509.h"

#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/pem.h>

#include "support/hex.h"

namespace parley::crypto {
namespace {

SelfSignedRequest request() {
  return {KeyAlgorithm::EcdsaP256, Bytes{0x40, 1, 2, 3}, "somebody", 1'700'000'000, 1'800'000'000};
}

TEST(X509, SelfSignedCertificateHoldsWhatWasAsked) {
  const Identity identity = makeSelfSigned(request());
  ASSERT_TRUE(identity);
  EXPECT_EQ(notAfterUnixSeconds(*identity.certificate), 1'800'000'000);
  EXPECT_TRUE(hasStrongKey(*identity.certificate));
  const Bytes der = derOf(*identity.certificate);
  const std::string text(asText(der));
  EXPECT_NE(text.find("somebody"), std::string::npos);
  EXPECT_NE(text.find(std::string("\x02\x04\x40\x01\x02\x03", 6)),
            std::string::npos);  // the serial
}

TEST(X509, DatesBeyond2049AreWritten) {
  SelfSignedRequest far = request();
  far.notAfterUnixSeconds = 4'000'000'000;  // 2096, GeneralizedTime (RFC 5280 section 4.1.2.5)
  EXPECT_EQ(notAfterUnixSeconds(*makeSelfSigned(far).certificate), 4'000'000'000);
}

TEST(X509, AnEncryptedKeyIsRefusedWithoutAskingForItsPassphrase) {
  const Identity identity = makeSelfSigned(request());
  BIO* out = BIO_new(BIO_s_mem());
  ASSERT_EQ(PEM_write_bio_PKCS8PrivateKey(out, identity.key.get(), EVP_aes_128_cbc(), "secret", 6,
                                          nullptr, nullptr),
            1);
  ASSERT_EQ(PEM_write_bio_X509(out, identity.certificate.get()), 1);
  char* data = nullptr;
  const long size = BIO_get_mem_data(out, &data);
  const std::string encrypted(data, static_cast<size_t>(size));
  BIO_free(out);
  EXPECT_NE(encrypted.find("ENCRYPTED"), std::string::npos);
  EXPECT_FALSE(identityFromPem(encrypted));
  EXPECT_TRUE(identityFromPem(identityToPem(identity)));
}

TEST(X509, DigestsByName) {
  EXPECT_EQ(parley::test::toHex(*digestByName("sha-1", asBytes("abc"))),
            "a9993e364706816aba3e25717850c26c9cd0d89d");  // FIPS 180 example
  EXPECT_EQ(digestSizeByName("sha-512"), 64u);
  for (const char* name : {"md5", "md2", "SHA-1", "sha1", ""}) {
    EXPECT_FALSE(digestByName(name, {})) << name;
    EXPECT_EQ(digestSizeByName(name), 0u);
  }
}

}  // namespace
}  // namespace parley::crypto
