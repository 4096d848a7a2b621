#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "parley/api/media_track.h"
#include "parley/api/peer_connection.h"
#include "parley/base/export.h"

namespace parley {

/// MediaStream (mediacapture-streams section 4.2): tracks that belong together, by name. A handle;
/// copies refer to the same stream. Any thread, but `clone` follows the Loop of its tracks. To send
/// one: `pc.addTrack(track, {stream.id()})`.
class PARLEY_EXPORT MediaStream {
 public:
  /// An empty handle: nothing but `operator bool` and comparison may be called.
  MediaStream() = default;
  /// Whether it refers to a stream.
  explicit operator bool() const { return body_ != nullptr; }
  bool operator==(const MediaStream&) const = default;

  /// With an id of its own.
  static MediaStream create(std::vector<MediaStreamTrack> tracks = {});

  /// Unique; of a stream of the peer the one that its msid names.
  const std::string& id() const;
  /// Whether any of its tracks has not ended; false without tracks.
  bool active() const;
  /// In the order in which they were added.
  std::vector<MediaStreamTrack> getTracks() const;
  /// Those of sound, in that order.
  std::vector<MediaStreamTrack> getAudioTracks() const;
  /// Those of pictures, in that order.
  std::vector<MediaStreamTrack> getVideoTracks() const;
  /// Empty if it has none of that id.
  MediaStreamTrack getTrackById(std::string_view id) const;
  /// Nothing happens if it has the track already, or is given an empty one. Fires no event.
  void addTrack(const MediaStreamTrack& track);
  /// Nothing happens if it does not have the track. Fires no event.
  void removeTrack(const MediaStreamTrack& track);
  /// With clones of its tracks and another id.
  MediaStream clone() const;

  /// The peer has added a track (RemoteStreams); on the loop's thread, when getTracks() shows it.
  /// An empty function removes it.
  void onAddTrack(std::function<void(const MediaStreamTrack&)> callback);
  /// The peer has removed a track; as onAddTrack.
  void onRemoveTrack(std::function<void(const MediaStreamTrack&)> callback);

 private:
  friend class RemoteStreams;
  struct Body;
  explicit MediaStream(std::shared_ptr<Body> body) : body_(std::move(body)) {}
  std::shared_ptr<Body> body_;
};

/// The streams of the peer (webrtc-pc section 4.4.1.5 "process the addition of a remote track"):
/// follows a connection's onStreamTrackChange, which it takes for itself. In onTrack the streams
/// that the event names are there and hold the track. Once it is destroyed it calls nothing any
/// more; one that others have set since remains. Any thread, but it is made where the connection's
/// Loop may be called, and destroyed there.
class PARLEY_EXPORT RemoteStreams {
 public:
  /// Follows the connection from now on.
  explicit RemoteStreams(PeerConnection pc);
  ~RemoteStreams();
  RemoteStreams(const RemoteStreams&) = delete;
  RemoteStreams& operator=(const RemoteStreams&) = delete;

  /// Those that have tracks.
  std::vector<MediaStream> streams() const;
  /// Also one without tracks, while somebody holds a handle of it; else empty.
  MediaStream stream(std::string_view id) const;
  /// Called with each stream that was not there before, and then with its first track.
  void onAddStream(std::function<void(const MediaStream&)> callback);

 private:
  struct State;
  PeerConnection pc_;
  std::shared_ptr<State> state_;
};

}  // namespace parley
