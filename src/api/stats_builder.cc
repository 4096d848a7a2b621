#include "api/stats_builder.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/peer_connection_core.h"
#include "api/stats_context.h"

namespace parley::api_internal {

StatsContext::StatsContext(PeerConnectionCore& core, Timestamp at) : pc(core), now(at) {}

double StatsContext::toUnixMs(Timestamp t) const {
  return static_cast<double>(pc.loop().endpoint().environment().wallClock.unixNanosAt(t)) / 1e6;
}

std::string StatsContext::transportIdOf(uint32_t transceiver) const {
  const jsep::TransceiverState* state = pc.transceiver(transceiver);
  return transportId(state ? state->negotiated.media.transport : 0);
}

StatsIds& StatsContext::ids() {
  return pc.statsIds;
}

void PeerConnectionCore::addDataStats(StatsContext& context) {
  Stats pc = context.make("P", "peer-connection");
  pc.members["dataChannelsOpened"] = channelsOpened_;
  pc.members["dataChannelsClosed"] = channelsClosed_;
  context.report.add(std::move(pc));
  jsep::Session* session = this->session();
  sctp::DataChannels* channels = session ? session->dataChannels() : nullptr;
  if (!channels) return;
  for (const auto& [id, body] : channels_) {
    const sctp::ChannelStats counted = channels->stats(id);
    Stats stats = context.make("D" + std::to_string(id.value), "data-channel");
    stats.members["label"] = body->init.label;
    stats.members["protocol"] = body->init.protocol;
    if (body->streamId) stats.members["dataChannelIdentifier"] = uint64_t{*body->streamId};
    stats.members["state"] = std::string(parley::toString(body->visibleState));
    stats.members["messagesSent"] = counted.messagesSent;
    stats.members["bytesSent"] = counted.bytesSent;
    stats.members["messagesReceived"] = counted.messagesReceived;
    stats.members["bytesReceived"] = counted.bytesReceived;
    context.report.add(std::move(stats));
  }
  if (!channels->maxChannels()) return;
  const sctp::AssociationStats a = channels->associationStats();
  Stats stats = context.make("S0", "sctp-transport");
  stats.members["transportId"] = StatsContext::transportId(
      session->state().data.settings ? session->state().data.settings->transport : 0);
  stats.members["smoothedRoundTripTime"] = a.smoothedRtt.seconds();
  stats.members["congestionWindow"] = uint64_t{a.congestionWindow};
  stats.members["receiverWindow"] = uint64_t{a.receiverWindow};
  stats.members["mtu"] = uint64_t{a.mtu};
  stats.members["unackData"] = uint64_t{a.unackedChunks};
  stats.members["parleyBytesInFlight"] = uint64_t{a.bytesInFlight};
  stats.members["parleyMinRoundTripTime"] = a.minRtt.seconds();
  stats.members["parleyPacingRate"] = a.pacingRate;
  stats.members["parleyPacketsSent"] = a.packetsSent;
  stats.members["parleyPacketsReceived"] = a.packetsReceived;
  stats.members["parleyRetransmittedChunks"] = a.retransmittedChunks;
  stats.members["parleyRetransmittedBytes"] = a.retransmittedBytes;
  stats.members["parleyTimeouts"] = a.timeouts;
  stats.members["parleyMessagesAbandoned"] = a.messagesAbandoned;
  stats.members["parleyInterleaving"] = a.interleaving;
  stats.members["parleyZeroChecksum"] = a.zeroChecksum;
  context.report.add(std::move(stats));
}

bool PeerConnectionCore::sendsMedia() {
  for (uint32_t id : transceiverIds()) {
    if (session()->sendStream(id)) return true;
  }
  return false;
}

void PeerConnectionCore::getStats(const StatsSelector& selector, Completion<StatsReport> done) {
  if (closed_) {
    settle<StatsReport>(std::move(done), finalStats_.select(selector));
    return;
  }
  // As it is now: what the app does before the task comes does not show.
  auto report =
      std::make_shared<const StatsReport>(buildStats(*this, loop_->now()).select(selector));
  queueStep([report = std::move(report), done = std::move(done)](Step& step) {
    finish<StatsReport>(step, done, *report);
  });
  loop_->wake();
}

SelectableStats buildStats(PeerConnectionCore& pc, Timestamp now) {
  StatsContext context(pc, now);
  pc.addDataStats(context);
  if (pc.session()) {
    addTransportStats(context);
    addSenderStats(context);
    addReceiverStats(context);
  }
  context.ids().forgetUnused();
  return {std::move(context.report), std::move(context.outbound), std::move(context.inbound)};
}

StatsReport SelectableStats::select(const StatsSelector& selector) const {
  if (!selector.sender && !selector.receiver) return report;
  std::vector<std::string> roots;
  const auto add = [&roots](const auto& objects, std::optional<uint32_t> transceiver) {
    if (!transceiver) return;
    const auto [begin, end] = objects.equal_range(*transceiver);
    for (auto it = begin; it != end; ++it) roots.push_back(it->second);
  };
  add(outbound, selector.sender);
  add(inbound, selector.receiver);
  return report.reachableFrom(roots);
}

}  // namespace parley::api_internal
