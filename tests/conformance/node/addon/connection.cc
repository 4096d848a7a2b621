// RTCPeerConnection, its transceivers and their senders and receivers. These are named by the
// connection and the transceiver's number.

#ifdef PARLEY_NODE_DEVICES
#include "parley/devices/codecs.h"
#endif

#include "fields.h"

namespace parley::binding {
namespace {

using Pc = PeerConnection;

/// Everything that happens on a connection goes to one function: `emit(what, ...)`.
void listen(Pc& pc, const JsFunction& emit) {
  pc.onNegotiationNeeded([emit] { emit("negotiationneeded"); });
  pc.onIceCandidate([emit](const std::optional<IceCandidate>& c) { emit("icecandidate", c); });
  pc.onIceCandidateError([emit](const IceCandidateError& e) { emit("icecandidateerror", e); });
  pc.onSignalingStateChange([emit](SignalingState) { emit("signalingstatechange"); });
  pc.onIceGatheringStateChange([emit](IceGatheringState) { emit("icegatheringstatechange"); });
  pc.onIceConnectionStateChange([emit](IceConnectionState) { emit("iceconnectionstatechange"); });
  pc.onConnectionStateChange([emit](PeerConnectionState) { emit("connectionstatechange"); });
  pc.onTrack([emit](const TrackEvent& e) {
    emit("track", e.transceiver.sender().transceiverId(), e.track, e.streams);
  });
  pc.onStreamTrackChange(
      [emit](const StreamTrackEvent& e) { emit("streamtrack", e.stream, e.track, e.added); });
  pc.onDataChannel([emit](const DataChannel& channel) { emit("datachannel", channel); });
  watch(DtlsTransport(pc.core()), emit);
  SctpTransport(pc.core()).onStateChange([emit](SctpTransportState) { emit("sctp.statechange"); });
}

Configuration withCodecs([[maybe_unused]] const Context& context, Configuration configuration) {
#ifdef PARLEY_NODE_DEVICES
  if (context.instance.ffmpegCodecs) devices::useFfmpegCodecs(configuration);
#endif
  return configuration;
}

Result<Pc> pcCreate(const Context& context, Configuration configuration, JsFunction emit) {
  Result<Pc> made = Pc::create(context.loop(), withCodecs(context, std::move(configuration)));
  if (made) listen(*made, emit);
  return made;
}

void createOffer(const Context& context, Pc pc, bool iceRestart, JsFunction done) {
  pc.createOffer({iceRestart}, completion<SessionDescription>(std::move(done)));
  context.loop()->deliverSettled();
}
void createAnswer(const Context& context, Pc pc, JsFunction done) {
  pc.createAnswer(completion<SessionDescription>(std::move(done)));
  context.loop()->deliverSettled();
}
void setLocalDescription(const Context& context, Pc pc, std::optional<SdpType> type,
                         std::string sdp, JsFunction done) {
  if (type) {
    pc.setLocalDescription({*type, std::move(sdp)}, completion<void>(std::move(done)));
  } else {
    pc.setLocalDescription(completion<void>(std::move(done)));
  }
  context.loop()->deliverSettled();
}
void setRemoteDescription(const Context& context, Pc pc, SdpType type, std::string sdp,
                          JsFunction done) {
  pc.setRemoteDescription({type, std::move(sdp)}, completion<void>(std::move(done)));
  context.loop()->deliverSettled();
}
void addIceCandidate(const Context& context, Pc pc, IceCandidate candidate, JsFunction done) {
  pc.addIceCandidate(std::move(candidate), completion<void>(std::move(done)));
  context.loop()->deliverSettled();
}
void restartIce(const Context&, Pc pc) {
  pc.restartIce();
}
void close(const Context&, Pc pc) {
  pc.close();
}
Configuration getConfiguration(const Context&, Pc pc) {
  return pc.getConfiguration();
}
Result<void> setConfiguration(const Context&, Pc pc, Configuration configuration) {
  return pc.setConfiguration(std::move(configuration));
}
std::optional<SessionDescription> description(const Context&, Pc pc, std::string which) {
  if (which == "currentLocal") return pc.currentLocalDescription();
  if (which == "pendingLocal") return pc.pendingLocalDescription();
  if (which == "currentRemote") return pc.currentRemoteDescription();
  return pc.pendingRemoteDescription();
}
SignalingState signalingState(const Context&, Pc pc) {
  return pc.signalingState();
}
IceGatheringState iceGatheringState(const Context&, Pc pc) {
  return pc.iceGatheringState();
}
IceConnectionState iceConnectionState(const Context&, Pc pc) {
  return pc.iceConnectionState();
}
PeerConnectionState connectionState(const Context&, Pc pc) {
  return pc.connectionState();
}
std::optional<bool> canTrickle(const Context&, Pc pc) {
  return pc.canTrickleIceCandidates();
}
std::function<void(Result<StatsReport>)> reportTo(JsFunction done) {
  return [done = std::move(done)](Result<StatsReport> report) {
    if (report) {
      done(nullptr, report->all());
    } else {
      done(report.error());
    }
  };
}

/// Of everything without a track.
void getStats(const Context& context, Pc pc, MediaStreamTrack track, JsFunction done) {
  pc.getStats(track, reportTo(std::move(done)));
  context.loop()->deliverSettled();
}

// --- transceivers --------------------------------------------------------------------------------

Result<uint32_t> idOf(const Result<RtpTransceiver>& made) {
  if (!made) return fail(made.error());
  return made->sender().transceiverId();
}

Result<uint32_t> addTrack(const Context&, Pc pc, MediaStreamTrack track,
                          std::vector<std::string> streams) {
  Result<RtpSender> sender = pc.addTrack(std::move(track), std::move(streams));
  if (!sender) return fail(sender.error());
  return sender->transceiverId();
}
Result<void> removeTrack(const Context&, Pc pc, uint32_t id) {
  return pc.removeTrack(RtpSender(pc.core(), id));
}
Result<uint32_t> addTransceiver(const Context&, Pc pc, MediaKind kind, MediaStreamTrack track,
                                TransceiverInit init) {
  return idOf(track ? pc.addTransceiver(std::move(track), std::move(init))
                    : pc.addTransceiver(kind, std::move(init)));
}
std::vector<uint32_t> transceivers(const Context&, Pc pc) {
  std::vector<uint32_t> out;
  for (const RtpTransceiver& t : pc.getTransceivers()) out.push_back(t.sender().transceiverId());
  return out;
}

RtpTransceiver transceiver(const Pc& pc, uint32_t id) {
  return {pc.core(), id};
}
RtpSender sender(const Pc& pc, uint32_t id) {
  return {pc.core(), id};
}
RtpReceiver receiver(const Pc& pc, uint32_t id) {
  return {pc.core(), id};
}

/// Keeps what the library knows of the transceiver while it is held.
RtpTransceiver transceiverHandle(const Context&, Pc pc, uint32_t id) {
  return transceiver(pc, id);
}
std::optional<std::string> mid(const Context&, Pc pc, uint32_t id) {
  return transceiver(pc, id).mid();
}
MediaKind kind(const Context&, Pc pc, uint32_t id) {
  return transceiver(pc, id).kind();
}
TransceiverDirection direction(const Context&, Pc pc, uint32_t id) {
  return transceiver(pc, id).direction();
}
Result<void> setDirection(const Context&, Pc pc, uint32_t id, TransceiverDirection value) {
  return transceiver(pc, id).setDirection(value);
}
std::optional<TransceiverDirection> currentDirection(const Context&, Pc pc, uint32_t id) {
  return transceiver(pc, id).currentDirection();
}
bool stopped(const Context&, Pc pc, uint32_t id) {
  return transceiver(pc, id).stopped();
}
Result<void> stop(const Context&, Pc pc, uint32_t id) {
  return transceiver(pc, id).stop();
}
Result<void> setCodecPreferences(const Context&, Pc pc, uint32_t id, std::vector<RtpCodec> codecs) {
  return transceiver(pc, id).setCodecPreferences(std::move(codecs));
}
std::vector<RtpHeaderExtensionCapability> extensionsToNegotiate(const Context&, Pc pc,
                                                                uint32_t id) {
  return transceiver(pc, id).getHeaderExtensionsToNegotiate();
}
Result<void> setExtensionsToNegotiate(const Context&, Pc pc, uint32_t id,
                                      std::vector<RtpHeaderExtensionCapability> list) {
  return transceiver(pc, id).setHeaderExtensionsToNegotiate(list);
}
std::vector<RtpHeaderExtensionCapability> negotiatedExtensions(const Context&, Pc pc, uint32_t id) {
  return transceiver(pc, id).getNegotiatedHeaderExtensions();
}

std::optional<MediaStreamTrack> senderTrack(const Context&, Pc pc, uint32_t id) {
  MediaStreamTrack track = sender(pc, id).track();
  return track ? std::optional(track) : std::nullopt;
}
std::vector<uint32_t> senders(const Context&, Pc pc) {
  std::vector<uint32_t> out;
  for (const RtpSender& s : pc.getSenders()) out.push_back(s.transceiverId());
  return out;
}
/// -1: that of all; null: none yet; else the section that has it for itself.
std::optional<int> transportOf(const Context&, Pc pc, uint32_t id) {
  const DtlsTransport transport = sender(pc, id).transport();
  if (!transport) return std::nullopt;
  return transport.ownOf() ? static_cast<int>(*transport.ownOf()) : -1;
}
void replaceTrack(const Context& context, Pc pc, uint32_t id, MediaStreamTrack track,
                  JsFunction done) {
  sender(pc, id).replaceTrack(std::move(track), completion<void>(std::move(done)));
  context.loop()->deliverSettled();
}
RtpSendParameters senderParameters(const Context&, Pc pc, uint32_t id) {
  return sender(pc, id).getParameters();
}
void setParameters(const Context& context, Pc pc, uint32_t id, RtpSendParameters parameters,
                   SetParameterOptions options, JsFunction done) {
  sender(pc, id).setParameters(std::move(parameters), completion<void>(std::move(done)), options);
  context.loop()->deliverSettled();
}
void senderStats(const Context& context, Pc pc, uint32_t id, JsFunction done) {
  sender(pc, id).getStats(reportTo(std::move(done)));
  context.loop()->deliverSettled();
}
bool dtmfCanInsert(const Context&, Pc pc, uint32_t id) {
  return sender(pc, id).dtmf().canInsertDtmf();
}
std::string dtmfToneBuffer(const Context&, Pc pc, uint32_t id) {
  return sender(pc, id).dtmf().toneBuffer();
}
Result<void> dtmfInsert(const Context&, Pc pc, uint32_t id, std::string tones, double duration,
                        double gap) {
  // WebIDL's unsigned long; the facade clamps.
  return sender(pc, id).dtmf().insertDtmf(tones, Duration::millis(static_cast<int64_t>(duration)),
                                          Duration::millis(static_cast<int64_t>(gap)));
}
void dtmfListen(const Context&, Pc pc, uint32_t id, JsFunction emit) {
  sender(pc, id).dtmf().onToneChange([emit](const std::string& tone) { emit(tone); });
}
Result<void> setStreams(const Context&, Pc pc, uint32_t id, std::vector<std::string> streams) {
  return sender(pc, id).setStreams(std::move(streams));
}
MediaStreamTrack receiverTrack(const Context&, Pc pc, uint32_t id) {
  return receiver(pc, id).track();
}
void receiverStats(const Context& context, Pc pc, uint32_t id, JsFunction done) {
  receiver(pc, id).getStats(reportTo(std::move(done)));
  context.loop()->deliverSettled();
}
RtpReceiveParameters receiverParameters(const Context&, Pc pc, uint32_t id) {
  return receiver(pc, id).getParameters();
}
std::vector<RtpContributingSource> contributingSources(const Context&, Pc pc, uint32_t id) {
  return receiver(pc, id).getContributingSources();
}
std::vector<RtpContributingSource> synchronizationSources(const Context&, Pc pc, uint32_t id) {
  return receiver(pc, id).getSynchronizationSources();
}
std::optional<double> jitterBufferTarget(const Context&, Pc pc, uint32_t id) {
  return receiver(pc, id).jitterBufferTarget();
}
Result<void> setJitterBufferTarget(const Context&, Pc pc, uint32_t id,
                                   std::optional<double> value) {
  return receiver(pc, id).setJitterBufferTarget(value);
}
RtpCapabilities senderCapabilities(const Context& context, MediaKind kind) {
  return RtpSender::getCapabilities(kind, withCodecs(context, {}));
}
RtpCapabilities receiverCapabilities(const Context& context, MediaKind kind) {
  return RtpReceiver::getCapabilities(kind, withCodecs(context, {}));
}
/// False: this build has none.
bool useFfmpegCodecs(const Context& context) {
#ifdef PARLEY_NODE_DEVICES
  context.instance.ffmpegCodecs = true;
#endif
  return context.instance.ffmpegCodecs;
}

}  // namespace

void addConnectionFunctions(napi_env env, napi_value exports) {
#define PARLEY_NODE_ADD(name) add<name>(env, exports, #name)
  PARLEY_NODE_ADD(pcCreate);
  PARLEY_NODE_ADD(createOffer);
  PARLEY_NODE_ADD(createAnswer);
  PARLEY_NODE_ADD(setLocalDescription);
  PARLEY_NODE_ADD(setRemoteDescription);
  PARLEY_NODE_ADD(addIceCandidate);
  PARLEY_NODE_ADD(restartIce);
  PARLEY_NODE_ADD(close);
  PARLEY_NODE_ADD(getConfiguration);
  PARLEY_NODE_ADD(setConfiguration);
  PARLEY_NODE_ADD(description);
  PARLEY_NODE_ADD(signalingState);
  PARLEY_NODE_ADD(iceGatheringState);
  PARLEY_NODE_ADD(iceConnectionState);
  PARLEY_NODE_ADD(connectionState);
  PARLEY_NODE_ADD(canTrickle);
  PARLEY_NODE_ADD(getStats);
  PARLEY_NODE_ADD(addTrack);
  PARLEY_NODE_ADD(removeTrack);
  PARLEY_NODE_ADD(addTransceiver);
  PARLEY_NODE_ADD(transceivers);
  PARLEY_NODE_ADD(transceiverHandle);
  PARLEY_NODE_ADD(mid);
  PARLEY_NODE_ADD(kind);
  PARLEY_NODE_ADD(direction);
  PARLEY_NODE_ADD(setDirection);
  PARLEY_NODE_ADD(currentDirection);
  PARLEY_NODE_ADD(stopped);
  PARLEY_NODE_ADD(stop);
  PARLEY_NODE_ADD(setCodecPreferences);
  PARLEY_NODE_ADD(extensionsToNegotiate);
  PARLEY_NODE_ADD(setExtensionsToNegotiate);
  PARLEY_NODE_ADD(negotiatedExtensions);
  PARLEY_NODE_ADD(senders);
  PARLEY_NODE_ADD(senderTrack);
  PARLEY_NODE_ADD(transportOf);
  PARLEY_NODE_ADD(replaceTrack);
  PARLEY_NODE_ADD(senderParameters);
  PARLEY_NODE_ADD(setParameters);
  PARLEY_NODE_ADD(senderStats);
  PARLEY_NODE_ADD(dtmfCanInsert);
  PARLEY_NODE_ADD(dtmfToneBuffer);
  PARLEY_NODE_ADD(dtmfInsert);
  PARLEY_NODE_ADD(dtmfListen);
  PARLEY_NODE_ADD(receiverStats);
  PARLEY_NODE_ADD(setStreams);
  PARLEY_NODE_ADD(receiverTrack);
  PARLEY_NODE_ADD(receiverParameters);
  PARLEY_NODE_ADD(contributingSources);
  PARLEY_NODE_ADD(synchronizationSources);
  PARLEY_NODE_ADD(jitterBufferTarget);
  PARLEY_NODE_ADD(setJitterBufferTarget);
  PARLEY_NODE_ADD(senderCapabilities);
  PARLEY_NODE_ADD(receiverCapabilities);
  PARLEY_NODE_ADD(useFfmpegCodecs);
#undef PARLEY_NODE_ADD
}

}  // namespace parley::binding
