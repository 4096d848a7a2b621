#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "parley/base/bytes.h"
#include "parley/dtls/fingerprint.h"

using namespace parley;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto parsed = dtls::Fingerprint::parse(asText(ByteSpan(data, size)));
  if (!parsed) return 0;
  const auto again = dtls::Fingerprint::parse(parsed->toString());
  if (!again || *again != *parsed) abort();
  (void)dtls::matchesCertificate({&*parsed, 1}, ByteSpan(data, size));
  return 0;
}
