#include <array>
#include <cstddef>
#include <cstdint>

#include "parley/codec/factories.h"
#include "parley/codec/fake.h"

using namespace parley;
using namespace parley::codec;

// First byte: which decoder. The rest: frames, each with a two-byte length.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  ByteReader in({data + 1, size - 1});
  const auto nextPiece = [&in] { return in.bytes(std::min<size_t>(in.u16(), in.remaining())); };
  const unsigned which = data[0] % 6;
  if (which < 3) {
    VideoDecoderSettings limits;
    limits.maxWidth = limits.maxHeight = 256;
    auto made = which == 2
                    ? fakeVideoDecoders()->create({"VP8", {}, {}}, limits)
                    : builtinVideoDecoders()->create({which == 0 ? "VP8" : "VP9", {}, {}}, limits);
    if (!made) return 0;
    VideoFrame out;
    while (in.remaining() > 2) {
      EncodedVideoView view;
      view.data = nextPiece();
      (*made)->decode(view, out);
      if (out.width() > 256 || out.height() > 256) __builtin_trap();
    }
    return 0;
  }
  static constexpr const char* kNames[] = {"opus", "PCMU", "PCMA"};
  auto made = builtinAudioDecoders()->create({kNames[which - 3], 48'000, 2, {{"stereo", "1"}}});
  if (!made) return 0;
  std::array<int16_t, AudioDecoder::kMaxPacketSamples * 2> out;
  while (in.remaining() > 2) {
    const ByteSpan piece = nextPiece();
    (*made)->hasFec(piece);
    (*made)->decodeFec(piece, 960, out);
    if (!(*made)->decode(piece, out)) (*made)->conceal(960, out);
  }
  return 0;
}
