#include "jsep/applier.h"

#include <algorithm>

#include "parley/jsep/bundle.h"
#include "parley/jsep/codec_negotiation.h"

namespace parley::jsep {
namespace {

template <class T>
bool contains(const std::vector<T>& list, const T& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

bool isMedia(const sdp::MediaDescription& section) {
  return section.isRtp() &&
         (section.kind() == sdp::MediaKind::Audio || section.kind() == sdp::MediaKind::Video);
}

bool isData(const sdp::MediaDescription& section) {
  return section.isSctp() && section.kind() == sdp::MediaKind::Application;
}

/// The stream of what peers that know nothing of streams send (RFC 9429 section 5.10).
constexpr const char* kStreamOfNoMsid = "default";

/// RFC 8830 section 2: the streams of a section, "-" standing for none.
std::vector<std::string> streamsOf(const sdp::MediaDescription& section) {
  std::vector<std::string> out;
  for (const sdp::Msid& m : section.msids) {
    if (m.stream != "-" && !contains(out, m.stream)) out.push_back(m.stream);
  }
  if (!section.msids.empty()) return out;
  // Peers before unified plan say it per SSRC only.
  bool said = false;
  for (const sdp::SsrcDescription& s : section.ssrcs) {
    const auto msid = s.attribute("msid");
    if (!msid) continue;
    said = true;
    std::string stream(msid->substr(0, msid->find(' ')));
    if (stream != "-" && !stream.empty() && !contains(out, stream))
      out.push_back(std::move(stream));
  }
  if (!said) out.push_back(kStreamOfNoMsid);
  return out;
}

std::string trackOf(const sdp::MediaDescription& section) {
  for (const sdp::Msid& m : section.msids) {
    if (m.track) return *m.track;
  }
  return {};
}

}  // namespace

Applier::Applier(Delta start) : d_(std::move(start)), s_(d_.state), before_(d_.state.signaling) {}

Delta Applier::finish() && {
  d_.events.signalingStateChanged = s_.signaling != before_;
  std::erase_if(d_.sides, [](const SideTransportChange& side) {
    return !side.ended && side.change == TransportChange{};
  });
  return std::move(d_);
}

// --- sections ------------------------------------------------------------------------------------

void Applier::saveBeforeOffer() {
  if (!s_.transportBeforeOffer) s_.transportBeforeOffer = s_.transport;
  if (!s_.transportsBeforeOffer) s_.transportsBeforeOffer = s_.transports;
  if (!s_.dataBeforeOffer) s_.dataBeforeOffer = s_.data;
  for (TransceiverState& t : s_.transceivers) {
    if (!t.beforeOffer) t.beforeOffer = t.negotiated;
  }
}

void Applier::associate(TransceiverState& t, const std::string& mid, size_t i) {
  t.negotiated.mid = mid;
  t.negotiated.mLineIndex = i;
}

/// The transceiver for which createOffer made a section that nobody has yet. One that the
/// application has begun to stop since then counts where the offer has more sections than there
/// would be transceivers otherwise.
TransceiverState* Applier::freeForLocal(const sdp::SessionDescription& offer, size_t i) {
  const std::string_view kind = offer.media[i].media;
  std::vector<TransceiverState*> free;
  size_t going = 0;
  for (TransceiverState& t : s_.transceivers) {
    if (t.negotiated.mLineIndex || t.stopped || toString(t.kind) != kind) continue;
    free.push_back(&t);
    if (t.stopping) ++going;
  }
  size_t sections = 0;
  for (size_t at = i; at < offer.media.size(); ++at) {
    const sdp::MediaDescription& m = offer.media[at];
    if (m.media == kind && !m.isRejected() && !s_.findByIndex(at)) ++sections;
  }
  const bool alsoGoing = sections > free.size() - going;
  for (TransceiverState* t : free) {
    if (alsoGoing || !t->stopping) return t;
  }
  return nullptr;
}

bool Applier::associateLocalSections(const sdp::SessionDescription& offer) {
  for (size_t i = 0; i < offer.media.size(); ++i) {
    const sdp::MediaDescription& section = offer.media[i];
    const TransceiverState* owner = s_.findByIndex(i);
    if (owner != nullptr) {
      if (owner->negotiated.mid != section.mid || toString(owner->kind) != section.media)
        return false;
      continue;
    }
    if (s_.data.mLineIndex == i) {
      if (s_.data.mid != section.mid || !section.isSctp()) return false;
      continue;
    }
    if (section.isRejected()) continue;
    if (!section.mid) return false;
    if (isData(section)) {
      if (s_.data.mLineIndex) return false;
      s_.data.mid = section.mid;
      s_.data.mLineIndex = i;
      continue;
    }
    TransceiverState* free = freeForLocal(offer, i);
    if (!free) return false;
    associate(*free, *section.mid, i);
  }
  return true;
}

void Applier::localOffer(const sdp::SessionDescription& offer) {
  saveBeforeOffer();
  associateLocalSections(offer);
  assignOffered(offer);
  const Leaders leaders = transportLeaders(offer);
  for (size_t i = 0; i < offer.media.size(); ++i) {
    TransceiverState* t = s_.findByIndex(i);
    if (t == nullptr || offer.media[i].isRejected()) continue;
    MediaSettings settings = offeredSettings(offer, i, *t->negotiated.mid, t->negotiated.media);
    const auto own = s_.transportOf(i);
    settings.transport = own ? *own : s_.transportOf(leaders[i].value_or(i)).value_or(0);
    setSettings(*t, std::move(settings));
  }
  remember(offer);
  setLocalIce(offer, true);
  s_.sessionVersion = offer.origin.sessionVersion;
  s_.pendingLocal = TypedDescription{SdpType::Offer, offer};
  s_.signaling = SignalingState::HaveLocalOffer;
}

void Applier::remoteOffer(const sdp::SessionDescription& offer) {
  saveBeforeOffer();
  for (const sdp::MediaDescription& m : offer.media) {
    if (m.mid) s_.mids.note(*m.mid);
  }
  for (size_t i = 0; i < offer.media.size(); ++i) remoteOfferSection(offer, i);
  s_.pendingRemote = TypedDescription{SdpType::Offer, offer};
  s_.signaling = SignalingState::HaveRemoteOffer;
}

void Applier::remoteOfferSection(const sdp::SessionDescription& offer, size_t i) {
  const sdp::MediaDescription& section = offer.media[i];
  if (isData(section)) return remoteDataSection(offer, i);
  if (!isMedia(section)) return;
  TransceiverState* known = s_.findByIndex(i);
  if (section.isRejected()) {
    if (known != nullptr && !known->stopped) stop(*known);
    return;
  }
  TransceiverState& t = known ? *known : transceiverForRemote(offer, i);
  if (t.stopped) return;
  adoptProposedRids(t, section);
  setReceiving(t, sdp::sends(offer.directionOf(section)), section);
}

/// RFC 9429 section 5.10: a section in which the peer receives takes the first idle transceiver
/// that addTrack made; all others get a new one, which only receives until the application says
/// more.
TransceiverState& Applier::transceiverForRemote(const sdp::SessionDescription& offer, size_t i) {
  const sdp::MediaDescription& section = offer.media[i];
  const std::string mid = midFor(offer, i);
  if (sdp::receives(offer.directionOf(section))) {
    for (TransceiverState& t : s_.transceivers) {
      if (!t.fromAddTrack || t.kind != section.kind() || t.negotiated.mLineIndex || t.stopping ||
          t.stopped)
        continue;
      associate(t, mid, i);
      return t;
    }
  }
  TransceiverState t;
  t.id = TransceiverId(s_.nextTransceiverId++);
  t.kind = section.kind();
  t.direction = sdp::Direction::RecvOnly;
  t.beforeOffer = t.negotiated;
  t.createdByPendingOffer = true;
  associate(t, mid, i);
  d_.created.push_back(t.id);
  s_.transceivers.push_back(std::move(t));
  return s_.transceivers.back();
}

std::string Applier::midFor(const sdp::SessionDescription& offer, size_t i) {
  if (offer.media[i].mid) return *offer.media[i].mid;
  // RFC 9429 section 5.10: a section without mid gets one for our own use.
  std::string mid = s_.mids.take();
  while (s_.hasMid(mid) || offer.findMid(mid) != nullptr) mid = s_.mids.take();
  return mid;
}

void Applier::remoteDataSection(const sdp::SessionDescription& offer, size_t i) {
  if (s_.data.mLineIndex || offer.media[i].isRejected()) return;
  s_.data.mLineIndex = i;
  s_.data.mid = midFor(offer, i);
}

/// webrtc-pc section 4.4.1.5, "proposed send encodings": a peer that offers to receive simulcast
/// decides the layers, unless the sender has layers or a section already.
void Applier::adoptProposedRids(TransceiverState& t, const sdp::MediaDescription& section) {
  if (t.kind != sdp::MediaKind::Video) return;  // sound has no layers
  if (!section.simulcast || section.simulcast->recv.size() < 2) return;
  const bool negotiatedBefore = t.beforeOffer && t.beforeOffer->mLineIndex;
  if (negotiatedBefore || t.sender.encodings.size() != 1 || !t.sender.encodings.front().rid.empty())
    return;
  std::vector<Encoding> encodings;
  for (const auto& alternatives : section.simulcast->recv) {
    const std::string& id = alternatives.front().id;
    const bool declared = std::any_of(section.rids.begin(), section.rids.end(),
                                      [&](const sdp::Rid& r) { return !r.send && r.id == id; });
    const bool repeated = std::any_of(encodings.begin(), encodings.end(),
                                      [&](const Encoding& e) { return e.rid == id; });
    if (declared && !repeated && encodings.size() < kMaxSimulcastLayers)
      encodings.push_back({id, 0, 0});
  }
  if (encodings.size() < 2) return;
  encodings.front().ssrc = t.sender.encodings.front().ssrc;
  encodings.front().rtxSsrc = t.sender.encodings.front().rtxSsrc;
  encodings.front().fecSsrc = t.sender.encodings.front().fecSsrc;
  if (!t.encodingsBeforeOffer) t.encodingsBeforeOffer = t.sender.encodings;
  t.sender.encodings = std::move(encodings);
}

void Applier::stop(TransceiverState& t) {
  t.stopping = true;
  t.stopped = true;
  t.negotiated.currentDirection.reset();
  setReceiving(t, false, {});
  MediaSettings settings = t.negotiated.media;
  settings.send = false;
  settings.receive = false;
  setSettings(t, std::move(settings));
  d_.events.stopped.push_back(t.id);
}

// --- what the application sees -------------------------------------------------------------------

void Applier::setReceiving(TransceiverState& t, bool receiving,
                           const sdp::MediaDescription& remote) {
  ReceiverState& r = t.negotiated.receiver;
  const bool joins = setStreams(t, receiving ? streamsOf(remote) : std::vector<std::string>{});
  if (receiving) {
    if (std::string track = trackOf(remote); !track.empty()) r.remoteTrackId = std::move(track);
    // webrtc-pc section 4.4.1.5: also a track that joins another stream is told anew.
    if (!r.announced || joins) d_.events.tracks.push_back({t.id, r.streams});
  } else if (r.announced) {
    d_.events.muted.push_back(t.id);
  }
  r.announced = receiving;
}

bool Applier::setStreams(TransceiverState& t, std::vector<std::string> streams) {
  bool joins = false;
  std::vector<std::string>& now = t.negotiated.receiver.streams;
  for (const std::string& s : now) {
    if (!contains(streams, s)) d_.events.removedFromStream.push_back({s, t.id});
  }
  for (const std::string& s : streams) {
    if (contains(now, s)) continue;
    d_.events.addedToStream.push_back({s, t.id});
    joins = true;
  }
  now = std::move(streams);
  return joins;
}

void Applier::setSettings(TransceiverState& t, MediaSettings settings) {
  if (settings == t.negotiated.media) return;
  t.negotiated.media = settings;
  std::erase_if(d_.media, [&](const MediaSectionChange& c) { return c.transceiver == t.id; });
  d_.media.push_back({t.id, std::move(settings)});
}

void Applier::setData(std::optional<DataSettings> settings) {
  if (settings == s_.data.settings) return;
  s_.data.settings = settings;
  d_.data = DataChange{settings.has_value(), settings.value_or(DataSettings{}), false};
}

void Applier::remember(const sdp::SessionDescription& d) {
  for (size_t i = 0; i < d.media.size(); ++i) {
    const sdp::MediaDescription& m = d.media[i];
    if (m.mid) s_.mids.note(*m.mid);
    if (m.isRejected()) continue;
    SideTransport* side = s_.side(s_.transportOf(i).value_or(0));
    FormatMemory& formats = side ? side->formats : s_.formats;
    ExtensionMemory& extensions = side ? side->extensions : s_.extensions;
    for (const sdp::CodecParams& codec : m.codecs) {
      if (!codec.name.empty()) formats.bind(codec);
    }
    for (const sdp::Extmap& e : d.extmapsOf(m)) {
      if (e.id < 4096) extensions.bind(e.id, ExtensionName(e).meaning());
    }
  }
}

// --- rollback ------------------------------------------------------------------------------------

void Applier::rollBack() {
  for (TransceiverState& t : s_.transceivers) {
    if (t.beforeOffer) rollBack(t);
  }
  forgetCreated();
  if (s_.dataBeforeOffer) {
    const bool wanted = s_.data.wanted;
    setData(s_.dataBeforeOffer->settings);
    s_.data = *s_.dataBeforeOffer;
    s_.data.wanted = wanted;
  }
  if (s_.transportBeforeOffer) rollBackFirst(*s_.transportBeforeOffer);
  if (s_.transportsBeforeOffer) rollBackSides(*s_.transportsBeforeOffer);
  s_.dataBeforeOffer.reset();
  s_.transportBeforeOffer.reset();
  s_.transportsBeforeOffer.reset();
  s_.pendingLocal.reset();
  s_.pendingRemote.reset();
  s_.signaling = SignalingState::Stable;
}

void Applier::rollBack(TransceiverState& t) {
  NegotiatedTransceiver before = *std::move(t.beforeOffer);
  t.beforeOffer.reset();
  if (t.encodingsBeforeOffer) t.sender.encodings = *std::move(t.encodingsBeforeOffer);
  t.encodingsBeforeOffer.reset();

  const bool announced = t.negotiated.receiver.announced;
  const bool joins =
      setStreams(t, t.stopped ? std::vector<std::string>{} : before.receiver.streams);
  if (announced && !before.receiver.announced) d_.events.muted.push_back(t.id);
  // webrtc-pc section 4.4.1.5: also a track that is back in a stream is told anew.
  if ((!announced || joins) && before.receiver.announced && !t.stopped) {
    d_.events.tracks.push_back({t.id, before.receiver.streams});
  }
  if (t.stopped) {  // nothing brings a stopped transceiver back
    t.negotiated.mid = before.mid;
    t.negotiated.mLineIndex = before.mLineIndex;
    return;
  }
  MediaSettings settings = std::move(before.media);
  before.media = t.negotiated.media;
  t.negotiated = std::move(before);
  setSettings(t, std::move(settings));
}

/// What the offer has made goes with it, but for what addTrack has taken meanwhile.
void Applier::forgetCreated() {
  std::erase_if(s_.transceivers, [&](const TransceiverState& t) {
    const bool gone = t.createdByPendingOffer && !t.keptByAddTrack;
    if (gone) d_.removed.push_back(t.id);
    return gone;
  });
  for (TransceiverState& t : s_.transceivers) {
    // What addTrack has kept is as if it had made it: the next offer may attach to it.
    t.fromAddTrack = t.fromAddTrack || (t.createdByPendingOffer && t.keptByAddTrack);
    t.createdByPendingOffer = false;
  }
}

void Applier::rollBackFirst(const TransportState& before) {
  if (s_.transport.localIce && !before.localIce && !before.remoteIce) {
    // webrtc-pc section 4.4.1.5: the transport that the offer brought goes with it.
    d_.transport.unused = true;
  } else if (s_.transport.localIce != before.localIce) {
    d_.transport.localIceRolledBack = true;
    d_.transport.localIce = before.localIce;
  }
  s_.transport = before;
}

void Applier::rollBackSides(TransportMap before) {
  for (const SideTransport& side : s_.transports.sides) {
    const auto was = std::find_if(before.sides.begin(), before.sides.end(),
                                  [&](const SideTransport& b) { return b.id == side.id; });
    if (was == before.sides.end()) {
      d_.sides.push_back({side.id, {}, true});
    } else if (was->state.localIce != side.state.localIce) {
      TransportChange& change = changeOf(side.id);
      change.localIceRolledBack = true;
      change.localIce = was->state.localIce;
    }
  }
  s_.transports = std::move(before);
}

}  // namespace parley::jsep
