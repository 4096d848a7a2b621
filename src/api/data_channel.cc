#include "parley/api/data_channel.h"

#include "api/data_channel_core.h"
#include "api/peer_connection_core.h"

namespace parley {

using api_internal::DataChannelCore;
using api_internal::LoopCore;
using api_internal::PeerConnectionCore;

const char* toString(DataChannelState state) {
  switch (state) {
    case DataChannelState::Connecting:
      return "connecting";
    case DataChannelState::Open:
      return "open";
    case DataChannelState::Closing:
      return "closing";
    case DataChannelState::Closed:
      return "closed";
  }
  return "";
}

namespace {

// The connection while it exists, with its loop locked.
class Locked {
 public:
  explicit Locked(const std::shared_ptr<DataChannelCore>& core) {
    PARLEY_CHECK(core != nullptr);
    owner_ = core->owner.lock();
    if (owner_) lock_ = LoopCore::Lock(owner_->loop());
  }
  PeerConnectionCore* owner() const { return owner_.get(); }
  sctp::DataChannels* channels() const {
    if (!owner_ || owner_->closed() || !owner_->session()) return nullptr;
    return owner_->session()->dataChannels();
  }

 private:
  std::shared_ptr<PeerConnectionCore> owner_;
  LoopCore::Lock lock_;
};

// What sends to an open channel, with the loop locked.
template <class F>
Result<void> whileOpen(const std::shared_ptr<DataChannelCore>& core, F&& f) {
  const Locked locked(core);
  sctp::DataChannels* channels = locked.channels();
  if (!channels || core->visibleState != DataChannelState::Open) {
    return fail(ErrorCode::InvalidState, std::string("the channel is ") +
                                             toString(core->visibleState) +
                                             ": send after onOpen and before it closes");
  }
  const Timestamp now = locked.owner()->loop().now();
  Result<void> result = f(*channels, now);
  locked.owner()->afterSend();
  return result;
}

Result<void> sendMessage(const std::shared_ptr<DataChannelCore>& core, ByteSpan data, bool isText) {
  return whileOpen(core, [&](sctp::DataChannels& channels, Timestamp now) {
    const auto owner = core->owner.lock();
    const uint64_t before = owner->bufferedAmount(*core);
    Result<void> sent = channels.send(core->id, data, isText, now);
    if (sent) owner->showBuffered(core, before + data.size());
    return sent;
  });
}

}  // namespace

const std::string& DataChannel::label() const {
  return core_->init.label;
}
const std::string& DataChannel::protocol() const {
  return core_->init.protocol;
}
bool DataChannel::ordered() const {
  return core_->init.ordered;
}
std::optional<uint16_t> DataChannel::maxPacketLifeTime() const {
  return core_->init.maxPacketLifeTimeMs;
}
std::optional<uint16_t> DataChannel::maxRetransmits() const {
  return core_->init.maxRetransmits;
}
bool DataChannel::negotiated() const {
  return core_->init.negotiated;
}
PriorityType DataChannel::priority() const {
  // RFC 8831 section 6.4 has four numbers; a peer may put any into its request.
  using P = sctp::Priority;
  if (core_->init.priority > P::Medium) return PriorityType::High;
  if (core_->init.priority > P::Low) return PriorityType::Medium;
  return core_->init.priority > P::VeryLow ? PriorityType::Low : PriorityType::VeryLow;
}

std::optional<uint16_t> DataChannel::id() const {
  const Locked locked(core_);
  return core_->streamId;
}

DataChannelState DataChannel::readyState() const {
  const Locked locked(core_);
  return core_->visibleState;
}

Result<void> DataChannel::send(std::string_view text) {
  return sendMessage(core_, asBytes(text), true);
}
Result<void> DataChannel::send(ByteSpan binary) {
  return sendMessage(core_, binary, false);
}

Result<void> DataChannel::beginMessage(uint64_t size, bool isText) {
  return whileOpen(core_, [&](sctp::DataChannels& channels, Timestamp now) {
    return channels.beginMessage(core_->id, size, isText, now);
  });
}
Result<void> DataChannel::sendPart(ByteSpan part) {
  return whileOpen(core_, [&](sctp::DataChannels& channels, Timestamp now) {
    return channels.sendPart(core_->id, part, now);
  });
}
bool DataChannel::canSend(size_t bytes) const {
  const Locked locked(core_);
  sctp::DataChannels* channels = locked.channels();
  return channels && core_->visibleState == DataChannelState::Open &&
         channels->canSend(core_->id, bytes);
}
void DataChannel::setPartSize(size_t bytes) {
  const Locked locked(core_);
  if (sctp::DataChannels* channels = locked.channels()) channels->setPartSize(core_->id, bytes);
}

void DataChannel::close() {
  const Locked locked(core_);
  sctp::DataChannels* channels = locked.channels();
  if (!channels || core_->visibleState == DataChannelState::Closed ||
      core_->visibleState == DataChannelState::Closing) {
    return;
  }
  // W3C 6.2 close(): the state is "closing" when the call returns, without an event.
  core_->visibleState = DataChannelState::Closing;
  core_->closingSeen = true;
  const Timestamp now = locked.owner()->loop().now();
  channels->close(core_->id, now);
  locked.owner()->afterCall(now);
}

uint64_t DataChannel::bufferedAmount() const {
  const Locked locked(core_);
  // W3C 6.2: closing does not reset it.
  if (!locked.owner()) return core_->finalBufferedAmount;
  return locked.owner()->bufferedAmount(*core_);
}

uint64_t DataChannel::bufferedAmountLowThreshold() const {
  const Locked locked(core_);
  return core_->lowThreshold;
}

void DataChannel::setBufferedAmountLowThreshold(uint64_t bytes) {
  const Locked locked(core_);
  core_->lowThreshold = bytes;
  if (sctp::DataChannels* channels = locked.channels()) {
    channels->setBufferedAmountLowThreshold(core_->id, bytes);
  }
}

void DataChannel::onOpen(std::function<void()> callback) {
  const Locked locked(core_);
  std::swap(core_->onOpen, callback);  // the old one dies after the lock is released
  if (core_->onOpen && locked.owner()) locked.owner()->deliverMissed(core_);
}
void DataChannel::onMessage(std::function<void(const DataMessage&)> callback) {
  const Locked locked(core_);
  std::swap(core_->onMessage, callback);  // the old one dies after the lock is released
  if (core_->onMessage && locked.owner()) locked.owner()->deliverMissed(core_);
}
void DataChannel::onBufferedAmountLow(std::function<void()> callback) {
  const Locked locked(core_);
  std::swap(core_->onLow, callback);  // the old one dies after the lock is released
}
void DataChannel::onWritable(std::function<void()> callback) {
  const Locked locked(core_);
  std::swap(core_->onWritable, callback);  // the old one dies after the lock is released
}
void DataChannel::onClosing(std::function<void()> callback) {
  const Locked locked(core_);
  std::swap(core_->onClosing, callback);  // the old one dies after the lock is released
}
void DataChannel::onClose(std::function<void()> callback) {
  const Locked locked(core_);
  std::swap(core_->onClose, callback);  // the old one dies after the lock is released
}
void DataChannel::onError(std::function<void(const Error&)> callback) {
  const Locked locked(core_);
  std::swap(core_->onError, callback);  // the old one dies after the lock is released
}

}  // namespace parley
