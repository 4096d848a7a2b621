#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "sctp/dcep.h"

/// What parses must survive a round trip.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace parley::sctp;
  const auto message = parseDcep({data, size});
  if (!message) return 0;
  if (const auto* init = std::get_if<ChannelInit>(&*message)) {
    const auto again = parseDcep(writeDcepOpen(*init));
    if (!again || !(std::get<ChannelInit>(*again) == *init)) std::abort();
  }
  return 0;
}
