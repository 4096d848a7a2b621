#include "sctp/dcep.h"

#include <algorithm>

#include "base/utf8.h"

namespace parley::sctp {
namespace {

constexpr uint8_t kTypeAck = 2;
constexpr uint8_t kTypeOpen = 3;
constexpr uint8_t kReliable = 0;
constexpr uint8_t kRetransmits = 1;
constexpr uint8_t kTimed = 2;
constexpr uint8_t kUnordered = 0x80;
constexpr size_t kOpenFixedSize = 12;

Priority toPriority(uint16_t value) {
  for (const Priority p : {Priority::High, Priority::Medium, Priority::Low}) {
    if (value >= static_cast<uint16_t>(p)) return p;
  }
  return Priority::VeryLow;
}

std::optional<DcepMessage> parseOpen(ByteReader& in) {
  ChannelInit init;
  const uint8_t channelType = in.u8();
  init.priority = toPriority(in.u16());
  const uint32_t reliability = in.u32();
  const size_t labelSize = in.u16();
  const size_t protocolSize = in.u16();
  const ByteSpan label = in.bytes(labelSize);
  const ByteSpan protocol = in.bytes(protocolSize);
  if (!in.ok() || !in.atEnd() || !isValidUtf8(label) || !isValidUtf8(protocol)) return std::nullopt;
  init.ordered = (channelType & kUnordered) == 0;
  // The field has 32 bits, the W3C attribute 16: larger limits mean as much as the largest.
  const auto limit = static_cast<uint16_t>(std::min<uint32_t>(reliability, 0xFFFF));
  switch (channelType & ~kUnordered) {
    case kReliable:
      break;
    case kRetransmits:
      init.maxRetransmits = limit;
      break;
    case kTimed:
      init.maxPacketLifeTimeMs = limit;
      break;
    default:
      return std::nullopt;
  }
  init.label = asText(label);
  init.protocol = asText(protocol);
  return init;
}

}  // namespace

std::optional<DcepMessage> parseDcep(ByteSpan message) {
  ByteReader in(message);
  switch (in.u8()) {
    case kTypeOpen:
      return parseOpen(in);
    case kTypeAck:
      // RFC 8832 gives the ACK one byte; bytes behind it are a later version's.
      return DcepAck{};
    default:
      return std::nullopt;
  }
}

Bytes writeDcepOpen(const ChannelInit& init) {
  Bytes out(kOpenFixedSize + init.label.size() + init.protocol.size());
  ByteWriter w(out);
  uint8_t channelType = init.maxRetransmits        ? kRetransmits
                        : init.maxPacketLifeTimeMs ? kTimed
                                                   : kReliable;
  if (!init.ordered) channelType |= kUnordered;
  w.u8(kTypeOpen);
  w.u8(channelType);
  w.u16(static_cast<uint16_t>(init.priority));
  w.u32(init.maxRetransmits ? *init.maxRetransmits : init.maxPacketLifeTimeMs.value_or(0));
  w.u16(static_cast<uint16_t>(init.label.size()));
  w.u16(static_cast<uint16_t>(init.protocol.size()));
  w.bytes(asBytes(init.label));
  w.bytes(asBytes(init.protocol));
  return out;
}

Bytes writeDcepAck() {
  return {kTypeAck};
}

}  // namespace parley::sctp
