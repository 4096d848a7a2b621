#include "parley/sim/dns.h"

#include "parley/base/text.h"

namespace parley::sim {

void Dns::add(std::string_view name, const IpAddress& address) {
  names_[toLower(name)].push_back(address);
}

void Dns::remove(std::string_view name) {
  names_.erase(toLower(name));
}

std::vector<IpAddress> Dns::lookUp(std::string_view name) {
  ++queries_;
  if (const auto literal = IpAddress::parse(name)) return {*literal};
  const auto at = names_.find(toLower(name));
  return at == names_.end() ? std::vector<IpAddress>{} : at->second;
}

}  // namespace parley::sim
