#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "parley/api/ice_candidate.h"
#include "parley/base/bytes.h"
#include "parley/base/export.h"
#include "parley/base/result.h"

namespace parley {

namespace api_internal {
class PeerConnectionCore;
}

/// RTCIceTransportState (webrtc-pc section 5.6).
enum class IceTransportState {
  New,           ///< it gathers, or waits for the peer's candidates
  Checking,      ///< pairs are checked, none works yet
  Connected,     ///< a pair works, others are still checked or may come
  Completed,     ///< all that there is has been checked, and a pair works
  Disconnected,  ///< nothing is heard on the pair (Configuration::disconnectedAfter)
  Failed,        ///< no pair works, or none any more (Configuration::failedAfter)
  Closed         ///< it answers no checks any more
};
/// RTCIceGathererState (webrtc-pc section 5.6).
enum class IceGathererState {
  New,        ///< has not begun
  Gathering,  ///< candidates are being found
  Complete    ///< all of this generation have been told
};
/// RTCIceRole (webrtc-pc section 5.6): the controlling end chooses the pair.
enum class IceRole {
  Unknown,      ///< before the first description
  Controlling,  ///< this end does
  Controlled    ///< the peer does
};
/// RTCIceComponent (webrtc-pc section 5.6): what a transport carries.
enum class IceComponent {
  Rtp,  ///< everything, RTCP too
  Rtcp  ///< RTCP alone, which no transport here does
};
/// RTCDtlsTransportState (webrtc-pc section 5.5).
enum class DtlsTransportState {
  New,         ///< the handshake has not begun
  Connecting,  ///< it is under way
  Connected,   ///< it is done, and the peer's certificate is the one described
  Closed,      ///< by one of the ends
  Failed       ///< see DtlsTransport::onError
};
/// RTCSctpTransportState (webrtc-pc section 6.1).
enum class SctpTransportState {
  Connecting,  ///< the association is being made
  Connected,   ///< channels can open
  Closed       ///< it has ended, by whomever and for whatever reason
};

/// The W3C spelling: "checking", "controlling", "rtp".
PARLEY_EXPORT const char* toString(IceTransportState state);
PARLEY_EXPORT const char* toString(IceGathererState state);
PARLEY_EXPORT const char* toString(IceRole role);
PARLEY_EXPORT const char* toString(IceComponent component);
PARLEY_EXPORT const char* toString(DtlsTransportState state);
PARLEY_EXPORT const char* toString(SctpTransportState state);

/// RTCIceParameters (webrtc-pc section 5.6), of one ICE generation.
struct IceParameters {
  std::string usernameFragment;  ///< a=ice-ufrag, 4 to 256 characters
  std::string password;          ///< a=ice-pwd, 22 to 256 characters
  bool operator==(const IceParameters&) const = default;
};

/// RTCIceCandidatePair (webrtc-pc section 5.6).
struct IceCandidatePair {
  IceCandidate local;   ///< ours
  IceCandidate remote;  ///< the peer's
};

/// RTCIceTransport (webrtc-pc section 5.6): a handle on an ICE transport of a connection. There is
/// one for everything that is bundled, and one for each section that the peer does not bundle.
/// While a first offer is out, a section that might end up without the bundle has one too (under
/// BundlePolicy::Balanced it stays new); the answer closes it unless it is used. Values change only
/// in the delivery step whose event announces them. Thread rules: those of the Loop.
class PARLEY_EXPORT IceTransport {
 public:
  /// An empty handle: nothing but `operator bool` and comparison may be called.
  IceTransport() = default;
  /// Whether it refers to a transport, closed ones included.
  explicit operator bool() const { return core_ != nullptr; }
  bool operator==(const IceTransport&) const = default;

  /// Unknown until a description has been applied, and once bundling has ended the transport.
  IceRole role() const;
  /// Always Rtp: RTCP shares the port.
  IceComponent component() const { return IceComponent::Rtp; }
  /// Closed once the connection is, and when the transport has been bundled away.
  IceTransportState state() const;
  /// Of this ICE generation.
  IceGathererState gatheringState() const;
  /// What has been gathered in this generation, as announced so far.
  std::vector<IceCandidate> getLocalCandidates() const;
  /// What addIceCandidate and remote descriptions brought for this generation.
  std::vector<IceCandidate> getRemoteCandidates() const;
  /// What is sent over; nothing before a pair works, and once closed.
  std::optional<IceCandidatePair> getSelectedCandidatePair() const;

  // The next three are beyond the W3C, after the ideas of webrtc-ice and webrtc-extensions.

