#include "dtls/record_filter.h"

#include <gtest/gtest.h>

#include "support/hex.h"

namespace parley::dtls {
namespace {

using parley::test::fromHex;

const char kHello[] =
    "16fefd0000000000000001000d"
    "01"
    "000001"
    "0000"
    "000000"
    "000001"
    "aa";
const char kSealedData[] =
    "17fefd00010000000000010002"
    "bbbb";
const char kFatalAlert[] =
    "15fefd00000000000000020002"
    "0228";
const char kChangeCipher[] =
    "14fefd00000000000000030001"
    "01";

FilterResult filter(const std::string& hex, size_t budget = 100, Role role = Role::Server) {
  const Bytes datagram = fromHex(hex);
  Bytes out(datagram.size());
  const FilterResult result = filterRecords(datagram, role, budget, out);
  EXPECT_LE(result.size, out.size());
  return result;
}

TEST(RecordFilter, KeepsWhatAHandshakeNeeds) {
  const FilterResult all = filter(std::string(kHello) + kChangeCipher + kFatalAlert + kSealedData);
  EXPECT_EQ(all.kept, 3u);
  EXPECT_EQ(all.dropped, 0u);
  EXPECT_EQ(all.size, 26u + 14u + 15u);
}

TEST(RecordFilter, LeavesSealedDataAndAlertsToOthersButNotTheFinishedMessage) {
  std::string sealedAlert = kSealedData, sealedHandshake = kSealedData;
  sealedAlert.replace(0, 2, "15");
  sealedHandshake.replace(0, 2, "16");
  const FilterResult result = filter(kSealedData + sealedHandshake + sealedAlert);
  EXPECT_EQ(result.kept, 1u);
  EXPECT_EQ(result.dropped, 0u);
  EXPECT_EQ(result.size, 15u);
}

TEST(RecordFilter, EpochsThatHaveNoKeysAreDropped) {
  std::string future = kSealedData;
  future.replace(6, 4, "0002");
  EXPECT_EQ(filter(future).dropped, 1u);
}

TEST(RecordFilter, DropsMessagesOfTheWrongRole) {
  EXPECT_EQ(filter(kHello, 100, Role::Client).kept, 0u);
  std::string serverHello = kHello;
  serverHello.replace(26, 2, "02");
  EXPECT_EQ(filter(serverHello).kept, 0u);
  EXPECT_EQ(filter(serverHello, 100, Role::Client).kept, 1u);
}

TEST(RecordFilter, HonoursTheBudgetAndSurvivesTruncation) {
  EXPECT_EQ(filter(std::string(kHello) + kHello + kHello, 2).kept, 2u);
  const std::string two = std::string(kHello) + kHello;
  for (size_t size = 0; size < two.size(); size += 2) {
    const FilterResult result = filter(two.substr(0, size));
    EXPECT_EQ(result.kept, size / 52);
    EXPECT_EQ(result.dropped, size % 52 == 0 ? 0u : 1u);
  }
}

}  // namespace
}  // namespace parley::dtls
