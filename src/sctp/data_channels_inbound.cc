// What the peer's streams bring: DCEP, messages, resets.

#include <iterator>
#include <utility>

#include "parley/sctp/data_channels.h"

#include "base/utf8.h"
#include "sctp/channel.h"
#include "sctp/dcep.h"

namespace parley::sctp {
namespace {

// Unordered data may overtake its OPEN (RFC 8832 section 6), by no more than a few round trips.
constexpr size_t kMaxEarlyStreams = 4;
constexpr size_t kMaxEarlyBytes = 64 * 1024;
constexpr size_t kMaxEarlyMessages = 256;
constexpr Duration kEarlyLifetime = Duration::seconds(5);

}  // namespace

void DataChannels::handleInbound(Inbound& in) {
  if (in.kind == Inbound::Kind::AllStreamsReset) {
    std::vector<ChannelId> ids;
    for (const auto& [id, channel] : channels_) {
      if (channel->stream && channel->state != ChannelState::Connecting) ids.push_back(id);
    }
    early_.clear();
    for (const ChannelId id : ids) {
      if (Channel* channel = find(id)) handleStreamReset(*channel);
    }
    for (auto refused = refused_.begin(); refused != refused_.end();) {
      refused->second.incomingReset = true;
      refused = refused->second.outgoingReset ? refused_.erase(refused) : std::next(refused);
    }
    return;
  }
  if (refused_.contains(in.stream)) {
    handleRefused(in);
    return;
  }
  Channel* channel = atStream(in.stream);
  if (in.kind == Inbound::Kind::StreamReset) {
    if (channel != nullptr && !channel->incomingReset) {
      handleStreamReset(*channel);
    } else {
      early_.erase(in.stream);
    }
    return;
  }
  // Behind a reset the stream carries a new channel, which waits until the old one is gone.
  const bool nextLife = channel != nullptr && channel->incomingReset;
  if (in.kind == Inbound::Kind::TooBig) {
    // RFC 8831 section 6.6 leaves it to us; the association goes on, the channel does not.
    if (channel != nullptr && !nextLife)
      failChannel(*channel, "the peer sent a message larger than announced");
  } else if (in.kind == Inbound::Kind::Abandoned) {
    if (channel != nullptr && !nextLife && channel->state == ChannelState::Open) {
      in.data.clear();
      in.first = false;
      in.last = true;
      deliver(*channel, false, in);
    }
  } else if (nextLife) {
    keepEarly(in);
  } else if (in.ppid == ppid::kDcep) {
    handleDcep(in);
  } else if (channel != nullptr) {
    handleMessage(*channel, in);
  } else {
    keepEarly(in);
  }
}

void DataChannels::handleStreamReset(Channel& channel) {
  channel.incomingReset = true;
  if (channel.state == ChannelState::Open) {
    push(ChannelClosing{channel.id});
    // W3C closing procedure: only the side that closes sends what it has queued.
    association_->discardQueued(*channel.stream);
    beginClose(channel);
  }
  finishIfReset(channel);
}

void DataChannels::handleDcep(Inbound& in) {
  const std::optional<DcepMessage> message = parseDcep(in.data);
  Channel* channel = atStream(in.stream);
  if (!message) {
    if (channel == nullptr) {
      refuse(in.stream);
    } else {
      failChannel(*channel, "the peer sent a malformed DCEP message");
    }
  } else if (std::holds_alternative<ChannelInit>(*message)) {
    handleOpen(in.stream, in.data);
  } else if (channel != nullptr) {
    channel->peerKnows = true;
  }
}

void DataChannels::handleOpen(uint16_t stream, ByteSpan message) {
  // RFC 8832 section 6: an OPEN on a stream in use, or on one whose parity is not the sender's, is
  // answered by closing that channel.
  if (Channel* used = atStream(stream)) {
    failChannel(*used, "the peer opened a channel on a stream in use");
    return;
  }
  const bool isEven = stream % 2 == 0;
  const bool wrongParity = isClient_ && isEven == *isClient_;
  const std::optional<DcepMessage> parsed = parseDcep(message);
  const auto& init = std::get<ChannelInit>(*parsed);
  const size_t nameBytes = init.label.size() + init.protocol.size();
  if (wrongParity || stream >= streamLimit() || channels_.size() >= env_.limits.maxDataChannels ||
      keptBytes_ + nameBytes > env_.limits.maxKeptDataBytes) {
    refuse(stream);
    return;
  }
  Channel& channel = add(init);
  channel.nameBytes = nameBytes;
  keptBytes_ += nameBytes;
  assignStream(channel, stream);
  channel.state = ChannelState::Open;
  channel.peerKnows = true;
  push(ChannelIncoming{channel.id, channel.init});
  static_cast<void>(transmit(channel, ppid::kDcep, writeDcepAck(), true));
  replayEarly(stream);
}

/// Resets a stream without telling the application. The place stays taken until the peer has reset
/// its side, so that what it still sends there is dropped.
void DataChannels::refuse(uint16_t stream) {
  if (stream >= streamLimit()) return;
  refused_[stream] = {};
  early_.erase(stream);
  association_->resetStreams({&stream, 1}, now_);
}

void DataChannels::handleRefused(Inbound& in) {
  Refused& refused = refused_.at(in.stream);
  if (in.kind == Inbound::Kind::StreamReset) {
    if (refused.incomingReset) early_.erase(in.stream);
    refused.incomingReset = true;
    finishRefused(in.stream);
  } else if (refused.incomingReset) {
    keepEarly(in);
  }
}

void DataChannels::onOutgoingReset(const std::vector<uint16_t>& streams) {
  for (const uint16_t stream : streams) {
    if (const auto refused = refused_.find(stream); refused != refused_.end()) {
      refused->second.outgoingReset = true;
      finishRefused(stream);
      continue;
    }
    Channel* channel = atStream(stream);
    if (channel == nullptr || !channel->resetAsked) continue;
    channel->outgoingReset = true;
    finishIfReset(*channel);
  }
}

void DataChannels::finishRefused(uint16_t stream) {
  const Refused& refused = refused_.at(stream);
  if (!refused.outgoingReset || !refused.incomingReset) return;
  refused_.erase(stream);
  if (connected_) replayEarly(stream);
}

void DataChannels::keepEarly(Inbound& in) {
  auto found = early_.find(in.stream);
  if (found == early_.end()) {
    if (early_.size() >= kMaxEarlyStreams) return;
    found = early_.emplace(in.stream, std::make_unique<Early>()).first;
    found->second->expires = now_ + kEarlyLifetime;
  }
  Early& early = *found->second;
  if (early.bytes + in.data.size() > kMaxEarlyBytes || early.messages.size() >= kMaxEarlyMessages)
    return;
  early.bytes += in.data.size();
  early.messages.push_back(std::move(in));
  in = {};
}

void DataChannels::replayEarly(uint16_t stream) {
  const auto found = early_.find(stream);
  if (found == early_.end()) return;
  std::vector<Inbound> messages = std::move(found->second->messages);
  early_.erase(found);
  for (Inbound& in : messages) handleInbound(in);
}

void DataChannels::handleMessage(Channel& channel, Inbound& in) {
  // Any message shows that the peer has our OPEN.
  channel.peerKnows = true;
  if (channel.state != ChannelState::Open) return;
  switch (in.ppid) {
    case ppid::kText:
    case ppid::kBinary: {
      const bool isText = in.ppid == ppid::kText;
      if (!channel.partial.empty()) {
        if (channel.partialIsText != isText || !keepPartial(channel, in.data)) {
          failChannel(channel, "the peer sent fragments that make no message");
          return;
        }
        in.data = takePartial(channel);
        in.first = in.last = true;
      }
      deliver(channel, isText, in);
      return;
    }
    case ppid::kTextPartial:
    case ppid::kBinaryPartial: {
      // Deprecated by RFC 8831 section 6.6, still sent by old Firefox: the last fragment has 51
      // or 53.
      const bool isText = in.ppid == ppid::kTextPartial;
      const bool mixed = !channel.partial.empty() && channel.partialIsText != isText;
      if (mixed || !keepPartial(channel, in.data)) {
        failChannel(channel, "the peer sent fragments that make no message");
        return;
      }
      channel.partialIsText = isText;
      return;
    }
    case ppid::kTextEmpty:
    case ppid::kBinaryEmpty:
      in.data.clear();
      deliver(channel, in.ppid == ppid::kTextEmpty, in);
      return;
    default:
      PARLEY_LOG(env_.log, Debug, "sctp", "message with unknown PPID %u dropped",
                 unsigned{in.ppid});
      return;
  }
}

/// False if the fragment is too much, for its message or for what one peer may make us keep.
bool DataChannels::keepPartial(Channel& channel, ByteSpan data) {
  if (channel.partial.size() + data.size() > env_.limits.maxMessageSize ||
      keptBytes_ + data.size() > env_.limits.maxKeptDataBytes) {
    return false;
  }
  keptBytes_ += data.size();
  channel.partial.insert(channel.partial.end(), data.begin(), data.end());
  return true;
}

Bytes DataChannels::takePartial(Channel& channel) {
  keptBytes_ -= channel.partial.size();
  return std::exchange(channel.partial, {});
}

void DataChannels::deliver(Channel& channel, bool isText, Inbound& in) {
  ChannelMessage message;
  message.channel = channel.id;
  message.isText = isText;
  message.first = in.first;
  message.last = in.last;
  message.abandoned = in.kind == Inbound::Kind::Abandoned;
  if (isText && in.first && in.last) repairUtf8(in.data);
  if (in.last && !message.abandoned) ++channel.stats.messagesReceived;
  channel.stats.bytesReceived += in.data.size();
  messageBytes_ += in.data.size();
  message.data = std::move(in.data);
  messages_.push(std::move(message));
}

}  // namespace parley::sctp
