#include "parley/api/rtp_transceiver.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "parley/rtp/extensions/playout_delay.h"

#include "api/configuration_check.h"
#include "api/forwarding_runtime.h"
#include "api/media_runtime.h"
#include "api/peer_connection_core.h"
#include "api/sframe_keys.h"
#include "api/sframe_state.h"

namespace parley {

using api_internal::AppTransform;
using api_internal::LoopCore;
using api_internal::PeerConnectionCore;
using api_internal::Step;
using api_internal::TransceiverSlots;

namespace {

Failure closedError() {
  return fail(ErrorCode::InvalidState, "the connection is closed");
}

}  // namespace

RtpSender::RtpSender(std::shared_ptr<PeerConnectionCore> core, uint32_t transceiver)
    : core_(std::move(core)), slots_(core_->slots(transceiver)), transceiver_(transceiver) {}
RtpReceiver::RtpReceiver(std::shared_ptr<PeerConnectionCore> core, uint32_t transceiver)
    : core_(std::move(core)), slots_(core_->slots(transceiver)), transceiver_(transceiver) {}
RtpTransceiver::RtpTransceiver(std::shared_ptr<PeerConnectionCore> core, uint32_t transceiver)
    : core_(std::move(core)), slots_(core_->slots(transceiver)), transceiver_(transceiver) {}

RtpSender::RtpSender(std::shared_ptr<PeerConnectionCore> core,
                     std::shared_ptr<TransceiverSlots> slots)
    : core_(std::move(core)), slots_(std::move(slots)), transceiver_(slots_->id) {}
RtpReceiver::RtpReceiver(std::shared_ptr<PeerConnectionCore> core,
                         std::shared_ptr<TransceiverSlots> slots)
    : core_(std::move(core)), slots_(std::move(slots)), transceiver_(slots_->id) {}
RtpTransceiver::RtpTransceiver(std::shared_ptr<PeerConnectionCore> core,
                               std::shared_ptr<TransceiverSlots> slots)
    : core_(std::move(core)), slots_(std::move(slots)), transceiver_(slots_->id) {}

MediaStreamTrack RtpSender::track() const {
  const LoopCore::Lock lock(core_->loop());
  return MediaStreamTrack(slots_->senderTrack);
}

void RtpSender::replaceTrack(MediaStreamTrack track, std::function<void(Result<void>)> done) {
  const LoopCore::Lock lock(core_->loop());
  PeerConnectionCore* self = core_.get();
  const uint32_t id = transceiver_;
  if (track && track.kind() != slots_->kind) {
    self->settle<void>(std::move(done),
                       fail(ErrorCode::Type, "the new track is of the other kind"));
    return;
  }
  const auto check = [self, id, track]() -> Result<void> {
    const jsep::TransceiverState* state = self->transceiver(id);
    if (!state || state->stopped || state->stopping)
      return fail(ErrorCode::InvalidState, "the transceiver has stopped");
    return self->loop().media().checkSenderTrack(*self, id, track.core().get());
  };
  self->chain<void>(std::move(done), check, [self, id, track, check](Step&) {
    Result<void> result = check();
    if (!result) return result;
    self->setSenderTrack(id, track.core());
    self->session()->setSenderHasTrack(id, static_cast<bool>(track));
    self->afterCall(self->loop().now());
    return result;
  });
  self->loop().wake();
}

RtpSendParameters RtpSender::getParameters() const {
  const LoopCore::Lock lock(core_->loop());
  return core_->sendParameters(slots_);
}

void RtpSender::setParameters(RtpSendParameters parameters, std::function<void(Result<void>)> done,
                              const SetParameterOptions& options) {
  const LoopCore::Lock lock(core_->loop());
  core_->setSendParameters(slots_, std::move(parameters), options, std::move(done));
}

Result<void> RtpSender::setStreams(std::vector<std::string> streams) {
  const LoopCore::Lock lock(core_->loop());
  if (core_->closed()) return closedError();
  const Timestamp now = core_->loop().now();
  if (Result<void> set = core_->session()->setStreams(transceiver_, std::move(streams), now); !set)
    return set;
  core_->updateNegotiationNeeded();
  core_->afterCall(now);
  return ok();
}

RtpCapabilities RtpSender::getCapabilities(MediaKind kind) {
  return getCapabilities(kind, {});
}
RtpCapabilities RtpSender::getCapabilities(MediaKind kind, const Configuration& configuration) {
  return api_internal::capabilitiesWith(configuration, kind);
}
RtpCapabilities RtpReceiver::getCapabilities(MediaKind kind) {
  return getCapabilities(kind, {});
}
RtpCapabilities RtpReceiver::getCapabilities(MediaKind kind, const Configuration& configuration) {
  RtpCapabilities out = api_internal::capabilitiesWith(configuration, kind);
  out.scalability.clear();  // a receiver takes whatever comes
  return out;
}

namespace {

DtlsTransport transportOf(const std::shared_ptr<PeerConnectionCore>& core,
                          const TransceiverSlots& slots) {
  const LoopCore::Lock lock(core->loop());
  if (core->closed())
    return slots.hadTransport ? DtlsTransport(core, slots.transportOwnOf) : DtlsTransport();
  const jsep::TransceiverState* state = core->transceiver(slots.id);
  if (!state || !core->hasTransport(*state)) return {};
  return DtlsTransport(core, core->ownTransport(*state->negotiated.mLineIndex));
}

}  // namespace

DtlsTransport RtpSender::transport() const {
  return transportOf(core_, *slots_);
}
DtlsTransport RtpReceiver::transport() const {
  return transportOf(core_, *slots_);
}

namespace {

/// The kind of a transceiver that is neither stopped nor on a closed connection. The lock is held.
Result<MediaKind> liveKind(PeerConnectionCore& core, uint32_t id) {
  const jsep::TransceiverState* state = core.closed() ? nullptr : core.transceiver(id);
  if (!state || state->stopping || state->stopped)
    return fail(ErrorCode::InvalidState, "the transceiver has stopped, or the connection closed");
  return core.receiverTrack(id)->kind;
}

/// A transform sees no packets that are ready made: where those are sent, one that encrypts would
/// leave them in clear. The lock is held.
Result<void> checkSendsFrames(PeerConnectionCore& core, uint32_t id) {
  const std::shared_ptr<api_internal::TrackCore> track = core.senderTrack(id);
  if (track && track->rtp)
    return fail(ErrorCode::InvalidState, "the sender's track is of packets: no transform sees it");
  if (core.loop().forwarding().isSubscribed(core, id))
    return fail(ErrorCode::InvalidState, "the sender sends what a Forwarder has");
  return ok();
}

Result<void> transformSent(PeerConnectionCore& core, uint32_t id, AppTransform transform) {
  const LoopCore::Lock lock(core.loop());
  const Result<MediaKind> kind = liveKind(core, id);
  if (!kind) return fail(kind.error());
  if (Result<void> frames = transform ? checkSendsFrames(core, id) : ok(); !frames) return frames;
  core.loop().media().setSenderTransform(core, id, *kind, std::move(transform));
  return ok();
}

Result<void> transformReceived(PeerConnectionCore& core, uint32_t id, AppTransform transform) {
  const LoopCore::Lock lock(core.loop());
  const Result<MediaKind> kind = liveKind(core, id);
  if (!kind) return fail(kind.error());
  core.loop().media().setReceiverTransform(core, id, *kind, std::move(transform));
  return ok();
}

/// The transform as a function, if it may be used there.
Result<FrameTransform> sframeOn(const std::shared_ptr<PeerConnectionCore>& core, uint32_t id,
                                const SframeTransform& transform, SframeTransform::Role role) {
  const LoopCore::Lock lock(core->loop());
  const jsep::TransceiverState* state = core->closed() ? nullptr : core->transceiver(id);
  if (!state || state->stopping || state->stopped)
    return fail(ErrorCode::InvalidState, "the transceiver has stopped, or the connection closed");
  const jsep::MediaSettings& media = state->negotiated.media;
  const bool sends = role == SframeTransform::Role::Encrypt;
  if (Result<void> frames = sends ? checkSendsFrames(*core, id) : ok(); !frames)
    return fail(std::move(frames).error());
  const auto& codecs = sends ? media.sendCodecs : media.receiveCodecs;
  const auto first = std::find_if(codecs.begin(), codecs.end(), [](const sdp::CodecParams& codec) {
    return !codec.isAuxiliary();
  });
  if (state->negotiated.currentDirection && first != codecs.end()) {
    const std::string mime = std::string(sdp::toString(state->kind)) + "/" + first->name;
    if (!api_internal::canSframe(mime))
      return fail(ErrorCode::NotSupported, "frames of " + mime + " cannot be encrypted");
  }
  const Result<void> attached = transform.state()->attach(role, core->loop().sframeKeys(), core);
  if (!attached) return fail(attached.error());
  return transform.transform();
}

}  // namespace

Result<void> RtpSender::setTransform(const SframeTransform& transform) {
  auto checked = sframeOn(core_, transceiver_, transform, SframeTransform::Role::Encrypt);
  if (!checked) return fail(std::move(checked).error());
  return setTransform(*std::move(checked));
}
Result<void> RtpReceiver::setTransform(const SframeTransform& transform) {
  auto checked = sframeOn(core_, transceiver_, transform, SframeTransform::Role::Decrypt);
  if (!checked) return fail(std::move(checked).error());
  return setTransform(*std::move(checked));
}

Result<void> RtpSender::setTransform(FrameTransform transform) {
  return transformSent(*core_, transceiver_, {std::move(transform), {}});
}
Result<void> RtpSender::setReader(FrameReader reader) {
  return transformSent(*core_, transceiver_, {{}, std::move(reader)});
}
Result<void> RtpReceiver::setTransform(FrameTransform transform) {
  return transformReceived(*core_, transceiver_, {std::move(transform), {}});
}
Result<void> RtpReceiver::setReader(FrameReader reader) {
  return transformReceived(*core_, transceiver_, {{}, std::move(reader)});
}

Result<void> RtpSender::generateKeyFrame(const std::vector<std::string>& rids) {
  const LoopCore::Lock lock(core_->loop());
  const Result<MediaKind> kind = liveKind(*core_, transceiver_);
  if (!kind) return fail(kind.error());
  if (*kind != MediaKind::Video) return fail(ErrorCode::InvalidState, "sound has no key frames");
  const auto& encodings = core_->encodings(transceiver_);
  for (const std::string& rid : rids) {
    // A lone encoding keeps its rid when simulcast was turned down, but its stream has none.
    if (encodings.size() < 2 || std::none_of(encodings.begin(), encodings.end(),
                                             [&](const auto& e) { return e.rid == rid; }))
      return fail(ErrorCode::NotFound, "the sender has no encoding with the rid \"" + rid + "\"");
  }
  if (rids.empty()) core_->loop().media().requestKeyFrame(*core_, transceiver_);
  for (const std::string& rid : rids)
    core_->loop().media().requestKeyFrame(*core_, transceiver_, rid);
  core_->loop().wake();
  return ok();
}

Result<void> RtpSender::setPlayoutDelay(std::optional<PlayoutDelay> delay) {
  if (delay) {
    uint8_t bytes[rtp::PlayoutDelay::kMaxSize];
    const bool fits = delay->min >= Duration::zero() &&
                      rtp::PlayoutDelay::write({delay->min, delay->max}, bytes) != 0;
    if (!fits) return fail(ErrorCode::Range, "a playout delay has 0 <= min <= max <= 40.95 s");
  }
  const LoopCore::Lock lock(core_->loop());
  const Result<MediaKind> kind = liveKind(*core_, transceiver_);
  if (!kind) return fail(kind.error());
  if (*kind != MediaKind::Video)
    return fail(ErrorCode::InvalidState, "only pictures have a playout delay");
  slots_->playoutDelay = delay;
  core_->tuneSender(transceiver_);
  core_->afterCall(core_->loop().now());
  return ok();
}

DtmfSender RtpSender::dtmf() const {
  return slots_->kind == MediaKind::Audio ? DtmfSender(core_, slots_) : DtmfSender();
}

void RtpSender::getStats(std::function<void(Result<StatsReport>)> done) const {
  const LoopCore::Lock lock(core_->loop());
  core_->getStats({transceiver_, {}}, std::move(done));
}
void RtpReceiver::getStats(std::function<void(Result<StatsReport>)> done) const {
  const LoopCore::Lock lock(core_->loop());
  core_->getStats({{}, transceiver_}, std::move(done));
}

MediaStreamTrack RtpReceiver::track() const {
  const LoopCore::Lock lock(core_->loop());
  return MediaStreamTrack(slots_->receiverTrack);
}

RtpReceiveParameters RtpReceiver::getParameters() const {
  const LoopCore::Lock lock(core_->loop());
  return core_->receiveParameters(transceiver_);
}

namespace {

/// Q32.32 seconds.
constexpr double kFixedPointSecond = 4294967296.0;

double fixedPointMs(uint64_t value) {
  return static_cast<double>(value) / kFixedPointSecond * 1000;
}

std::vector<RtpContributingSource> sourcesOf(PeerConnectionCore& core, uint32_t id,
                                             bool contributing) {
  const LoopCore::Lock lock(core.loop());
  std::vector<RtpContributingSource> out;
  const media::RtpSession* rtp =
      core.closed() || !core.session() ? nullptr : core.session()->rtpOf(id);
  if (!rtp) return out;
  std::vector<media::RtpSource> heard;
  rtp->sources(media::ReceiverId(id), core.loop().now(), heard);
  const WallClock& wall = core.loop().endpoint().environment().wallClock;
  for (const media::RtpSource& source : heard) {
    if (source.isContributing != contributing) continue;
    RtpContributingSource entry;
    entry.timestampMs = static_cast<double>(wall.unixNanosAt(source.lastHeard)) / 1e6;
    entry.source = source.source;
    entry.rtpTimestamp = source.rtpTimestamp;
    // RFC 6464: -dBov; W3C 5.3: linear, and 127 is silence.
    if (source.audioLevel)
      entry.audioLevel =
          *source.audioLevel >= 127 ? 0.0 : std::pow(10.0, -*source.audioLevel / 20.0);
    if (source.captureTime) entry.captureTimestampMs = fixedPointMs(source.captureTime->value);
    if (source.captureClockOffset) {
      entry.senderCaptureTimeOffsetMs =
          static_cast<double>(*source.captureClockOffset) / kFixedPointSecond * 1000;
    }
    out.push_back(entry);
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const auto& a, const auto& b) { return a.timestampMs > b.timestampMs; });
  return out;
}

}  // namespace

