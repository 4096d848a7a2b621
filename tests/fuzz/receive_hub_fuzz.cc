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
                     {102, "H264", 90'000, 1, uint8_t{103}, true, false, true}};
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
  config.extensions.add(rtp::Rid::kUri, 10);
  config.extensions.add(rtp::RepairedRid::kUri, 11);
  return config;
}

}  // namespace

// The input is a list of actions: a byte says which, then what it needs. Packets have a one-byte
// length in units of four bytes.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  SeededRandom random(1);
  PacketPool pool(20'000);
  Environment environment{random, pool};
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
        break;
      case 8:
        if (in.u8() % 8 == 0) {
          hub.removeReceiver(ReceiverId(1));
          hub.setReceiver(receiver(1, MediaKind::Video));
        }
        break;
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
  return 0;
}
