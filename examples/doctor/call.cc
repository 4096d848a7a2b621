#include "call.h"

#include <chrono>
#include <thread>

using namespace parley;

namespace {

/// Offer, answer and candidates from one to the other.
void connect(PeerConnection from, PeerConnection to) {
  from.onIceCandidate([to](const std::optional<IceCandidate>& c) mutable {
    if (c) to.addIceCandidate(*c);
  });
  to.onIceCandidate([from](const std::optional<IceCandidate>& c) mutable {
    if (c) from.addIceCandidate(*c);
  });
  from.setLocalDescription([from, to](const Result<void>&) mutable {
    to.setRemoteDescription(*from.localDescription(), {});
    to.setLocalDescription([from, to](const Result<void>&) mutable {
      from.setRemoteDescription(*to.localDescription(), {});
    });
  });
}

bool hasRelay(const std::vector<IceServer>& servers) {
  for (const IceServer& server : servers) {
    for (const std::string& url : server.urls) {
      if (url.starts_with("turn")) return true;
    }
  }
  return false;
}

}  // namespace

Result<Diagnosis> tryCall(const std::vector<IceServer>& servers, double patience) {
  auto loop = Loop::create();
  if (auto started = loop->startThread(); !started) return fail(started.error());
  Configuration configuration;
  configuration.iceServers = servers;
  configuration.includeLoopback = true;
  if (hasRelay(servers)) configuration.iceTransportPolicy = IceTransportPolicy::Relay;
  auto a = PeerConnection::create(loop, configuration);
  if (!a) return fail(a.error());
  auto b = PeerConnection::create(loop, configuration);
  if (!b) return fail(b.error());
  auto channel = a->createDataChannel("doctor");
  if (!channel) return fail(channel.error());
  connect(*a, *b);

  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + std::chrono::duration<double>(patience);
  const auto settled = [&] {
    const auto state = a->connectionState();
    if (state == PeerConnectionState::Failed) return true;
    // Without a candidate there is nothing to wait for.
    const bool gathered = a->iceGatheringState() == IceGatheringState::Complete;
    if (gathered && a->diagnose().facts.local.total() == 0) return true;
    // What the servers say is of interest even where a path was found at once.
    return state == PeerConnectionState::Connected &&
           channel->readyState() == DataChannelState::Open &&
           a->iceGatheringState() == IceGatheringState::Complete;
  };
  while (!settled() && Clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  Diagnosis diagnosis = a->diagnose();
  a->closeAndDrain();
  b->closeAndDrain();
  return diagnosis;
}