std::vector<RtpContributingSource> RtpReceiver::getContributingSources() const {
  return sourcesOf(*core_, transceiver_, true);
}
std::vector<RtpContributingSource> RtpReceiver::getSynchronizationSources() const {
  return sourcesOf(*core_, transceiver_, false);
}

std::optional<double> RtpReceiver::jitterBufferTarget() const {
  const LoopCore::Lock lock(core_->loop());
  return slots_->jitterBufferTarget;
}

Result<void> RtpReceiver::setJitterBufferTarget(std::optional<double> milliseconds) {
  if (milliseconds && !(*milliseconds >= 0 && *milliseconds <= 4000)) {
    return fail(ErrorCode::Range, "jitterBufferTarget lies between 0 and 4000 milliseconds");
  }
  const LoopCore::Lock lock(core_->loop());
  slots_->jitterBufferTarget = milliseconds;
  if (!core_->closed() && core_->transceiver(transceiver_)) {
    core_->session()->setMinimumPlayoutDelay(
        transceiver_, Duration::fromSeconds(milliseconds.value_or(0) / 1000));
  }
  return ok();
}

void RtpReceiver::onTelephoneEvent(std::function<void(const TelephoneEvent&)> callback) {
  const LoopCore::Lock lock(core_->loop());
  // Of a transceiver that is gone nothing is told any more, nor kept.
  if (core_->closed() || !core_->transceiver(transceiver_)) return;
  // The old one dies after the lock.
  std::swap(core_->callbacks.telephoneEvents[transceiver_], callback);
}

