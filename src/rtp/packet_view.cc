#include "parley/rtp/packet_view.h"

namespace parley::rtp {

namespace {
// No datagram is larger, and it keeps the sizes in 16 bits.
constexpr size_t kMaxPacketSize = 65'535;
}  // namespace

PacketKind classify(ByteSpan packet) {
  if (packet.size() < 4 || packet[0] >> 6 != 2) return PacketKind::Neither;
  if (packet[1] >= 192 && packet[1] <= 223) return PacketKind::Rtcp;
  return packet.size() >= kFixedHeaderSize ? PacketKind::Rtp : PacketKind::Neither;
}

ExtensionReader::ExtensionReader(uint16_t profile, ByteSpan block) {
  twoByte_ = (profile & 0xfff0) == kTwoByteProfile;
  if (twoByte_ || profile == kOneByteProfile) block_ = block;
}

bool ExtensionReader::next(ExtensionElement& out) {
  while (pos_ < block_.size()) {
    const uint8_t first = block_[pos_];
    size_t length = 0;
    size_t header = 1;
    if (twoByte_) {
      if (first == 0) {
        ++pos_;
        continue;
      }
      if (block_.size() - pos_ < 2) break;
      out.id = first;
      length = block_[pos_ + 1];
      header = 2;
    } else {
      out.id = first >> 4;
      // RFC 8285 section 4.2: a zero byte is padding; id 0 with a length "MUST be ignored"; with
      // id 15 "processing of the entire extension MUST terminate".
      if (first == 0) {
        ++pos_;
        continue;
      }
      if (out.id == 15) break;
      length = (first & 0x0f) + 1u;
    }
    if (block_.size() - pos_ - header < length) break;
    out.value = block_.subspan(pos_ + header, length);
    pos_ += header + length;
    if (out.id != 0) return true;
  }
  pos_ = block_.size();
  return false;
}

std::optional<PacketView> PacketView::parse(ByteSpan packet) {
  if (packet.size() < kFixedHeaderSize || packet.size() > kMaxPacketSize) return std::nullopt;
  if (packet[0] >> 6 != 2) return std::nullopt;
  PacketView view;
  view.packet_ = packet;
  size_t header = kFixedHeaderSize + 4u * (packet[0] & 0x0f);
  if (header > packet.size()) return std::nullopt;
  if (packet[0] & 0x10) {
    if (packet.size() - header < 4) return std::nullopt;
    view.extensionProfile_ = loadU16(&packet[header]);
    const size_t length = 4u * loadU16(&packet[header + 2]);
    header += 4;
    if (packet.size() - header < length) return std::nullopt;
    view.extensionBlock_ = packet.subspan(header, length);
    header += length;
  }
  if (packet[0] & 0x20) {
    const size_t padding = packet.back();
    // RFC 3550 section 5.1: the last octet counts the padding "including itself".
    if (padding == 0 || padding > packet.size() - header) return std::nullopt;
    view.paddingSize_ = static_cast<uint16_t>(padding);
  }
  view.headerSize_ = static_cast<uint16_t>(header);
  return view;
}

std::optional<ByteSpan> PacketView::extension(uint8_t id) const {
  ExtensionReader reader = extensions();
  ExtensionElement element;
  while (reader.next(element)) {
    if (element.id == id) return element.value;
  }
  return std::nullopt;
}

}  // namespace parley::rtp
