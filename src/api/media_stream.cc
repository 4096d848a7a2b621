#include "parley/api/media_stream.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

#include "parley/base/secure_random.h"

namespace parley {

struct MediaStream::Body {
  explicit Body(std::string name) : id(std::move(name)) {}

  const std::string id;
  mutable std::mutex mutex;
  std::vector<MediaStreamTrack> tracks;
  std::function<void(const MediaStreamTrack&)> onAdd, onRemove;

  bool add(const MediaStreamTrack& track) {
    const std::lock_guard lock(mutex);
    if (!track || std::find(tracks.begin(), tracks.end(), track) != tracks.end()) return false;
    tracks.push_back(track);
    return true;
  }
  bool remove(const MediaStreamTrack& track) {
    const std::lock_guard lock(mutex);
    return std::erase(tracks, track) > 0;
  }
  std::function<void(const MediaStreamTrack&)> callback(bool added) {
    const std::lock_guard lock(mutex);
    return added ? onAdd : onRemove;
  }
};

MediaStream MediaStream::create(std::vector<MediaStreamTrack> tracks) {
  SecureRandom random;
  MediaStream out(std::make_shared<Body>(random.uuid()));
  for (const MediaStreamTrack& track : tracks) out.addTrack(track);
  return out;
}

const std::string& MediaStream::id() const {
  return body_->id;
}

bool MediaStream::active() const {
  const auto tracks = getTracks();
  return std::any_of(tracks.begin(), tracks.end(), [](const MediaStreamTrack& track) {
    return track.readyState() == TrackState::Live;
  });
}

std::vector<MediaStreamTrack> MediaStream::getTracks() const {
  const std::lock_guard lock(body_->mutex);
  return body_->tracks;
}

namespace {

std::vector<MediaStreamTrack> ofKind(std::vector<MediaStreamTrack> tracks, MediaKind kind) {
  std::erase_if(tracks, [kind](const MediaStreamTrack& track) { return track.kind() != kind; });
  return tracks;
}

}  // namespace

std::vector<MediaStreamTrack> MediaStream::getAudioTracks() const {
  return ofKind(getTracks(), MediaKind::Audio);
}
std::vector<MediaStreamTrack> MediaStream::getVideoTracks() const {
  return ofKind(getTracks(), MediaKind::Video);
}

MediaStreamTrack MediaStream::getTrackById(std::string_view id) const {
  for (const MediaStreamTrack& track : getTracks()) {
    if (track.id() == id) return track;
  }
  return {};
}

void MediaStream::addTrack(const MediaStreamTrack& track) {
  body_->add(track);
}
void MediaStream::removeTrack(const MediaStreamTrack& track) {
  body_->remove(track);
}

MediaStream MediaStream::clone() const {
  std::vector<MediaStreamTrack> tracks = getTracks();
  for (MediaStreamTrack& track : tracks) track = track.clone();
  return create(std::move(tracks));
}

void MediaStream::onAddTrack(std::function<void(const MediaStreamTrack&)> callback) {
  const std::lock_guard lock(body_->mutex);
  std::swap(body_->onAdd, callback);
}
void MediaStream::onRemoveTrack(std::function<void(const MediaStreamTrack&)> callback) {
  const std::lock_guard lock(body_->mutex);
  std::swap(body_->onRemove, callback);
}

struct RemoteStreams::State {
  mutable std::mutex mutex;
  bool ended = false;  ///< the RemoteStreams is gone
  // A stream that lost its tracks is remembered only as long as the application does: the peer
  // chooses the names, and could go through many.
  std::map<std::string, std::weak_ptr<MediaStream::Body>, std::less<>> known;
  std::vector<std::shared_ptr<MediaStream::Body>> filled;
  std::function<void(const MediaStream&)> onAddStream;

  void change(const StreamTrackEvent& event) {
    std::shared_ptr<MediaStream::Body> body;
    std::function<void(const MediaStream&)> announce;
    bool changed = false;
    {
      const std::lock_guard lock(mutex);
      if (ended) return;
      std::erase_if(known, [](const auto& entry) { return entry.second.expired(); });
      const auto it = known.find(event.stream);
      if (it != known.end()) body = it->second.lock();
      if (!body) {
        if (!event.added) return;
        body = std::make_shared<MediaStream::Body>(event.stream);
        known.insert_or_assign(event.stream, body);
        announce = onAddStream;
      }
      changed = event.added ? body->add(event.track) : body->remove(event.track);
      const bool empty = MediaStream(body).getTracks().empty();
      std::erase(filled, body);
      if (!empty) filled.push_back(body);
    }
    if (announce) announce(MediaStream(body));
    const auto callback = changed && !hasEnded() ? body->callback(event.added) : nullptr;
    if (callback) callback(event.track);
  }

  void end() {
    std::function<void(const MediaStream&)> callback;
    const std::lock_guard lock(mutex);
    ended = true;
    callback.swap(onAddStream);
  }
  bool hasEnded() const {
    const std::lock_guard lock(mutex);
    return ended;
  }
};

RemoteStreams::RemoteStreams(PeerConnection pc)
    : pc_(std::move(pc)), state_(std::make_shared<State>()) {
  const std::weak_ptr<State> weak = state_;
  pc_.onStreamTrackChange([weak](const StreamTrackEvent& e) {
    if (const auto state = weak.lock()) state->change(e);
  });
}

// The connection's callback stays, without effect: it may be that of whoever came after us.
RemoteStreams::~RemoteStreams() {
  state_->end();
}

std::vector<MediaStream> RemoteStreams::streams() const {
  const std::lock_guard lock(state_->mutex);
  std::vector<MediaStream> out;
  for (const auto& body : state_->filled) out.push_back(MediaStream(body));
  return out;
}

MediaStream RemoteStreams::stream(std::string_view id) const {
  const std::lock_guard lock(state_->mutex);
  const auto it = state_->known.find(id);
  return MediaStream(it == state_->known.end() ? nullptr : it->second.lock());
}

void RemoteStreams::onAddStream(std::function<void(const MediaStream&)> callback) {
  const std::lock_guard lock(state_->mutex);
  std::swap(state_->onAddStream, callback);
}

}  // namespace parley
