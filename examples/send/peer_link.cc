#include "peer_link.h"

#include <utility>

#include "common/await.h"
#include "common/path.h"

namespace sending {

using example::await;
using parley::DataChannel;
using parley::DataMessage;
using parley::PeerConnection;
using parley::PeerConnectionState;
using parley::Result;
using parley::SdpType;

namespace {

constexpr uint64_t kHighWater = 8u << 20;
constexpr uint64_t kLowWater = 4u << 20;
// A side that sends more than it may: twice the window, and as many small messages.
constexpr size_t kMaxInboxBytes = 2 * kWindowBytes;
constexpr size_t kMaxInboxMessages = 16'384;
// Servers that do not answer shall not hold up what works without them.
constexpr std::chrono::seconds kGathering{3};

}  // namespace

Result<std::shared_ptr<PeerLink>> PeerLink::create(const Setup& setup) {
  parley::Configuration configuration;
  configuration.includeLoopback = setup.sameMachine;
  if (!setup.stun.empty()) {
    parley::IceServer server;
    server.urls = setup.stun;
    configuration.iceServers.push_back(std::move(server));
  }
  auto pc = PeerConnection::create(setup.loop, std::move(configuration));
  if (!pc) return parley::fail(pc.error());
  const std::shared_ptr<PeerLink> link(new PeerLink(std::move(*pc)));
  link->watch();
  return link;
}

PeerLink::~PeerLink() {
  pc_.close();
}

// Callbacks hold the link weakly: it holds the connection, and the connection its callbacks.
void PeerLink::watch() {
  const auto weak = weak_from_this();
  pc_.onConnectionStateChange([weak](PeerConnectionState state) {
    const auto self = weak.lock();
    if (self && (state == PeerConnectionState::Failed || state == PeerConnectionState::Closed))
      self->setLost();
  });
  pc_.onIceGatheringStateChange([weak](parley::IceGatheringState state) {
    const auto self = weak.lock();
    if (!self || state != parley::IceGatheringState::Complete) return;
    const std::lock_guard lock(self->mutex_);
    self->gathered_ = true;
    self->changed_.notify_all();
  });
  pc_.onDataChannel([weak](DataChannel channel) {
    const auto self = weak.lock();
    if (self && channel.protocol() == kChannelProtocol) self->adopt(std::move(channel));
  });
}

void PeerLink::adopt(DataChannel channel) {
  const auto weak = weak_from_this();
  {
    const std::lock_guard lock(mutex_);
    if (channel_) return;  // one is enough
    channel_ = channel;
  }
  channel.setBufferedAmountLowThreshold(kLowWater);
  channel.onBufferedAmountLow([weak] {
    if (const auto self = weak.lock()) self->onDrained();
  });
  channel.onClose([weak] {
    if (const auto self = weak.lock()) self->setLost();
  });
  channel.onMessage([weak](const DataMessage& message) {
    if (const auto self = weak.lock()) self->onMessage(message);
  });
  channel.onOpen([weak] {
    const auto self = weak.lock();
    if (!self) return;
    const std::lock_guard lock(self->mutex_);
    self->open_ = true;
    self->heard_ = Clock::now();
    self->changed_.notify_all();
  });
}

void PeerLink::onMessage(const DataMessage& message) {
  const std::lock_guard lock(mutex_);
  heard_ = Clock::now();
  if (lost_) return;
  inbox_.push_back({message.isText, parley::toBytes(message.data)});
  inboxBytes_ += message.data.size();
  if (inboxBytes_ > kMaxInboxBytes || inbox_.size() > kMaxInboxMessages) lost_ = true;
  changed_.notify_all();
}

void PeerLink::onDrained() {
  const std::lock_guard lock(mutex_);
  ++drained_;
  changed_.notify_all();
}

void PeerLink::setLost() {
  const std::lock_guard lock(mutex_);
  lost_ = true;
  changed_.notify_all();
}

Result<std::string> PeerLink::described() {
  const auto done =
      await<void>(pc_, [&](auto completion) { pc_.setLocalDescription(std::move(completion)); });
  if (!done) return parley::fail(done.error());
  {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kGathering, [&] { return gathered_ || lost_; });
  }
  return pc_.localDescription()->sdp;
}

Result<std::string> PeerLink::offer() {
  parley::DataChannelInit init;
  init.protocol = kChannelProtocol;
  auto channel = pc_.createDataChannel("send", init);
  if (!channel) return parley::fail(channel.error());
  adopt(std::move(*channel));
  return described();
}

Result<std::string> PeerLink::answer(const std::string& offer) {
  const auto done = await<void>(pc_, [&](auto completion) {
    pc_.setRemoteDescription({SdpType::Offer, offer}, std::move(completion));
  });
  if (!done) return parley::fail(done.error());
  return described();
}

Result<void> PeerLink::accept(const std::string& answer) {
  return await<void>(pc_, [&](auto completion) {
    pc_.setRemoteDescription({SdpType::Answer, answer}, std::move(completion));
  });
}

bool PeerLink::opened(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, patience, [&] { return open_ || lost_; });
  return open_ && !lost_;
}

std::optional<PeerLink::Message> PeerLink::next() {
  const std::lock_guard lock(mutex_);
  if (inbox_.empty()) return std::nullopt;
  Message message = std::move(inbox_.front());
  inbox_.pop_front();
  inboxBytes_ -= message.data.size();
  return message;
}

bool PeerLink::hasMessages() const {
  const std::lock_guard lock(mutex_);
  return !inbox_.empty();
}

void PeerLink::wait(std::chrono::milliseconds patience, bool forRoom) {
  const auto end = Clock::now() + patience;
  std::unique_lock lock(mutex_);
  const uint64_t seen = drained_;
  if (forRoom) {
    lock.unlock();  // the library takes its own lock
    if (hasRoom()) return;
    lock.lock();
  }
  changed_.wait_until(lock, end,
                      [&] { return !inbox_.empty() || lost_ || (forRoom && drained_ != seen); });
}

bool PeerLink::hasRoom() const {
  return channel_.bufferedAmount() < kHighWater;
}

bool PeerLink::sent(const Result<void>& result) {
  spoke_ = Clock::now();
  // There is always room for what hasRoom() allowed and a few texts, so this is the end.
  if (!result) setLost();
  return result.has_value();
}

bool PeerLink::send(const Json& message) {
  return sent(channel_.send(message.dump(-1, ' ', false, Json::error_handler_t::replace)));
}

bool PeerLink::send(parley::ByteSpan content) {
  return sent(channel_.send(content));
}

void PeerLink::keepAlive() {
  if (Clock::now() - spoke_ > kHeartbeat) (void)send({{"t", "alive"}});
}

bool PeerLink::lost() const {
  const std::lock_guard lock(mutex_);
  return lost_ || Clock::now() - heard_ > kSilence;
}

void PeerLink::close() {
  setLost();
  pc_.close();
}

std::string PeerLink::path() {
  const auto stats = await<parley::StatsReport>(
      pc_, [&](auto completion) { pc_.getStats(std::move(completion)); });
  return stats ? example::selectedPath(*stats) : std::string();
}

}  // namespace sending