void RtpReceiver::requestKeyFrame() {
  const LoopCore::Lock lock(core_->loop());
  if (core_->closed()) return;
  const Timestamp now = core_->loop().now();
  core_->session()->requestKeyFrame(transceiver_, now);
  core_->afterCall(now);
}

std::optional<std::string> RtpTransceiver::mid() const {
  const LoopCore::Lock lock(core_->loop());
  if (core_->closed()) return slots_->mid;
  const jsep::TransceiverState* state = core_->transceiver(transceiver_);
  return state ? state->negotiated.mid : std::nullopt;
}

MediaKind RtpTransceiver::kind() const {
  return slots_->kind;
}

RtpSender RtpTransceiver::sender() const {
  return RtpSender(core_, slots_);
}
RtpReceiver RtpTransceiver::receiver() const {
  return RtpReceiver(core_, slots_);
}

TransceiverDirection RtpTransceiver::direction() const {
  const LoopCore::Lock lock(core_->loop());
  const jsep::TransceiverState* state = core_->transceiver(transceiver_);
  if (core_->closed() || !state || state->stopped || state->stopping)
    return TransceiverDirection::Stopped;
  return api_internal::fromSdp(state->direction);
}

Result<void> RtpTransceiver::setDirection(TransceiverDirection direction) {
  const LoopCore::Lock lock(core_->loop());
  if (core_->closed()) return closedError();
  const Timestamp now = core_->loop().now();
  Result<void> result = core_->session()->setDirection(transceiver_, direction, now);
  if (result) core_->updateNegotiationNeeded();
  core_->afterCall(now);
  return result;
}

