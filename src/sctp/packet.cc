#include "sctp/packet.h"

namespace parley::sctp {
namespace {

constexpr size_t kMaxParameters = 64;
constexpr size_t kInitFixedSize = 16;
constexpr uint16_t kParamIpv4 = 5;
constexpr uint16_t kParamIpv6 = 6;
constexpr uint16_t kParamHostname = 11;
constexpr uint16_t kParamSupportedAddresses = 12;
constexpr uint16_t kParamZeroChecksum = 0x8001;
constexpr uint32_t kEdmidDtls = 1;
/// The upper bits 10 ask a receiver that does not know the type to skip it without a report (RFC
/// 9260 section 3.2.1); the number is unassigned.
constexpr uint16_t kParamSkipSilently = 0xBF01;
constexpr uint16_t kCauseUserInitiatedAbort = 12;

size_t padded(size_t n) {
  return (n + 3) & ~size_t{3};
}

struct ParameterView {
  uint16_t type = 0;
  size_t offset = 0;  ///< within the list
  ByteSpan value;
};

class ParameterCursor {
 public:
  explicit ParameterCursor(ByteSpan list) : list_(list) {}
  bool next(ParameterView& out) {
    if (!ok_ || pos_ >= list_.size()) return false;
    if (list_.size() - pos_ < 4 || ++count_ > kMaxParameters) return ok_ = false;
    const size_t length = loadU16(&list_[pos_ + 2]);
    if (length < 4 || length > list_.size() - pos_) return ok_ = false;
    out = {loadU16(&list_[pos_]), pos_, list_.subspan(pos_ + 4, length - 4)};
    pos_ += padded(length);
    return true;
  }
  bool ok() const { return ok_; }

