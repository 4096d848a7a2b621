// Runs a fuzz target without a fuzzer: the files of the folders named on the command line, and for
// each a fixed set of damaged copies. Same inputs on every run, so a failure repeats.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using Bytes = std::vector<uint8_t>;

constexpr int kDamagedCopies = 64;
constexpr int kRandomInputs = 2000;
constexpr size_t kRandomInputBytes = 256;

/// xorshift64: a fixed sequence is all that is wanted of it.
class Sequence {
 public:
  size_t below(size_t bound) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return static_cast<size_t>(state_ % bound);
  }

 private:
  uint64_t state_ = 0x9e3779b97f4a7c15;
};

void run(const Bytes& input) {
  // A copy of exact size on the heap: the sanitizer then sees every read beyond the end.
  const Bytes exact(input.begin(), input.end());
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

void runDamaged(const Bytes& seed, Sequence& sequence) {
  for (int copy = 0; copy < kDamagedCopies && !seed.empty(); ++copy) {
    Bytes input = seed;
    switch (sequence.below(4)) {
      case 0:
        input.resize(sequence.below(input.size()));
        break;
      case 1:
        for (size_t n = 1 + sequence.below(4); n > 0; --n) {
          input[sequence.below(input.size())] = static_cast<uint8_t>(sequence.below(256));
        }
        break;
      case 2:
        input[sequence.below(input.size())] ^= static_cast<uint8_t>(1u << sequence.below(8));
        break;
      default: {
        const size_t at = sequence.below(input.size());
        const Bytes piece(input.begin() + static_cast<std::ptrdiff_t>(at), input.end());
        input.insert(input.end(), piece.begin(), piece.end());
      }
    }
    run(input);
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> files;
  for (int i = 1; i < argc; ++i) {
    std::error_code missing;
    for (const auto& entry : std::filesystem::directory_iterator(argv[i], missing)) {
      if (entry.is_regular_file()) files.push_back(entry.path().string());
    }
  }
  std::sort(files.begin(), files.end());

  Sequence sequence;
  run({});
  for (const std::string& file : files) {
    std::ifstream stream(file, std::ios::binary);
    const Bytes seed{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
    run(seed);
    runDamaged(seed, sequence);
  }
  for (int i = 0; i < kRandomInputs; ++i) {
    Bytes input(sequence.below(kRandomInputBytes));
    for (uint8_t& byte : input) byte = static_cast<uint8_t>(sequence.below(256));
    run(input);
  }
  std::printf("%zu corpus files, each with %d damaged copies, %d random inputs\n", files.size(),
              kDamagedCopies, kRandomInputs);
  return 0;
}