std::optional<TransceiverDirection> RtpTransceiver::currentDirection() const {
  const LoopCore::Lock lock(core_->loop());
  const jsep::TransceiverState* state = core_->transceiver(transceiver_);
  if (core_->closed() || !state || state->stopped) return TransceiverDirection::Stopped;
  if (!state->negotiated.currentDirection) return std::nullopt;
  return api_internal::fromSdp(*state->negotiated.currentDirection);
}

bool RtpTransceiver::stopped() const {
  const LoopCore::Lock lock(core_->loop());
  const jsep::TransceiverState* state = core_->transceiver(transceiver_);
  return core_->closed() || !state || state->stopped;
}

Result<void> RtpTransceiver::stop() {
  const LoopCore::Lock lock(core_->loop());
  if (core_->closed()) return closedError();
  const jsep::TransceiverState* state = core_->transceiver(transceiver_);
  if (!state || state->stopping || state->stopped) return ok();
  const Timestamp now = core_->loop().now();
  core_->session()->stopTransceiver(transceiver_, now);
  core_->loop().media().stopSender(*core_, transceiver_);
  core_->loop().media().stopReceiver(*core_, transceiver_);
  core_->endReceiverTrack(transceiver_);
  core_->updateNegotiationNeeded();
  core_->afterCall(now);
  return ok();
}

