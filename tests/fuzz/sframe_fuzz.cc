#include <array>

#include "parley/crypto/sframe.h"

// Frames of a stranger, with and without the ratchet.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace parley;
  if (size == 0) return 0;
  constexpr std::array<uint8_t, 4> kKey = {1, 2, 3, 4};
  const auto suite = static_cast<crypto::SframeSuite>(1 + data[0] % 5);
  crypto::SframeDecryptor decryptor(suite, {data[0] % 9u});
  (void)decryptor.addKey(data[0] & 15u, kKey);
  Bytes out;
  (void)decryptor.decrypt({data + 1, size - 1}, {}, out);
  return 0;
}
