#include "parley/endpoint/socket_table.h"

#include <set>

#include <gtest/gtest.h>

namespace parley::endpoint {
namespace {

TEST(SocketTable, NumbersAreUniqueOverSessionsAndNeverZero) {
  SocketTable table;
  std::set<uint32_t> numbers;
  for (size_t session = 0; session < 20; ++session) {
    for (uint32_t own = 1; own <= 3; ++own) {
      const SocketId number = table.add(session, SocketId(own));
      EXPECT_NE(number, SocketId{});
      EXPECT_TRUE(numbers.insert(number.value).second);
    }
  }
  EXPECT_EQ(table.find(SocketId{}), nullptr) << "a forgotten id hits nobody";
  EXPECT_EQ(table.find(SocketId(1000)), nullptr);
}

TEST(SocketTable, BothDirectionsAgree) {
  SocketTable table;
  for (size_t session = 0; session < 5; ++session) {
    for (uint32_t own = 7; own < 10; ++own) {
      const SocketId number = table.add(session, SocketId(own));
      ASSERT_NE(table.find(number), nullptr);
      EXPECT_EQ(table.find(number)->session, session);
      EXPECT_EQ(table.find(number)->sessionSocket, SocketId(own));
      EXPECT_EQ(table.lookUp(session, SocketId(own)), number);
    }
    EXPECT_EQ(table.ofSession(session).size(), 3u);
  }
  EXPECT_EQ(table.lookUp(0, SocketId(1)), std::nullopt);
  EXPECT_EQ(table.lookUp(99, SocketId(7)), std::nullopt);
  EXPECT_TRUE(table.ofSession(99).empty());
}

TEST(SocketTable, ARemovedNumberFindsNobodyUntilItIsGivenOutAgain) {
  SocketTable table;
  const SocketId first = table.add(0, SocketId(1));
  const SocketId second = table.add(0, SocketId(2));
  table.remove(first);
  table.remove(first);
  EXPECT_EQ(table.find(first), nullptr);
  EXPECT_EQ(table.lookUp(0, SocketId(1)), std::nullopt);
  EXPECT_EQ(table.ofSession(0), std::vector<SocketId>{second});
  const SocketId again = table.add(3, SocketId(1));
  EXPECT_EQ(again, first);
  EXPECT_EQ(table.find(again)->session, 3u);
  EXPECT_NE(table.add(3, SocketId(2)), again) << "only once";
}

TEST(SocketTable, TheEndpointsOwnSocketsAreNoSessions) {
  SocketTable table;
  const SocketId session = table.add(0, SocketId(1));
  const SocketId own = table.add(SocketTable::kEndpoint, SocketId(1));
  EXPECT_NE(own, session);
  EXPECT_EQ(table.lookUp(0, SocketId(1)), session);
  EXPECT_EQ(table.lookUp(SocketTable::kEndpoint, SocketId(1)), own);
  table.remove(own);
  EXPECT_EQ(table.lookUp(SocketTable::kEndpoint, SocketId(1)), std::nullopt);
  EXPECT_EQ(table.lookUp(0, SocketId(1)), session);
}

TEST(SocketTable, NumbersStayFewHoweverManyCome) {
  SocketTable table;
  uint32_t highest = 0;
  for (int i = 0; i < 10'000; ++i) {
    const SocketId number = table.add(static_cast<size_t>(i % 3), SocketId(1));
    highest = std::max(highest, number.value);
    table.remove(number);
  }
  EXPECT_EQ(highest, 1u);
}

TEST(SocketTable, AcceptedConnectionsKeepTheirNumbers) {
  SocketTable table;
  const SocketId own = table.add(3, SocketId(1));
  const SocketId accepted(0x8000'0005);
  EXPECT_EQ(table.find(accepted), nullptr);
  table.addAccepted(3, accepted);
  ASSERT_NE(table.find(accepted), nullptr);
  EXPECT_EQ(table.find(accepted)->session, 3u);
  EXPECT_EQ(table.find(accepted)->sessionSocket, accepted);
  EXPECT_EQ(table.lookUp(3, accepted), accepted);
  EXPECT_EQ(table.lookUp(2, accepted), std::nullopt);
  EXPECT_EQ(table.ofSession(3), (std::vector<SocketId>{own, accepted}));
  table.remove(accepted);
  table.remove(accepted);
  EXPECT_EQ(table.find(accepted), nullptr);
  EXPECT_EQ(table.ofSession(3), std::vector<SocketId>{own});
}

}  // namespace
}  // namespace parley::endpoint