Result<void> RtpTransceiver::setCodecPreferences(std::vector<RtpCodec> codecs) {
  const LoopCore::Lock lock(core_->loop());
  if (core_->closed()) return closedError();
  const std::vector<RtpCodec> known =
      api_internal::capabilityCodecs(core_->configuration(), slots_->kind);
  for (const RtpCodec& codec : codecs) {
    const bool there = std::any_of(known.begin(), known.end(), [&](const RtpCodec& capability) {
      return api_internal::sameCodec(capability, codec);
    });
    if (!there) {
      return fail(ErrorCode::InvalidModification,
                  "codec " + codec.mimeType + " is not one of PeerConnection::capabilities()");
    }
  }
  const Timestamp now = core_->loop().now();
  Result<void> result =
      core_->session()->setCodecPreferences(transceiver_, api_internal::toPreferences(codecs), now);
  core_->afterCall(now);
  return result;
}

std::vector<RtpHeaderExtensionCapability> RtpTransceiver::getHeaderExtensionsToNegotiate() const {
  const LoopCore::Lock lock(core_->loop());
  std::vector<RtpHeaderExtensionCapability> out;
  const jsep::TransceiverState* state = core_->transceiver(transceiver_);
  for (const auto& capability : core_->headerExtensions(slots_->kind)) {
    RtpHeaderExtensionCapability entry = api_internal::fromCapability(capability);
    if (state) {
      for (const jsep::HeaderExtensionChoice& choice : state->headerExtensions) {
        if (choice.uri != entry.uri) continue;
        entry.direction = choice.direction ? api_internal::fromSdp(*choice.direction)
                                           : TransceiverDirection::Stopped;
      }
    }
    out.push_back(std::move(entry));
  }
  return out;
}

