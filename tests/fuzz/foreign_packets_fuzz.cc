// Packets that another program pushes into a stream, and telephone events of a peer: whatever they
// say, no number is given twice, tones are one at a time, and all of it stays bounded.

#include <cstdint>
#include <memory>

#include "parley/base/check.h"
#include "parley/base/random.h"
#include "parley/media/rtp_session.h"

#include "media/tone_receiver.h"

namespace {

using namespace parley;

void feedTones(ByteSpan data) {
  media::ToneReceiver tones;
  Timestamp now;
  ByteReader reader(data);
  int open = 0;
  while (reader.remaining() >= 6) {
    now += Duration::millis(reader.u8());
    const uint32_t timestamp = reader.u32();
    const size_t size = reader.u8() % 16;
    const ByteSpan payload = reader.bytes(std::min(size, reader.remaining()));
    (void)tones.receive(payload, timestamp, 8000, now);
    PARLEY_CHECK(tones.nextDeadline() > now);
    media::ToneEvent event;
    while (size % 2 == 0 && tones.poll(event)) {
      open += event.ended ? -1 : 1;
      PARLEY_CHECK(open == 0 || open == 1);
      PARLEY_CHECK(event.duration <= Duration::seconds(6));
    }
  }
}

void feedPackets(ByteSpan data) {
  SeededRandom random(1);
  PacketPool pool;
  const Environment environment{random, pool};
  media::RtpSessionConfig config;
  config.cname = "fuzz";
  media::RtpSession session(environment, config);
  media::SendStreamConfig stream;
  stream.codec = "VP8";
  stream.payloadType = 96;
  stream.nack = true;
  stream.extensions.add(rtp::ExtensionKind::VideoOrientation, 3);
  Timestamp now = Timestamp::seconds(1);
  const media::SendStreamId id = session.addSendStream(stream, now).value();
  session.setNetworkAvailable(true, now);
  rtp::ExtensionMap theirs;
  theirs.add(rtp::ExtensionKind::VideoOrientation, 1);
  theirs.add(rtp::ExtensionKind::AudioLevel, 2);
  ByteReader reader(data);
  while (reader.remaining() >= 2) {
    now += Duration::millis(reader.u8());
    const size_t size = std::min<size_t>(reader.u8(), reader.remaining());
    const auto packet = rtp::PacketView::parse(reader.bytes(size));
    if (packet) (void)session.sendForeign(id, {*packet, &theirs, false}, now);
    session.advance(now);
    media::OutgoingPacket out;
    while (session.pollTransmit(out)) {
      if (!out.isRtcp) PARLEY_CHECK(rtp::PacketView::parse(out.data.span()).has_value());
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const ByteSpan bytes(data + 1, size - 1);
  if (data[0] % 2 == 0) {
    feedTones(bytes);
  } else {
    feedPackets(bytes);
  }
  return 0;
}