  /// What is or can be checked in this generation, best first.
  std::vector<IceCandidatePair> getCandidatePairs() const;
  /// Sends over this pair as long as it works, whatever is better; the controlling side has the
  /// other follow. No pair: the best again. The choice ends with its pair, or with an ICE restart.
  /// InvalidAccess: no such pair. InvalidState: closed, or not set up yet.
  Result<void> selectCandidatePair(const std::optional<IceCandidatePair>& pair);
  /// Gives the pair up until an ICE restart: it is not checked any more, and nothing is taken that
  /// comes over it. Errors as above.
  Result<void> removeCandidatePair(const IceCandidatePair& pair);
  /// Nothing before setLocalDescription, nor once bundling has ended the transport.
  std::optional<IceParameters> getLocalParameters() const;
  /// Nothing before setRemoteDescription.
  std::optional<IceParameters> getRemoteParameters() const;

  // Callbacks; an empty function removes one. All handles of a transport share them. None comes
  // after PeerConnection::close().

  /// Before the connection's own events of the same step.
  void onStateChange(std::function<void(IceTransportState)> callback);
  /// gatheringstatechange. Before PeerConnection::onIceGatheringStateChange.
  void onGatheringStateChange(std::function<void(IceGathererState)> callback);
  /// selectedcandidatepairchange: getSelectedCandidatePair() shows another one. Before
  /// onStateChange where both tell of one step.
  void onSelectedCandidatePairChange(std::function<void()> callback);

  // For the library's own objects.
  explicit IceTransport(std::shared_ptr<api_internal::PeerConnectionCore> core,
                        std::optional<size_t> ownOf = {})
      : core_(std::move(core)), ownOf_(ownOf) {}

 private:
  Result<void> onPair(const IceCandidatePair* pair, bool remove);

  std::shared_ptr<api_internal::PeerConnectionCore> core_;
  std::optional<size_t> ownOf_;  ///< the section whose own it is; nothing: the first
};

/// RTCDtlsTransport (webrtc-pc section 5.5): a handle, as IceTransport.
class PARLEY_EXPORT DtlsTransport {
 public:
  /// An empty handle: nothing but `operator bool` and comparison may be called.
  DtlsTransport() = default;
  /// Whether it refers to a transport, closed ones included.
  explicit operator bool() const { return core_ != nullptr; }
  bool operator==(const DtlsTransport&) const = default;

  /// What its packets go over.
  IceTransport iceTransport() const { return IceTransport(core_, ownOf_); }
  /// The section that has it for itself, now or in case that the peer does not bundle; nothing for
  /// the first one.
  std::optional<size_t> ownOf() const { return ownOf_; }
  /// Connected once the handshake is done and the peer's certificate has one of the fingerprints
  /// that its description names.
  DtlsTransportState state() const;
  /// The peer's certificate in DER, without others that it may have sent; empty until connected.
  std::vector<Bytes> getRemoteCertificates() const;

  // Callbacks; an empty function removes one. All handles of a transport share them. None comes
  // after PeerConnection::close().

  /// Before the connection's own events of the same step.
  void onStateChange(std::function<void(DtlsTransportState)> callback);
  /// RTCErrorEvent (webrtc-pc section 11.2). `detail` is DtlsFailure or FingerprintFailure, with
  /// the alerts that went or came. Fires right before onStateChange(Failed).
  void onError(std::function<void(const Error&)> callback);

  // For the library's own objects.
  explicit DtlsTransport(std::shared_ptr<api_internal::PeerConnectionCore> core,
                         std::optional<size_t> ownOf = {})
      : core_(std::move(core)), ownOf_(ownOf) {}

 private:
  std::shared_ptr<api_internal::PeerConnectionCore> core_;
  std::optional<size_t> ownOf_;  ///< the section whose own it is; nothing: the first
};

/// RTCSctpTransport (webrtc-pc section 6.1): a handle, as IceTransport.
class PARLEY_EXPORT SctpTransport {
 public:
  /// An empty handle: nothing but `operator bool` and comparison may be called.
  SctpTransport() = default;
  /// Whether it refers to a transport, closed ones included.
  explicit operator bool() const { return core_ != nullptr; }
  bool operator==(const SctpTransport&) const = default;

  /// What its packets go over.
  DtlsTransport transport() const;
  /// Connected once channels can open.
  SctpTransportState state() const;
  /// The largest message that DataChannel::send takes, in bytes: what the peer allows (RFC 8841
  /// section 6), at most what fits the send buffer (Limits::maxBufferedAmount). Nothing until data
  /// channels are negotiated.
  std::optional<uint64_t> maxMessageSize() const;
  /// Channels that can be open at once, those of both ends together; nothing until connected.
  std::optional<uint16_t> maxChannels() const;

  /// An empty function removes it. Closed is told after PeerConnection::close() too.
  void onStateChange(std::function<void(SctpTransportState)> callback);

  // For the library's own objects.
  explicit SctpTransport(std::shared_ptr<api_internal::PeerConnectionCore> core)
      : core_(std::move(core)) {}

 private:
  std::shared_ptr<api_internal::PeerConnectionCore> core_;
};

}  // namespace parley
