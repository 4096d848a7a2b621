#include "parley/stun/channel_data.h"

#include <cstring>

#include "parley/stun/message.h"

namespace parley::stun {
namespace {

constexpr size_t padded(size_t size) {
  return (size + 3) & ~size_t{3};
}

}  // namespace

std::optional<ChannelData> ChannelData::parse(ByteSpan message, uint16_t highest) {
  if (message.size() < kChannelHeaderSize) return std::nullopt;
  const uint16_t channel = loadU16(&message[0]);
  const size_t size = loadU16(&message[2]);
  if (!isChannelNumber(channel, highest) || message.size() - kChannelHeaderSize < size)
    return std::nullopt;
  return ChannelData{channel, message.subspan(kChannelHeaderSize, size)};
}

bool prependChannelHeader(PacketBuf& payload, uint16_t channel) {
  const size_t size = payload.size();
  if (size > 0xFFFF || !payload.growFront(kChannelHeaderSize)) return false;
  storeU16(payload.data(), channel);
  storeU16(payload.data() + 2, static_cast<uint16_t>(size));
  return true;
}

void padForStream(PacketBuf& message) {
  const size_t size = message.size();
  const size_t whole = padded(size);
  if (whole == size || whole > message.writable().size()) return;
  message.resize(whole);
  std::memset(message.data() + size, 0, whole - size);
}

StreamFrame nextStreamFrame(ByteSpan stream) {
  if (stream.empty()) return {};
  const unsigned kind = stream[0] >> 6;
  if (kind > 1) return {StreamFrame::Status::Invalid, 0};
  if (stream.size() < kChannelHeaderSize) return {};
  const size_t length = loadU16(&stream[2]);
  size_t size;
  if (kind == 0) {
    if (length % 4 != 0) return {StreamFrame::Status::Invalid, 0};
    size = kHeaderSize + length;
  } else {
    if (!isChannelNumber(loadU16(&stream[0]), kMaxChannelRfc5766))
      return {StreamFrame::Status::Invalid, 0};
    size = kChannelHeaderSize + padded(length);
  }
  return {stream.size() >= size ? StreamFrame::Status::Complete : StreamFrame::Status::NeedMore,
          size};
}

}  // namespace parley::stun