 private:
  ByteSpan list_;
  size_t pos_ = 0;
  size_t count_ = 0;
  bool ok_ = true;
};

bool isAddressParameter(uint16_t type) {
  return type == kParamIpv4 || type == kParamIpv6 || type == kParamHostname ||
         type == kParamSupportedAddresses;
}

bool isUnusedExtension(uint8_t type) {
  return type == chunk::kAuth || type == chunk::kAsconf || type == chunk::kAsconfAck ||
         type == chunk::kPacketDropped || type == chunk::kEcnEcho || type == chunk::kCwr ||
         type == chunk::kNrSack;
}

bool inspectInit(ByteSpan value, PacketSummary& out) {
  if (value.size() < kInitFixedSize) return false;
  out.hasInit = true;
  out.initialTsn = loadU32(&value[12]);
  ParameterCursor cursor(value.subspan(kInitFixedSize));
  ParameterView p;
  while (cursor.next(p)) {
    if (isAddressParameter(p.type)) out.hasFiltered = true;
    if (p.type == kParamZeroChecksum && p.value.size() == 4 &&
        loadU32(p.value.data()) == kEdmidDtls) {
      out.acceptsZeroChecksum = true;
    }
  }
  return cursor.ok();
}

bool inspectSack(ByteSpan value, PacketSummary& out) {
  if (value.size() < 12) return false;
  const size_t gaps = loadU16(&value[8]);
  const size_t duplicates = loadU16(&value[10]);
  if (value.size() < 12 + 4 * (gaps + duplicates)) return false;
  out.cumulativeAck = loadU32(value.data());
  return true;
}

bool inspectCauses(ByteSpan value, PacketSummary& out, bool isAbort) {
  ParameterCursor cursor(value);
  ParameterView cause;
  while (cursor.next(cause)) {
    if (!isAbort || out.abortCause) continue;
    out.abortCause = cause.type;
    if (cause.type == kCauseUserInitiatedAbort) out.abortText = cause.value;
  }
  return cursor.ok();
}

bool inspectParameters(ByteSpan value) {
  ParameterCursor cursor(value);
  ParameterView p;
  while (cursor.next(p)) {
  }
  return cursor.ok();
}

bool inspectChunk(const ChunkView& c, PacketSummary& out) {
  const size_t size = c.value.size();
  switch (c.type) {
    case chunk::kData:
      out.hasData = true;
      return size >= kDataHeaderSize;
    case chunk::kIData:
      out.hasData = true;
      return size >= kIDataHeaderSize;
    case chunk::kInit:
      out.needsChecksum = true;
      return inspectInit(c.value, out);
    case chunk::kInitAck:
      return inspectInit(c.value, out);
    case chunk::kSack:
      return inspectSack(c.value, out);
    case chunk::kHeartbeat:
      return inspectParameters(c.value);
    case chunk::kAbort:
      out.needsChecksum = out.needsChecksum || (c.flags & 1) != 0;
      return inspectCauses(c.value, out, true);
    case chunk::kError:
      return inspectCauses(c.value, out, false);
    case chunk::kCookieEcho:
      out.needsChecksum = true;
      return true;
    case chunk::kShutdown:
      return size >= 4;
    case chunk::kReConfig:
      out.hasReConfig = true;
      return size >= 4 && inspectParameters(c.value);
    case chunk::kForwardTsn:
      return size >= 4 && (size - 4) % 4 == 0;
    case chunk::kIForwardTsn:
      return size >= 4 && (size - 4) % 8 == 0;
    default:
      if (isUnusedExtension(c.type)) out.hasFiltered = true;
      return true;
  }
}

}  // namespace

bool ChunkCursor::next(ChunkView& out) {
  if (!ok_ || pos_ >= packet_.size()) return false;
  if (packet_.size() - pos_ < 4) return ok_ = false;
  const size_t length = loadU16(&packet_[pos_ + 2]);
  if (length < 4 || length > packet_.size() - pos_) return ok_ = false;
  out = {packet_[pos_], packet_[pos_ + 1], pos_, packet_.subspan(pos_ + 4, length - 4)};
  pos_ += padded(length);
  return true;
}

std::optional<PacketSummary> inspect(ByteSpan packet) {
  if (packet.size() < kCommonHeaderSize + 4) return std::nullopt;
  PacketSummary out;
  ChunkCursor cursor(packet);
  ChunkView c;
  while (cursor.next(c)) {
    if (!inspectChunk(c, out)) return std::nullopt;
  }
  if (!cursor.ok()) return std::nullopt;
  return out;
}

void neutralise(MutableByteSpan packet) {
  ChunkCursor cursor(packet);
  ChunkView c;
  while (cursor.next(c)) {
    if (isUnusedExtension(c.type)) {
      packet[c.offset] = chunk::kPad;
    } else if (c.type == chunk::kInit || c.type == chunk::kInitAck) {
      const size_t listOffset = c.offset + 4 + kInitFixedSize;
      ParameterCursor parameters(c.value.subspan(kInitFixedSize));
      ParameterView p;
      while (parameters.next(p)) {
        if (isAddressParameter(p.type))
          storeU16(&packet[listOffset + p.offset], kParamSkipSilently);
      }
    }
  }
}

size_t appendZeroChecksumParameter(MutableByteSpan buffer, size_t size) {
  if (size < kCommonHeaderSize + 4 + kInitFixedSize) return size;
  const uint8_t type = buffer[kCommonHeaderSize];
  if (type != chunk::kInit && type != chunk::kInitAck) return size;
  const size_t length = loadU16(&buffer[kCommonHeaderSize + 2]);
  const size_t end = kCommonHeaderSize + padded(length);
  if (size > end || kCommonHeaderSize + length > size || end + 8 > buffer.size()) return size;
  for (size_t i = kCommonHeaderSize + length; i < end; ++i) buffer[i] = 0;
  storeU16(&buffer[end], kParamZeroChecksum);
  storeU16(&buffer[end + 2], 8);
  storeU32(&buffer[end + 4], kEdmidDtls);
  storeU16(&buffer[kCommonHeaderSize + 2], static_cast<uint16_t>(padded(length) + 8));
  return end + 8;
}

}  // namespace parley::sctp
