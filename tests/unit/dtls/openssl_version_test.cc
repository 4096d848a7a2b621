#include <gtest/gtest.h>
#include <openssl/crypto.h>

namespace parley::dtls {
namespace {

// What runs is not always what was compiled against. 3.0.22 fixes, in DTLS: retransmission from a
// stale buffer offset (CVE-2026-84782), undersized AEAD records (CVE-2026-75806) and unbounded
// buffering of future-epoch records (CVE-2026-54874).
// An older library whose vendor has ported the fixes fails here too: that is for a person to
// decide.
TEST(OpenSslVersion, HasTheDtlsFixes) {
  const unsigned major = OPENSSL_version_major();
  const unsigned minor = OPENSSL_version_minor();
  const unsigned patch = OPENSSL_version_patch();
  EXPECT_TRUE(major > 3 || (major == 3 && (minor > 0 || patch >= 22)))
      << OpenSSL_version(OPENSSL_VERSION) << " is older than 3.0.22";
}

}  // namespace
}  // namespace parley::dtls
