#include <gtest/gtest.h>
#include <openssl/crypto.h>

namespace parley::dtls {
namespace {

// What runs is not always what was compiled against. 3.0.22 fixes, in DTLS: retransmission from a
// stale buffer offset (CVE-2026-84782), undersized AEAD records (CVE-2026-75806) and unbounded
// buffering of future-epoch records (CVE-2026-54874).
TEST(OpenSslVersion, HasTheDtlsFixes) {
  EXPECT_GE(OPENSSL_version_major(), 3u);
  if (OPENSSL_version_major() == 3 && OPENSSL_version_minor() == 0 &&
      OPENSSL_version_patch() < 22) {
    GTEST_SKIP() << OpenSSL_version(OPENSSL_VERSION)
                 << " is older than 3.0.22: make sure that its vendor has ported the fixes.";
  }
}

}  // namespace
}  // namespace parley::dtls
