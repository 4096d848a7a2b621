// RTCRtpSender.getParameters and setParameters (webrtc-pc section 5.2),
// RTCRtpReceiver.getParameters, and what a sender is told about its encodings.

#include <algorithm>
#include <utility>

#include "parley/base/text.h"

#include "api/configuration_check.h"
#include "api/media_runtime.h"
#include "api/peer_connection_core.h"
#include "api/twin_enums.h"

namespace parley::api_internal {
namespace {

MediaKind kindOf(const jsep::TransceiverState& state) {
  return state.kind == sdp::MediaKind::Audio ? MediaKind::Audio : MediaKind::Video;
}

std::vector<RtpCodecParameters> toApi(const std::vector<sdp::CodecParams>& codecs, MediaKind kind) {
  std::vector<RtpCodecParameters> out;
  for (const sdp::CodecParams& codec : codecs)
    out.push_back({fromSdp(codec, kind), codec.payloadType});
  return out;
}

std::vector<RtpHeaderExtensionParameters> toApi(
    const std::vector<jsep::NegotiatedExtension>& extensions, bool sending) {
  std::vector<RtpHeaderExtensionParameters> out;
  for (const jsep::NegotiatedExtension& extension : extensions) {
    if (sending ? extension.send : extension.receive)
      out.push_back({extension.uri, extension.id, extension.encrypted});
  }
  return out;
}

}  // namespace

const jsep::TransceiverState* PeerConnectionCore::transceiver(uint32_t id) {
  if (closed_) {
    const auto& last = lastSeen_.transceivers;
    const auto it =
        std::find_if(last.begin(), last.end(), [id](const auto& t) { return t.id.value == id; });
    return it == last.end() ? nullptr : &*it;
  }
  jsep::Session* session = this->session();
  return session ? session->transceiver(id) : nullptr;
}

std::vector<uint32_t> PeerConnectionCore::transceiverIds() {
  const jsep::Session* session = closed_ ? nullptr : this->session();
  const auto& all = session ? session->state().transceivers : lastSeen_.transceivers;
  std::vector<uint32_t> out;
  for (const jsep::TransceiverState& t : all) out.push_back(t.id.value);
  return out;
}

// W3C 5.1: senders and receivers of transceivers that have stopped are not in the lists.
std::vector<uint32_t> PeerConnectionCore::activeTransceiverIds() {
  if (closed_) return lastSeen_.activeTransceivers;
  std::vector<uint32_t> out = transceiverIds();
  std::erase_if(out, [this](uint32_t id) {
    const jsep::TransceiverState* state = transceiver(id);
    return !state || state->stopped;
  });
  return out;
}

namespace {

jsep::SenderTuning tuningOf(const RtpEncodingParameters& encoding) {
  jsep::SenderTuning out;
  out.maxBitrate = encoding.maxBitrate;
  // webrtc-priority section 4 takes its weights from RFC 8831 section 6.4: each level twice the one
  // below.
  constexpr double kWeights[] = {0.5, 1, 2, 4};
  out.priority = kWeights[static_cast<size_t>(encoding.priority)];
  PARLEY_SAME_NUMBERS(PriorityType, media::NetworkPriority, VeryLow, Low, Medium, High);
  out.networkPriority = static_cast<media::NetworkPriority>(encoding.networkPriority);
  out.active = encoding.active;
  out.scaleDownBy = encoding.scaleResolutionDownBy.value_or(1.0);
  // Which layer is the smallest follows from the sizes asked for, where there are some.
  if (const auto& to = encoding.scaleResolutionDownTo)
    out.scaleDownBy = 16384.0 / std::max(to->maxWidth, to->maxHeight);
  if (encoding.codec) out.codec = toPreferences({*encoding.codec}).front();
  return out;
}

/// The names of the codecs that a track's frames can be sent in; empty if that is any which is
/// negotiated.
std::vector<std::string> codecsOf(const std::shared_ptr<TrackCore>& track,
                                  const Configuration& configuration) {
  if (track && !track->encodedCodec.empty()) return {track->encodedCodec};
  std::vector<std::string> out;
  if (!track) return out;
  if (track->kind == MediaKind::Audio && !configuration.encodedAudioFormats.empty()) {
    for (const auto& format : configuration.audioEncoders->supportedFormats())
      out.push_back(format.name);
  }
  if (track->kind == MediaKind::Video && !configuration.encodedVideoFormats.empty()) {
    for (const auto& format : configuration.videoEncoders->supportedFormats())
      out.push_back(format.name);
  }
  return out;
}

}  // namespace

namespace {

std::vector<RtpEncodingParameters>& filled(TransceiverSlots& slots) {
  if (slots.encodings.empty()) slots.encodings = defaultEncodings(slots.kind, {});
  return slots.encodings;
}

}  // namespace

const std::vector<RtpEncodingParameters>& PeerConnectionCore::encodings(uint32_t id) {
  const auto it = slots_.find(id);
  if (it != slots_.end()) return filled(*it->second);
  static const std::vector<RtpEncodingParameters> kOfNone(1);
  return kOfNone;
}

void PeerConnectionCore::setEncodings(uint32_t id, std::vector<RtpEncodingParameters> list) {
  const std::shared_ptr<TransceiverSlots> slots = this->slots(id);
  slots->encodings = std::move(list);
  loop_->media().setEncodings(*this, id, slots->encodings);
  tuneSender(id);
}

void PeerConnectionCore::forgetReturnedParameters() {
  for (const auto& [id, slots] : slots_) slots->lastParameters.reset();
}

void PeerConnectionCore::tuneSender(uint32_t id) {
  jsep::Session* session = this->session();
  if (!session) return;
  const std::vector<std::string> makes = codecsOf(senderTrack(id), configuration_);
  const std::optional<PlayoutDelay> delay = slots(id)->playoutDelay;
  std::vector<jsep::SenderTuning> tunings;
  for (const RtpEncodingParameters& encoding : encodings(id)) {
    tunings.push_back(tuningOf(encoding));
    tunings.back().makes = makes;
    if (delay) tunings.back().playoutDelay = {delay->min, delay->max};
  }
  session->tuneSender(id, tunings, loop_->now());
}

namespace {

/// webrtc-svc section 4.2.2: a mode that the codec in use does not have gives way. True if so.
bool keepKnownMode(RtpEncodingParameters& encoding, const std::vector<sdp::CodecParams>& negotiated,
                   const std::vector<RtpCapabilities::Scalability>& scalability) {
  if (!encoding.scalabilityMode) return false;
  std::optional<RtpCodec> codec = encoding.codec;
  for (const sdp::CodecParams& c : negotiated) {
    if (!codec && !c.isAuxiliary()) codec = fromSdp(c, MediaKind::Video);
  }
  if (!codec || hasScalabilityMode(scalability, codec, *encoding.scalabilityMode)) return false;
  encoding.scalabilityMode = "L1T1";
  return true;
}

}  // namespace

// webrtc-pc section 4.4.1.5: a description may take layers away, or bring those that the peer
// proposes; and a codec that is negotiated no more is chosen no more.
void PeerConnectionCore::syncEncodings() {
  jsep::Session* session = this->session();
  if (!session) return;
  for (const jsep::TransceiverState& t : session->state().transceivers) {
    ensureReceiver(t.id.value, kindOf(t));  // whole as soon as a remote offer has made it
    TransceiverSlots& slots = *slots_[t.id.value];
    std::vector<RtpEncodingParameters>& list = filled(slots);
    std::vector<std::string> rids;
    for (const jsep::Encoding& encoding : t.sender.encodings) rids.push_back(encoding.rid);
    const auto ridOf = [](const RtpEncodingParameters& e) { return e.rid.value_or(""); };
    const bool same = std::equal(list.begin(), list.end(), rids.begin(), rids.end(),
                                 [&](const auto& e, const auto& rid) { return ridOf(e) == rid; });
    bool changed = !same;
    if (!same) {
      // Layers of the peer's come and, when its offer is rolled back, go.
      if (rids.size() > 1 && list.size() == 1 && !list[0].rid) slots.ridless = list;
      std::vector<RtpEncodingParameters> next = defaultEncodings(kindOf(t), rids);
      for (RtpEncodingParameters& encoding : next) {
        const auto known = std::find_if(list.begin(), list.end(),
                                        [&](const auto& e) { return ridOf(e) == ridOf(encoding); });
        if (known != list.end()) encoding = *known;
      }
      if (rids.size() == 1 && rids[0].empty() && !slots.ridless.empty()) next = slots.ridless;
      list = std::move(next);
    }
    const auto& negotiated = t.negotiated.media.sendCodecs;
    for (RtpEncodingParameters& encoding : list) {
      if (!encoding.codec || negotiated.empty()) continue;
      const bool there = std::any_of(negotiated.begin(), negotiated.end(), [&](const auto& codec) {
        return sameCodec(fromSdp(codec, kindOf(t)), *encoding.codec);
      });
      if (there) continue;
      encoding.codec.reset();
      changed = true;
    }
    if (kindOf(t) == MediaKind::Video) {
      const auto hasMode = [](const auto& e) { return e.scalabilityMode.has_value(); };
      if (std::any_of(list.begin(), list.end(), hasMode)) {
        const auto scalability = scalabilityOf(configuration_);
        for (RtpEncodingParameters& encoding : list)
          changed = keepKnownMode(encoding, negotiated, scalability) || changed;
      }
    }
    if (changed) setEncodings(t.id.value, std::vector(list));
  }
}

RtpSendParameters PeerConnectionCore::sendParameters(
    const std::shared_ptr<TransceiverSlots>& slots) {
  const bool turns = loop_->onDeliveryThread();
  if (turns && slots->lastParameters) return *slots->lastParameters;
  RtpSendParameters out;
  out.transactionId = loop_->endpoint().environment().random.uuid();
  out.encodings = filled(*slots);
  if (const jsep::TransceiverState* state = transceiver(slots->id)) {
    out.codecs = toApi(state->negotiated.media.sendCodecs, kindOf(*state));
    out.headerExtensions = toApi(state->negotiated.media.extensions, true);
    out.rtcp.reducedSize = state->negotiated.media.rtcpReducedSize;
  }
  out.degradationPreference = slots->degradation;
  if (closed_) {
    out.rtcp.cname = lastSeen_.cname;
  } else if (session()) {
    out.rtcp.cname = session()->state().cname;
  }
  slots->lastParameters = out;
  if (turns) {
    queueTask([self = shared_from_this(), slots, transaction = out.transactionId] {
      const LoopCore::Lock lock(*self->loop_);
      if (slots->lastParameters && slots->lastParameters->transactionId == transaction)
        slots->lastParameters.reset();
    });
    loop_->wake();
  }
  return out;
}

Result<void> PeerConnectionCore::checkSendParameters(const TransceiverSlots& slots,
                                                     RtpSendParameters& parameters) {
  const jsep::TransceiverState* state = transceiver(slots.id);
  if (closed_ || !state || state->stopped || state->stopping) {
    return fail(ErrorCode::InvalidState, "the transceiver has stopped");
  }
  if (!slots.lastParameters) {
    return fail(ErrorCode::InvalidState,
                "call getParameters() first, and setParameters() in the same turn");
  }
  const RtpSendParameters& given = *slots.lastParameters;
  const bool sameLayers = std::equal(parameters.encodings.begin(), parameters.encodings.end(),
                                     given.encodings.begin(), given.encodings.end(),
                                     [](const auto& a, const auto& b) { return a.rid == b.rid; });
  if (!sameLayers) {
    return fail(ErrorCode::InvalidModification,
                "the number of encodings, their rids and their order cannot be changed");
  }
  if (parameters.transactionId != given.transactionId ||
      parameters.headerExtensions != given.headerExtensions || parameters.rtcp != given.rtcp ||
      parameters.codecs != given.codecs) {
    return fail(ErrorCode::InvalidModification,
                "only the encodings of what getParameters() gave last can be changed");
  }
  const MediaKind kind = kindOf(*state);
  // Before negotiation every codec that could be sent may be asked for.
  std::vector<RtpCodec> choices(given.codecs.begin(), given.codecs.end());
  if (choices.empty()) choices = capabilityCodecs(configuration_, kind);
  auto scalability = scalabilityOf(configuration_);
  std::erase_if(scalability, [&](const RtpCapabilities::Scalability& entry) {
    return std::none_of(choices.begin(), choices.end(), [&](const RtpCodec& codec) {
      return equalsIgnoreCase(codec.mimeType, entry.mimeType);
    });
  });
  if (auto values = checkEncodingValues(kind, parameters.encodings, scalability); !values)
    return values;
  if (auto sizes = checkRestrictions(ErrorCode::InvalidModification, parameters.encodings); !sizes)
    return sizes;
  for (RtpEncodingParameters& encoding : parameters.encodings) {
    if (kind == MediaKind::Video && !encoding.scaleResolutionDownBy)
      encoding.scaleResolutionDownBy = 1.0;
    if (!encoding.codec) continue;
    const bool there = !toPreferences({*encoding.codec}).front().isAuxiliary() &&
                       std::any_of(choices.begin(), choices.end(), [&](const RtpCodec& codec) {
                         return sameCodec(codec, *encoding.codec);
                       });
    if (!there) {
      return fail(ErrorCode::InvalidModification,
                  "codec " + encoding.codec->mimeType + " is not negotiated");
    }
  }
  return ok();
}

void PeerConnectionCore::setSendParameters(const std::shared_ptr<TransceiverSlots>& slots,
                                           RtpSendParameters parameters,
                                           const SetParameterOptions& options,
                                           Completion<void> done) {
  Result<void> allowed = checkSendParameters(*slots, parameters);
  const auto& wishes = options.encodingOptions;
  if (allowed && !wishes.empty() && wishes.size() != parameters.encodings.size()) {
    allowed =
        fail(ErrorCode::InvalidModification, "encodingOptions names all encodings, or none at all");
  }
  if (!allowed) {
    settle<void>(std::move(done), std::move(allowed));
    return;
  }
  queueStep([this, slots, options, parameters = std::move(parameters),
             done = std::move(done)](Step& step) {
    const uint32_t id = slots->id;
    slots->lastParameters.reset();
    slots->degradation = parameters.degradationPreference;
    loop_->media().setDegradation(*this, id, parameters.degradationPreference);
    // A description may have come between: what it took away stays away, and what it brought
    // was not meant.
    std::vector<RtpEncodingParameters> next = filled(*slots);
    for (RtpEncodingParameters& encoding : next) {
      const auto given =
          std::find_if(parameters.encodings.begin(), parameters.encodings.end(),
                       [&](const auto& changed) { return changed.rid == encoding.rid; });
      if (given != parameters.encodings.end()) encoding = *given;
    }
    setEncodings(id, std::move(next));
    for (size_t i = 0; i < options.encodingOptions.size(); ++i) {
      if (options.encodingOptions[i].keyFrame)
        loop_->media().requestKeyFrame(*this, id, parameters.encodings[i].rid.value_or(""));
    }
    afterCall(loop_->now());
    finish<void>(step, done, ok());
  });
  loop_->wake();
}

const std::vector<jsep::HeaderExtensionCapability>& PeerConnectionCore::headerExtensions(
    MediaKind kind) {
  if (closed_ || !session())
    return kind == MediaKind::Audio ? lastSeen_.audioExtensions : lastSeen_.videoExtensions;
  const jsep::LocalCapabilities& capabilities = session()->capabilities();
  return kind == MediaKind::Audio ? capabilities.audioExtensions : capabilities.videoExtensions;
}

RtpReceiveParameters PeerConnectionCore::receiveParameters(uint32_t id) {
  RtpReceiveParameters out;
  const jsep::TransceiverState* state = transceiver(id);
  if (!state) return out;
  // W3C 5.3: what an offer of ours would take is not negotiated yet.
  if (state->negotiated.currentDirection)
    out.codecs = toApi(state->negotiated.media.receiveCodecs, kindOf(*state));
  out.headerExtensions = toApi(state->negotiated.media.extensions, false);
  out.rtcp.reducedSize = state->negotiated.media.rtcpReducedSize;
  return out;
}

}  // namespace parley::api_internal
