#pragma once

#include <optional>
#include <string>
#include <vector>

#include "parley/jsep/state.h"

namespace parley::jsep {

/// What the peer's description says of its ICE agent.
struct RemoteIce {
  IceCredentials credentials{};
  bool lite = false;
  bool trickle = false;
  bool operator==(const RemoteIce&) const = default;
};

/// What changes for the transport. Members left empty: nothing changes.
struct TransportChange {
  std::optional<IceCredentials> localIce{};  ///< start a generation with these
  bool localIceRolledBack =
      false;  ///< the generation of the offer is void; `localIce` or none is back
  std::optional<bool> iceControlling{};  ///< initial ICE role; set once
  std::optional<RemoteIce> remoteIce{};
  bool remoteIceRestart = false;  ///< `remoteIce` belongs to a new generation, not to the first
  std::vector<sdp::Fingerprint> remoteFingerprints{};
  std::optional<DtlsRole> dtlsRole{};
  bool newDtlsAssociation = false;  ///< the peer starts over (RFC 8842 section 4)
  /// Of `newDtlsAssociation`: fingerprints or tls-id are others, so another peer may be behind it.
  /// False: only the roles were swapped.
  bool newDtlsPeer = false;
  std::vector<sdp::CandidateLine> remoteCandidates{};
  bool remoteEndOfCandidates = false;
  bool unused = false;  ///< no section is left: what was agreed for the transport is void
  bool operator==(const TransportChange&) const = default;
};

/// What changes for a transport beside the first. One that is not known yet is new.
struct SideTransportChange {
  uint32_t id = 0;
  TransportChange change{};
  bool ended = false;  ///< its sections are gone, or have joined another
  bool operator==(const SideTransportChange&) const = default;
};

/// A transceiver is to send and receive as these settings say from now on.
struct MediaSectionChange {
  TransceiverId transceiver{};
  MediaSettings settings{};
  bool operator==(const MediaSectionChange&) const = default;
};

/// What changes for data channels.
struct DataChange {
  bool enabled = false;
  DataSettings settings{};
  bool refused = false;  ///< for good: channels that used or awaited the section fail
  bool operator==(const DataChange&) const = default;
};

/// The track of a transceiver's receiver, in a stream of the peer's.
struct StreamTrack {
  std::string stream;
  TransceiverId transceiver{};
  bool operator==(const StreamTrack&) const = default;
};

/// A `track` event (RTCTrackEvent).
struct TrackEvent {
  TransceiverId transceiver{};
  std::vector<std::string> streams{};
  bool operator==(const TrackEvent&) const = default;
};

/// What the application must see, in the order in which the members stand (webrtc-pc
/// section 4.4.1.5, last steps).
struct SessionEvents {
  bool signalingStateChanged = false;
  std::vector<TransceiverId> stopped{};  ///< their receiver tracks end
  std::vector<TransceiverId> muted{};    ///< receiver tracks that fall silent
  std::vector<StreamTrack> removedFromStream{};
  std::vector<StreamTrack> addedToStream{};
  std::vector<TrackEvent> tracks{};  ///< `track` events
  bool operator==(const SessionEvents&) const = default;
};

/// The outcome of applying a description: the state to commit and what to do about it.
struct Delta {
  SessionState state{};
  TransportChange transport{};
  std::vector<SideTransportChange> sides{};
  std::vector<MediaSectionChange> media{};
  std::optional<DataChange> data{};
  /// Made by a remote offer; they need a receiver track. SSRCs that are still 0, here or in layers
  /// that a remote offer proposed, are drawn by whoever commits.
  std::vector<TransceiverId> created{};
  std::vector<TransceiverId> removed{};  ///< no longer in `state`
  /// Of the rollback that a remote offer in have-local-offer implies; come before `events`.
  std::optional<SessionEvents> rollbackEvents{};
  SessionEvents events{};
};

}  // namespace parley::jsep
