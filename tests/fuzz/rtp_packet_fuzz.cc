#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>

#include "parley/base/packet_buffer.h"
#include "parley/rtp/extensions/all.h"
#include "parley/rtp/packet_writer.h"
#include "parley/rtp/rtx.h"

using namespace parley;
using namespace parley::rtp;

namespace {

template <class Ext>
void readAndWrite(ByteSpan value) {
  const auto parsed = Ext::parse(value);
  if (!parsed) return;
  uint8_t bytes[255] = {};
  static_assert(Ext::kMaxSize <= sizeof bytes);
  const size_t size = Ext::write(*parsed, bytes);
  // What we write, we read back as the same.
  if (size != 0 && Ext::parse(ByteSpan(bytes, size)) != parsed) std::abort();
}

// Retransmission and back gives the same packet, less its padding.
void throughRtx(PacketPool& pool, const PacketView& view) {
  PacketBuf rtx = pool.allocate();
  if (!wrapRtx(view, 1, 97, 7, rtx)) return;
  const auto wrapped = PacketView::parse(rtx.span());
  if (!wrapped || !unwrapRtx(rtx, *wrapped, view.ssrc(), view.payloadType())) std::abort();
  const auto back = PacketView::parse(rtx.span());
  if (!back || back->sequenceNumber() != view.sequenceNumber() ||
      back->payload().size() != view.payload().size()) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  (void)classify({data, size});
  const auto view = PacketView::parse({data, size});
  if (!view) return 0;
  if (view->headerSize() + view->payload().size() + view->paddingSize() != size) std::abort();
  for (size_t i = 0; i < view->csrcCount(); ++i) (void)view->csrc(i);
  std::optional<DependencyStructure> structure;
  ExtensionReader reader = view->extensions();
  ExtensionElement e;
  while (reader.next(e)) {
    if (!view->extension(e.id)) std::abort();
    readAndWrite<Mid>(e.value);
    readAndWrite<Rid>(e.value);
    readAndWrite<AudioLevel>(e.value);
    readAndWrite<CsrcAudioLevel>(e.value);
    readAndWrite<AbsSendTime>(e.value);
    readAndWrite<TransportSequenceNumber>(e.value);
    readAndWrite<TransmissionOffset>(e.value);
    readAndWrite<AbsCaptureTime>(e.value);
    readAndWrite<PlayoutDelay>(e.value);
    readAndWrite<VideoOrientation>(e.value);
    readAndWrite<ContentType>(e.value);
    readAndWrite<VideoTiming>(e.value);
    readAndWrite<ColorSpace>(e.value);
    readAndWrite<CorruptionDetection>(e.value);
    DependencyDescriptorValue described;
    if (DependencyDescriptor::parse(e.value, structure, described) && !structure) std::abort();
  }
  PacketPool pool(16);
  if (size <= PacketBuf::kMaxPayload) {
    throughRtx(pool, *view);
    PacketBuf copy = pool.copyOf({data, size});
    (void)addPadding(copy, data[0]);
    if (!PacketView::parse(copy.span())) std::abort();
    (void)findExtension(copy.mutableSpan(), 3);
  }
  return 0;
}
