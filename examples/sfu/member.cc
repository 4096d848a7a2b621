#include "member.h"

#include <algorithm>

#include "common/web.h"

namespace sfu {

using namespace parley;  // NOLINT: an example reads best so
using Json = nlohmann::json;

namespace {

constexpr std::chrono::seconds kPatience{20};
constexpr size_t kMaxText = 2000;

/// What all browsers have, and what layers are told apart in.
std::vector<RtpCodec> roomCodecs(MediaKind kind) {
  std::vector<RtpCodec> out;
  for (RtpCodec& codec : RtpSender::getCapabilities(kind).codecs) {
    if (codec.mimeType == "video/VP8" || codec.mimeType == "video/rtx" ||
        codec.mimeType == "audio/opus")
      out.push_back(std::move(codec));
  }
  return out;
}

}  // namespace

Member::Member(Room& room, int number, std::string name, PeerConnection up, PeerConnection down)
    : room_(room), number_(number), name_(std::move(name)), up_(up), down_(down) {}

bool Member::isLost() const {
  return !open_ && std::chrono::steady_clock::now() - since_ > kPatience;
}

void Member::answer(const std::string& offer, Room::Answered done) {
  const std::weak_ptr<Member> weak = weak_from_this();
  up_.onDataChannel([weak](DataChannel channel) {
    if (const auto self = weak.lock()) self->listen(channel);
  });
  up_.onTrack([weak](const TrackEvent& event) {
    const auto self = weak.lock();
    if (!self) return;
    const auto publication = self->room_.forwarder().publish(event.receiver);
    if (publication) self->tracks_.push_back({*publication, event.track.kind()});
  });
  for (PeerConnection* connection : {&up_, &down_}) {
    connection->onConnectionStateChange([weak, pc = *connection](PeerConnectionState state) {
      const auto self = weak.lock();
      if (self && state == PeerConnectionState::Failed) self->leave();
    });
  }
  up_.setRemoteDescription({SdpType::Offer, offer}, [done](const Result<void>& result) {
    if (!result) done(fail(result.error()));
  });
  // The one port is open: the candidates are there at once, and stand in the answer.
  up_.setLocalDescription([weak, done](const Result<void>& result) {
    const auto self = weak.lock();
    if (!self || !result) return;
    const auto told = [self, done] {
      done(Json{{"number", self->number_}, {"sdp", self->up_.localDescription()->sdp}});
    };
    if (self->up_.iceGatheringState() == IceGatheringState::Complete) return told();
    self->up_.onIceGatheringStateChange([told](IceGatheringState state) {
      if (state == IceGatheringState::Complete) told();
    });
  });
}

void Member::listen(DataChannel channel) {
  channel_ = channel;
  const std::weak_ptr<Member> weak = weak_from_this();
  channel.onOpen([weak] {
    const auto self = weak.lock();
    if (!self) return;
    self->open_ = true;
    self->room_.changed();
  });
  channel.onMessage([weak](const DataMessage& message) {
    const auto self = weak.lock();
    const Json parsed = Json::parse(message.text(), nullptr, false);
    if (self && parsed.is_object()) self->onMessage(parsed);
  });
  channel.onClose([weak] {
    if (const auto self = weak.lock()) self->leave();
  });
}

void Member::tell(const Json& message) {
  if (open_) (void)channel_.send(message.dump());
}

void Member::leave() {
  room_.leave(number_);
}

void Member::close() {
  open_ = false;
  up_.close();  // ends what is published
  down_.close();
}

void Member::onMessage(const Json& message) {
  const std::string type = example::textOf(message, "type");
  const auto number = [&](const char* key) -> int64_t {
    const auto found = message.find(key);
    if (found == message.end() || !found->is_number_integer()) return -1;
    return found->get<int64_t>();
  };
  if (type == "answer") {
    onAnswer(example::textOf(message, "sdp"));
  } else if (type == "size") {
    const int64_t height = number("height");
    for (const View& view : views_) {
      if (view.number != number("number") || height <= 0 || height > 10'000) continue;
      if (view.transceiver.kind() == MediaKind::Video)
        room_.forwarder().setMaxHeight(view.subscription, static_cast<uint32_t>(height));
    }
  } else if (type == "limit") {
    const int64_t kbps = number("kbps");
    if (kbps < 0 || kbps > 1'000'000) return;
    room_.forwarder().setMaxBitrate(down_,
                                    kbps == 0 ? std::nullopt : std::optional(DataRate::kbps(kbps)));
  } else if (type == "chat") {
    std::string text = example::textOf(message, "text");
    if (text.empty() || text.size() > kMaxText) return;
    room_.tellAll({{"type", "chat"}, {"number", number_}, {"text", std::move(text)}});
  } else if (type == "bye") {
    leave();
  }
}

std::optional<int> Member::watchedBy(SubscriptionId id) const {
  for (const View& view : views_) {
    if (view.subscription == id && view.transceiver.kind() == MediaKind::Video) return view.number;
  }
  return std::nullopt;
}

void Member::sync() {
  if (!open_) return;
  if (negotiating_) {
    again_ = true;
    return;
  }
  const bool gone = dropGone();
  const bool added = addNew();
  if (gone || added) offer();
}

bool Member::dropGone() {
  const auto isGone = [this](const View& view) {
    const auto found = room_.members().find(view.number);
    return found == room_.members().end() ||
           std::none_of(found->second->tracks().begin(), found->second->tracks().end(),
                        [&](const Track& track) { return track.id == view.publication; });
  };
  return std::erase_if(views_, [&](View& view) {
           if (!isGone(view)) return false;
           // Its place in the description is taken by the next one.
           room_.forwarder().unsubscribe(view.subscription);
           (void)view.transceiver.stop();
           return true;
         }) > 0;
}

bool Member::addNew() {
  bool added = false;
  for (const auto& [number, other] : room_.members()) {
    if (number == number_) continue;
    for (const Track& track : other->tracks()) {
      const bool known = std::any_of(views_.begin(), views_.end(), [&](const View& view) {
        return view.publication == track.id;
      });
      if (known) continue;
      TransceiverInit init;
      init.direction = TransceiverDirection::SendOnly;
      init.streams = {"member" + std::to_string(number)};
      auto transceiver = down_.addTransceiver(track.kind, init);
      if (!transceiver) continue;
      (void)transceiver->setCodecPreferences(roomCodecs(track.kind));
      const auto subscription = room_.forwarder().subscribe(track.id, transceiver->sender());
      if (!subscription) {
        (void)transceiver->stop();
        continue;
      }
      views_.push_back({number, track.id, *subscription, *transceiver});
      added = true;
    }
  }
  return added;
}

void Member::offer() {
  negotiating_ = true;
  const std::weak_ptr<Member> weak = weak_from_this();
  down_.setLocalDescription([weak](const Result<void>& result) {
    const auto self = weak.lock();
    if (!self) return;
    if (!result) return self->leave();
    if (self->down_.iceGatheringState() == IceGatheringState::Complete) return self->sendOffer();
    self->down_.onIceGatheringStateChange([weak](IceGatheringState state) {
      const auto waiting = weak.lock();
      if (waiting && state == IceGatheringState::Complete) waiting->sendOffer();
    });
  });
}

void Member::sendOffer() {
  down_.onIceGatheringStateChange({});
  Json tracks = Json::object();
  for (const View& view : views_) {
    if (const auto mid = view.transceiver.mid()) tracks[*mid] = view.number;
  }
  tell({{"type", "offer"}, {"sdp", down_.localDescription()->sdp}, {"tracks", tracks}});
}

void Member::onAnswer(const std::string& sdp) {
  if (!negotiating_) return;
  const std::weak_ptr<Member> weak = weak_from_this();
  down_.setRemoteDescription({SdpType::Answer, sdp}, [weak](const Result<void>& result) {
    const auto self = weak.lock();
    if (!self) return;
    if (!result) return self->leave();
    self->negotiating_ = false;
    if (std::exchange(self->again_, false)) self->sync();
  });
}

}  // namespace sfu