Result<void> RtpTransceiver::setHeaderExtensionsToNegotiate(
    const std::vector<RtpHeaderExtensionCapability>& extensions) {
  const auto known = getHeaderExtensionsToNegotiate();
  const LoopCore::Lock lock(core_->loop());
  if (core_->closed()) return closedError();
  for (const RtpHeaderExtensionCapability& extension : extensions) {
    if (extension.uri.empty()) return fail(ErrorCode::Type, "a header extension without URI");
  }
  const bool same = std::equal(extensions.begin(), extensions.end(), known.begin(), known.end(),
                               [](const auto& a, const auto& b) { return a.uri == b.uri; });
  if (!same) {
    return fail(ErrorCode::InvalidModification,
                "give back the list of getHeaderExtensionsToNegotiate() with other directions");
  }
  std::vector<jsep::HeaderExtensionChoice> choices;
  for (const RtpHeaderExtensionCapability& extension : extensions) {
    const bool stops = extension.direction == TransceiverDirection::Stopped;
    // RFC 9143 section 9.2: bundled media is told apart by it.
    if (extension.uri == "urn:ietf:params:rtp-hdrext:sdes:mid" &&
        extension.direction != TransceiverDirection::SendRecv) {
      return fail(ErrorCode::InvalidModification, "the mid header extension cannot be stopped");
    }
    jsep::HeaderExtensionChoice choice{extension.uri, {}};
    if (!stops) {
      choice.direction =
          sdp::directionOf(jsep::sends(extension.direction), jsep::receives(extension.direction));
    }
    choices.push_back(std::move(choice));
  }
  core_->session()->setHeaderExtensions(transceiver_, std::move(choices));
  return ok();
}

bool RtpTransceiver::rtpHeaderEncryptionNegotiated() const {
  const LoopCore::Lock lock(core_->loop());
  const jsep::TransceiverState* state = core_->transceiver(transceiver_);
  return state && state->negotiated.currentDirection && state->negotiated.media.cryptex;
}

std::vector<RtpHeaderExtensionCapability> RtpTransceiver::getNegotiatedHeaderExtensions() const {
  const LoopCore::Lock lock(core_->loop());
  std::vector<RtpHeaderExtensionCapability> out;
  const jsep::TransceiverState* state = core_->transceiver(transceiver_);
  for (const auto& capability : core_->headerExtensions(slots_->kind)) {
    RtpHeaderExtensionCapability entry{capability.uri, TransceiverDirection::Stopped};
    if (state && state->negotiated.currentDirection) {
      for (const jsep::NegotiatedExtension& extension : state->negotiated.media.extensions) {
        if (extension.uri == capability.uri)
          entry.direction = jsep::makeDirection(extension.send, extension.receive);
      }
    }
    out.push_back(std::move(entry));
  }
  return out;
}

}  // namespace parley
