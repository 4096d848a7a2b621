#include "parley/base/random.h"
#include "parley/forwarding/forwarder.h"
#include "parley/rtp/extensions/dependency_descriptor.h"

// Packets of a hostile publisher, with codecs and descriptors of all kinds, and requests of a
// hostile receiver. The first byte of each piece says what it is, the second how long.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace parley;
  SeededRandom random(1);
  PacketPool pool(512);
  Environment environment{random, pool};
  forwarding::Forwarder forwarder(environment);
  forwarding::PublicationConfig publication;
  publication.codecs = {{96, "VP8"}, {98, "VP9"}, {100, "H264"}, {45, "AV1"}};
  publication.extensions.add(rtp::ExtensionKind::DependencyDescriptor, 3);
  const auto video = forwarder.addPublication(publication);
  const auto peer = forwarder.addPeer();
  forwarding::SubscriptionConfig config;
  const char* const names[] = {"VP8", "VP9", "H264", "AV1"};
  config.codec = names[size % 4];
  config.payloadType = 96;
  config.ssrc = 7;
  config.extensions.add(rtp::ExtensionKind::DependencyDescriptor, 5);
  Timestamp now = Timestamp::seconds(1);
  const auto subscription = forwarder.subscribe(peer, video, config, now);
  if (!subscription) return 0;
  for (size_t at = 0; at + 2 <= size;) {
    const uint8_t what = data[at];
    const size_t length = std::min<size_t>(data[at + 1], size - at - 2);
    const ByteSpan piece(data + at + 2, length);
    at += 2 + length;
    now += Duration::millis(what & 15);
    switch (what >> 6) {
      case 0:
      case 1:
        forwarder.handlePacket(video, "", pool.copyOf(piece), now);
        break;
      case 2:
        for (size_t i = 0; i + 2 <= piece.size(); i += 2) {
          const uint16_t sequence = loadU16(&piece[i]);
          forwarder.handleMissing(*subscription, {&sequence, 1}, now);
        }
        break;
      default:
        forwarder.handleEstimate(peer, DataRate::kbps(int64_t{what} * length), now);
        forwarder.handleKeyFrameRequest(*subscription, now);
        forwarder.advance(now);
        break;
    }
    forwarding::ForwardedPacket out;
    while (forwarder.pollPacket(out)) {
    }
  }
  std::optional<rtp::DependencyStructure> structure;
  rtp::DependencyDescriptorValue value;
  (void)rtp::DependencyDescriptor::parse({data, size}, structure, value);
  return 0;
}
