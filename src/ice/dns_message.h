#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parley/base/address.h"
#include "parley/base/bytes.h"

namespace parley::ice {

/// An A or AAAA record.
struct AddressRecord {
  std::string name;  ///< lower case, labels joined by dots, no dot at the end
  IpAddress address;
};

/// Writes a multicast DNS query for A and AAAA of `name` with the unicast-response bit set (RFC
/// 6762 section 5.4). Returns its size, or 0 if the name or the space does not suffice.
size_t writeAddressQuery(std::string_view name, MutableByteSpan out);

/// The address records of a response (RFC 1035 section 4.1), from its answer and additional
/// sections. nullopt if it is not a response or malformed anywhere. Reads at most 64 records; names
/// end within 255 bytes, and compression pointers only point backwards.
std::optional<std::vector<AddressRecord>> parseAddressResponse(ByteSpan message);

}  // namespace parley::ice
