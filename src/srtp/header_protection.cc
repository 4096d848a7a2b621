#include "srtp/header_protection.h"

#include <cstring>

#include "parley/crypto/const_time.h"

namespace parley::srtp {
namespace {

// RFC 6904 section 5.3.
constexpr uint8_t kHeaderKey = 6, kHeaderSalt = 7;
// RFC 8285, and what stands in their place (RFC 9335 section 5.1).
constexpr uint16_t kOneByte = 0xbede, kTwoByte = 0x1000;
constexpr uint16_t kOneByteHidden = 0xc0de, kTwoByteHidden = 0xc2de;
constexpr size_t kExtensionHeader = 4;

size_t csrcBytesOf(const uint8_t* data) {
  return size_t{4} * (data[0] & 15);
}

bool hasExtension(const uint8_t* data) {
  return (data[0] & 0x10) != 0;
}

/// Calls visit(id, offset, size) for each element with a value; `block` is the extension behind its
/// header.
template <class Visit>
void visitElements(ByteSpan block, bool twoByte, Visit visit) {
  for (size_t at = 0; at < block.size();) {
    const uint8_t first = block[at++];
    if (first == 0) continue;  // padding
    uint8_t id = first;
    size_t size = 0;
    if (twoByte) {
      if (at == block.size()) return;
      size = block[at++];
    } else {
      id = first >> 4;
      if (id == 15) return;  // RFC 8285 section 4.2: nothing behind it is looked at
      size = (first & 15) + size_t{1};
    }
    if (size > block.size() - at) return;
    visit(id, at, size);
    at += size;
  }
}

}  // namespace

HeaderProtection::HeaderProtection(const TransformConfig& config) {
  crypto::AesCounter master(config.key.span());
  std::array<uint8_t, crypto::Secret::kMaxSize> key;
  const MutableByteSpan used = MutableByteSpan(key).first(config.key.size());
  derive(master, config.salt.span(), kHeaderKey, used);
  derive(master, config.salt.span(), kHeaderSalt, MutableByteSpan(salt_).first(config.salt.size()));
  key_ = crypto::Secret(used);
  crypto::wipe(key);
  configure(config.headers);
}

HeaderProtection::~HeaderProtection() {
  crypto::wipe(salt_);
}

void HeaderProtection::configure(const HeaderEncryption& settings) {
  settings_ = settings;
  // RFC 9335 section 5: what cryptex encrypts is not encrypted a second time.
  hidesElements_ = settings.ids.any() && !settings.cryptex;
  if (hidesElements_ && !cipher_) cipher_.emplace(key_.span());
}

bool HeaderProtection::makeHideable(PacketBuf& packet, size_t trailer) const {
  const size_t csrcBytes = csrcBytesOf(packet.data());
  if (!settings_.cryptex || csrcBytes == 0 || hasExtension(packet.data())) return true;
  const size_t size = packet.size();
  if (packet.writable().size() < size + kExtensionHeader + trailer) return false;
  packet.resize(size + kExtensionHeader);
  uint8_t* const data = packet.data();
  uint8_t* const place = data + kRtpHeaderSize + csrcBytes;
  std::memmove(place + kExtensionHeader, place, size - kRtpHeaderSize - csrcBytes);
  storeU16(place, kOneByte);
  storeU16(place + 2, 0);
  data[0] = data[0] | 0x10;
  return true;
}

HeaderProtection::Cut HeaderProtection::hide(MutableByteSpan packet, uint32_t ssrc,
                                             uint64_t index) {
  uint8_t* const data = packet.data();
  Cut cut{rtpHeaderSize(packet)};
  if (!hasExtension(data)) return cut;
  if (hidesElements_) cryptElements(packet, ssrc, index);
  if (!settings_.cryptex) return cut;
  uint8_t* const profile = data + kRtpHeaderSize + csrcBytesOf(data);
  const uint16_t form = loadU16(profile);
  if (form != kOneByte && form != kTwoByte) return cut;
  storeU16(profile, form == kOneByte ? kOneByteHidden : kTwoByteHidden);
  cut = {kRtpHeaderSize + kExtensionHeader, true, csrcBytesOf(data)};
  split(data, cut);
  return cut;
}

std::optional<HeaderProtection::Cut> HeaderProtection::cutOf(ByteSpan packet) const {
  const Cut open{rtpHeaderSize(packet)};
  if (!settings_.cryptex) return open;
  const uint8_t* const data = packet.data();
  const size_t csrcBytes = csrcBytesOf(data);
  if (hasExtension(data)) {
    const uint16_t form = loadU16(data + kRtpHeaderSize + csrcBytes);
    if (form == kOneByteHidden || form == kTwoByteHidden)
      return Cut{kRtpHeaderSize + kExtensionHeader, true, csrcBytes};
  }
  const bool shows = hasExtension(data) || csrcBytes > 0;
  if (settings_.required && shows) return std::nullopt;
  return open;
}

void HeaderProtection::split(uint8_t* data, const Cut& cut) {
  if (!cut.cryptex || cut.csrcBytes == 0) return;
  uint8_t header[kExtensionHeader];
  uint8_t* const sources = data + kRtpHeaderSize;
  std::memcpy(header, sources + cut.csrcBytes, sizeof header);
  std::memmove(sources + sizeof header, sources, cut.csrcBytes);
  std::memcpy(sources, header, sizeof header);
}

void HeaderProtection::joinBack(uint8_t* data, const Cut& cut) {
  if (!cut.cryptex || cut.csrcBytes == 0) return;
  uint8_t header[kExtensionHeader];
  uint8_t* const sources = data + kRtpHeaderSize;
  std::memcpy(header, sources, sizeof header);
  std::memmove(sources, sources + sizeof header, cut.csrcBytes);
  std::memcpy(sources + cut.csrcBytes, header, sizeof header);
}

void HeaderProtection::reveal(MutableByteSpan packet, const Cut& cut, uint32_t ssrc,
                              uint64_t index) {
  uint8_t* const data = packet.data();
  if (cut.cryptex) {
    joinBack(data, cut);
    uint8_t* const profile = data + kRtpHeaderSize + cut.csrcBytes;
    storeU16(profile, loadU16(profile) == kOneByteHidden ? kOneByte : kTwoByte);
  } else if (hidesElements_ && hasExtension(data)) {
    cryptElements(packet, ssrc, index);
  }
}

// RFC 6904 section 4.1: a keystream as long as the block, of which only the octets under the values
// of hidden elements are used.
void HeaderProtection::cryptElements(MutableByteSpan packet, uint32_t ssrc, uint64_t index) {
  const size_t start = kRtpHeaderSize + csrcBytesOf(packet.data()) + kExtensionHeader;
  const size_t header = rtpHeaderSize(packet);
  if (header < start) return;
  const uint16_t form = loadU16(&packet[start - kExtensionHeader]);
  const bool twoByte = (form & 0xfff0) == kTwoByte;
  if (form != kOneByte && !twoByte) return;
  const MutableByteSpan block = packet.subspan(start, header - start);
  const CounterBlock first = counterOf(salt_, ssrc, index);
  visitElements(block, twoByte, [&](uint8_t id, size_t offset, size_t size) {
    if (!settings_.ids[id]) return;
    constexpr size_t kBlock = crypto::AesCounter::kBlockSize;
    std::array<uint8_t, 255 + kBlock> stream;
    const size_t skip = offset % kBlock;
    CounterBlock counter = first;
    storeU16(&counter[14], static_cast<uint16_t>(loadU16(&counter[14]) + offset / kBlock));
    const MutableByteSpan used = MutableByteSpan(stream).first(skip + size);
    std::fill(used.begin(), used.end(), uint8_t{0});
    cipher_->apply(counter, used);
    for (size_t i = 0; i < size; ++i) block[offset + i] ^= used[skip + i];
  });
}

}  // namespace parley::srtp
