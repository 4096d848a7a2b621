#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "ice/frame_reader.h"

using namespace parley;
using namespace parley::ice;

// RFC 4571 framing: the input is a stream, cut by its first byte. However it is cut, the same
// packets come out, and none of them holds a buffer back.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const ByteSpan stream(data + 1, size - 1);
  const auto digest = [&](size_t chunk) {
    PacketPool pool(8);
    FrameReader reader(pool);
    uint64_t sum = 14'695'981'039'346'656'037u;
    for (size_t at = 0; at < stream.size(); at += chunk) {
      reader.feed(pool.copyOf(stream.subspan(at, std::min(chunk, stream.size() - at))));
      PacketBuf packet;
      while (reader.next(packet)) {
        if (packet.empty()) std::abort();
        for (const uint8_t byte : packet.span()) sum = (sum ^ byte) * 1'099'511'628'211u;
        sum = (sum ^ packet.size()) * 1'099'511'628'211u;
        packet.reset();
      }
      if (pool.inUse() > 1) std::abort();
    }
    return sum + reader.skipped();
  };
  if (digest(data[0] + size_t{1}) != digest(PacketBuf::kMaxPayload)) std::abort();
  return 0;
}
