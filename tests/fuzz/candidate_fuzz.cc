#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "parley/sdp/candidate_line.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto once = parley::sdp::parseCandidate({reinterpret_cast<const char*>(data), size});
  if (!once) return 0;
  const auto twice = parley::sdp::parseCandidate(parley::sdp::writeCandidate(*once));
  if (!twice || *twice != *once) std::abort();
  return 0;
}
