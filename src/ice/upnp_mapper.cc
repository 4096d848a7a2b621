#include "parley/ice/upnp_mapper.h"

#include "parley/base/machine.h"

#include "ice/upnp_mapper_core.h"

namespace parley::ice {

static_assert(Machine<UpnpMapper>);

UpnpMapper::UpnpMapper(Environment& environment, IdAllocator& ids, const UpnpMapperConfig& config)
    : core_(std::make_unique<UpnpMapperCore>(environment, ids, config)) {}
UpnpMapper::~UpnpMapper() = default;
UpnpMapper::UpnpMapper(UpnpMapper&&) noexcept = default;
UpnpMapper& UpnpMapper::operator=(UpnpMapper&&) noexcept = default;

void UpnpMapper::prepare(const IpAddress& local, Timestamp now) {
  core_->prepare(local, now);
}
void UpnpMapper::add(SocketId socket, const SocketAddress& internal, Timestamp now) {
  core_->add(socket, internal, now);
}
void UpnpMapper::remove(SocketId socket, Timestamp now) {
  core_->remove(socket, now);
}
void UpnpMapper::close(Timestamp now) {
  core_->close(now);
}
bool UpnpMapper::isEnding() const {
  return core_->isEnding();
}
bool UpnpMapper::owns(SocketId socket) const {
  return core_->owns(socket);
}
bool UpnpMapper::handleSocketOpened(const SocketOpened& opened, Timestamp now) {
  return core_->handleSocketOpened(opened, now);
}
bool UpnpMapper::handleSocketFailed(const SocketFailed& failed, Timestamp now) {
  return core_->handleSocketFailed(failed, now);
}
bool UpnpMapper::handleDatagram(SocketId socket, const SocketAddress& from, ByteSpan datagram,
                                Timestamp now) {
  return core_->handleDatagram(socket, from, datagram, now);
}
bool UpnpMapper::handleStream(SocketId socket, ByteSpan bytes, Timestamp now) {
  return core_->handleStream(socket, bytes, now);
}
bool UpnpMapper::pollTransmit(TxPacket& out) {
  if (core_->transmits.empty()) return false;
  out = core_->transmits.pop();
  return true;
}
bool UpnpMapper::pollEffect(Effect& out) {
  if (core_->effects.empty()) return false;
  out = core_->effects.pop();
  return true;
}
bool UpnpMapper::pollEvent(PortMapperEvent& out) {
  if (core_->events.empty()) return false;
  out = core_->events.pop();
  return true;
}
void UpnpMapper::advance(Timestamp now) {
  core_->advance(now);
}
Timestamp UpnpMapper::nextDeadline() const {
  return core_->nextDeadline();
}
bool UpnpMapper::settled() const {
  return core_->settled();
}
const UpnpMapperCounters& UpnpMapper::counters() const {
  return core_->counters;
}

}  // namespace parley::ice
