#include "sim/support/seeded_libraries.h"

// The only way to replace the randomness of a whole process; its successor works per context.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <cstddef>
#include <memory>

#include <openssl/rand.h>

#include "parley/base/random.h"

namespace {

std::unique_ptr<parley::SeededRandom> libraryRandom;

int fillRandom(unsigned char* out, int size) {
  libraryRandom->fill({out, static_cast<size_t>(size)});
  return 1;
}

int alwaysReady() {
  return 1;
}

}  // namespace

// The linker sends usrsctp's calls of read_random() here (--wrap in tests/CMakeLists.txt).
extern "C" {
int __real_read_random(void* out, size_t size);
int __wrap_read_random(void* out, size_t size);

int __wrap_read_random(void* out, size_t size) {
  if (!libraryRandom) return __real_read_random(out, size);
  libraryRandom->fill({static_cast<uint8_t*>(out), size});
  return static_cast<int>(size);
}
}

namespace parley::test {

void seedLibraries(uint64_t seed) {
  static const RAND_METHOD method{nullptr, fillRandom, nullptr, nullptr, fillRandom, alwaysReady};
  libraryRandom = std::make_unique<SeededRandom>(seed);
  RAND_set_rand_method(&method);
}

}  // namespace parley::test
