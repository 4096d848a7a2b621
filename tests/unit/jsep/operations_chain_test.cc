#include "parley/jsep/operations_chain.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

namespace parley::jsep {
namespace {

TEST(OperationsChain, RunsTheFirstAtOnceAndTheRestInOrder) {
  OperationsChain chain;
  std::string log;
  EXPECT_TRUE(chain.enqueue([&] { log += '1'; }));
  EXPECT_TRUE(chain.enqueue([&] { log += '2'; }));
  EXPECT_TRUE(chain.enqueue([&] { log += '3'; }));
  EXPECT_EQ(log, "1");
  EXPECT_EQ(chain.size(), 3u);
  chain.finished();
  EXPECT_EQ(log, "12");
  chain.finished();
  chain.finished();
  EXPECT_EQ(log, "123");
  EXPECT_TRUE(chain.empty());
}

TEST(OperationsChain, AnOperationMayFinishAtOnceAndEnqueueMore) {
  OperationsChain chain;
  std::string log;
  chain.enqueue([&] {
    log += 'a';
    chain.enqueue([&] {
      log += 'c';
      chain.finished();
    });
    log += 'b';
    chain.finished();
  });
  EXPECT_EQ(log, "abc");
  EXPECT_TRUE(chain.empty());
}

TEST(OperationsChain, ManySynchronousOperationsDoNotNest) {
  OperationsChain chain;
  int depth = 0, deepest = 0, done = 0;
  chain.enqueue([&] {
    for (int i = 0; i < 10'000; ++i) {
      chain.enqueue([&] {
        deepest = std::max(deepest, ++depth);
        ++done;
        chain.finished();
        --depth;
      });
    }
    chain.finished();
  });
  EXPECT_EQ(done, 10'000);
  EXPECT_EQ(deepest, 1);
}

TEST(OperationsChain, PostponesTheNegotiationCheckUntilEmpty) {
  OperationsChain chain;
  EXPECT_TRUE(chain.requestNegotiationCheck());
  chain.enqueue([] {});
  chain.enqueue([] {});
  EXPECT_FALSE(chain.requestNegotiationCheck());
  chain.finished();
  EXPECT_FALSE(chain.takeNegotiationCheck());
  chain.finished();
  EXPECT_TRUE(chain.takeNegotiationCheck());
  EXPECT_FALSE(chain.takeNegotiationCheck()) << "only once";
}

TEST(OperationsChain, NothingRunsOnceClosed) {
  OperationsChain chain;
  int runs = 0;
  chain.enqueue([&] { ++runs; });
  chain.enqueue([&] { ++runs; });
  EXPECT_FALSE(chain.requestNegotiationCheck());
  chain.close();
  chain.finished();
  EXPECT_FALSE(chain.enqueue([&] { ++runs; }));
  EXPECT_EQ(runs, 1);
  EXPECT_FALSE(chain.takeNegotiationCheck());
}

TEST(OperationsChain, MayBeClosedFromAnOperation) {
  OperationsChain chain;
  int runs = 0;
  chain.enqueue([&] { ++runs; });
  chain.enqueue([&] { chain.close(); });
  chain.enqueue([&] { ++runs; });
  chain.finished();
  EXPECT_EQ(runs, 1);
}

}  // namespace
}  // namespace parley::jsep
