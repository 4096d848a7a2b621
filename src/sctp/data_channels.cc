#include "parley/sctp/data_channels.h"

#include <algorithm>
#include <utility>

#include "parley/base/machine.h"

#include "base/utf8.h"
#include "sctp/channel.h"
#include "sctp/dcep.h"

namespace parley::sctp {
namespace {

constexpr size_t kMaxLabel = 65'535;
/// RFC 8832 section 6: 65535 is no stream of a channel.
constexpr uint16_t kIllegalStream = 65'535;
constexpr size_t kMaxEarlyPackets = 16;
/// Channels the peer may open ahead of the application's polling.
constexpr size_t kMaxUnreadIncoming = 64;
/// Messages and bytes read ahead of the application; beyond them the receiver window closes.
constexpr size_t kMaxQueuedMessages = 4096;
constexpr size_t kMaxQueuedBytes = 1u << 20;

}  // namespace

static_assert(Machine<DataChannels>);

DataChannels::DataChannels(Environment& environment)
    : env_(environment), messages_(kMaxQueuedMessages + kMaxUnreadIncoming + 65'536) {}

DataChannels::~DataChannels() = default;

// ---- set-up

void DataChannels::start(std::unique_ptr<Association> association, Timestamp now) {
  now_ = clock_.clamp(now);
  if (association_ || ended_ || !association) return;
  association_ = std::move(association);
  association_->setRateLimit(rateLimit_);
  for (const auto& [stream, channel] : byStream_) {
    if (channel->partSize > 0) association_->setPartSize(stream, channel->partSize);
  }
  association_->connect(now_);
  for (const Bytes& packet : earlyPackets_) association_->handlePacket(packet, now_);
  earlyPackets_.clear();
  pull();
}

void DataChannels::setDtlsRole(bool isClient, Timestamp now) {
  now_ = clock_.clamp(now);
  if (isClient_) return;
  isClient_ = isClient;
  std::vector<ChannelId> waiting;
  for (const auto& [id, channel] : channels_) {
    if (channel->state != ChannelState::Connecting || channel->init.negotiated) continue;
    // A former role may have chosen the stream. It stays if it would do now (W3C: an id does not
    // change), but a peer refuses an OPEN on one of its own (RFC 8832 section 6).
    if (channel->stream && (*channel->stream % 2 == 0) != isClient) {
      byStream_.erase(*channel->stream);
      channel->stream.reset();
      channel->init.id.reset();
    }
    if (!channel->stream) waiting.push_back(id);
  }
  for (const ChannelId id : waiting) {
    Channel& channel = *channels_.at(id);
    if (const auto stream = freeStream()) {
      assignStream(channel, *stream);
      if (connected_) announce(channel);
    } else {
      failChannel(channel, "no stream is left for the channel");
    }
  }
}

uint64_t DataChannels::maxMessageSize() const {
  const uint64_t ours = association_ ? association_->maxSendSize() : env_.limits.maxBufferedAmount;
  return remoteMaxMessageSize_ == 0 ? ours : std::min<uint64_t>(ours, remoteMaxMessageSize_);
}

std::optional<uint16_t> DataChannels::maxChannels() const {
  if (!connected_) return std::nullopt;
  return association_->streamCount();
}

AssociationState DataChannels::associationState() const {
  return association_ ? association_->state() : AssociationState::New;
}

void DataChannels::setRateLimit(DataRate limit) {
  rateLimit_ = limit;
  if (association_) association_->setRateLimit(limit);
}

AssociationStats DataChannels::associationStats() const {
  return association_ ? association_->stats() : AssociationStats{};
}

// ---- opening

DataChannels::Channel* DataChannels::find(ChannelId id) {
  const auto found = channels_.find(id);
  return found == channels_.end() ? nullptr : found->second.get();
}

const DataChannels::Channel* DataChannels::find(ChannelId id) const {
  const auto found = channels_.find(id);
  return found == channels_.end() ? nullptr : found->second.get();
}

DataChannels::Channel* DataChannels::atStream(uint16_t stream) {
  const auto found = byStream_.find(stream);
  return found == byStream_.end() ? nullptr : found->second;
}

uint16_t DataChannels::streamLimit() const {
  const uint16_t streams = association_ ? association_->streamCount() : kIllegalStream;
  return std::min(streams, kIllegalStream);
}

bool DataChannels::isTaken(uint16_t stream) const {
  return byStream_.contains(stream) || refused_.contains(stream);
}

std::optional<uint16_t> DataChannels::freeStream() const {
  // RFC 8832 section 6: "If the [sender of the OPEN] is acting as the DTLS client, it MUST choose
  // an even stream identifier; if the side is acting as the DTLS server, it MUST choose an odd
  // one."
  for (uint32_t stream = *isClient_ ? 0 : 1; stream < streamLimit(); stream += 2) {
    if (!isTaken(static_cast<uint16_t>(stream))) return static_cast<uint16_t>(stream);
  }
  return std::nullopt;
}

Result<void> DataChannels::validate(const ChannelInit& init) const {
  if (init.label.size() > kMaxLabel || init.protocol.size() > kMaxLabel) {
    return fail(ErrorCode::Type, "label and protocol have at most 65535 bytes each");
  }
  if (!isValidUtf8(asBytes(init.label)) || !isValidUtf8(asBytes(init.protocol))) {
    return fail(ErrorCode::Type, "label and protocol must be UTF-8");
  }
  if (init.maxRetransmits && init.maxPacketLifeTimeMs) {
    return fail(ErrorCode::Type, "maxRetransmits and maxPacketLifeTime exclude each other");
  }
  if (init.negotiated && (!init.id || *init.id == kIllegalStream)) {
    return fail(ErrorCode::Type, "a negotiated channel needs an id from 0 to 65534");
  }
  if (ended_) return fail(ErrorCode::InvalidState, "the association has ended");
  if (channels_.size() >= env_.limits.maxDataChannels) {
    return fail(ErrorCode::Operation, "too many data channels");
  }
  if (init.negotiated && isTaken(*init.id)) {
    return fail(ErrorCode::Operation, "the id " + std::to_string(*init.id) + " is in use");
  }
  if (init.negotiated && connected_ && *init.id >= streamLimit()) {
    return fail(ErrorCode::Operation,
                "only " + std::to_string(streamLimit()) + " streams were negotiated");
  }
  if (!init.negotiated && isClient_ && !freeStream()) {
    return fail(ErrorCode::Operation, "no stream id is free");
  }
  return ok();
}

DataChannels::Channel& DataChannels::add(const ChannelInit& init) {
  auto channel = std::make_unique<Channel>();
  channel->id = ChannelId{nextChannel_++};
  channel->init = init;
  Channel& added = *channel;
  channels_.emplace(added.id, std::move(channel));
  return added;
}

void DataChannels::assignStream(Channel& channel, uint16_t stream) {
  channel.stream = stream;
  channel.init.id = stream;
  byStream_[stream] = &channel;
  if (association_ && channel.partSize > 0) association_->setPartSize(stream, channel.partSize);
}

Result<ChannelId> DataChannels::open(const ChannelInit& init, Timestamp now) {
  now_ = clock_.clamp(now);
  if (const Result<void> valid = validate(init); !valid) return fail(valid.error());
  Channel& channel = add(init);
  const ChannelId id = channel.id;
  if (init.negotiated) {
    assignStream(channel, *init.id);
  } else {
    channel.init.id.reset();
    if (isClient_) assignStream(channel, *freeStream());
  }
  if (connected_ && channel.stream) announce(channel);
  return id;
}

/// The association is up and the stream known: the channel opens. It does not wait for the ACK
/// (RFC 8832 section 6 lets data follow the OPEN at once; browsers open here too).
void DataChannels::announce(Channel& channel) {
  const ChannelId id = channel.id;
  if (*channel.stream >= streamLimit()) {
    failChannel(channel, "the stream id is beyond the negotiated streams");
    return;
  }
  channel.state = ChannelState::Open;
  if (!channel.init.negotiated) {
    const Result<void> sent = transmit(channel, ppid::kDcep, writeDcepOpen(channel.init), true);
    if (!sent) {
      failChannel(channel, sent.error().message);
      return;
    }
  } else {
    channel.peerKnows = true;
  }
  const uint16_t stream = *channel.stream;
  push(ChannelOpened{id});
  if (channel.init.negotiated) replayEarly(stream);
}

// ---- sending

SendOptions DataChannels::optionsFor(const Channel& channel, uint32_t ppid, bool control) const {
  SendOptions options;
  options.priority = static_cast<uint16_t>(channel.init.priority);
  options.control = control;
  options.beyondLimit = ppid == ppid::kDcep;
  if (ppid != ppid::kDcep) {
    // RFC 8832 section 6: until the ACK or any data has come in, the OPEN might be overtaken.
    options.unordered = !channel.init.ordered && channel.peerKnows;
    options.maxRetransmits = channel.init.maxRetransmits;
    if (channel.init.maxPacketLifeTimeMs) {
      options.lifetime = Duration::millis(*channel.init.maxPacketLifeTimeMs);
    }
  }
  return options;
}

Result<void> DataChannels::transmit(Channel& channel, uint32_t ppid, ByteSpan data, bool control) {
  return association_->send(*channel.stream, ppid, data, optionsFor(channel, ppid, control), now_);
}

Result<void> DataChannels::send(ChannelId id, ByteSpan data, bool isText, Timestamp now) {
  now_ = clock_.clamp(now);
  Channel* channel = find(id);
  if (channel == nullptr || channel->state != ChannelState::Open) {
    return fail(ErrorCode::InvalidState, "the data channel is not open");
  }
  if (channel->partsLeft > 0)
    return fail(ErrorCode::InvalidState, "a message of the channel is not complete yet");
  if (data.size() > maxMessageSize()) {
    return fail(ErrorCode::Type,
                "the message is larger than " + std::to_string(maxMessageSize()) + " bytes");
  }
  // RFC 8831 section 6.6: SCTP has no empty messages, so one zero byte goes with a PPID of its own.
  constexpr uint8_t kFiller[1] = {0};
  Result<void> sent =
      data.empty()
          ? transmit(*channel, isText ? ppid::kTextEmpty : ppid::kBinaryEmpty, kFiller, true)
          : transmit(*channel, isText ? ppid::kText : ppid::kBinary, data, false);
  if (!sent) {
    const ErrorCode code = sent.error().code;
    if (code != ErrorCode::ResourceExhausted) return sent;
    wantWritable(*channel);
    return fail(ErrorCode::Operation, sent.error().message);
  }
  ++channel->stats.messagesSent;
  noteSent(*channel, data.size());
  return ok();
}

void DataChannels::noteSent(Channel& channel, size_t bytes) {
  channel.stats.bytesSent += bytes;
  if (association_->bufferedAmount(*channel.stream) > channel.lowThreshold)
    channel.aboveThreshold = true;
}

Result<void> DataChannels::beginMessage(ChannelId id, uint64_t size, bool isText, Timestamp now) {
  now_ = clock_.clamp(now);
  Channel* channel = find(id);
  if (channel == nullptr || channel->state != ChannelState::Open)
    return fail(ErrorCode::InvalidState, "the data channel is not open");
  if (channel->partsLeft > 0)
    return fail(ErrorCode::InvalidState, "a message of the channel is not complete yet");
  if (size == 0 || (remoteMaxMessageSize_ != 0 && size > remoteMaxMessageSize_)) {
    return fail(ErrorCode::Type,
                "a message in parts has 1 to " + std::to_string(remoteMaxMessageSize_) + " bytes");
  }
  channel->partsLeft = size;
  channel->partsAreText = isText;
  return ok();
}

Result<void> DataChannels::sendPart(ChannelId id, ByteSpan part, Timestamp now) {
  now_ = clock_.clamp(now);
  Channel* channel = find(id);
  if (channel == nullptr || channel->state != ChannelState::Open || channel->partsLeft == 0)
    return fail(ErrorCode::InvalidState, "no message was begun");
  if (part.empty() || part.size() > channel->partsLeft)
    return fail(ErrorCode::Type, "a part is not empty, and not more than the rest of its message");
  const bool last = part.size() == channel->partsLeft;
  const uint32_t ppid = channel->partsAreText ? ppid::kText : ppid::kBinary;
  const Result<void> sent = association_->sendPart(*channel->stream, ppid, part, last,
                                                   optionsFor(*channel, ppid, false), now_);
  if (!sent) {
    if (sent.error().code != ErrorCode::ResourceExhausted) return sent;
    wantWritable(*channel);
    return fail(ErrorCode::Operation, sent.error().message);
  }
  channel->partsLeft -= part.size();
  if (last) ++channel->stats.messagesSent;
  noteSent(*channel, part.size());
  return ok();
}

bool DataChannels::canSend(ChannelId id, size_t bytes) {
  Channel* channel = find(id);
  if (channel == nullptr || channel->state != ChannelState::Open || !association_) return false;
  if (association_->canTake(bytes)) return true;
  wantWritable(*channel);
  return false;
}

void DataChannels::wantWritable(Channel& channel) {
  if (channel.wantsWritable) return;
  channel.wantsWritable = true;
  ++waitingToWrite_;
}

void DataChannels::tellWritable() {
  if (waitingToWrite_ == 0 || !association_->canTake(env_.limits.maxBufferedAmount / 2)) return;
  waitingToWrite_ = 0;
  for (const auto& [id, channel] : channels_) {
    if (std::exchange(channel->wantsWritable, false)) push(ChannelWritable{id});
  }
}

void DataChannels::setPartSize(ChannelId id, size_t bytes) {
  Channel* channel = find(id);
  if (channel == nullptr) return;
  channel->partSize = bytes;
  if (association_ && channel->stream) association_->setPartSize(*channel->stream, bytes);
}

size_t DataChannels::bufferedAmount(ChannelId id) const {
  const Channel* channel = find(id);
  return channel != nullptr && channel->stream && association_
             ? association_->bufferedAmount(*channel->stream)
             : 0;
}

void DataChannels::setBufferedAmountLowThreshold(ChannelId id, size_t bytes) {
  Channel* channel = find(id);
  if (channel == nullptr) return;
  channel->lowThreshold = bytes;
  channel->aboveThreshold = bufferedAmount(id) > bytes;
}

void DataChannels::onBufferedDecrease(uint16_t stream) {
  Channel* channel = atStream(stream);
  if (channel == nullptr || !channel->aboveThreshold) return;
  if (association_->bufferedAmount(stream) > channel->lowThreshold) return;
  channel->aboveThreshold = false;
  push(BufferedAmountLow{channel->id});
}

// ---- closing

void DataChannels::close(ChannelId id, Timestamp now) {
  now_ = clock_.clamp(now);
  Channel* channel = find(id);
  if (channel == nullptr || channel->state == ChannelState::Closing) return;
  beginClose(*channel);
  pull();
}

/// RFC 8831 section 6.7: closing is resetting one's outgoing stream; the peer answers in kind. What
/// is queued is delivered first: the association resets a stream only when it has run dry.
void DataChannels::beginClose(Channel& channel) {
  const bool announced = channel.state == ChannelState::Open;
  channel.state = ChannelState::Closing;
  takePartial(channel);  // no message can come of it any more
  if (!announced || !connected_) {
    finish(channel.id);
    return;
  }
  if (channel.resetAsked) return;
  channel.resetAsked = true;
  association_->resetStreams({&*channel.stream, 1}, now_);
}

void DataChannels::failChannel(Channel& channel, const std::string& reason) {
  if (channel.state == ChannelState::Closing) return;
  PARLEY_LOG(env_.log, Debug, "sctp", "channel %u fails: %s", unsigned{channel.id.value},
             reason.c_str());
  push(ChannelFailed{channel.id, reason, {}});
  beginClose(channel);
}

void DataChannels::finishIfReset(Channel& channel) {
  if (channel.outgoingReset && channel.incomingReset) finish(channel.id);
}

void DataChannels::finish(ChannelId id) {
  const auto found = channels_.find(id);
  Channel& channel = *found->second;
  const std::optional<uint16_t> stream = channel.stream;
  if (channel.wantsWritable) --waitingToWrite_;
  push(ChannelClosed{id, channel.stats, bufferedAmount(id)});
  takePartial(channel);
  keptBytes_ -= channel.nameBytes;
  if (stream) byStream_.erase(*stream);
  channels_.erase(found);
  if (stream && connected_) replayEarly(*stream);
}

void DataChannels::closeAll(Timestamp now, std::string reason) {
  now_ = clock_.clamp(now);
  if (association_) association_->abort(now_);
  endAll({AssociationState::Closed, std::move(reason), {}});
}

void DataChannels::restart(Timestamp now) {
  now_ = clock_.clamp(now);
  pull();
  if (connected_) endAll({AssociationState::Closed, "the peer has started over", {}});
  association_.reset();
  earlyPackets_.clear();
  early_.clear();
  refused_.clear();
  isClient_.reset();
  ended_ = false;
}

void DataChannels::endAll(const AssociationStateChanged& change) {
  if (ended_) return;
  // Figures are taken before the channels go; a failure is an error of each of them (W3C
  // "announcing a data channel as closed"), the end we asked for is not.
  ended_ = true;
  connected_ = false;
  early_.clear();
  refused_.clear();
  while (!channels_.empty()) {
    Channel& channel = *channels_.begin()->second;
    if (!change.reason.empty()) push(ChannelFailed{channel.id, change.reason, change.causeCode});
    finish(channel.id);
  }
  push(TransportChanged{change.state, change.reason, change.causeCode});
}

void DataChannels::onConnected() {
  connected_ = true;
  push(TransportChanged{AssociationState::Connected, {}, {}});
  std::vector<ChannelId> waiting;
  for (const auto& [id, channel] : channels_) {
    if (channel->stream) waiting.push_back(id);
  }
  for (const ChannelId id : waiting) {
    if (Channel* channel = find(id);
        channel != nullptr && channel->state == ChannelState::Connecting) {
      announce(*channel);
    }
  }
}

// ---- machine

void DataChannels::handlePacket(ByteSpan packet, Timestamp now) {
  now_ = clock_.clamp(now);
  if (!association_) {
    if (!ended_ && earlyPackets_.size() < kMaxEarlyPackets)
      earlyPackets_.push_back(toBytes(packet));
    return;
  }
  association_->handlePacket(packet, now_);
  pull();
}

void DataChannels::advance(Timestamp now) {
  now_ = clock_.clamp(now);
  std::erase_if(early_, [this](const auto& entry) { return entry.second->expires <= now_; });
  if (!association_) return;
  association_->advance(now_);
  pull();
}

Timestamp DataChannels::nextDeadline() const {
  Timestamp next = association_ ? association_->nextDeadline() : Timestamp::never();
  for (const auto& [stream, early] : early_) next = earliest(next, early->expires);
  return next;
}

bool DataChannels::isPathProbe() const {
  return association_ && association_->isPathProbe();
}

bool DataChannels::pollTransmit(PacketBuf& out) {
  return association_ && association_->pollTransmit(out);
}

bool DataChannels::pollEvent(ChannelEvent& out) {
  if (association_) pullEvents();
  if (events_.empty()) return false;
  out = std::move(events_.front());
  events_.pop_front();
  if (std::holds_alternative<ChannelIncoming>(out)) {
    const bool wasFull = unreadIncoming_-- >= kMaxUnreadIncoming;
    if (wasFull) pull();
  }
  return true;
}

bool DataChannels::pollMessage(ChannelMessage& out) {
  if (messages_.empty()) return false;
  const bool wasFull = !hasRoom();
  ChannelMessage next = messages_.pop();
  messageBytes_ -= next.data.size();
  std::swap(out.data, next.data);
  if (scratch_.data.capacity() == 0) scratch_.data = std::move(next.data);
  out.channel = next.channel;
  out.isText = next.isText;
  out.first = next.first;
  out.last = next.last;
  out.abandoned = next.abandoned;
  if (wasFull) pull();
  return true;
}

void DataChannels::push(ChannelEvent event) {
  if (std::holds_alternative<ChannelIncoming>(event)) ++unreadIncoming_;
  events_.push_back(std::move(event));
}

/// Whether more may be taken in: the peer must not be able to make our queues grow. Events that one
/// step adds beyond the limit are bounded by the number of channels.
bool DataChannels::hasRoom() const {
  return messages_.size() < kMaxQueuedMessages && messageBytes_ < kMaxQueuedBytes &&
         unreadIncoming_ < kMaxUnreadIncoming && events_.size() < env_.limits.maxQueuedEvents;
}

void DataChannels::pullEvents() {
  AssociationEvent event;
  while (association_->pollEvent(event)) {
    if (const auto* change = std::get_if<AssociationStateChanged>(&event)) {
      if (change->state == AssociationState::Connected) {
        onConnected();
      } else if (change->state == AssociationState::Closed ||
                 change->state == AssociationState::Failed) {
        // What arrived before the end is still the application's.
        while (hasRoom() && association_->pollInbound(scratch_)) handleInbound(scratch_);
        endAll(*change);
      }
    } else if (const auto* reset = std::get_if<OutgoingStreamsReset>(&event)) {
      onOutgoingReset(reset->streams);
    } else if (const auto* decrease = std::get_if<BufferedAmountDecreased>(&event)) {
      onBufferedDecrease(decrease->stream);
      tellWritable();
    }
  }
}

void DataChannels::pull() {
  if (!association_) return;
  pullEvents();
  while (!ended_ && hasRoom() && association_->pollInbound(scratch_)) {
    handleInbound(scratch_);
    pullEvents();
  }
}

// ---- accessors

ChannelState DataChannels::state(ChannelId id) const {
  const Channel* channel = find(id);
  return channel != nullptr ? channel->state : ChannelState::Closed;
}

std::optional<uint16_t> DataChannels::streamId(ChannelId id) const {
  const Channel* channel = find(id);
  return channel != nullptr ? channel->stream : std::nullopt;
}

ChannelStats DataChannels::stats(ChannelId id) const {
  const Channel* channel = find(id);
  return channel != nullptr ? channel->stats : ChannelStats{};
}

}  // namespace parley::sctp
