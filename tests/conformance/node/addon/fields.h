#pragma once

#include "parley/parley.h"

#include "js.h"

// The dictionaries and enums of the facade, by their W3C names.

namespace parley::binding {

#define PARLEY_NODE_DICTIONARY(type)          \
  template <>                                 \
  struct Fields<type> {                       \
    static constexpr bool kDictionary = true; \
    template <class V, class S>               \
    static void visit(V&& v, S& s)

#define PARLEY_NODE_ENUM(type, ...)                                 \
  template <>                                                       \
  struct Names<type> {                                              \
    static constexpr type all[] = {__VA_ARGS__};                    \
    static const char* name(type value) { return toString(value); } \
  }

template <>
struct Names<IceTransportPolicy> {
  static constexpr IceTransportPolicy all[] = {IceTransportPolicy::All, IceTransportPolicy::Relay};
  static const char* name(IceTransportPolicy policy) {
    return policy == IceTransportPolicy::Relay ? "relay" : "all";
  }
};
template <>
struct Names<BundlePolicy> {
  static constexpr BundlePolicy all[] = {BundlePolicy::Balanced, BundlePolicy::MaxCompat,
                                         BundlePolicy::MaxBundle};
  static const char* name(BundlePolicy policy) {
    if (policy == BundlePolicy::Balanced) return "balanced";
    return policy == BundlePolicy::MaxCompat ? "max-compat" : "max-bundle";
  }
};
template <>
struct Names<RtcpMuxPolicy> {
  static constexpr RtcpMuxPolicy all[] = {RtcpMuxPolicy::Require};
  static const char* name(RtcpMuxPolicy) { return "require"; }
};
template <>
struct Names<TrackState> {
  static constexpr TrackState all[] = {TrackState::Live, TrackState::Ended};
  static const char* name(TrackState state) { return state == TrackState::Live ? "live" : "ended"; }
};
template <>
struct Names<SdpType> {
  static constexpr SdpType all[] = {SdpType::Offer, SdpType::Pranswer, SdpType::Answer,
                                    SdpType::Rollback};
  static const char* name(SdpType type) { return jsep::toString(type); }
};
template <>
struct Names<TransceiverDirection> {
  using D = TransceiverDirection;
  static constexpr D all[] = {D::SendRecv, D::SendOnly, D::RecvOnly, D::Inactive, D::Stopped};
  static const char* name(D direction) { return jsep::toString(direction); }
};
template <>
struct Names<SignalingState> {
  static constexpr SignalingState all[] = {SignalingState::Stable};
  static const char* name(SignalingState state) { return jsep::toString(state); }
};
template <>
struct Names<MediaKind> {
  static constexpr MediaKind all[] = {MediaKind::Audio, MediaKind::Video};
  static const char* name(MediaKind kind) { return media::toString(kind); }
};
PARLEY_NODE_ENUM(PriorityType, PriorityType::VeryLow, PriorityType::Low, PriorityType::Medium,
                 PriorityType::High);
PARLEY_NODE_ENUM(IceProtocol, IceProtocol::Udp, IceProtocol::Tcp);
PARLEY_NODE_ENUM(IceCandidateType, IceCandidateType::Host);
PARLEY_NODE_ENUM(IceTcpCandidateType, IceTcpCandidateType::Active);
PARLEY_NODE_ENUM(IceServerTransportProtocol, IceServerTransportProtocol::Udp,
                 IceServerTransportProtocol::Tcp, IceServerTransportProtocol::Tls);
PARLEY_NODE_ENUM(DegradationPreference, DegradationPreference::MaintainFramerate,
                 DegradationPreference::MaintainResolution, DegradationPreference::Balanced,
                 DegradationPreference::MaintainFramerateAndResolution);
PARLEY_NODE_ENUM(IceGatheringState, IceGatheringState::New);
PARLEY_NODE_ENUM(IceConnectionState, IceConnectionState::New);
PARLEY_NODE_ENUM(PeerConnectionState, PeerConnectionState::New);
PARLEY_NODE_ENUM(IceTransportState, IceTransportState::New);
PARLEY_NODE_ENUM(IceGathererState, IceGathererState::New);
PARLEY_NODE_ENUM(IceRole, IceRole::Unknown);
PARLEY_NODE_ENUM(DtlsTransportState, DtlsTransportState::New);
PARLEY_NODE_ENUM(SctpTransportState, SctpTransportState::Connecting);
PARLEY_NODE_ENUM(DataChannelState, DataChannelState::Connecting);

template <>
struct Js<PeerConnection> : Handle<PeerConnection> {};
template <>
struct Js<DataChannel> : Handle<DataChannel> {};
template <>
struct Js<RtpTransceiver> : Handle<RtpTransceiver> {};
template <>
struct Js<MediaStreamTrack> : Handle<MediaStreamTrack> {};
template <>
struct Js<Certificate> {
  using Held = Handle<std::shared_ptr<const dtls::Certificate>>;
  static napi_value to(napi_env env, const Certificate& value) {
    return Held::to(env, value.impl());
  }
  static Certificate from(napi_env env, napi_value value) {
    return Certificate(Held::from(env, value));
  }
};

// clang-format off
PARLEY_NODE_DICTIONARY(IceServer) {
    v("urls", s.urls);
    v("username", s.username);
    v("credential", s.credential);
  }
};
PARLEY_NODE_DICTIONARY(Configuration) {
    v("iceServers", s.iceServers);
    v("iceTransportPolicy", s.iceTransportPolicy);
    v("bundlePolicy", s.bundlePolicy);
    v("rtcpMuxPolicy", s.rtcpMuxPolicy);
    v("iceCandidatePoolSize", s.iceCandidatePoolSize);
    v("certificates", s.certificates);
    v("includeLoopback", s.includeLoopback);
  }
};
PARLEY_NODE_DICTIONARY(SessionDescription) {
    v("type", s.type);
    v("sdp", s.sdp);
  }
};
PARLEY_NODE_DICTIONARY(IceCandidate) {
    v("candidate", s.candidate);
    v("sdpMid", s.sdpMid);
    v("sdpMLineIndex", s.sdpMLineIndex);
    v("usernameFragment", s.usernameFragment);
    v("relayProtocol", s.relayProtocol);
    v("url", s.url);
  }
};
PARLEY_NODE_DICTIONARY(IceCandidate::Parsed) {
    v("foundation", s.foundation);
    v("component", s.component);
    v("priority", s.priority);
    v("address", s.address);
    v("protocol", s.protocol);
    v("port", s.port);
    v("type", s.type);
    v("tcpType", s.tcpType);
    v("relatedAddress", s.relatedAddress);
    v("relatedPort", s.relatedPort);
  }
};
PARLEY_NODE_DICTIONARY(IceCandidatePair) {
    v("local", s.local);
    v("remote", s.remote);
  }
};
PARLEY_NODE_DICTIONARY(IceParameters) {
    v("usernameFragment", s.usernameFragment);
    v("password", s.password);
  }
};
PARLEY_NODE_DICTIONARY(IceCandidateError) {
    v("address", s.address);
    v("port", s.port);
    v("url", s.url);
    v("errorCode", s.errorCode);
    v("errorText", s.errorText);
  }
};
PARLEY_NODE_DICTIONARY(DtlsFingerprint) {
    v("algorithm", s.algorithm);
    v("value", s.value);
  }
};
PARLEY_NODE_DICTIONARY(RtpCodec) {
    v("mimeType", s.mimeType);
    v("clockRate", s.clockRate);
    v("channels", s.channels);
    v("sdpFmtpLine", s.sdpFmtpLine);
  }
};
PARLEY_NODE_DICTIONARY(RtpCodecParameters) {
    v("payloadType", s.payloadType);
    Fields<RtpCodec>::visit(v, s);
  }
};
PARLEY_NODE_DICTIONARY(RtpHeaderExtensionParameters) {
    v("uri", s.uri);
    v("id", s.id);
    v("encrypted", s.encrypted);
  }
};
PARLEY_NODE_DICTIONARY(RtpHeaderExtensionCapability) {
    v("uri", s.uri);
    v("direction", s.direction);
  }
};
PARLEY_NODE_DICTIONARY(RtpCapabilities) {
    v("codecs", s.codecs);
    v("headerExtensions", s.headerExtensions);
  }
};
PARLEY_NODE_DICTIONARY(RtcpParameters) {
    v("cname", s.cname);
    v("reducedSize", s.reducedSize);
  }
};
PARLEY_NODE_DICTIONARY(ResolutionRestriction) {
    v("maxWidth", s.maxWidth);
    v("maxHeight", s.maxHeight);
  }
};
PARLEY_NODE_DICTIONARY(RtpEncodingParameters) {
    v("rid", s.rid);
    v("active", s.active);
    v("codec", s.codec);
    v("maxBitrate", s.maxBitrate);
    v("maxFramerate", s.maxFramerate);
    v("scaleResolutionDownBy", s.scaleResolutionDownBy);
    v("scaleResolutionDownTo", s.scaleResolutionDownTo);
    v("scalabilityMode", s.scalabilityMode);
    v("priority", s.priority);
    v("networkPriority", s.networkPriority);
    v("adaptivePtime", s.adaptivePtime);
  }
};
PARLEY_NODE_DICTIONARY(RtpSendParameters) {
    v("transactionId", s.transactionId);
    v("encodings", s.encodings);
    v("degradationPreference", s.degradationPreference);
    v("headerExtensions", s.headerExtensions);
    v("rtcp", s.rtcp);
    v("codecs", s.codecs);
  }
};
PARLEY_NODE_DICTIONARY(EncodingOptions) {
    v("keyFrame", s.keyFrame);
  }
};
PARLEY_NODE_DICTIONARY(SetParameterOptions) {
    v("encodingOptions", s.encodingOptions);
  }
};
PARLEY_NODE_DICTIONARY(RtpReceiveParameters) {
    v("headerExtensions", s.headerExtensions);
    v("rtcp", s.rtcp);
    v("codecs", s.codecs);
  }
};
PARLEY_NODE_DICTIONARY(RtpContributingSource) {
    v("timestamp", s.timestampMs);
    v("source", s.source);
    v("audioLevel", s.audioLevel);
    v("rtpTimestamp", s.rtpTimestamp);
    v("captureTimestamp", s.captureTimestampMs);
    v("senderCaptureTimeOffset", s.senderCaptureTimeOffsetMs);
  }
};
PARLEY_NODE_DICTIONARY(TransceiverInit) {
    v("direction", s.direction);
    v("streams", s.streams);
    v("sendEncodings", s.sendEncodings);
  }
};
PARLEY_NODE_DICTIONARY(DataChannelInit) {
    v("ordered", s.ordered);
    v("maxPacketLifeTime", s.maxPacketLifeTime);
    v("maxRetransmits", s.maxRetransmits);
    v("protocol", s.protocol);
    v("negotiated", s.negotiated);
    v("id", s.id);
    v("priority", s.priority);
  }
};
PARLEY_NODE_DICTIONARY(Stats) {
    v("id", s.id);
    v("type", s.type);
    v("timestamp", s.timestampMs);
    v("members", s.members);
  }
};
// clang-format on

template <class T, class Less>
struct Js<std::map<std::string, T, Less>> {
  static napi_value to(napi_env env, const std::map<std::string, T, Less>& value) {
    napi_value out;
    napi_create_object(env, &out);
    for (const auto& [name, member] : value)
      napi_set_named_property(env, out, name.c_str(), Js<T>::to(env, member));
    return out;
  }
};

/// Each file of functions adds its own to the addon.
/// `emit` gets what happens on a transport: "ice.statechange" and so on, of a transport that
/// section 1 has for itself "ice@1.statechange".
void watch(DtlsTransport transport, const JsFunction& emit);

void addConnectionFunctions(napi_env env, napi_value exports);
void addMediaFunctions(napi_env env, napi_value exports);
void addChannelFunctions(napi_env env, napi_value exports);
void addTransportFunctions(napi_env env, napi_value exports);
void addTransformFunctions(napi_env env, napi_value exports);

}  // namespace parley::binding
