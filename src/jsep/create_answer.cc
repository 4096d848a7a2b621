#include <algorithm>
#include <map>
#include <set>

#include "parley/base/text.h"
#include "parley/jsep/bundle.h"
#include "parley/jsep/codec_negotiation.h"
#include "parley/jsep/offer_answer.h"

#include "jsep/section_builder.h"
#include "jsep/validate.h"

namespace parley::jsep {
namespace {

class AnswerBuilder {
 public:
  AnswerBuilder(const SessionState& state, const LocalCapabilities& capabilities)
      : state_(state), capabilities_(capabilities), offer_(state.pendingRemote->sdp) {}

  sdp::SessionDescription build() {
    sdp::SessionDescription d = emptyDescription(state_, capabilities_);
    d.extmapAllowMixed = offer_.extmapAllowMixed;
    d.cryptex = offer_.cryptex && takesCryptex();
    chooseTransports();
    for (size_t i = 0; i < offer_.media.size(); ++i) d.media.push_back(section(i));
    addBundle(d);
    setVersion(d, state_);
    return d;
  }

 private:
  bool takesCryptex() const {
    return capabilities_.headerEncryption != HeaderEncryptionPolicy::Disable;
  }

  void chooseTransports() {
    leaders_ = transportLeaders(offer_);
    taken_ = livingLeaders(leaders_, state_.transports.sections);
    if (state_.bundlePolicy != BundlePolicy::MaxBundle) return;
    const std::vector<bool> shared = onSharedTransport(offer_);
    // Without a group only one section can live; which one is known once a section is acceptable.
    exclusive_ = std::count(shared.begin(), shared.end(), true) == 1;
    for (size_t i = 0; i < leaders_.size() && !exclusive_; ++i) {
      if (!shared[i]) leaders_[i].reset();
    }
  }

  /// Our side of one transport, and what numbers mean on it.
  struct Transport {
    IceCredentials ice{};
    sdp::SetupRole setup = sdp::SetupRole::Active;
    FormatMemory formats{};  // of this answer only: numbers are the offerer's
    ExtensionMemory extensions{};
  };

  /// The transport that a section leads; null if the peer says too little to connect to.
  Transport* transportFor(size_t leader) {
    if (const auto known = transports_.find(leader); known != transports_.end())
      return &known->second;
    const sdp::TransportAttributes theirs = offer_.transportOf(offer_.media[leader]);
    if (!theirs.iceUfrag || !theirs.icePwd || theirs.fingerprints.empty()) return nullptr;
    const TransportState inForce = inForceFor(leader);
    const bool restart =
        inForce.remoteIce && inForce.remoteIce != IceCredentials{*theirs.iceUfrag, *theirs.icePwd};
    Transport out;
    out.ice = !inForce.localIce || restart ? capabilities_.freshIce : *inForce.localIce;
    out.setup = answerSetup(theirs.setup.value_or(sdp::SetupRole::ActPass), inForce);
    return &transports_.emplace(leader, std::move(out)).first->second;
  }

  TransportState inForceFor(size_t leader) const {
    const auto id = knownTransport(state_, leaders_, leader);
    return id ? state_.transportState(*id) : TransportState{};
  }

  /// RFC 8842 section 5.3: we choose unless the offer leaves no choice; the role in force stays.
  static sdp::SetupRole answerSetup(sdp::SetupRole offered, const TransportState& inForce) {
    if (offered == sdp::SetupRole::Active) return sdp::SetupRole::Passive;
    if (offered == sdp::SetupRole::Passive) return sdp::SetupRole::Active;
    return inForce.dtlsRole == DtlsRole::Server ? sdp::SetupRole::Passive : sdp::SetupRole::Active;
  }

