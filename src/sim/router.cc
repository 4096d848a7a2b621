#include "parley/sim/router.h"

namespace parley::sim {
namespace {

PortConfig named(PortConfig config, const char* name) {
  config.name = name;
  return config;
}

}  // namespace

Router::Router(Kernel& kernel, std::string name, Segment& inside, Segment& outside,
               PortConfig insidePort, PortConfig outsidePort)
    : kernel_(kernel),
      name_(std::move(name)),
      inside_(kernel, *this, inside, name_, named(std::move(insidePort), "inside")),
      outside_(kernel, *this, outside, name_, named(std::move(outsidePort), "outside")) {
  inside.setGateway(&inside_);
}

void Router::receive(Port& port, Packet&& packet) {
  if (inside_.owns(packet.to.ip) || outside_.owns(packet.to.ip)) {
    addressedToRouter(port, std::move(packet));
    return;
  }
  const bool goesOut = &port == &inside_;
  if (!(goesOut ? outbound(packet) : inbound(packet))) return;
  (goesOut ? outside_ : inside_).up.send(std::move(packet));
}

bool Router::leadsTo(const Port& port, const IpAddress& address) const {
  return &port == &outside_ && inside_.segment().reaches(address);
}

}  // namespace parley::sim
