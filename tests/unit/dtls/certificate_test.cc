#include "parley/dtls/certificate.h"

#include <gtest/gtest.h>

#include "support/hex.h"
#include "unit/dtls/dtls_pair.h"

namespace parley::dtls {
namespace {

using parley::test::fromHex;

TEST(Certificate, DefaultsToEcdsaForThirtyDays) {
  const auto certificate = test::makeCertificate(3);
  const int64_t nowMillis = test::kNowUnixNanos / 1'000'000;
  EXPECT_EQ(certificate->expiresUnixMillis(), nowMillis + int64_t{30} * 86'400'000);
  EXPECT_FALSE(certificate->expiredAt(test::kNowUnixNanos));
  EXPECT_TRUE(certificate->expiredAt(test::kNowUnixNanos + int64_t{30} * 86'400'000'000'000));
  ASSERT_EQ(certificate->fingerprints().size(), 1u);
  EXPECT_EQ(certificate->fingerprints()[0].algorithm, "sha-256");
  EXPECT_TRUE(matchesCertificate(certificate->fingerprints(), certificate->der()));
}

TEST(Certificate, TwoAreNeverAlike) {
  SeededRandom random(5);
  const auto a = *Certificate::generate(random, test::kNowUnixNanos);
  const auto b = *Certificate::generate(random, test::kNowUnixNanos);
  EXPECT_NE(a->fingerprints()[0], b->fingerprints()[0]);
}

TEST(Certificate, ExpiryIsCappedAtAYearAndMustBePositive) {
  SeededRandom random(5);
  const auto century =
      Certificate::generate(random, test::kNowUnixNanos,
                            {KeyType::EcdsaP256, Duration::seconds(int64_t{100} * 365 * 86'400)});
  EXPECT_EQ((*century)->expiresUnixMillis(),
            test::kNowUnixNanos / 1'000'000 + int64_t{365} * 86'400'000);
  EXPECT_EQ(
      Certificate::generate(random, test::kNowUnixNanos, {KeyType::EcdsaP256, Duration::millis(-1)})
          .error()
          .code,
      ErrorCode::Range);
}

TEST(Certificate, SurvivesPem) {
  const auto certificate = test::makeCertificate(3);
  const std::string pem = certificate->toPem();
  EXPECT_NE(pem.find("BEGIN PRIVATE KEY"), std::string::npos);
  const auto again = Certificate::fromPem(pem);
  ASSERT_TRUE(again);
  EXPECT_EQ((*again)->fingerprints(), certificate->fingerprints());
  EXPECT_EQ((*again)->expiresUnixMillis(), certificate->expiresUnixMillis());
  EXPECT_EQ((*again)->toPem(), pem);
}

TEST(Certificate, RefusesPemThatIsNotAnIdentity) {
  const std::string pem = test::makeCertificate(3)->toPem();
  const std::string other = test::makeCertificate(4)->toPem();
  const size_t cut = pem.find("-----BEGIN CERTIFICATE");
  const size_t otherCut = other.find("-----BEGIN CERTIFICATE");
  for (const std::string& text :
       {std::string(), std::string("hello"), pem.substr(0, cut), pem.substr(cut),
        pem.substr(0, cut) + other.substr(otherCut), pem.substr(0, pem.size() - 40)}) {
    const auto result = Certificate::fromPem(text);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::Syntax);
  }
}

TEST(Certificate, RefusesAWeakKey) {
  std::FILE* file = std::fopen(PARLEY_TEST_DATA "/dtls/rsa1024.pem", "rb");
  ASSERT_NE(file, nullptr);
  std::string pem(8192, '\0');
  pem.resize(std::fread(pem.data(), 1, pem.size(), file));
  std::fclose(file);
  const auto result = Certificate::fromPem(pem);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::NotSupported);
}

// A certificate made for this test and its hashes, computed with another library.
const char kDer[] =
    "3082010f3081b5a003020102020101300a06082a8648ce3d0403023011310f300d06035504030c0657656252544330"
    "1e"
    "170d3236303130313030303030305a170d3336303130313030303030305a3011310f300d06035504030c0657656252"
    "54"
    "433059301306072a8648ce3d020106082a8648ce3d03010703420004471c3e758c4904285bba7e53118ed0f524adeb"
    "07"
    "57d25bd2f8e7b0d76dfa714cdd520f7aca8a8b917acc37f51de8f0c9bbe3ad858382e702dc25a12d09f7a858300a06"
    "08"
    "2a8648ce3d0403020349003046022100f2e735f818ab2ca853233b1a1c552830e27067e4231db453c1e0a55a294dd9"
    "ba"
    "022100ee7e9eb8e3c5e7ba7138c59083a3066c54bf9843adbe6a423ba9d29d9e4a6441";
const char* const kHashes[] = {
    "sha-1 E1:D1:84:FF:FE:C7:CC:40:0C:75:F4:BF:FE:EF:57:0B:2C:F0:8B:DA",
    "sha-224 26:A3:99:B5:1F:93:0F:A8:B9:36:B2:FE:EE:D4:EA:4D:7F:91:B8:7F:31:F7:04:01:E0:3F:6A:23",
    "sha-256 "
    "94:11:4F:01:21:11:85:68:BA:F1:77:C2:48:72:74:76:ED:57:B3:81:9F:7F:3E:6D:EF:73:64:FA:90:"
    "5B:FA:60",
    "sha-384 "
    "CC:A1:CE:23:E5:20:D4:3C:DA:7C:58:D6:88:D5:0E:3A:F2:81:D3:B9:D7:33:7E:EB:DD:6E:6E:34:6A:"
    "61:DA:29:33:5D:ED:5D:88:A4:44:4E:06:14:E3:34:FC:14:9D:CA",
    "sha-512 "
    "8E:D7:1C:FF:85:67:E7:A6:1A:1A:17:68:76:29:3D:48:4D:04:B1:47:75:C1:C6:F3:B4:56:63:38:5E:"
    "75:03:27:65:15:60:E3:07:92:27:50:46:C5:D7:0E:EB:C7:D9:2F:07:E9:AF:80:33:F6:F1:94:0D:B5:12:DA:"
    "FA:"
    "15:2A:93"};

TEST(Fingerprint, EveryHashOfRfc8122IsComputed) {
  const Bytes der = fromHex(kDer);
  for (const char* text : kHashes) {
    const auto parsed = Fingerprint::parse(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(parsed->toString(), text);
    EXPECT_EQ(Fingerprint::ofCertificate(parsed->algorithm, der), parsed);
    const Fingerprint one[] = {*parsed};
    EXPECT_TRUE(matchesCertificate(one, der));
  }
}

TEST(Fingerprint, NameAndDigitsAreCaseInsensitive) {
  EXPECT_EQ(Fingerprint::parse("SHA-1 e1:d1:84:ff:fe:c7:cc:40:0c:75:f4:bf:fe:ef:57:0b:2c:f0:8b:da"),
            Fingerprint::parse(kHashes[0]));
  EXPECT_TRUE(
      Fingerprint::parse("Sha-1   E1:D1:84:ff:fe:c7:cc:40:0c:75:f4:bf:fe:ef:57:0b:2c:f0:8b:da"));
}

TEST(Fingerprint, TheStrongestKnownHashDecides) {
  const Bytes der = fromHex(kDer);
  Fingerprint sha1 = *Fingerprint::parse(kHashes[0]);
  Fingerprint sha256 = *Fingerprint::parse(kHashes[2]);
  Fingerprint broken = sha256;
  broken.bytes[5] ^= 1;
  const Fingerprint unknown{"sha3-512", Bytes(64, 1)};
  EXPECT_FALSE(matchesCertificate({}, der));
  const Fingerprint onlyUnknown[] = {unknown};
  EXPECT_FALSE(matchesCertificate(onlyUnknown, der));
  const Fingerprint weakRight[] = {sha1, broken};
  EXPECT_FALSE(matchesCertificate(weakRight, der));
  const Fingerprint oneOfTwo[] = {broken, unknown, sha256};
  EXPECT_TRUE(matchesCertificate(oneOfTwo, der));
}

TEST(Fingerprint, RefusesWhatIsNotOne) {
  for (const char* text : {"",         " ",
                           "sha-256",  "sha-256 ",
                           "sha-1 AA", "sha-256 AA:BB",
                           ":AA",      "x AA:",
                           "x :AA",    "x A",
                           "x AAA",    "x AA:B",
                           "x AA BB",  "x AA:BB ",
                           "x GG",     "x AA::BB",
                           "x\tAA",    "sha_1 AA",
                           "sha 1 AA", "averyveryverylongnameofahashfunction AA"}) {
    EXPECT_FALSE(Fingerprint::parse(text)) << text;
  }
  std::string tooLong = "x AA";
  for (int i = 0; i < 64; ++i) tooLong += ":AA";
  EXPECT_FALSE(Fingerprint::parse(tooLong));
  EXPECT_FALSE(Fingerprint::ofCertificate("md5", Bytes{1}));
}

}  // namespace
}  // namespace parley::dtls
