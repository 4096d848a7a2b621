#include <algorithm>

#include "parley/jsep/bundle.h"

#include "jsep/applier.h"
#include "jsep/validate.h"

namespace parley::jsep {

void Applier::answer(SdpType type, const sdp::SessionDescription& answer, bool local) {
  const bool final = type == SdpType::Answer;
  if (local) {
    s_.pendingLocal = TypedDescription{type, answer};
    s_.sessionVersion = answer.origin.sessionVersion;
    s_.signaling = SignalingState::HaveLocalPranswer;
  } else {
    s_.pendingRemote = TypedDescription{type, answer};
    s_.signaling = SignalingState::HaveRemotePranswer;
  }
  applyAgreement(Agreement{s_.pendingLocal->sdp, s_.pendingRemote->sdp, local}, final);
  if (final) becomeStable();
}

void Applier::applyAgreement(const Agreement& agreement, bool final) {
  const Leaders leaders = usableLeaders(agreement.answer());
  assignAnswered(leaders,
                 transportLeaders(agreement.answerIsLocal ? agreement.remote : agreement.local),
                 final);
  for (size_t i = 0; i < leaders.size(); ++i)
    agreeSection(agreement, i, leaders[i].has_value(), final);
  remember(agreement.remote);
  remember(agreement.local);
  setLocalIce(agreement.local, !agreement.answerIsLocal);
  for (size_t i = 0; i < leaders.size(); ++i) {
    if (leaders[i] == i) agreeTransport(agreement, i, *s_.transportOf(i));
  }
  if (final) dropUnusedTransports();
}

/// `usable` is false for rejected sections, and under max-bundle for those that a peer without
/// BUNDLE wants on a transport of their own.
void Applier::agreeSection(const Agreement& agreement, size_t i, bool usable, bool final) {
  if (s_.data.mLineIndex == i) return agreeData(agreement, i, usable, final);
  TransceiverState* t = s_.findByIndex(i);
  if (t == nullptr || t->stopped) return;
  if (!usable) {
    if (final) {
      stop(*t);
    } else {
      MediaSettings silent = t->negotiated.media;
      silent.send = silent.receive = false;
      setSettings(*t, std::move(silent));
    }
    return;
  }
  const sdp::Direction direction = agreedDirection(agreement, i);
  MediaSettings settings = agreedSettings(agreement, i, *t->negotiated.mid, t->sender.encodings);
  settings.transport = *s_.transportOf(i);
  if (final) agreeEncodings(*t, settings);
  setReceiving(*t, sdp::receives(direction), agreement.remote.media[i]);
  t->negotiated.currentDirection = direction;
  t->sender.hasSent = t->sender.hasSent || sdp::sends(direction);
  setSettings(*t, std::move(settings));
}

/// Layers that the peer did not take are gone for good; without simulcast the first remains.
void Applier::agreeEncodings(TransceiverState& t, const MediaSettings& settings) const {
  auto& encodings = t.sender.encodings;
  if (encodings.size() < 2 || !settings.send || t.sender.layersBySsrc) return;
  if (settings.sendRids.empty()) {
    encodings.resize(1);
    return;
  }
  std::erase_if(encodings, [&](const Encoding& e) {
    return std::find(settings.sendRids.begin(), settings.sendRids.end(), e.rid) ==
           settings.sendRids.end();
  });
}

void Applier::agreeData(const Agreement& agreement, size_t i, bool usable, bool final) {
  if (!usable) {
    setData(std::nullopt);
    if (final) {
      // Also if there was no association yet: channels may wait for one.
      d_.data = DataChange{false, {}, true};
      s_.data = DataState{};
    }
    return;
  }
  const sdp::MediaDescription& remote = agreement.remote.media[i];
  DataSettings settings;
  settings.remotePort = remote.effectiveSctpPort().value_or(5000);
  settings.remoteMaxMessageSize = remote.maxMessageSize.value_or(65'536);  // RFC 8841 section 6.1
  settings.transport = *s_.transportOf(i);
  setData(settings);
}

void Applier::setLocalIce(const sdp::SessionDescription& local, bool offer) {
  std::vector<uint32_t> done;
  for (size_t i = 0; i < local.media.size(); ++i) {
    const auto id = s_.transportOf(i);
    if (!id || local.media[i].isRejected() ||
        std::find(done.begin(), done.end(), *id) != done.end())
      continue;
    done.push_back(*id);
    const sdp::TransportAttributes attributes = local.transportOf(local.media[i]);
    if (!attributes.iceUfrag || !attributes.icePwd) continue;
    const IceCredentials credentials{*attributes.iceUfrag, *attributes.icePwd};
    TransportState& t = s_.transportState(*id);
    if (t.localIce != credentials) {
      t.localIce = credentials;
      changeOf(*id).localIce = credentials;
    }
    // RFC 8445 section 6.1.1: the offerer controls; a lite agent only if both are lite.
    if (!t.iceControlling) {
      t.iceControlling = offer;
      changeOf(*id).iceControlling = offer;
    }
  }
}

void Applier::dropUnusedTransports() {
  std::erase_if(s_.transports.sides, [&](const SideTransport& side) {
    const bool gone = !uses(side.id);
    if (gone) d_.sides.push_back({side.id, {}, true});
    return gone;
  });
  if (uses(0)) return;
  // Its last section is gone, and the transport with it (RFC 9429 section 5.11).
  if (s_.transport.remoteIce || s_.transport.localIce) d_.transport.unused = true;
  s_.transport = TransportState{};
}

/// `leader` stands for transport `id` in the answer.
void Applier::agreeTransport(const Agreement& agreement, size_t leader, uint32_t id) {
  const sdp::SessionDescription& remote = agreement.remote;
  const size_t index = transportSectionOf(remote, leader);
  const sdp::MediaDescription& section = remote.media[index];
  const sdp::TransportAttributes theirs = remote.transportOf(section);
  if (!theirs.iceUfrag || !theirs.icePwd) return;
  TransportState& t = s_.transportState(id);
  TransportChange& change = changeOf(id);

  const bool tlsIdChanged = t.remoteTlsId && theirs.tlsId && *t.remoteTlsId != *theirs.tlsId;
  const bool newPeer = tlsIdChanged || (!t.remoteFingerprints.empty() &&
                                        t.remoteFingerprints != theirs.fingerprints);

  const IceCredentials credentials{*theirs.iceUfrag, *theirs.icePwd};
  // A peer that keeps its credentials when we restart is wrong (RFC 8839 section 4.4.1.1.1), but
  // the new generation needs some all the same.
  const TransportState* before = beforeOffer(id);
  const bool weRestarted = before && before->localIce && before->localIce != t.localIce;
  if (t.remoteIce != credentials || weRestarted) {
    const auto& options = theirs.iceOptions;
    const bool trickle = std::find(options.begin(), options.end(), "trickle") != options.end();
    change.remoteIceRestart = t.remoteIce.has_value();
    change.remoteIce = RemoteIce{credentials, remote.iceLite, trickle};
    t.remoteIce = credentials;
  }
  const bool controlling = remote.iceLite != agreement.local.iceLite
                               ? remote.iceLite
                               : t.iceControlling.value_or(!agreement.answerIsLocal);
  if (t.iceControlling != controlling) {
    t.iceControlling = controlling;
    change.iceControlling = controlling;
  }
  if (t.remoteFingerprints != theirs.fingerprints) {
    t.remoteFingerprints = theirs.fingerprints;
    change.remoteFingerprints = theirs.fingerprints;
  }
  if (theirs.tlsId) t.remoteTlsId = theirs.tlsId;

  // An answer without a=setup: RFC 8842 section 5.3 recommends active, so that is what it must
  // mean.
  const sdp::SessionDescription& answer = agreement.answer();
  const auto setup =
      answer.transportOf(answer.media[leader]).setup.value_or(sdp::SetupRole::Active);
  const bool weAreClient = (setup == sdp::SetupRole::Active) == agreement.answerIsLocal;
  const DtlsRole role = weAreClient ? DtlsRole::Client : DtlsRole::Server;
  change.newDtlsPeer = newPeer;
  change.newDtlsAssociation = newPeer || (t.dtlsRole && t.dtlsRole != role);
  if (t.dtlsRole != role) {
    t.dtlsRole = role;
    change.dtlsRole = role;
  }

  for (const sdp::CandidateLine& c : section.candidates) {
    if (c.component == 1) change.remoteCandidates.push_back(c);
  }
  change.remoteEndOfCandidates = remote.endOfCandidatesIn(section);
}

void Applier::becomeStable() {
  s_.currentLocal = std::move(s_.pendingLocal);
  s_.currentRemote = std::move(s_.pendingRemote);
  s_.pendingLocal.reset();
  s_.pendingRemote.reset();
  s_.transportBeforeOffer.reset();
  s_.transportsBeforeOffer.reset();
  s_.dataBeforeOffer.reset();
  s_.signaling = SignalingState::Stable;
  for (TransceiverState& t : s_.transceivers) {
    t.beforeOffer.reset();
    t.encodingsBeforeOffer.reset();
    t.createdByPendingOffer = false;
    // Stopped before it ever had a section: there is nobody to tell.
    if (t.stopping && !t.stopped && !t.negotiated.mLineIndex) stop(t);
  }
  removeStopped();

  // webrtc-pc section 4.4.1.5: asked for as long as one of the old ones is in use anywhere.
  const auto toReplace = [&](const TransportState& t) {
    return t.localIce && std::find(s_.iceToReplace.begin(), s_.iceToReplace.end(), *t.localIce) !=
                             s_.iceToReplace.end();
  };
  const auto& sides = s_.transports.sides;
  if (!toReplace(s_.transport) &&
      std::none_of(sides.begin(), sides.end(), [&](const auto& s) { return toReplace(s.state); }))
    s_.iceToReplace.clear();
}

void Applier::removeStopped() {
  std::erase_if(s_.transceivers, [&](const TransceiverState& t) {
    const auto i = t.negotiated.mLineIndex;
    const bool gone =
        t.stopped && (!i || rejects(s_.currentLocal, *i) || rejects(s_.currentRemote, *i));
    if (gone) d_.removed.push_back(t.id);
    return gone;
  });
}

}  // namespace parley::jsep
