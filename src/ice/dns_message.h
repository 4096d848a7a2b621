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
  uint32_t ttl = 0;  ///< seconds
};

/// What a query wants to know of one name.
struct AddressQuestion {
  std::string name;  ///< as in AddressRecord
  bool v4 = false;
  bool v6 = false;
  bool unicast = false;  ///< the answer may go to the asker alone (RFC 6762 section 5.4)
  uint16_t type = 0;     ///< as asked last, to be repeated to askers that speak plain DNS
};
struct AddressQuery {
  uint16_t id = 0;
  std::vector<AddressQuestion> questions;   ///< one per name
  std::vector<AddressRecord> knownAnswers;  ///< what the asker knows (RFC 6762 section 7.1)
};

/// Writes a multicast DNS query for A and AAAA of `name` with the unicast-response bit set (RFC
/// 6762 section 5.4). Returns its size, or 0 if the name or the space does not suffice.
size_t writeAddressQuery(std::string_view name, MutableByteSpan out);

/// The address records of a response (RFC 1035 section 4.1), from its answer and additional
/// sections. nullopt if it is not a response or malformed anywhere. Reads at most 64 records; names
/// end within 255 bytes, and compression pointers only point backwards.
std::optional<std::vector<AddressRecord>> parseAddressResponse(ByteSpan message);

/// The questions about addresses in a query, of at most 16 names. nullopt as above.
std::optional<AddressQuery> parseAddressQuery(ByteSpan message);

/// Writes the response that names the one address of `name`, and says that it has none of the other
/// family (NSEC, RFC 6762 section 6.1). `plain`: for an asker that speaks plain DNS (section 6.7):
/// its id and question are repeated. Returns the size, or 0 if name or space do not suffice.
struct PlainQuestion {
  uint16_t id = 0;
  uint16_t type = 0;
};
size_t writeAddressResponse(std::string_view name, const IpAddress& address, uint32_t ttl,
                            std::optional<PlainQuestion> plain, MutableByteSpan out);

}  // namespace parley::ice
