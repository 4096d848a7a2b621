#include "call.h"

#include <fstream>
#include <utility>

#include "common/await.h"
#include "common/terminal.h"
#include "common/web.h"

namespace call {

using example::await;
using example::format;
using example::print;
using parley::DataChannel;
using parley::IceCandidate;
using parley::MediaKind;
using parley::PeerConnection;
using parley::PeerConnectionState;
using parley::Result;
using parley::SdpType;
using Json = nlohmann::json;

namespace {

constexpr size_t kMaxEvents = 256;
constexpr std::chrono::seconds kPatience{30};

template <class T>
Json orNull(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

}  // namespace

Result<std::shared_ptr<Call>> Call::create(const Home& home, int number, bool sameMachine) {
  parley::Configuration configuration;
  configuration.includeLoopback = sameMachine;
  configuration.maxBitrate = parley::DataRate::kbps(home.options.maxKbps);
  if (!home.options.stun.empty()) {
    parley::IceServer server;
    server.urls = home.options.stun;
    configuration.iceServers.push_back(std::move(server));
  }
  auto pc = PeerConnection::create(home.loop, std::move(configuration));
  if (!pc) return parley::fail(pc.error());
  const std::shared_ptr<Call> call(new Call(home, number, std::move(*pc)));
  auto received =
      Received::open(home.options, number, home.speaker, [weak = call->weak_from_this()] {
        if (const auto self = weak.lock()) self->hangUp("its window was closed");
      });
  if (!received) return parley::fail(received.error());
  call->received_ = std::move(*received);
  call->watch();
  for (const parley::MediaStreamTrack& track : {home.source.audio, home.source.video}) {
    if (!track) continue;
    if (const auto added = call->pc_.addTrack(track, {"parley"}); !added)
      return parley::fail(added.error());
  }
  return call;
}

Call::Call(const Home& home, int number, PeerConnection pc)
    : home_(home), number_(number), pc_(std::move(pc)) {}

Call::~Call() {
  pc_.close();
}

// Callbacks hold the call weakly: the call holds the connection, and the connection its callbacks.
void Call::watch() {
  const auto weak = weak_from_this();
  pc_.onIceCandidate([weak](const std::optional<IceCandidate>& candidate) {
    const auto self = weak.lock();
    if (self && candidate) self->onCandidate(*candidate);
  });
  if (!home_.options.trace.empty()) {
    const auto file = std::make_shared<std::ofstream>(numbered(home_.options.trace, number_));
    *file << parley::BandwidthEstimate::csvHeader() << '\n';
    pc_.onBandwidthEstimate([file](const parley::BandwidthEstimate& estimate) {
      *file << estimate.csvRow() << std::endl;
    });
  }
  pc_.onConnectionStateChange([weak](PeerConnectionState state) {
    if (const auto self = weak.lock()) self->onState(state);
  });
  pc_.onTrack([weak](const parley::TrackEvent& event) {
    if (const auto self = weak.lock()) self->received_->add(event.track);
  });
  pc_.onDataChannel([weak](DataChannel channel) {
    if (const auto self = weak.lock()) self->onChannel(std::move(channel));
  });
}

Result<std::string> Call::answer(const std::string& offer) {
  auto done = await<void>(pc_, [&](auto completion) {
    pc_.setRemoteDescription({SdpType::Offer, offer}, std::move(completion));
  });
  if (!done) return parley::fail(done.error());
  done = await<void>(pc_, [&](auto completion) { pc_.setLocalDescription(std::move(completion)); });
  if (!done) return parley::fail(done.error());
  return pc_.localDescription()->sdp;
}

Result<std::string> Call::offer() {
  // Also hear and see the other side if we have nothing to send ourselves.
  parley::TransceiverInit receiveOnly;
  receiveOnly.direction = parley::TransceiverDirection::RecvOnly;
  if (!home_.source.audio) (void)pc_.addTransceiver(MediaKind::Audio, receiveOnly);
  if (!home_.source.video) (void)pc_.addTransceiver(MediaKind::Video, receiveOnly);
  auto chat = pc_.createDataChannel("chat");
  if (!chat) return parley::fail(chat.error());
  startChat(std::move(*chat), false);
  const auto done =
      await<void>(pc_, [&](auto completion) { pc_.setLocalDescription(std::move(completion)); });
  if (!done) return parley::fail(done.error());
  return pc_.localDescription()->sdp;
}

Result<void> Call::accept(const std::string& answer) {
  return await<void>(pc_, [&](auto completion) {
    pc_.setRemoteDescription({SdpType::Answer, answer}, std::move(completion));
  });
}

bool Call::addCandidate(const Json& given) {
  if (!given.is_object() || !pc_.remoteDescription()) return false;
  IceCandidate candidate;
  candidate.candidate = example::textOf(given, "candidate");
  if (given.contains("sdpMid") && given["sdpMid"].is_string())
    candidate.sdpMid = given["sdpMid"].get<std::string>();
  if (given.contains("sdpMLineIndex") && given["sdpMLineIndex"].is_number_unsigned())
    candidate.sdpMLineIndex = given["sdpMLineIndex"].get<uint16_t>();
  if (given.contains("usernameFragment") && given["usernameFragment"].is_string())
    candidate.usernameFragment = given["usernameFragment"].get<std::string>();
  pc_.addIceCandidate(std::move(candidate));
  return true;
}

void Call::onCandidate(const IceCandidate& candidate) {
  tell({{"candidate",
         {{"candidate", candidate.candidate},
          {"sdpMid", orNull(candidate.sdpMid)},
          {"sdpMLineIndex", orNull(candidate.sdpMLineIndex)},
          {"usernameFragment", orNull(candidate.usernameFragment)}}}});
}

void Call::tell(Json event) {
  const std::lock_guard lock(mutex_);
  if (ended_ || events_.size() >= kMaxEvents) return;
  events_.push_back(std::move(event));
  changed_.notify_all();
}

std::optional<Json> Call::event(size_t index, std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, patience, [&] { return index < events_.size() || ended_; });
  if (index >= events_.size()) return std::nullopt;
  return events_[index];
}

bool Call::addListener(int most) {
  const std::lock_guard lock(mutex_);
  if (listeners_ >= most) return false;
  ++listeners_;
  return true;
}

void Call::removeListener() {
  const std::lock_guard lock(mutex_);
  --listeners_;
}

void Call::onState(PeerConnectionState state) {
  if (state == PeerConnectionState::Failed) return hangUp("the path to the caller was lost");
  if (state == PeerConnectionState::Disconnected) note("no answer from the caller at present");
  if (state != PeerConnectionState::Connected) return;
  {
    const std::lock_guard lock(mutex_);
    if (setupMs_) return;
    const std::chrono::duration<double, std::milli> taken =
        std::chrono::steady_clock::now() - began_;
    setupMs_ = taken.count();
  }
  note(format("connected after %.0f ms", *setupMs_));
}

void Call::hangUp(const std::string& reason) {
  tell({{"bye", true}});
  {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    ended_ = true;
    endReason_ = reason;
    changed_.notify_all();
  }
  note("over: " + reason);
  pc_.close();
}

bool Call::ended() const {
  const std::lock_guard lock(mutex_);
  return ended_;
}

bool Call::connected() const {
  const std::lock_guard lock(mutex_);
  return setupMs_.has_value();
}

void Call::measure() {
  if (ended()) return;
  if (!connected() && std::chrono::steady_clock::now() - began_ > kPatience)
    return hangUp("no connection came about");
  const auto stats = await<parley::StatsReport>(
      pc_, [&](auto completion) { pc_.getStats(std::move(completion)); });
  if (!stats || !connected()) return;
  std::string line;
  {
    const std::lock_guard lock(mutex_);
    meter_.add(*stats);
    line = meter_.line();
  }
  note(line);
}

void Call::finish() {
  hangUp("the program ends");
  if (const std::string recorded = received_->finish(); !recorded.empty()) note(recorded);
}

Json Call::report() const {
  const std::lock_guard lock(mutex_);
  Json out = meter_.report();
  out["call"] = number_;
  out["connected"] = setupMs_.has_value();
  if (setupMs_) out["setup_ms"] = *setupMs_;
  out["end"] = endReason_;
  out["chat_messages"] = chatMessages_;
  out["files"] = filesReceived_;
  out["files_bytes"] = fileBytes_;
  return out;
}

void Call::note(const std::string& text) const {
  print(format("call %d | ", number_) + text);
}

}  // namespace call
