// The session as a machine: inputs, timers, and what the transport has to say.

#include <algorithm>
#include <utility>

#include "parley/jsep/bundle.h"
#include "parley/jsep/session.h"

#include "base/overloaded.h"
#include "jsep/candidate_conversion.h"

namespace parley::jsep {

void Session::handle(Input&& input, Timestamp now) {
  now = clock_.clamp(now);
  if (sides_.empty()) {
    first_.transport.handle(std::move(input), now);
  } else {
    handleOnLanes(std::move(input), now);
  }
  pumpTransport(now);
}

void Session::handleDatagrams(std::span<Datagram> datagrams, Timestamp now) {
  now = clock_.clamp(now);
  // What a few of them bring is passed on before the next: queues on the way are bounded.
  constexpr size_t kAtOnce = 64;
  while (!datagrams.empty()) {
    size_t count = std::min(kAtOnce, datagrams.size());
    Lane* to = &first_;
    if (!sides_.empty()) {
      const SocketId socket = datagrams.front().socket;
      to = &laneOfNumber(socket.value);
      size_t same = 1;
      while (same < count && datagrams[same].socket == socket) ++same;
      count = same;
    }
    to->transport.handleDatagrams(datagrams.first(count), now);
    pumpTransport(now);
    datagrams = datagrams.subspan(count);
  }
}

void Session::advance(Timestamp now) {
  now = clock_.clamp(now);
  eachLane([&](Lane& each) {
    each.transport.advance(now);
    if (each.rtp) each.rtp->advance(now);
  });
  pumpTransport(now);
}

void Session::askForConsent(Timestamp now) {
  now = clock_.clamp(now);
  eachLane([&](Lane& each) { each.transport.askForConsent(now); });
  pumpTransport(now);
}

Timestamp Session::nextDeadline() const {
  const auto of = [](const Lane& lane) {
    const Timestamp media = lane.rtp ? lane.rtp->nextDeadline() : Timestamp::never();
    return earliest(lane.transport.nextDeadline(), media);
  };
  Timestamp next = of(first_);
  for (const auto& side : sides_) next = earliest(next, of(*side));
  return next;
}

Timestamp Session::consentFrom() const {
  Timestamp next = first_.transport.consentFrom();
  for (const auto& side : sides_) next = earliest(next, side->transport.consentFrom());
  return next;
}

bool Session::hasTransmits() const {
  return first_.transport.hasTransmits() ||
         std::any_of(sides_.begin(), sides_.end(),
                     [](const auto& side) { return side->transport.hasTransmits(); });
}

bool Session::drained() const {
  return closed_ && !first_.transport.isEnding() &&
         std::none_of(sides_.begin(), sides_.end(),
                      [](const auto& side) { return side->transport.isEnding(); });
}

bool Session::pollTransmit(TxPacket& out) {
  if (first_.transport.pollTransmit(out)) return true;
  return std::any_of(sides_.begin(), sides_.end(),
                     [&](const auto& side) { return side->transport.pollTransmit(out); });
}

bool Session::pollEffect(Effect& out) {
  return first_.transport.pollEffect(out) || (!sides_.empty() && pollSideEffect(out));
}

bool Session::pollName(ice::HostName& out) {
  if (first_.transport.pollName(out)) return true;
  return std::any_of(sides_.begin(), sides_.end(),
                     [&](const auto& side) { return side->transport.pollName(out); });
}

void Session::pump(Timestamp now) {
  now = clock_.clamp(now);
  eachLane([&](Lane& each) { each.transport.pump(now); });
  pumpTransport(now);
}

void Session::pumpTransport(Timestamp now) {
  eachLane([&](Lane& each) { pumpLane(each, now); });
  if (!nextChannelEvent_ && !closed_) {
    sctp::ChannelEvent channel;
    if (dataLane_->transport.pollChannelEvent(channel)) nextChannelEvent_ = std::move(channel);
  }
  if (!nextMessage_ && !closed_) {
    sctp::ChannelMessage message;
    if (dataLane_->transport.dataChannels().pollMessage(message)) nextMessage_ = std::move(message);
  }
  pumpMedia(now);
}

void Session::pumpLane(Lane& lane, Timestamp now) {
  transport::TransportEvent event;
  while (lane.transport.pollEvent(event)) {
    if (closed_ || lane.ending) continue;
    std::visit(Overloaded{
                   [](std::monostate) {},
                   [&](transport::IceStateChange& e) {
                     events_.push(IceStateChanged{e.state, lane.id});
                   },
                   [&](transport::GatheringStateChange& e) { onGathering(lane, std::move(e)); },
                   [&](transport::CandidateFound& e) { onGathering(lane, std::move(e)); },
                   [&](ice::CandidateError& e) { onGathering(lane, std::move(e)); },
                   [&](transport::DtlsStateChange& e) {
                     events_.push(DtlsStateChanged{e.event, lane.id});
                     onPathForMedia(lane, now);
                   },
                   [&](transport::SelectedPairChange) {
                     events_.push(SelectedPairChanged{lane.id});
                     onPathForMedia(lane, now);
                   },
               },
               event);
  }
}

void Session::onGathering(Lane& lane, transport::TransportEvent&& event) {
  if (pooling_ && &lane == &first_) {
    pool_.push_back(std::move(event));
  } else if (const auto* change = std::get_if<transport::GatheringStateChange>(&event)) {
    onGatheringState(lane, change->state);
  } else if (const auto* found = std::get_if<transport::CandidateFound>(&event)) {
    onCandidate(lane, found->candidate);
  } else if (auto* problem = std::get_if<ice::CandidateError>(&event)) {
    LocalCandidateError error{
        {}, {}, std::move(problem->url), problem->code, std::move(problem->text)};
    if (problem->local.port != 0) {
      error.address = problem->local.ip.toString();
      error.port = problem->local.port;
    }
    events_.push(std::move(error));
  }
}

void Session::onCandidate(Lane& lane, const ice::Candidate& candidate) {
  const std::string& ufrag = lane.transport.localCredentials().ufrag;
  const sdp::CandidateLine line = toLine(candidate, ufrag);
  auto& known = lane.localCandidates.lines;
  // After the rollback of a restart the candidates of before are back, and may be found once more.
  if (std::find(known.begin(), known.end(), line) != known.end()) return;
  known.push_back(line);
  LocalCandidate event;
  event.candidate = sdp::writeCandidate(line);
  event.mid = transportMid(lane.id);
  event.mLineIndex = transportIndex(lane.id);
  event.ufrag = ufrag;
  event.transport = lane.id;
  event.descriptions = descriptions();
  if (!candidate.url.empty()) event.url = candidate.url;
  if (!candidate.relayProtocol.empty()) event.relayProtocol = candidate.relayProtocol;
  events_.push(std::move(event));
}

void Session::onGatheringState(Lane& lane, transport::GatheringState state) {
  GatheringStateChanged event{state, {}, {}, lane.id};
  if (state == transport::GatheringState::Complete) {
    lane.localCandidates.complete = true;
    event.end = CandidatesEnd{transportMid(lane.id), transportIndex(lane.id),
                              lane.transport.localCredentials().ufrag};
  }
  event.descriptions = descriptions();
  events_.push(std::move(event));
}

const sdp::MediaDescription* Session::transportMedia(uint32_t transport) const {
  const TypedDescription* local = state_.local();
  if (!local || local->sdp.media.empty()) return nullptr;
  return &local->sdp.media[state_.sectionOf(transport, local->sdp).value_or(0)];
}

std::string Session::transportMid(uint32_t transport) const {
  const sdp::MediaDescription* media = transportMedia(transport);
  return media && media->mid ? *media->mid : std::string{};
}

uint16_t Session::transportIndex(uint32_t transport) const {
  const sdp::MediaDescription* media = transportMedia(transport);
  return media ? static_cast<uint16_t>(media - state_.local()->sdp.media.data()) : uint16_t{0};
}

std::optional<IceCredentials> Session::remoteIceParameters(uint32_t transport) const {
  const TypedDescription* remote = state_.remote();
  const auto index = remote ? state_.sectionOf(transport, remote->sdp) : std::nullopt;
  if (!index) return std::nullopt;
  const sdp::TransportAttributes theirs = remote->sdp.transportOf(remote->sdp.media[*index]);
  if (!theirs.iceUfrag || !theirs.icePwd) return std::nullopt;
  return IceCredentials{*theirs.iceUfrag, *theirs.icePwd};
}

bool Session::pollEvent(SessionEvent& out) {
  if (events_.empty()) return false;
  out = events_.pop();
  return true;
}

bool Session::pollChannelEvent(sctp::ChannelEvent& out) {
  if (nextChannelEvent_) {
    out = *std::move(nextChannelEvent_);
    nextChannelEvent_.reset();
    return true;
  }
  return !closed_ && dataLane_->transport.pollChannelEvent(out);
}

bool Session::pollMessage(sctp::ChannelMessage& out) {
  if (nextMessage_) {
    out = *std::move(nextMessage_);
    nextMessage_.reset();
    return true;
  }
  return !closed_ && dataLane_->transport.dataChannels().pollMessage(out);
}

bool Session::hasEvents() const {
  return !events_.empty() || nextChannelEvent_.has_value() || nextMessage_.has_value() ||
         mediaWaits();
}

void Session::close(Timestamp now) {
  if (closed_) return;
  now = clock_.clamp(now);
  closeMedia(now);
  eachLane([&](Lane& each) { each.transport.close(now); });
  closed_ = true;
  state_.signaling = SignalingState::Closed;
  events_.clear();
  nextChannelEvent_.reset();
  nextMessage_.reset();
}

}  // namespace parley::jsep
