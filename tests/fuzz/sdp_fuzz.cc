#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "parley/sdp/parser.h"
#include "parley/sdp/writer.h"

/// Whatever parses can be written, and comes back the same.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 64 * 1024) return 0;
  const auto once = parley::sdp::parse({reinterpret_cast<const char*>(data), size});
  if (!once) return 0;
  const auto text = parley::sdp::write(*once);
  if (!text) std::abort();
  const auto twice = parley::sdp::parse(*text);
  if (!twice || *twice != *once) std::abort();
  return 0;
}
