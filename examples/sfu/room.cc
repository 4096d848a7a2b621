#include "room.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <future>

#include "parley/base/secure_random.h"

namespace sfu {

using namespace parley;  // NOLINT: an example reads best so
using Json = nlohmann::json;

namespace {

constexpr std::chrono::seconds kPatience{10};

std::string secretId() {
  std::array<uint8_t, 16> bytes{};
  SecureRandom().fill(bytes);
  std::string out;
  char two[3];
  for (const uint8_t byte : bytes) {
    std::snprintf(two, sizeof two, "%02x", byte);
    out += two;
  }
  return out;
}

}  // namespace

Room::Room(std::shared_ptr<Loop> loop, size_t maxMembers)
    : loop_(std::move(loop)), forwarder_(loop_), maxMembers_(maxMembers) {
  forwarder_.onDominantSpeaker([this](std::optional<PublicationId> who) {
    const std::lock_guard lock(mutex_);
    speaker_ = who;
  });
}

Room::~Room() {
  forwarder_.onDominantSpeaker({});
}

std::shared_ptr<Room::Member> Room::find(const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto it = members_.find(id);
  return it == members_.end() ? nullptr : it->second;
}

std::shared_ptr<Room::Member> Room::byNumber(int number) {
  const std::lock_guard lock(mutex_);
  for (const auto& [id, member] : members_) {
    if (member->number == number) return member;
  }
  return nullptr;
}

Result<Json> Room::join() {
  const std::lock_guard lock(mutex_);
  if (members_.size() >= maxMembers_) return fail(ErrorCode::ResourceExhausted, "the room is full");
  auto member = std::make_shared<Member>();
  member->number = ++joined_;
  member->seen = Clock::now();
  const std::string id = secretId();
  members_[id] = member;
  return Json{{"id", id}, {"number", member->number}};
}

Result<PeerConnection> Room::connect() {
  Configuration configuration;
  configuration.includeLoopback = true;  // for browsers on this machine
  return PeerConnection::create(loop_, configuration);
}

Result<std::string> Room::answer(PeerConnection& connection, const std::string& offer,
                                 const std::function<void()>& prepare) {
  // This is a thread of the web server's; the steps run on the loop's.
  const auto told = std::make_shared<std::promise<std::string>>();
  const auto gathered = std::make_shared<std::promise<void>>();
  connection.onIceGatheringStateChange([gathered](IceGatheringState state) {
    if (state == IceGatheringState::Complete) gathered->set_value();
  });
  connection.setRemoteDescription({SdpType::Offer, offer}, [told, prepare](Result<void> result) {
    if (result) {
      prepare();
    } else {
      told->set_value(result.error().message);
    }
  });
  connection.setLocalDescription(
      [told](Result<void> result) { told->set_value(result ? "" : result.error().message); });
  auto outcome = told->get_future();
  auto complete = gathered->get_future();
  if (outcome.wait_for(kPatience) != std::future_status::ready)
    return fail(ErrorCode::Operation, "no answer in time");
  if (const std::string problem = outcome.get(); !problem.empty())
    return fail(ErrorCode::Operation, problem);
  complete.wait_for(kPatience);
  return connection.localDescription()->sdp;
}

Result<std::string> Room::publish(const std::string& id, const std::string& offer) {
  const std::shared_ptr<Member> member = find(id);
  if (!member) return fail(ErrorCode::NotFound, "no such member");
  auto connection = connect();
  if (!connection) return fail(connection.error());
  {
    const std::lock_guard lock(mutex_);
    member->up = *connection;
  }
  connection->onTrack([this, weak = std::weak_ptr(member)](const TrackEvent& event) {
    const auto publication = forwarder_.publish(event.receiver);
    const std::shared_ptr<Member> sender = weak.lock();
    if (!publication || !sender) return;
    const std::lock_guard lock(mutex_);
    sender->tracks.push_back({*publication, event.track.kind()});
  });
  return answer(*connection, offer, [] {});
}

Result<std::string> Room::watch(const std::string& id, int other, const std::string& offer) {
  const std::shared_ptr<Member> member = find(id);
  const std::shared_ptr<Member> watched = byNumber(other);
  if (!member || !watched || member == watched) return fail(ErrorCode::NotFound, "no such member");
  auto connection = connect();
  if (!connection) return fail(connection.error());
  std::vector<Track> tracks;
  {
    const std::lock_guard lock(mutex_);
    member->views[other] = {*connection, {}};
    tracks = watched->tracks;
  }
  return answer(*connection, offer, [this, member, other, tracks, pc = *connection]() mutable {
    for (RtpTransceiver transceiver : pc.getTransceivers()) {
      const auto track = std::find_if(tracks.begin(), tracks.end(), [&](const Track& candidate) {
        return candidate.kind == transceiver.kind();
      });
      if (track == tracks.end()) continue;
      (void)transceiver.setDirection(TransceiverDirection::SendOnly);
      const auto subscription = forwarder_.subscribe(track->id, transceiver.sender());
      if (!subscription) continue;
      const std::lock_guard lock(mutex_);
      member->views[other].subscriptions.emplace_back(*subscription, track->kind);
      tracks.erase(track);
    }
  });
}

void Room::resize(const std::string& id, int other, uint32_t height) {
  const std::shared_ptr<Member> member = find(id);
  if (!member) return;
  std::vector<std::pair<SubscriptionId, MediaKind>> subscriptions;
  {
    const std::lock_guard lock(mutex_);
    const auto view = member->views.find(other);
    if (view != member->views.end()) subscriptions = view->second.subscriptions;
  }
  for (const auto& [subscription, kind] : subscriptions)
    if (kind == MediaKind::Video) forwarder_.setMaxHeight(subscription, height);
}

std::optional<Json> Room::state(const std::string& id) {
  const std::shared_ptr<Member> member = find(id);
  if (!member) return std::nullopt;
  Json out{{"members", Json::array()}};
  std::vector<std::pair<Json, std::optional<SubscriptionId>>> rows;
  {
    const std::lock_guard lock(mutex_);
    member->seen = Clock::now();
    for (const auto& [key, other] : members_) {
      if (other == member || other->tracks.empty()) continue;
      const bool speaks = std::any_of(other->tracks.begin(), other->tracks.end(),
                                      [&](const Track& track) { return speaker_ == track.id; });
      std::optional<SubscriptionId> video;
      for (const auto& [subscription, kind] : member->views[other->number].subscriptions)
        if (kind == MediaKind::Video) video = subscription;
      rows.push_back({Json{{"number", other->number}, {"speaks", speaks}}, video});
    }
  }
  for (auto& [row, video] : rows) {
    const auto stats = video ? forwarder_.stats(*video) : std::nullopt;
    if (stats && stats->current) {
      row["encoding"] = stats->current->encoding;
      row["temporal"] = stats->current->temporal;
    }
    out["members"].push_back(row);
  }
  return out;
}

void Room::leave(const std::string& id) {
  std::shared_ptr<Member> gone;
  {
    const std::lock_guard lock(mutex_);
    const auto it = members_.find(id);
    if (it == members_.end()) return;
    gone = it->second;
    members_.erase(it);
    for (const auto& [key, other] : members_) {
      const auto view = other->views.find(gone->number);
      if (view == other->views.end()) continue;
      gone->views[-other->number] = std::move(view->second);
      other->views.erase(view);
    }
  }
  // Closing ends what is published and subscribed.
  if (gone->up) gone->up.close();
  for (auto& [number, view] : gone->views)
    if (view.connection) view.connection.close();
}

void Room::tick() {
  std::vector<std::string> lost;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, member] : members_)
      if (Clock::now() - member->seen > kPatience) lost.push_back(id);
  }
  for (const std::string& id : lost) leave(id);
}

Json Room::report() {
  const forwarding::ForwarderCounters counters = forwarder_.counters();
  const std::lock_guard lock(mutex_);
  return {{"members", members_.size()},
          {"joined", joined_},
          {"malformed_packets", counters.malformedPackets},
          {"dropped_packets", counters.droppedNoBuffer + counters.droppedQueueFull}};
}

}  // namespace sfu
