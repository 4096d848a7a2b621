#include "room.h"

#include "member.h"

namespace sfu {

using namespace parley;  // NOLINT: an example reads best so
using Json = nlohmann::json;

Room::Room(std::shared_ptr<Loop> loop, size_t maxMembers)
    : loop_(std::move(loop)), forwarder_(loop_), maxMembers_(maxMembers) {
  forwarder_.onDominantSpeaker([this](std::optional<PublicationId> who) { onSpeaker(who); });
  forwarder_.onLayersChanged(
      [this](SubscriptionId id, std::optional<forwarding::LayerChoice> layers) {
        onLayers(id, layers);
      });
}

Room::~Room() {
  forwarder_.onDominantSpeaker({});
  forwarder_.onLayersChanged({});
  for (const auto& [number, member] : members_) member->close();
}

Result<PeerConnection> Room::connect(bool sending) {
  Configuration configuration;
  configuration.includeLoopback = true;  // for browsers on this machine
  configuration.receiveSimulcast = !sending;
  return PeerConnection::create(loop_, configuration);
}

void Room::join(const std::string& name, const std::string& offer, Answered done) {
  if (members_.size() >= maxMembers_)
    return done(fail(ErrorCode::ResourceExhausted, "the room is full"));
  auto up = connect(false);
  auto down = connect(true);
  if (!up || !down) return done(fail((up ? down : up).error()));
  const int number = ++joined_;
  const auto member = std::make_shared<Member>(*this, number, name, *up, *down);
  members_[number] = member;
  member->answer(offer, std::move(done));
}

void Room::leave(int number) {
  const auto found = members_.find(number);
  if (found == members_.end()) return;
  const std::shared_ptr<Member> gone = found->second;
  members_.erase(found);
  gone->close();
  changed();
}

void Room::tick() {
  std::vector<int> lost;
  for (const auto& [number, member] : members_)
    if (member->isLost()) lost.push_back(number);
  for (const int number : lost) leave(number);
}

void Room::tellAll(const Json& message) {
  for (const auto& [number, member] : members_) member->tell(message);
}

void Room::changed() {
  Json list = Json::array();
  for (const auto& [number, member] : members_)
    list.push_back({{"number", number}, {"name", member->name()}});
  tellAll({{"type", "members"}, {"members", list}});
  for (const auto& [number, member] : members_) member->sync();
}

void Room::onSpeaker(std::optional<PublicationId> who) {
  Json message{{"type", "speaker"}, {"number", nullptr}};
  for (const auto& [number, member] : members_) {
    for (const Track& track : member->tracks())
      if (track.id == who) message["number"] = number;
  }
  tellAll(message);
}

void Room::onLayers(SubscriptionId id, const std::optional<forwarding::LayerChoice>& layers) {
  for (const auto& [number, member] : members_) {
    const auto watched = member->watchedBy(id);
    if (!watched) continue;
    Json message{{"type", "layers"}, {"number", *watched}, {"height", 0}};
    const auto sender = members_.find(*watched);
    if (layers && sender != members_.end()) {
      for (const Track& track : sender->second->tracks()) {
        if (track.kind != MediaKind::Video) continue;
        const auto encodings = forwarder_.encodings(track.id);
        if (layers->encoding >= encodings.size()) continue;
        message["rid"] = encodings[layers->encoding].rid;
        message["height"] = encodings[layers->encoding].height;
        message["temporal"] = layers->temporal;
      }
    }
    return member->tell(message);
  }
}

Json Room::report() const {
  const forwarding::ForwarderCounters counters = forwarder_.counters();
  return {{"members", members_.size()},
          {"joined", joined_},
          {"malformed_packets", counters.malformedPackets},
          {"dropped_packets", counters.droppedNoBuffer + counters.droppedQueueFull}};
}

}  // namespace sfu
