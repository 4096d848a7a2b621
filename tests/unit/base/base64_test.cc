#include "parley/base/base64.h"

#include <gtest/gtest.h>

namespace parley {
namespace {

TEST(Base64Test, Rfc4648Section10) {
  EXPECT_EQ(base64({}), "");
  EXPECT_EQ(base64(asBytes("f")), "Zg==");
  EXPECT_EQ(base64(asBytes("fo")), "Zm8=");
  EXPECT_EQ(base64(asBytes("foo")), "Zm9v");
  EXPECT_EQ(base64(asBytes("foob")), "Zm9vYg==");
  EXPECT_EQ(base64(asBytes("fooba")), "Zm9vYmE=");
  EXPECT_EQ(base64(asBytes("foobar")), "Zm9vYmFy");
}

}  // namespace
}  // namespace parley
