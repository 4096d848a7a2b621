#include "base/utf8.h"

namespace parley {

Utf8Step nextUtf8(ByteSpan rest) {
  const uint8_t lead = rest[0];
  if (lead < 0x80) return {1, true};
  size_t needed = 0;
  uint8_t low = 0x80;
  uint8_t high = 0xBF;
  if (lead >= 0xC2 && lead <= 0xDF) {
    needed = 1;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    needed = 2;
    if (lead == 0xE0) low = 0xA0;   // shorter forms exist
    if (lead == 0xED) high = 0x9F;  // surrogates
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    needed = 3;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;  // above U+10FFFF
  } else {
    return {1, false};
  }
  size_t length = 1;
  for (; needed > 0; --needed, ++length) {
    if (length >= rest.size() || rest[length] < low || rest[length] > high) return {length, false};
    low = 0x80;
    high = 0xBF;
  }
  return {length, true};
}

bool isValidUtf8(ByteSpan data) {
  while (!data.empty()) {
    const Utf8Step s = nextUtf8(data);
    if (!s.valid) return false;
    data = data.subspan(s.length);
  }
  return true;
}

void repairUtf8(Bytes& data) {
  if (isValidUtf8(data)) return;
  Bytes out;
  out.reserve(data.size() + 16);
  ByteSpan rest = data;
  while (!rest.empty()) {
    const Utf8Step s = nextUtf8(rest);
    if (s.valid) {
      out.insert(out.end(), rest.begin(), rest.begin() + static_cast<ptrdiff_t>(s.length));
    } else {
      const ByteSpan replacement = asBytes(kUtf8Replacement);
      out.insert(out.end(), replacement.begin(), replacement.end());
    }
    rest = rest.subspan(s.length);
  }
  data = std::move(out);
}

}  // namespace parley