  sdp::MediaDescription section(size_t i) {
    const sdp::MediaDescription& offered = offer_.media[i];
    if (offered.isRejected() || !leaders_[i] || (exclusive_ && !used_.empty()))
      return rejectedSection(offered);
    if (taken_.size() >= kMaxTransports && !taken_.contains(*leaders_[i]))
      return rejectedSection(offered);
    Transport* transport = transportFor(*leaders_[i]);
    if (transport == nullptr) return rejectedSection(offered);
    std::optional<sdp::MediaDescription> out;
    if (state_.data.mLineIndex == i) {
      out = data(offered);
    } else if (const TransceiverState* t = state_.findByIndex(i)) {
      out = media(*t, offered, i, *transport);
    }
    if (!out) return rejectedSection(offered);
    used_.insert(*leaders_[i]);
    taken_.insert(*leaders_[i]);
    out->transport = localTransport(capabilities_, transport->ice, transport->setup);
    return *std::move(out);
  }

  /// One way of reporting per transport: RFC 8888 only where the peer knows no other of ours.
  bool offersTransportCc() const {
    const sdp::RtcpFeedback transportCc{"transport-cc", {}};
    return std::any_of(offer_.media.begin(), offer_.media.end(), [&](const auto& section) {
      const auto& wild = section.wildcardFeedback;
      return std::find(wild.begin(), wild.end(), transportCc) != wild.end() ||
             std::any_of(section.codecs.begin(), section.codecs.end(),
                         [](const auto& codec) { return codec.hasFeedback("transport-cc"); });
    });
  }

  std::optional<sdp::MediaDescription> data(const sdp::MediaDescription& offered) const {
    if (!offered.isSctp() || offered.effectiveSctpPort() == 0) return std::nullopt;
    sdp::MediaDescription out = dataSection(capabilities_, {});
    out.mid = offered.mid;
    out.protocol = offered.protocol;
    if (!offered.sctpPort && offered.sctpMap) {  // the form before RFC 8841 is answered in kind
      out.formats = {std::to_string(capabilities_.sctpPort)};
      out.sctpMap = sdp::SctpMap{capabilities_.sctpPort, kDataFormat, 1024};
      out.sctpPort.reset();
    }
    return out;
  }

  std::optional<sdp::MediaDescription> media(const TransceiverState& t,
                                             const sdp::MediaDescription& offered, size_t i,
                                             Transport& transport) {
    if (t.stopped || !offered.isRtp() || !usesRtcpMux(offer_, i)) return std::nullopt;
    sdp::MediaDescription out;
    FormatMemory formats = transport.formats;
    out.codecs = answerCodecs(offered, codecsFor(capabilities_, t.kind), t.codecPreferences,
                              formats, !offersTransportCc());
    if (!hasPrimaryCodec(out.codecs)) return std::nullopt;
    transport.formats = std::move(formats);

    out.media = offered.media;
    out.protocol = offered.protocol;
    out.connection = sdp::Connection{};
    out.mid = offered.mid;
    // webrtc-pc section 5.4: an answer only silences what the application has begun to stop; the
    // next offer of ours takes the section away.
    out.direction =
        t.stopping ? sdp::Direction::Inactive
                   : sdp::intersection(t.direction, sdp::reversed(offer_.directionOf(offered)));
    out.rtcpMux = true;
    out.rtcpReducedSize = offered.rtcpReducedSize;
    if (auto xr = answerReports(offered)) out.otherAttributes.push_back(*std::move(xr));
    out.extmapAllowMixed = offered.extmapAllowMixed;
    out.cryptex = offered.cryptex && takesCryptex();
    out.extmaps = answerExtensions(offer_.extmapsOf(offered), extensionsFor(capabilities_, t.kind),
                                   t.headerExtensions, transport.extensions);
    const bool simulcast = answerSimulcast(t, offered, out);
    describeSender(out, t, state_.cname, simulcast);
    return out;
  }

  /// RFC 3611 section 5.2: of what is offered, as it is offered, what we do too.
  std::optional<sdp::Attribute> answerReports(const sdp::MediaDescription& offered) const {
    for (const auto* attributes : {&offered.otherAttributes, &offer_.otherAttributes}) {
      for (const sdp::Attribute& a : *attributes) {
        if (a.name != kRtcpXr || !a.value) continue;
        std::string_view formats = *a.value;
        while (!formats.empty()) {
          const std::string_view format = cutToken(formats, ' ');
          if (format == "rcvr-rtt=all" || format == "rcvr-rtt=sender")
            return sdp::Attribute{kRtcpXr, std::string(format)};
        }
        return std::nullopt;  // the section's own word counts
      }
    }
    return std::nullopt;
  }

