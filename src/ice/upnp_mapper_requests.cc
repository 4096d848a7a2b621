#include <algorithm>
#include <utility>

#include "ice/upnp_mapper_core.h"

namespace parley::ice {
namespace {

/// Other ports, where the wanted one is taken.
constexpr int kMaxPorts = 4;
/// A mapping without an end is asked for again so often: the router may have restarted.
constexpr Duration kPermanentRenewal = Duration::seconds(1800);
/// After a renewal that came to nothing.
constexpr Duration kRenewAgain = Duration::seconds(60);

}  // namespace

// ---- requests ----

void UpnpMapperCore::enqueue(Gateway& gateway, Job job) {
  // Each mapping has at most one Map and one Unmap here, the gateway one of the others.
  if (gateway.jobs.size() < 3 * kMaxMappings) gateway.jobs.push_back(job);
}

void UpnpMapperCore::startJob(Gateway& gateway, Timestamp now) {
  while (!gateway.running && !gateway.jobs.empty()) {
    const Job job = gateway.jobs.front();
    gateway.jobs.pop_front();
    if (job.kind == Job::Kind::Map && !mappingOf(job.mapping)) continue;
    if (job.kind != Job::Kind::Describe && !gateway.service) continue;
    const Running& running =
        gateway.running.emplace(Running{job, ids_.nextSocket(), false, now + config_.request, {}});
    const upnp::Url& url =
        job.kind == Job::Kind::Describe ? gateway.found[gateway.tried] : gateway.service->control;
    effects.push(OpenTcp{running.socket, url.host, gateway.local});
  }
}

std::string UpnpMapperCore::requestOf(const Gateway& gateway, const Job& job) {
  switch (job.kind) {
    case Job::Kind::Describe:
      return upnp::writeGet(gateway.found[gateway.tried]);
    case Job::Kind::Address:
      return upnp::writeAddressRequest(*gateway.service);
    case Job::Kind::Unmap:
      return upnp::writeUnmap(*gateway.service, job.port);
    case Job::Kind::Map:
      break;
  }
  const Mapping* mapping = mappingOf(job.mapping);
  // Its socket went away meanwhile: what is asked for ends by itself.
  if (!mapping) return upnp::writeAddressRequest(*gateway.service);
  upnp::PortMapping wanted;
  wanted.external = mapping->port;
  wanted.internal = mapping->internal;
  wanted.lifetime =
      mapping->permanent ? 0 : static_cast<uint32_t>(config_.lifetime.millis() / 1000);
  // A renewal is about the port that peers were told.
  wanted.anyPort = gateway.service->any && !mapping->told;
  return upnp::writeMap(*gateway.service, wanted);
}

bool UpnpMapperCore::handleStream(SocketId socket, ByteSpan bytes, Timestamp now) {
  now = clock_.clamp(now);
  Gateway* gateway = gatewayBySocket(socket, true);
  if (!gateway) return false;
  const HttpReader::Status status = gateway->running->reader.feed(bytes);
  if (status != HttpReader::Status::Partial)
    endJob(*gateway, status == HttpReader::Status::Done, false, now);
  return true;
}

/// The running request is over, and the next begins.
void UpnpMapperCore::endJob(Gateway& gateway, bool answered, bool socketGone, Timestamp now) {
  const Running ended = std::move(*gateway.running);
  gateway.running.reset();
  if (!socketGone) effects.push(CloseSocket{ended.socket});
  if (answered) {
    jobDone(gateway, ended.job, ended.reader.code(), ended.reader.body(), now);
  } else {
    ++counters.failed;
    jobFailed(gateway, ended.job, now);
  }
  startJob(gateway, now);
  if (closed_ && drained()) finishClosing();
}

void UpnpMapperCore::jobDone(Gateway& gateway, const Job& job, int code, const std::string& body,
                             Timestamp now) {
  if (job.kind == Job::Kind::Describe) {
    described(gateway, code == 200 ? body : std::string());
    return;
  }
  const auto answer = upnp::parseAnswer(code, body);
  if (!answer || answer->error) {
    ++(answer ? counters.refused : counters.malformed);
    Mapping* mapping = job.kind == Job::Kind::Map ? mappingOf(job.mapping) : nullptr;
    const int error = answer ? *answer->error : 0;
    if (mapping && error == upnp::kOnlyPermanent && !mapping->permanent) {
      mapping->permanent = true;
      enqueue(gateway, job);
    } else if (mapping && error == upnp::kConflict && !mapping->told &&
               ++mapping->ports < kMaxPorts) {
      mapping->port = static_cast<uint16_t>(1024 + env_.random.u64() % (65'536 - 1024));
      enqueue(gateway, job);
    } else {
      jobFailed(gateway, job, now);
    }
    return;
  }
  if (job.kind == Job::Kind::Address) {
    const IpAddress ip = answer->address.value_or(IpAddress());
    if (!ip.isV4() || ip.isUnspecified() || ip.isLoopback() || ip.isMulticast() ||
        ip.isBroadcast() || ip.isLinkLocal()) {
      ++counters.malformed;
      jobFailed(gateway, job, now);
      return;
    }
    addressTold(gateway, ip);
  } else if (job.kind == Job::Kind::Map) {
    if (Mapping* mapping = mappingOf(job.mapping)) mapped(gateway, *mapping, *answer, now);
  }
}

void UpnpMapperCore::jobFailed(Gateway& gateway, const Job& job, Timestamp now) {
  switch (job.kind) {
    case Job::Kind::Describe:
      ++gateway.tried;
      describeNext(gateway);
      break;
    case Job::Kind::Address:
      // One that was Ready keeps what it told.
      if (gateway.state != Gateway::State::Ready && !closed_) {
        gateway.service.reset();
        describeNext(gateway);
      }
      break;
    case Job::Kind::Map:
      if (Mapping* mapping = mappingOf(job.mapping)) refused(*mapping, now);
      break;
    case Job::Kind::Unmap:
      break;
  }
}

void UpnpMapperCore::mapped(Gateway& gateway, Mapping& mapping, const upnp::Answer& answer,
                            Timestamp now) {
  const uint16_t port = answer.port.value_or(mapping.port);
  if (port == 0) {
    ++counters.malformed;
    refused(mapping, now);
    return;
  }
  const bool changed = std::exchange(mapping.port, port) != port;
  mapping.settled = true;
  mapping.renewAt = now + (mapping.permanent ? kPermanentRenewal : config_.lifetime / 2);
  mapping.expiresAt = mapping.permanent ? Timestamp::never() : now + config_.lifetime;
  if (changed || !mapping.told) events.push(PortMapped{mapping.socket, {gateway.external, port}});
  mapping.told = true;
}

void UpnpMapperCore::refused(Mapping& mapping, Timestamp now) {
  mapping.settled = true;
  mapping.renewAt = mapping.told ? now + kRenewAgain : Timestamp::never();
}

void UpnpMapperCore::lose(Mapping& mapping) {
  if (std::exchange(mapping.told, false)) events.push(PortUnmapped{mapping.socket});
  mapping.expiresAt = mapping.renewAt = Timestamp::never();
}

}  // namespace parley::ice
