#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "parley/stun/channel_data.h"
#include "parley/stun/long_term.h"
#include "parley/stun/turn.h"

using namespace parley;

// What TURN adds to STUN on the wire: ChannelData, stream framing, attribute values.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ByteSpan bytes(data, size);
  (void)stun::parsePasswordAlgorithms(bytes);
  (void)stun::parsePasswordAlgorithm(bytes);
  (void)stun::parseAddressFamily(bytes);
  (void)stun::parseAddressError(bytes);
  (void)stun::parseIcmp(bytes);

  const stun::StreamFrame frame = stun::nextStreamFrame(bytes);
  const bool complete = frame.status == stun::StreamFrame::Status::Complete;
  if (complete && frame.size > size) std::abort();
  const auto message = stun::ChannelData::parse(bytes);
  if (!message) return 0;
  // A datagram that is ChannelData is also a frame of a stream, unless its padding is missing.
  if (!complete && size % 4 == 0) std::abort();

  PacketPool pool(4);
  PacketBuf packet = pool.copyOf(message->data);
  if (!packet) return 0;
  if (!stun::prependChannelHeader(packet, message->channel)) std::abort();
  stun::padForStream(packet);
  const auto again = stun::ChannelData::parse(packet.span());
  if (!again || again->channel != message->channel || again->data.size() != message->data.size()) {
    std::abort();
  }
  return 0;
}
