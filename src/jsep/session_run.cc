// The session as a machine: inputs, timers, and what the transport has to say.

#include <algorithm>
#include <utility>

#include "parley/jsep/bundle.h"
#include "parley/jsep/session.h"

#include "jsep/candidate_conversion.h"

namespace parley::jsep {
namespace {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

}  // namespace

void Session::handle(Input&& input, Timestamp now) {
  now = clock_.clamp(now);
  transport_.handle(std::move(input), now);
  pumpTransport(now);
}

void Session::handleDatagrams(std::span<Datagram> datagrams, Timestamp now) {
  now = clock_.clamp(now);
  // What a few of them bring is passed on before the next: queues on the way are bounded.
  constexpr size_t kAtOnce = 64;
  while (!datagrams.empty()) {
    const auto some = datagrams.first(std::min(kAtOnce, datagrams.size()));
    transport_.handleDatagrams(some, now);
    pumpTransport(now);
    datagrams = datagrams.subspan(some.size());
  }
}

void Session::advance(Timestamp now) {
  now = clock_.clamp(now);
  transport_.advance(now);
  advanceMedia(now);
  pumpTransport(now);
}

void Session::askForConsent(Timestamp now) {
  now = clock_.clamp(now);
  transport_.askForConsent(now);
  pumpTransport(now);
}

Timestamp Session::nextDeadline() const {
  return earliest(transport_.nextDeadline(), mediaDeadline());
}

bool Session::pollTransmit(TxPacket& out) {
  return transport_.pollTransmit(out);
}

bool Session::pollEffect(Effect& out) {
  return transport_.pollEffect(out);
}

void Session::pump(Timestamp now) {
  now = clock_.clamp(now);
  transport_.pump(now);
  pumpTransport(now);
}

void Session::pumpTransport(Timestamp now) {
  transport::TransportEvent event;
  while (transport_.pollEvent(event)) {
    if (closed_) continue;
    std::visit(Overloaded{
                   [](std::monostate) {},
                   [&](transport::IceStateChange& e) { events_.push(IceStateChanged{e.state}); },
                   [&](transport::GatheringStateChange& e) { onGatheringState(e.state); },
                   [&](transport::CandidateFound& e) { onCandidate(e.candidate); },
                   [&](ice::CandidateError& e) {
                     LocalCandidateError error{{}, {}, std::move(e.url), e.code, std::move(e.text)};
                     if (e.local.port != 0) {
                       error.address = e.local.ip.toString();
                       error.port = e.local.port;
                     }
                     events_.push(std::move(error));
                   },
                   [&](transport::DtlsStateChange& e) {
                     events_.push(DtlsStateChanged{e.event});
                     onDtlsForMedia(now);
                   },
                   [&](transport::SelectedPairChange) {
                     events_.push(SelectedPairChanged{});
                     onPathForMedia(now);
                   },
               },
               event);
  }
  if (!nextChannelEvent_ && !closed_) {
    sctp::ChannelEvent channel;
    if (transport_.pollChannelEvent(channel)) nextChannelEvent_ = std::move(channel);
  }
  if (!nextMessage_ && !closed_) {
    sctp::ChannelMessage message;
    if (transport_.dataChannels().pollMessage(message)) nextMessage_ = std::move(message);
  }
  pumpMedia(now);
}

void Session::onCandidate(const ice::Candidate& candidate) {
  const std::string& ufrag = transport_.localCredentials().ufrag;
  const sdp::CandidateLine line = toLine(candidate, ufrag);
  auto& known = localCandidates_.lines;
  // After the rollback of a restart the candidates of before are back, and may be found once more.
  if (std::find(known.begin(), known.end(), line) != known.end()) return;
  known.push_back(line);
  LocalCandidate event{
      sdp::writeCandidate(line), transportMid(), transportIndex(), ufrag, {}, {}, descriptions()};
  if (!candidate.url.empty()) event.url = candidate.url;
  if (!candidate.relayProtocol.empty()) event.relayProtocol = candidate.relayProtocol;
  events_.push(std::move(event));
}

void Session::onGatheringState(transport::GatheringState state) {
  GatheringStateChanged event{state, {}, {}};
  if (state == transport::GatheringState::Complete) {
    localCandidates_.complete = true;
    event.end =
        CandidatesEnd{transportMid(), transportIndex(), transport_.localCredentials().ufrag};
  }
  event.descriptions = descriptions();
  events_.push(std::move(event));
}

const sdp::MediaDescription* Session::transportMedia() const {
  const TypedDescription* local = state_.local();
  if (!local || local->sdp.media.empty()) return nullptr;
  const auto index = transportSection(local->sdp);
  return &local->sdp.media[index.value_or(0)];
}

std::string Session::transportMid() const {
  const sdp::MediaDescription* media = transportMedia();
  return media && media->mid ? *media->mid : std::string{};
}

uint16_t Session::transportIndex() const {
  const sdp::MediaDescription* media = transportMedia();
  return media ? static_cast<uint16_t>(media - state_.local()->sdp.media.data()) : uint16_t{0};
}

std::optional<IceCredentials> Session::remoteIceParameters() const {
  const TypedDescription* remote = state_.remote();
  const auto index = remote ? transportSection(remote->sdp) : std::nullopt;
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
  return !closed_ && transport_.pollChannelEvent(out);
}

bool Session::pollMessage(sctp::ChannelMessage& out) {
  if (nextMessage_) {
    out = *std::move(nextMessage_);
    nextMessage_.reset();
    return true;
  }
  return !closed_ && transport_.dataChannels().pollMessage(out);
}

bool Session::hasEvents() const {
  return !events_.empty() || nextChannelEvent_.has_value() || nextMessage_.has_value() ||
         mediaWaits();
}

void Session::close(Timestamp now) {
  if (closed_) return;
  now = clock_.clamp(now);
  closeMedia(now);
  transport_.close(now);
  closed_ = true;
  state_.signaling = SignalingState::Closed;
  events_.clear();
  nextChannelEvent_.reset();
  nextMessage_.reset();
}

}  // namespace parley::jsep
