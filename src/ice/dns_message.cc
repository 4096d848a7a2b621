#include "ice/dns_message.h"

#include <algorithm>

namespace parley::ice {
namespace {

constexpr uint16_t kTypeA = 1;
constexpr uint16_t kTypeAaaa = 28;
constexpr uint16_t kClassIn = 1;
/// Top bit of the class: QU in a question, cache-flush in a record (RFC 6762 sections 5.4
/// and 10.2).
constexpr uint16_t kClassTopBit = 0x8000;
constexpr size_t kHeaderSize = 12;
constexpr size_t kMaxName = 255;
constexpr size_t kMaxLabel = 63;
constexpr size_t kMaxRecords = 64;

void writeQuestion(ByteWriter& writer, std::string_view name, uint16_t type) {
  while (!name.empty()) {
    const size_t dot = std::min(name.find('.'), name.size());
    writer.u8(static_cast<uint8_t>(dot));
    writer.bytes(asBytes(name.substr(0, dot)));
    name.remove_prefix(std::min(dot + 1, name.size()));
  }
  writer.u8(0);
  writer.u16(type);
  writer.u16(kClassIn | kClassTopBit);
}

/// Reads the name at `at` and moves `at` behind it. False if it is malformed. `out` may be null.
bool readName(ByteSpan message, size_t& at, std::string* out) {
  size_t cursor = at;
  size_t limit = message.size();  // each jump must go below the place it was found at
  size_t length = 0;
  bool jumped = false;
  for (;;) {
    if (cursor >= limit) return false;
    const uint8_t lead = message[cursor];
    if ((lead & 0xC0) == 0xC0) {
      if (cursor + 1 >= message.size()) return false;
      const size_t target = static_cast<size_t>(loadU16(&message[cursor]) & 0x3FFF);
      if (!jumped) at = cursor + 2;
      if (target >= cursor) return false;
      jumped = true;
      limit = cursor;
      cursor = target;
      continue;
    }
    if (lead > kMaxLabel) return false;
    if (lead == 0) {
      if (!jumped) at = cursor + 1;
      return true;
    }
    length += lead + 1u;
    if (length > kMaxName || message.size() - cursor - 1 < lead) return false;
    if (out) {
      if (!out->empty()) out->push_back('.');
      for (uint8_t c : message.subspan(cursor + 1, lead)) {
        out->push_back(static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c));
      }
    }
    cursor += lead + 1u;
  }
}

}  // namespace

size_t writeAddressQuery(std::string_view name, MutableByteSpan out) {
  if (name.empty() || name.size() > kMaxName - 2) return 0;
  for (std::string_view rest = name; !rest.empty();) {
    const size_t dot = std::min(rest.find('.'), rest.size());
    if (dot == 0 || dot > kMaxLabel) return 0;
    rest.remove_prefix(std::min(dot + 1, rest.size()));
  }
  ByteWriter writer(out);
  writer.u16(0);  // RFC 6762 section 18.1: the id of a query is zero
  writer.u16(0);
  writer.u16(2);
  writer.zeros(6);
  writeQuestion(writer, name, kTypeA);
  writeQuestion(writer, name, kTypeAaaa);
  return writer.ok() ? writer.size() : 0;
}

std::optional<std::vector<AddressRecord>> parseAddressResponse(ByteSpan message) {
  if (message.size() < kHeaderSize) return std::nullopt;
  const uint16_t flags = loadU16(&message[2]);
  // RFC 6762 section 18: a response; opcode and response code zero, otherwise silently ignored.
  if ((flags & 0x8000) == 0 || (flags & 0x780F) != 0) return std::nullopt;
  const size_t questions = loadU16(&message[4]);
  const size_t records =
      size_t{loadU16(&message[6])} + loadU16(&message[8]) + loadU16(&message[10]);

  size_t at = kHeaderSize;
  for (size_t i = 0; i < questions; ++i) {
    if (i == kMaxRecords || !readName(message, at, nullptr) || message.size() - at < 4) {
      return std::nullopt;
    }
    at += 4;
  }
  std::vector<AddressRecord> found;
  for (size_t i = 0; i < std::min(records, kMaxRecords); ++i) {
    AddressRecord record;
    if (!readName(message, at, &record.name) || message.size() - at < 10) return std::nullopt;
    const uint16_t type = loadU16(&message[at]);
    const uint16_t klass = loadU16(&message[at + 2]);
    const size_t size = loadU16(&message[at + 8]);
    at += 10;
    if (message.size() - at < size) return std::nullopt;
    const ByteSpan data = message.subspan(at, size);
    at += size;
    if ((klass & ~kClassTopBit) != kClassIn) continue;
    if (type == kTypeA && size == 4) {
      record.address = IpAddress::v4(loadU32(data.data()));
    } else if (type == kTypeAaaa && size == 16) {
      record.address = IpAddress::v6(data.first<16>());
    } else {
      continue;
    }
    found.push_back(std::move(record));
  }
  return found;
}

}  // namespace parley::ice
