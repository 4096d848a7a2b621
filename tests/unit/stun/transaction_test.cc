#include "parley/stun/transaction.h"

#include <vector>

#include <gtest/gtest.h>

namespace parley::stun {
namespace {

using Due = Transaction::Due;

TEST(TransactionTest, FollowsTheScheduleOfRfc8489) {
  const Timestamp start = Timestamp::seconds(5);
  Transaction transaction(TransactionId{}, {}, start);
  std::vector<int64_t> sentAtMs{0};
  for (;;) {
    const Timestamp at = transaction.deadline();
    EXPECT_EQ(transaction.advance(at - Duration::nanos(1)), Due::Nothing);
    const Due due = transaction.advance(at);
    if (due == Due::TimedOut) {
      EXPECT_EQ((at - start).millis(), 39'500);
      break;
    }
    ASSERT_EQ(due, Due::Retransmit);
    ASSERT_GT(transaction.deadline(), at);
    sentAtMs.push_back((at - start).millis());
  }
  EXPECT_EQ(sentAtMs, (std::vector<int64_t>{0, 500, 1500, 3500, 7500, 15500, 31500}));
  EXPECT_TRUE(transaction.deadline().isNever());
}

TEST(TransactionTest, LateCallSendsOnceNotABurst) {
  Transaction transaction(TransactionId{}, {}, Timestamp());
  EXPECT_EQ(transaction.advance(Timestamp::seconds(10)), Due::Retransmit);
  EXPECT_EQ(transaction.advance(Timestamp::seconds(10)), Due::Nothing);
  EXPECT_EQ(transaction.sends(), 2);
}

TEST(TransactionTest, ReliableTransportSendsOnce) {
  Transaction transaction(TransactionId{}, RetransmitPolicy::reliable(), Timestamp());
  EXPECT_EQ(transaction.deadline(), Timestamp::millis(39'500));
  EXPECT_EQ(transaction.advance(Timestamp::millis(39'500)), Due::TimedOut);
}

TEST(TransactionTest, IdsComeFromTheGivenRandom) {
  SeededRandom a(1);
  SeededRandom b(1);
  EXPECT_EQ(newTransactionId(a), newTransactionId(b));
  EXPECT_NE(newTransactionId(a), newTransactionId(a));
}

}  // namespace
}  // namespace parley::stun
