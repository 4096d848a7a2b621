#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "parley/base/environment.h"
#include "parley/media/receive_hub.h"
#include "parley/rtp/extensions/all.h"

using namespace parley;
using namespace parley::media;

namespace {

ReceiveConfig receiver(uint32_t id, MediaKind kind) {
  ReceiveConfig config;
  config.id = ReceiverId(id);
  config.mid = std::string(1, static_cast<char>('0' + id));
  config.kind = kind;
  if (kind == MediaKind::Video) {
    config.codecs = {{96, "VP8", 90'000, 1, uint8_t{97}, true, true, true},
                     {98, "VP9", 90'000, 1, uint8_t{99}, true, true, true},
                     {102, "H264", 90'000, 1, uint8_t{103}, true, false, true},
                     {45, "AV1", 90'000, 1, {}, true, true, false},
                     {118, "red", 90'000, 1, uint8_t{119}, false, false, false},
                     {120, "ulpfec", 90'000, 1, {}, false, false, false},
                     {49, "flexfec-03", 90'000, 1, {}, false, false, false},
                     {50, "flexfec", 90'000, 1, {}, false, false, false}};
  } else {
    config.codecs = {{111, "opus", 48'000, 2, {}, true, false, false},
                     {63, "red", 48'000, 2, {}, false, false, false},
                     {0, "PCMU", 8'000, 1, {}, false, false, false},
                     {13, "CN", 8'000, 1, {}, false, false, false}};
  }
  config.syncGroup = "s";
  config.extensions.add(rtp::AudioLevel::kUri, 1);
  config.extensions.add(rtp::TransportSequenceNumber::kUri, 3);
  config.extensions.add(rtp::Mid::kUri, 4);
  config.extensions.add(rtp::PlayoutDelay::kUri, 5);
  config.extensions.add(rtp::ContentType::kUri, 6);
  config.extensions.add(rtp::VideoTiming::kUri, 7);
  config.extensions.add(rtp::ColorSpace::kUri, 8);
  config.extensions.add(rtp::AbsCaptureTime::kUri, 9);
  config.extensions.add(rtp::Rid::kUri, 10);
  config.extensions.add(rtp::RepairedRid::kUri, 11);
  config.extensions.add(rtp::DependencyDescriptor::kUri, 12);
  config.extensions.add(rtp::VideoOrientation::kUri, 13);
  config.extensions.add(rtp::CorruptionDetection::kUri, 14);
  return config;
}

}  // namespace

/// One packet becomes many, as a few bytes of input must be able to reach states that take
/// thousands of packets.
class Burst {
 public:
  explicit Burst(size_t most) : left_(most) {}

  /// With `mixed` every other packet is of another codec, whatever frame it belongs to.
  void send(ReceiveHub& hub, PacketPool& pool, ByteSpan bytes, ByteReader& in, bool mixed,
            Timestamp& now) {
    constexpr uint8_t kAv1 = 45;
    const size_t count = std::min(left_, size_t{1} << in.u8() % 13);
    const auto sequenceStep = static_cast<int16_t>(in.u8() < 0x80 ? 1 : in.u16());
    const uint32_t timestampStep = in.u8() < 0x80 ? 0 : in.u32();
    const uint8_t how = in.u8();
    left_ -= count;
    for (size_t i = 0; i < count; ++i) {
      PacketBuf packet = pool.copyOf(bytes);
      if (!packet) std::abort();  // someone kept them all
      uint8_t* p = packet.data();
      const auto n = static_cast<uint32_t>(i);
      storeU16(p + 2, static_cast<uint16_t>(loadU16(p + 2) + i * sequenceStep));
      storeU32(p + 4, loadU32(p + 4) + n * timestampStep);
      if (how & 1) storeU32(p + 8, loadU32(p + 8) + n % 64);
      if (how & 2) p[1] ^= static_cast<uint8_t>(n << 7);
      if ((how & 4) && i + 1 == count) p[1] ^= 0x80;
      if (mixed && i % 2 != 0) p[1] = static_cast<uint8_t>((p[1] & 0x80) | kAv1);
      if (how & 8) now += Duration::micros(500);
      if (how & 16) hub.advance(now);
      const auto view = rtp::PacketView::parse(packet.span());
      if (!view) return;
      hub.handleRtp(std::move(packet), *view, Ecn::NotEct, now);
    }
  }

 private:
  size_t left_;
};

// The input is a list of actions: a byte says which, then what it needs. Packets have a one-byte
// length in units of four bytes.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  SeededRandom random(1);
  PacketPool pool(9000);
  Environment environment{random, pool};
  Burst burst(6000);
  ReceiveHub hub(environment);
  hub.setReceiver(receiver(0, MediaKind::Audio));
  hub.setReceiver(receiver(1, MediaKind::Video));
  Timestamp now = Timestamp::seconds(1);
  ReceivedFrame frame;
  AudioPlayoutUnit unit;
  FeedbackRequest request;
  SourceEvent event;
  uint8_t out[1200];
  ByteReader in({data, size});
  while (!in.atEnd()) {
    const uint8_t action = in.u8();
    switch (action % 12) {
      case 0:
        now += Duration::millis(in.u8());
        hub.advance(now);
        if (hub.nextDeadline() <= now) std::abort();
        break;
      case 1:
        while (hub.pollFrame(frame)) {
        }
        while (hub.pollAudio(unit)) {
          if (unit.samples == 0 || unit.playSamples == 0) std::abort();
        }
        break;
      case 2:
        while (hub.pollFeedback(request)) {
        }
        while (hub.pollEvent(event)) {
        }
        break;
      case 3: {
        ByteWriter w(out);
        hub.pollArrivalFeedback(w, 1, 64u + in.u8() * 4u);
        break;
      }
      case 4:
        hub.setArrivalFeedback(static_cast<ArrivalFeedback>(in.u8() % 3));
        break;
      case 5:
        hub.handleBye(in.u8(), now);
        break;
      case 6: {
        rtp::rtcp::SenderReport report;
        report.senderSsrc = in.u8();
        report.ntp.value = in.u64();
        report.rtpTimestamp = in.u32();
        hub.handleSenderReport(report, now);
        break;
      }
      case 7:
        hub.requestKeyFrame(ReceiverId(in.u8() % 3), now);
        if (action & 0x80) hub.decoderLostState(ReceiverId(in.u8() % 3), now);
        break;
      case 8:
        if (in.u8() % 8 == 0) {
          hub.removeReceiver(ReceiverId(1));
          hub.setReceiver(receiver(1, MediaKind::Video));
        }
        break;
      case 9: {
        const ByteSpan bytes = in.bytes(std::min<size_t>(in.u8() * 4u, in.remaining()));
        if (rtp::PacketView::parse(bytes)) burst.send(hub, pool, bytes, in, action >= 0x80, now);
        if (pool.inUse() > environment.limits.maxHeldPackets) std::abort();
        break;
      }
      default: {
        const ByteSpan bytes = in.bytes(std::min<size_t>(in.u8() * 4u, in.remaining()));
        const auto view = rtp::PacketView::parse(bytes);
        if (!view) break;
        PacketBuf packet = pool.copyOf(bytes);
        if (!packet) break;
        const auto own = rtp::PacketView::parse(packet.span());
        hub.handleRtp(std::move(packet), *own, static_cast<Ecn>(action >> 6), now);
      }
    }
  }
  hub.advance(now);
  if (hub.nextDeadline() <= now) std::abort();
  std::vector<InboundStats> stats;
  hub.stats(stats);
  std::vector<rtp::rtcp::ReportBlock> blocks;
  hub.takeReportBlocks(now, 31, blocks);
  // Whatever was sent, nobody holds on to it for ever.
  const Timestamp end = now + Duration::seconds(200);
  while (hub.nextDeadline() < end) {
    now = std::max(now, hub.nextDeadline());
    hub.advance(now);
    while (hub.pollFrame(frame) || hub.pollAudio(unit) || hub.pollFeedback(request)) {
    }
    if (pool.inUse() == 0 && hub.bufferedFrameBytes() == 0) return 0;
  }
  if (pool.inUse() != 0 || hub.bufferedFrameBytes() != 0) std::abort();
  return 0;
}
