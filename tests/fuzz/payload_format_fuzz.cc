#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "parley/rtp/payload_format/opus_packet.h"
#include "parley/rtp/payload_format/payload_format.h"
#include "parley/rtp/payload_format/red.h"
#include "parley/rtp/payload_format/telephone_event.h"
#include "parley/rtp/payload_format/vpx_frame_header.h"

using namespace parley;
using namespace parley::rtp;

namespace {

void parsePayload(const Depacketizer& depacketizer, ByteSpan payload) {
  PayloadInfo info;
  if (!depacketizer.parse(payload, info)) return;
  Bytes frame;
  depacketizer.append(payload, frame);
  // Annex B start codes are all that can be added: at most four for each two bytes of a length.
  if (frame.size() > payload.size() * 4 + 8) std::abort();
  depacketizer.append(payload, frame);
  const size_t twice = frame.size();
  depacketizer.finish(frame);
  if (frame.size() > twice) std::abort();
}

// What a peer made of it must not matter: it is only ever made shorter.
void finishAnything(const Depacketizer& depacketizer, ByteSpan bytes) {
  Bytes frame = toBytes(bytes);
  depacketizer.finish(frame);
  if (frame.size() > bytes.size()) std::abort();
}

// Cuts the input as a frame and puts it together again.
void roundTrip(const char* codec, ByteSpan frame, size_t maxPayload) {
  const auto packetizer = createPacketizer(codec, {1});
  const auto depacketizer = createDepacketizer(codec);
  const size_t count = packetizer->begin(frame, {}, maxPayload);
  Bytes joined;
  Bytes piece(maxPayload);
  size_t first = 0;
  for (size_t i = 0; i < count; ++i) {
    const size_t size = packetizer->next(piece);
    if (size == 0 || size > maxPayload) std::abort();
    if (i == 0) first = size;
    const bool equalCut = codec[0] == 'V';
    if (equalCut && i + 1 < count && size != first) std::abort();
    const ByteSpan payload(piece.data(), size);
    depacketizer->append(payload, joined);
  }
  depacketizer->finish(joined);
  if (count != 0 && packetizer->next(piece) != 0) std::abort();
  if (count != 0 && codec[0] == 'V' && joined != toBytes(frame)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  static constexpr const char* kCodecs[] = {"VP8", "VP9", "H264", "H265", "AV1", "opus"};
  const ByteSpan rest(data + 2, size - 2);
  const uint8_t which = data[0];
  if (which < 128) {
    const auto depacketizer = createDepacketizer(kCodecs[which % 6]);
    parsePayload(*depacketizer, rest);
    finishAnything(*depacketizer, rest);
  } else {
    roundTrip(kCodecs[which % 5], rest, 8u + data[1]);
  }
  RedPayload red;
  if (RedPayload::parse(rest, red)) {
    size_t total = 0;
    for (const RedBlock& b : red.blocks) total += b.data.size();
    if (total > rest.size() || red.primary().data.empty()) std::abort();
  }
  const auto opus = OpusPacketInfo::parse(rest);
  if (opus && (opus->duration() > Duration::millis(120) || opus->frameCount == 0)) std::abort();
  (void)TelephoneEvent::parse(rest);
  (void)parseVp8FrameHeader(rest);
  (void)parseVp9FrameStart(rest);
  (void)parseVp9FrameHeader(rest);
  (void)parseH264SpsSize(rest);
  (void)parseH265SpsSize(rest);
  (void)parseAv1SequenceSize(rest);
  return 0;
}