  /// RFC 8853 section 5.3.2: rids that we send and they offered to receive, and, if we can, the
  /// other way round. Returns whether we send simulcast.
  bool answerSimulcast(const TransceiverState& t, const sdp::MediaDescription& offered,
                       sdp::MediaDescription& out) const {
    if (!offered.simulcast) return false;
    sdp::Simulcast answer;
    const auto& encodings = t.sender.encodings;
    if (sdp::sends(*out.direction) && encodings.size() > 1 && !t.sender.layersBySsrc) {
      for (const auto& alternatives : offered.simulcast->recv) {
        for (const sdp::SimulcastRid& r : alternatives) {
          const bool ours = std::any_of(encodings.begin(), encodings.end(),
                                        [&](const Encoding& e) { return e.rid == r.id; });
          const bool repeated =
              std::any_of(out.rids.begin(), out.rids.end(),
                          [&](const sdp::Rid& known) { return known.id == r.id; });
          if (!ours || repeated) continue;
          answer.send.push_back({{r.id, false}});
          out.rids.push_back({r.id, true, {}, {}});
          break;
        }
      }
    }
    if (sdp::receives(*out.direction) &&
        (capabilities_.receiveSimulcast || !t.receiveRids.empty())) {
      for (const auto& alternatives : offered.simulcast->send) {
        const sdp::SimulcastRid& first = alternatives.front();
        const bool declared =
            std::any_of(offered.rids.begin(), offered.rids.end(),
                        [&](const sdp::Rid& r) { return r.send && r.id == first.id; });
        if (!declared) continue;
        answer.recv.push_back({{first.id, false}});
        out.rids.push_back({first.id, false, {}, {}});
      }
    }
    const bool sending = !answer.send.empty();
    if (sending || !answer.recv.empty()) out.simulcast = std::move(answer);
    return sending;
  }

  /// RFC 9143 section 7.3: a subset of the offered group, in its order.
  void addBundle(sdp::SessionDescription& d) const {
    const auto accepted = [&](const std::string& mid) {
      const sdp::MediaDescription* m = d.findMid(mid);
      return m != nullptr && !m->isRejected();
    };
    for (const sdp::Group& g : offer_.groups) {
      if (g.semantics != "BUNDLE") continue;
      sdp::Group answer{"BUNDLE", {}};
      std::copy_if(g.mids.begin(), g.mids.end(), std::back_inserter(answer.mids), accepted);
      if (!answer.mids.empty()) d.groups.push_back(std::move(answer));
    }
  }

  const SessionState& state_;
  const LocalCapabilities& capabilities_;
  const sdp::SessionDescription& offer_;
  std::vector<std::optional<size_t>> leaders_;
  std::map<size_t, Transport> transports_;  ///< by the section that leads it
  bool exclusive_ = false;
  std::set<size_t> used_;   ///< leaders of what is accepted
  std::set<size_t> taken_;  ///< and of what lives: a section before theirs does not push them out
};

}  // namespace

Result<void> checkAnswerState(const SessionState& state) {
  if (state.signaling != SignalingState::HaveRemoteOffer &&
      state.signaling != SignalingState::HaveLocalPranswer) {
    return fail(ErrorCode::InvalidState,
                std::string("createAnswer needs a remote offer, not ") + toString(state.signaling));
  }
  return ok();
}

Result<sdp::SessionDescription> createAnswer(const SessionState& state,
                                             const LocalCapabilities& capabilities) {
  if (Result<void> possible = checkAnswerState(state); !possible) return fail(possible.error());
  return AnswerBuilder(state, capabilities).build();
}

}  // namespace parley::jsep
