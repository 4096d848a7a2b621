#include "sim/support/sim_case.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "parley/base/text.h"

#include "sim/support/seeded_libraries.h"

namespace parley::test {
namespace {

constexpr size_t kMaxRecords = 100'000;

/// What a run leaves for the parent, in memory that both see.
struct RunReport {
  bool finished;
  uint64_t hash;
  uint64_t count;
  size_t recordCount;
  sim::TraceRecord records[kMaxRecords];
};

uint64_t seedToUse() {
  const char* text = std::getenv("PARLEY_SIM_SEED");
  return text ? parseNumber<uint64_t>(text).value_or(1) : 1;
}

void runOnce(void (*body)(sim::World&), uint64_t seed, RunReport* report) {
  seedLibraries(seed);
  sim::World world(seed);
  if (report) world.trace().keepRecords(kMaxRecords);
  body(world);
  if (!report) return;
  const auto& records = world.trace().records();
  std::copy(records.begin(), records.end(), report->records);
  report->recordCount = records.size();
  report->hash = world.trace().hash();
  report->count = world.trace().count();
  report->finished = true;
}

RunReport* newReport() {
  void* memory = mmap(nullptr, sizeof(RunReport), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<RunReport*>(memory);
}

/// True if the child ended well. Libraries keep process-wide state, so each run gets a process.
bool runInChild(void (*body)(sim::World&), uint64_t seed, RunReport* report) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    runOnce(body, seed, report);
    std::fflush(nullptr);
    std::exit(::testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
         WEXITSTATUS(status) == 0 && report->finished;
}

std::string firstDifference(const RunReport& a, const RunReport& b) {
  const size_t common = std::min(a.recordCount, b.recordCount);
  for (size_t i = 0; i < common; ++i) {
    if (!(a.records[i] == b.records[i])) {
      return "packet " + std::to_string(i) + "\n  first run:  " + a.records[i].toString() +
             "\n  second run: " + b.records[i].toString();
    }
  }
  return "after packet " + std::to_string(common);
}

}  // namespace

void runSimCase(void (*body)(sim::World& world)) {
  const uint64_t seed = seedToUse();
  if (std::getenv("PARLEY_SIM_ONCE")) {
    runOnce(body, seed, nullptr);
    return;
  }
  std::array<RunReport*, 2> reports{newReport(), newReport()};
  for (RunReport* report : reports) {
    ASSERT_NE(report, nullptr);
    ASSERT_TRUE(runInChild(body, seed, report)) << "with PARLEY_SIM_SEED=" << seed;
  }
  EXPECT_TRUE(reports[0]->hash == reports[1]->hash && reports[0]->count == reports[1]->count)
      << "two runs with PARLEY_SIM_SEED=" << seed << " part at "
      << firstDifference(*reports[0], *reports[1]);
  for (RunReport* report : reports) munmap(report, sizeof(RunReport));
}

}  // namespace parley::test
