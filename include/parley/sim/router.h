#pragma once

#include <string>

#include "parley/base/export.h"
#include "parley/sim/segment.h"

namespace parley::sim {

/// A box between an inside and an outside segment that forwards as it is; base of Firewall and Nat.
class PARLEY_EXPORT Router : public Device {
 public:
  /// Becomes the inside segment's gateway.
  Router(Kernel& kernel, std::string name, Segment& inside, Segment& outside, PortConfig insidePort,
         PortConfig outsidePort);

  const std::string& name() const { return name_; }
  Port& inside() { return inside_; }
  Port& outside() { return outside_; }
  const Port& outside() const { return outside_; }

  void receive(Port& port, Packet&& packet) override;
  bool leadsTo(const Port& port, const IpAddress& address) const override;

 protected:
  /// May rewrite the packet; false: it is dropped.
  virtual bool outbound(Packet& /*packet*/) { return true; }
  virtual bool inbound(Packet& /*packet*/) { return true; }
  /// Packets to the router's own addresses. The plain router ignores them.
  virtual void addressedToRouter(Port& /*port*/, Packet&& /*packet*/) {}

  Kernel& kernel_;

 private:
  std::string name_;
  Port inside_;
  Port outside_;
};

}  // namespace parley::sim
