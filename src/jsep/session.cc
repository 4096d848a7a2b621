#include "parley/jsep/session.h"

#include <algorithm>
#include <utility>

#include "parley/jsep/apply_description.h"
#include "parley/jsep/bundle.h"
#include "parley/jsep/negotiation_needed.h"
#include "parley/jsep/offer_answer.h"
#include "parley/jsep/remote_candidates.h"
#include "parley/sdp/parser.h"
#include "parley/sdp/writer.h"

#include "jsep/candidate_conversion.h"
#include "jsep/lane_slots.h"
#include "jsep/validate.h"

namespace parley::jsep {
namespace {

Failure closedError() {
  return fail(ErrorCode::InvalidState, "the connection is closed");
}

dtls::Role toDtls(DtlsRole role) {
  return role == DtlsRole::Client ? dtls::Role::Client : dtls::Role::Server;
}

ice::Credentials toIce(const IceCredentials& credentials) {
  return {credentials.ufrag, credentials.pwd};
}

IceCredentials fromIce(const ice::Credentials& credentials) {
  return {credentials.ufrag, credentials.password};
}

std::vector<dtls::Fingerprint> toDtls(const std::vector<sdp::Fingerprint>& fingerprints) {
  std::vector<dtls::Fingerprint> out;
  for (const sdp::Fingerprint& f : fingerprints) out.push_back({f.algorithm, f.bytes});
  return out;
}

}  // namespace

Session::Session(Environment& environment, SessionConfig config, Timestamp now)
    : environment_(environment),
      capabilities_(std::move(config.capabilities)),
      first_(environment, std::move(config.transport), 0) {
  clock_.clamp(now);
  // RFC 9429 section 5.2.1: a number below 2^63.
  state_.sessionId = environment_.random.u64() >> 1;
  state_.cname = environment_.random.iceChars(16);
  rtpConfig_.cname = state_.cname;
  rtpConfig_.rates = config.rates;
  redundantSoundOnLoss_ = config.redundantSoundOnLoss;
  rtpConfig_.receiverReferenceTime = true;  // a peer that knows none ignores it
  rtpConfig_.controllers = config.controllers;
  rtpConfig_.circuitBreaker = config.circuitBreaker;
  first_.rtpConfig = rtpConfig_;
  state_.bundlePolicy = config.bundlePolicy;
  capabilities_.maxMessageSize = environment_.limits.maxMessageSize;
  capabilities_.iceLite = first_.transport.iceLite();
  capabilities_.freshIce = fromIce(first_.transport.localCredentials());
  // The one in use last: peers that keep a single fingerprint keep that.
  for (const dtls::Fingerprint& f : config.otherFingerprints)
    capabilities_.fingerprints.push_back({f.algorithm, f.bytes});
  for (const dtls::Fingerprint& f : first_.transport.certificate().fingerprints()) {
    capabilities_.fingerprints.push_back({f.algorithm, f.bytes});
  }
}

Session::~Session() = default;

void Session::refreshIce() {
  // Credentials that a description has carried are used up, whatever became of it.
  capabilities_.freshIce = fromIce(ice::Credentials::generate(environment_.random));
}

Result<std::string> Session::createOffer(bool iceRestart, Timestamp now) {
  clock_.clamp(now);
  if (closed_) return closedError();
  Result<sdp::SessionDescription> offer =
      jsep::createOffer(state_, capabilities_, OfferOptions{iceRestart});
  if (!offer) return fail(std::move(offer).error());
  Result<std::string> text = sdp::write(*offer);
  if (text) lastOffer_ = *text;
  lastOfferRestarts_ = iceRestart;
  return text;
}

Result<std::string> Session::createAnswer(Timestamp now) {
  clock_.clamp(now);
  if (closed_) return closedError();
  Result<sdp::SessionDescription> answer = jsep::createAnswer(state_, capabilities_);
  if (!answer) return fail(std::move(answer).error());
  Result<std::string> text = sdp::write(*answer);
  if (text) lastAnswer_ = *text;
  return text;
}

SdpType Session::implicitType() const {
  const bool answering = state_.signaling == SignalingState::HaveRemoteOffer ||
                         state_.signaling == SignalingState::HaveLocalPranswer;
  return answering ? SdpType::Answer : SdpType::Offer;
}

bool Session::isNegotiationNeeded() const {
  return !closed_ && jsep::isNegotiationNeeded(state_);
}

namespace {

/// webrtc-pc section 4.4.1.5: each side rolls its own offer back.
Result<void> checkRollback(SignalingState state, SignalingState needed) {
  if (state == needed) return ok();
  return fail(ErrorCode::InvalidState,
              std::string("there is no offer to roll back in ") + toString(state));
}

}  // namespace

namespace {

/// An answer is refused for the state before it is read; an offer in have-local-offer rolls that
/// back.
Result<void> checkRemoteType(SignalingState state, SdpType type) {
  const bool fits =
      type == SdpType::Offer
          ? state == SignalingState::Stable || state == SignalingState::HaveLocalOffer ||
                state == SignalingState::HaveRemoteOffer
          : state == SignalingState::HaveLocalOffer || state == SignalingState::HaveRemotePranswer;
  if (fits) return ok();
  return fail(ErrorCode::InvalidState,
              std::string("no remote ") + toString(type) + " can be set in " + toString(state));
}

}  // namespace

Result<void> Session::checkLocalDescription(std::optional<SdpType> given,
                                            const std::string& text) const {
  if (closed_) return closedError();
  const SdpType type = given.value_or(implicitType());
  if (type == SdpType::Rollback)
    return checkRollback(state_.signaling, SignalingState::HaveLocalOffer);
  // The state comes first, also for what createOffer and createAnswer never made.
  if (Result<void> able =
          type == SdpType::Offer ? checkOfferState(state_) : checkAnswerState(state_);
      !able) {
    return able;
  }
  const std::string& last = type == SdpType::Offer ? lastOffer_ : lastAnswer_;
  if (!text.empty() && text != last) {
    return fail(ErrorCode::InvalidModification,
                type == SdpType::Offer ? "this is not the offer that createOffer made last"
                                       : "this is not the answer that createAnswer made last");
  }
  return ok();
}

Result<void> Session::checkRemoteRollback() const {
  if (closed_) return closedError();
  return checkRollback(state_.signaling, SignalingState::HaveRemoteOffer);
}

Result<sdp::SessionDescription> Session::readRemoteDescription(SdpType type,
                                                               const std::string& text) const {
  if (closed_) return closedError();
  if (Result<void> able = checkRemoteType(state_.signaling, type); !able) return fail(able.error());
  Result<sdp::SessionDescription> description = sdp::parse(text);
  if (!description) return description;
  if (Result<void> hidden = checkHeaderEncryption(*description); !hidden)
    return fail(hidden.error());
  return description;
}

Result<void> Session::tryRemoteDescription(SdpType type,
                                           const sdp::SessionDescription& description) const {
  if (closed_) return closedError();
  Result<Delta> delta = applyRemote(state_, type, description);
  if (!delta) return fail(std::move(delta).error());
  return ok();
}

Result<void> Session::checkHeaderEncryption(const sdp::SessionDescription& theirs) const {
  if (capabilities_.headerEncryption != HeaderEncryptionPolicy::Require) return ok();
  for (const sdp::MediaDescription& section : theirs.media) {
    if (section.isRtp() && !section.isRejected() && !theirs.cryptexIn(section))
      return failAt(ErrorCode::InvalidAccess, section.line,
                    "the peer does not encrypt header extensions");
  }
  return ok();
}

Result<void> Session::checkIceCandidate(const std::optional<std::string>& mid,
                                        std::optional<uint16_t> mLineIndex,
                                        const std::optional<std::string>& ufrag) const {
  if (closed_) return closedError();
  return checkCandidatePlace(state_, mid, mLineIndex, ufrag);
}

Result<void> Session::setLocalDescription(std::optional<SdpType> given, const std::string& text,
                                          Timestamp now) {
  now = clock_.clamp(now);
  if (closed_) return closedError();
  const SdpType type = given.value_or(implicitType());
  if (type == SdpType::Rollback) return apply(jsep::rollback(state_), now);
  Result<sdp::SessionDescription> description =
      text.empty()
          ? (type == SdpType::Offer
                 ? jsep::createOffer(state_, capabilities_,
                                     OfferOptions{!lastOffer_.empty() && lastOfferRestarts_})
                 : jsep::createAnswer(state_, capabilities_))
          : sdp::parse(text);
  if (!description) return fail(std::move(description).error());
  // What cannot be written cannot be sent: nothing may come of it.
  if (Result<std::string> sent = sdp::write(*description); !sent) return fail(sent.error());
  return settled(type, apply(applyLocal(state_, type, *description), now));
}

Result<void> Session::setRemoteDescription(SdpType type, const std::string& text, Timestamp now) {
  now = clock_.clamp(now);
  if (closed_) return closedError();
  if (type == SdpType::Rollback) return apply(jsep::rollback(state_), now);
  Result<sdp::SessionDescription> description = readRemoteDescription(type, text);
  if (!description) return fail(std::move(description).error());
  return applyRemoteDescription(type, *description, now);
}

Result<void> Session::applyRemoteDescription(SdpType type,
                                             const sdp::SessionDescription& description,
                                             Timestamp now) {
  now = clock_.clamp(now);
  if (closed_) return closedError();
  return settled(type, apply(applyRemote(state_, type, description), now));
}

// webrtc-pc section 4.4.1.5: an answer uses up [[LastCreatedOffer]] and [[LastCreatedAnswer]]; a
// rollback does not.
Result<void> Session::settled(SdpType type, Result<void> applied) {
  if (applied && type == SdpType::Answer) {
    lastOffer_.clear();
    lastAnswer_.clear();
  }
  return applied;
}

// Commits the outcome of a description: first the state, then transport and media, then the events.
Result<void> Session::apply(Result<Delta> result, Timestamp now) {
  if (!result) return fail(std::move(result).error());
  Delta delta = *std::move(result);
  const auto added = std::count_if(
      delta.sides.begin(), delta.sides.end(),
      [&](const SideTransportChange& change) { return !change.ended && !lane(change.id); });
  if (sides_.size() + static_cast<size_t>(added) > kSlots) {
    return fail(ErrorCode::Operation,
                "there is no room for more transports before those that have ended are gone");
  }
  state_ = std::move(delta.state);
  forgetTexts();
  // Also layers that a remote offer proposed come without (RFC 8853).
  for (TransceiverState& transceiver : state_.transceivers) drawSsrcs(transceiver);
  // Before DTLS: who opened channels already need not notice on which transport they end up.
  for (const SideTransportChange& change : delta.sides) {
    if (!change.ended && !lane(change.id)) addLane(change.id, change.change);
  }
  if (Lane* to = delta.data && delta.data->enabled ? lane(delta.data->settings.transport) : nullptr)
    moveData(*to, now);
  if (delta.transport.unused) {
    resetTransport(now);
  } else {
    applyTransport(first_, delta.transport, now);
  }
  applySides(delta.sides, now);
  for (const MediaSectionChange& change : delta.media) applyMedia(change, now);
  applyData(delta, now);
  removeMedia(delta.removed, now);
  if (state_.signaling == SignalingState::Stable) {
    const auto& all = state_.transceivers;
    eachLane([&](Lane& each) {
      each.transport.requireSrtp(std::any_of(all.begin(), all.end(),
                                             [&](const TransceiverState& t) {
                                               const MediaSettings& media = t.negotiated.media;
                                               return media.transport == each.id &&
                                                      (media.send || media.receive);
                                             }),
                                 now);
      each.beforeRestart.reset();
    });
  }
  for (const SideTransportChange& change : delta.sides) {
    if (change.ended) endLane(change.id, now);
  }
  events_.push(descriptions());
  // An offer that met ours in have-local-offer has first rolled ours back, by way of stable.
  if (delta.rollbackEvents) emitEvents(*delta.rollbackEvents, SignalingState::Stable);
  emitEvents(delta.events, state_.signaling);
  if (!delta.removed.empty()) {
    TransceiversRemoved removed;
    for (TransceiverId id : delta.removed) removed.transceivers.push_back(id.value);
    events_.push(std::move(removed));
  }
  if (pooling_ && state_.local()) releasePool();
  pump(now);
  return ok();
}

void Session::resetTransport(Timestamp now) {
  first_.transport.reset(now);
  capabilities_.freshIce = fromIce(first_.transport.localCredentials());
  first_.localCandidates = {};
  first_.beforeRestart.reset();
}

void Session::applyData(const Delta& delta, Timestamp now) {
  if (!delta.data) return;
  if (delta.data->enabled) {
    dataLane_->transport.enableSctp(delta.data->settings.remotePort,
                                    delta.data->settings.remoteMaxMessageSize, now);
  } else if (delta.data->refused) {
    dataLane_->transport.disableSctp(now);
  }
}

void Session::applyTransport(Lane& lane, const TransportChange& change, Timestamp now) {
  transport::PeerTransport& transport = lane.transport;
  if (change.localIceRolledBack) {
    transport.rollbackIceRestart(now);
    if (lane.beforeRestart) lane.localCandidates = *std::exchange(lane.beforeRestart, std::nullopt);
  }
  if (change.iceControlling) {
    transport.setIceRole(*change.iceControlling ? ice::Role::Controlling : ice::Role::Controlled,
                         now);
  }
  if (change.localIce) {
    const ice::Credentials local = toIce(*change.localIce);
    if (local == transport.localCredentials()) {
      transport.startGathering(now);
    } else if (!change.localIceRolledBack) {
      if (!lane.beforeRestart) lane.beforeRestart = std::move(lane.localCandidates);
      lane.localCandidates = {};
      transport.restartIce(local, now);
    }
    if (*change.localIce == capabilities_.freshIce) refreshIce();
  }
  applyRemoteIce(lane, change, now);
  const TransportState& agreed = state_.transportState(lane.id);
  std::vector<dtls::Fingerprint> fingerprints = toDtls(change.remoteFingerprints);
  if (fingerprints.empty()) fingerprints = toDtls(agreed.remoteFingerprints);
  if (fingerprints.empty()) return;
  if (change.newDtlsAssociation) {
    const auto renewal =
        change.newDtlsPeer ? transport::DtlsRenewal::NewPeer : transport::DtlsRenewal::RolesSwapped;
    transport.renewDtls(std::move(fingerprints), toDtls(*agreed.dtlsRole), renewal, now);
  } else if (change.dtlsRole) {
    transport.startDtls(std::move(fingerprints), toDtls(*change.dtlsRole), now);
  } else if (!change.remoteFingerprints.empty()) {
    transport.setRemoteFingerprints(std::move(fingerprints), now);
  }
}

void Session::applyRemoteIce(Lane& lane, const TransportChange& change, Timestamp now) {
  if (change.remoteIce) {
    lane.transport.setRemoteCredentials(toIce(change.remoteIce->credentials),
                                        change.remoteIce->lite, now);
  }
  for (const sdp::CandidateLine& line : change.remoteCandidates)
    lane.transport.addRemoteCandidate(toIce(line), now);
  if (change.remoteEndOfCandidates) lane.transport.endRemoteCandidates(now);
}

void Session::emitEvents(const SessionEvents& events, SignalingState signaling) {
  if (events.signalingStateChanged) events_.push(SignalingStateChanged{signaling});
  for (TransceiverId id : events.stopped) events_.push(TransceiverStopped{id.value});
  for (TransceiverId id : events.muted) {
    earlyMedia_.erase(id.value);
    events_.push(TrackRemoved{id.value});
  }
  for (const StreamTrack& change : events.removedFromStream)
    events_.push(StreamTrackChanged{change.stream, change.transceiver.value, false});
  for (const StreamTrack& change : events.addedToStream)
    events_.push(StreamTrackChanged{change.stream, change.transceiver.value, true});
  for (const auto& track : events.tracks) {
    const TransceiverState* transceiver = state_.find(track.transceiver);
    if (!transceiver) continue;
    const MediaKind kind =
        transceiver->kind == sdp::MediaKind::Audio ? MediaKind::Audio : MediaKind::Video;
    events_.push(TrackAdded{track.transceiver.value, kind, track.streams});
    if (earlyMedia_.erase(track.transceiver.value) > 0)
      events_.push(TrackUnmuted{track.transceiver.value});
  }
}

void Session::forgetTexts() {
  for (DescriptionTexts* of : {&currentLocal_, &pendingLocal_, &currentRemote_, &pendingRemote_})
    of->reset();
}

DescriptionsChanged Session::descriptions() {
  const auto local = [&](DescriptionTexts& texts, const Boxed<TypedDescription>& description) {
    std::vector<SectionCandidatesView> found;
    eachLane([&](const Lane& from) {
      const auto& candidates = from.localCandidates;
      if (!description || candidates.lines.empty() || from.ending) return;
      if (const auto at = state_.sectionOf(from.id, description->sdp))
        found.push_back({*at, candidates.lines, candidates.complete});
    });
    return texts.show(description, found);
  };
  return {local(currentLocal_, state_.currentLocal), local(pendingLocal_, state_.pendingLocal),
          currentRemote_.show(state_.currentRemote), pendingRemote_.show(state_.pendingRemote)};
}

Result<void> Session::addIceCandidate(const std::string& text,
                                      const std::optional<std::string>& mid,
                                      std::optional<uint16_t> mLineIndex,
                                      const std::optional<std::string>& ufrag, Timestamp now) {
  now = clock_.clamp(now);
  if (closed_) return closedError();
  RemoteCandidate candidate;
  candidate.mid = mid;
  candidate.mLineIndex = mLineIndex;
  candidate.ufrag = ufrag;
  if (!text.empty()) {
    candidate.candidate = sdp::parseCandidate(text);
    if (!candidate.candidate) {
      return fail(ErrorCode::Operation,
                  "the candidate line does not parse, or names an address that nobody may send to");
    }
  }
  Result<AcceptedCandidate> accepted = addRemoteCandidate(state_, candidate);
  if (!accepted) return fail(std::move(accepted).error());
  events_.push(descriptions());
  if (!accepted->useNow) return ok();
  for (const uint32_t id : accepted->transports) {
    Lane* to = lane(id);
    if (to && candidate.candidate) {
      to->transport.addRemoteCandidate(toIce(*candidate.candidate), now);
    } else if (to) {
      to->transport.endRemoteCandidates(now);
    }
  }
  pump(now);
  return ok();
}

void Session::restartIce(Timestamp now) {
  clock_.clamp(now);
  if (closed_) return;
  jsep::restartIce(state_);
}

bool Session::selectPair(uint32_t transport, uint32_t pair, Timestamp now) {
  now = clock_.clamp(now);
  Lane* of = lane(transport);
  const bool known = !closed_ && of && of->transport.selectPair(pair, now);
  pumpTransport(now);
  return known;
}

bool Session::removePair(uint32_t transport, uint32_t pair, Timestamp now) {
  now = clock_.clamp(now);
  Lane* of = lane(transport);
  const bool known = !closed_ && of && of->transport.removePair(pair, now);
  pumpTransport(now);
  return known;
}

std::optional<bool> Session::remoteTrickles() const {
  return canTrickle(state_);
}

Result<sctp::ChannelId> Session::createDataChannel(const sctp::ChannelInit& init, Timestamp now) {
  now = clock_.clamp(now);
  if (closed_) return closedError();
  Result<sctp::ChannelId> id = dataLane_->transport.dataChannels().open(init, now);
  if (!id) return id;
  state_.data.wanted = true;
  pump(now);
  return id;
}

uint64_t Session::maxMessageSize() const {
  const transport::PeerTransport& transport = dataLane_->transport;
  return transport.sctpEnabled() ? transport.dataChannels().maxMessageSize() : 0;
}

}  // namespace parley::jsep
