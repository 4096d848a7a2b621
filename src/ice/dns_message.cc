#include "ice/dns_message.h"

#include <algorithm>

namespace parley::ice {
namespace {

constexpr uint16_t kTypeA = 1;
constexpr uint16_t kTypeAaaa = 28;
constexpr uint16_t kTypeNsec = 47;
constexpr uint16_t kTypeAny = 255;
constexpr uint16_t kClassIn = 1;
constexpr uint16_t kClassAny = 255;
/// Top bit of the class: QU in a question, cache-flush in a record (RFC 6762 sections 5.4
/// and 10.2).
constexpr uint16_t kClassTopBit = 0x8000;
constexpr size_t kHeaderSize = 12;
constexpr size_t kMaxName = 255;
constexpr size_t kMaxLabel = 63;
constexpr size_t kMaxRecords = 64;

void writeName(ByteWriter& writer, std::string_view name) {
  while (!name.empty()) {
    const size_t dot = std::min(name.find('.'), name.size());
    writer.u8(static_cast<uint8_t>(dot));
    writer.bytes(asBytes(name.substr(0, dot)));
    name.remove_prefix(std::min(dot + 1, name.size()));
  }
  writer.u8(0);
}

void writeQuestion(ByteWriter& writer, std::string_view name, uint16_t type) {
  writeName(writer, name);
  writer.u16(type);
  writer.u16(kClassIn | kClassTopBit);
}

bool isWritable(std::string_view name) {
  if (name.empty() || name.size() > kMaxName - 2) return false;
  for (std::string_view rest = name; !rest.empty();) {
    const size_t dot = std::min(rest.find('.'), rest.size());
    if (dot == 0 || dot > kMaxLabel) return false;
    rest.remove_prefix(std::min(dot + 1, rest.size()));
  }
  return true;
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

/// Reads `count` records from `at` on. False if one is malformed.
bool readRecords(ByteSpan message, size_t& at, size_t count, std::vector<AddressRecord>& out) {
  for (size_t i = 0; i < std::min(count, kMaxRecords); ++i) {
    AddressRecord record;
    if (!readName(message, at, &record.name) || message.size() - at < 10) return false;
    const uint16_t type = loadU16(&message[at]);
    const uint16_t klass = loadU16(&message[at + 2]);
    record.ttl = loadU32(&message[at + 4]);
    const size_t size = loadU16(&message[at + 8]);
    at += 10;
    if (message.size() - at < size) return false;
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
    out.push_back(std::move(record));
  }
  return true;
}

void note(AddressQuery& query, AddressQuestion&& question, uint16_t type) {
  constexpr size_t kMaxNames = 16;
  auto at = std::find_if(query.questions.begin(), query.questions.end(),
                         [&](const AddressQuestion& q) { return q.name == question.name; });
  if (at == query.questions.end()) {
    if (query.questions.size() == kMaxNames) return;
    at = query.questions.insert(at, std::move(question));
  } else {
    at->unicast = at->unicast && question.unicast;
  }
  at->v4 = at->v4 || type == kTypeA || type == kTypeAny;
  at->v6 = at->v6 || type == kTypeAaaa || type == kTypeAny;
  at->type = type;
}

}  // namespace

size_t writeAddressQuery(std::string_view name, MutableByteSpan out) {
  if (!isWritable(name)) return 0;
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
  if (!readRecords(message, at, records, found)) return std::nullopt;
  return found;
}

std::optional<AddressQuery> parseAddressQuery(ByteSpan message) {
  if (message.size() < kHeaderSize) return std::nullopt;
  const uint16_t flags = loadU16(&message[2]);
  if ((flags & 0x8000) != 0 || (flags & 0x780F) != 0) return std::nullopt;
  AddressQuery query;
  query.id = loadU16(message.data());
  const size_t questions = loadU16(&message[4]);
  size_t at = kHeaderSize;
  for (size_t i = 0; i < questions; ++i) {
    AddressQuestion question;
    if (i == kMaxRecords || !readName(message, at, &question.name) || message.size() - at < 4) {
      return std::nullopt;
    }
    const uint16_t type = loadU16(&message[at]);
    const uint16_t klass = loadU16(&message[at + 2]);
    at += 4;
    const bool ofAddress = type == kTypeA || type == kTypeAaaa || type == kTypeAny;
    if (!ofAddress || ((klass & ~kClassTopBit) != kClassIn && klass != kClassAny)) continue;
    question.unicast = (klass & kClassTopBit) != 0;
    note(query, std::move(question), type);
  }
  if (!readRecords(message, at, loadU16(&message[6]), query.knownAnswers)) return std::nullopt;
  return query;
}

size_t writeAddressResponse(std::string_view name, const IpAddress& address, uint32_t ttl,
                            std::optional<PlainQuestion> plain, MutableByteSpan out) {
  if (!isWritable(name)) return 0;
  ByteWriter writer(out);
  writer.u16(plain ? plain->id : 0);
  writer.u16(0x8400);  // a response, authoritative
  writer.u16(plain ? 1 : 0);
  writer.u16(1);
  writer.u16(0);
  writer.u16(1);
  if (plain) {
    writeName(writer, name);
    writer.u16(plain->type);
    writer.u16(kClassIn);
  }
  // Section 6.7: the cache-flush bit is not for plain askers.
  const uint16_t klass = plain ? kClassIn : kClassIn | kClassTopBit;
  const uint16_t type = address.isV4() ? kTypeA : kTypeAaaa;
  constexpr uint16_t kFirstName = 0xC000 | kHeaderSize;
  if (plain) {
    writer.u16(kFirstName);
  } else {
    writeName(writer, name);
  }
  writer.u16(type);
  writer.u16(klass);
  writer.u32(ttl);
  writer.u16(static_cast<uint16_t>(address.bytes().size()));
  writer.bytes(address.bytes());
  // NSEC: this type exists, and no other. One window of a bitmap, first bit first.
  const uint8_t length = static_cast<uint8_t>(type / 8 + 1);
  writer.u16(kFirstName);
  writer.u16(kTypeNsec);
  writer.u16(klass);
  writer.u32(ttl);
  writer.u16(static_cast<uint16_t>(2 + 2 + length));
  writer.u16(kFirstName);
  writer.u8(0);
  writer.u8(length);
  writer.zeros(length - 1u);
  writer.u8(static_cast<uint8_t>(0x80 >> type % 8));
  return writer.ok() ? writer.size() : 0;
}

}  // namespace parley::ice
