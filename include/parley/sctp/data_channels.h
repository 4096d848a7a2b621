#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "parley/base/bytes.h"
#include "parley/base/environment.h"
#include "parley/base/export.h"
#include "parley/base/packet_buffer.h"
#include "parley/base/result.h"
#include "parley/base/ring_queue.h"
#include "parley/base/strong_id.h"
#include "parley/base/time.h"
#include "parley/sctp/association.h"

namespace parley::sctp {

/// Names a channel within its DataChannels; valid before a stream id exists. Never reused.
using ChannelId = StrongId<struct ChannelIdTag>;

/// Weights of RFC 8831 section 6.4, the values of the DCEP priority field.
enum class Priority : uint16_t { VeryLow = 128, Low = 256, Medium = 512, High = 1024 };

/// The W3C RTCDataChannelInit with label. At most one of the two limits may be set.
struct ChannelInit {
  std::string label{};     ///< UTF-8, at most 65535 bytes
  std::string protocol{};  ///< UTF-8, at most 65535 bytes
  bool ordered = true;
  std::optional<uint16_t> maxRetransmits{};
  std::optional<uint16_t> maxPacketLifeTimeMs{};
  bool negotiated = false;       ///< agreed by the application: no DCEP
  std::optional<uint16_t> id{};  ///< required if negotiated, else ignored
  Priority priority = Priority::Low;
  bool operator==(const ChannelInit&) const = default;
};

enum class ChannelState : uint8_t { Connecting, Open, Closing, Closed };

struct ChannelStats {
  uint64_t messagesSent = 0;
  uint64_t bytesSent = 0;
  uint64_t messagesReceived = 0;
  uint64_t bytesReceived = 0;
  bool operator==(const ChannelStats&) const = default;
};

/// The association came up, ended or failed.
struct TransportChanged {
  AssociationState state = AssociationState::New;
  std::string reason;
  std::optional<uint16_t> causeCode{};
};
/// The peer opened a channel; it is open. `init.id` is its stream.
struct ChannelIncoming {
  ChannelId id{};
  ChannelInit init;
};
/// A channel of ours is open.
struct ChannelOpened {
  ChannelId id{};
};
/// The peer began to close an open channel. Closing it ourselves gives no such event (W3C).
struct ChannelClosing {
  ChannelId id{};
};
/// The channel is closed and its id forgotten: these are its last figures.
struct ChannelClosed {
  ChannelId id{};
  ChannelStats stats;
  size_t bufferedAmount = 0;
};
/// Why a channel is about to be closed against the application's will; ChannelClosed follows.
struct ChannelFailed {
  ChannelId id{};
  std::string reason;
  std::optional<uint16_t> causeCode{};  ///< of the association's end
};
/// bufferedAmount fell from above the threshold to the threshold or below.
struct BufferedAmountLow {
  ChannelId id{};
};
/// The send buffer, which had been too full for this channel, is half empty again.
struct ChannelWritable {
  ChannelId id{};
};
using ChannelEvent =
    std::variant<std::monostate, TransportChanged, ChannelIncoming, ChannelOpened, ChannelClosing,
                 ChannelClosed, ChannelFailed, BufferedAmountLow, ChannelWritable>;

struct ChannelMessage {
  ChannelId channel{};
  bool isText = false;  ///< `data` is valid UTF-8 then: broken sequences arrive as U+FFFD (W3C
                        ///< "UTF-8 decode"); a part of a text is as it came
  /// Parts of a message (setPartSize); whole messages are both. They follow each other in order,
  /// other channels' messages may come between them.
  bool first = true;
  bool last = true;
  /// The peer gave up a message of which parts were delivered: no data, and none will follow.
  bool abandoned = false;
  Bytes data;
};

/// All data channels of one peer connection (RFC 8831, DCEP of RFC 8832, W3C semantics): a machine
/// over an Association. Channels may be opened before the association exists.
///
/// Messages and events have separate queues. Leaving messages unread closes the receiver window and
/// delays only what stands behind them in the association.
class PARLEY_EXPORT DataChannels {
 public:
  explicit DataChannels(Environment& environment);
  ~DataChannels();
  DataChannels(const DataChannels&) = delete;
  DataChannels& operator=(const DataChannels&) = delete;

  /// DTLS is up: takes the association and connects it. Only the first call counts (since the last
  /// `restart`). Packets handed in before are fed to it.
  void start(std::unique_ptr<Association> association, Timestamp now);
  /// The DTLS role gives the parity of stream ids: client even, server odd (RFC 8832 section 6).
  /// Channels opened before get their ids here, in the order they were opened. Only the first call
  /// counts.
  void setDtlsRole(bool isClient, Timestamp now);
  /// The peer's a=max-message-size; 0 = any size. Until told: 65536 (RFC 8841 section 6).
  void setRemoteMaxMessageSize(uint64_t bytes) { remoteMaxMessageSize_ = bytes; }
  /// The largest message send() takes now.
  uint64_t maxMessageSize() const;
  /// Streams negotiated, or nullopt until connected (W3C maxChannels).
  std::optional<uint16_t> maxChannels() const;

  /// Errors: Type (both limits set, label or protocol too long or not UTF-8, negotiated without id,
  /// id 65535), Operation (id in use or beyond the negotiated streams, no free id, too many
  /// channels), InvalidState (the association has ended).
  Result<ChannelId> open(const ChannelInit& init, Timestamp now);
  /// Errors: InvalidState (not open), Type (above maxMessageSize()), Operation (buffer full).
  /// Text must be UTF-8; that is the caller's duty.
  Result<void> send(ChannelId channel, ByteSpan data, bool isText, Timestamp now);
  /// Begins a message of `size` bytes that is handed over in parts, so that it need never be held
  /// whole: `sendPart` until the size is reached. Meanwhile the channel takes no other message;
  /// closing it breaks the message off. Errors: InvalidState (not open, or a message is begun
  /// already), Type (size 0, or above the peer's largest message).
  Result<void> beginMessage(ChannelId channel, uint64_t size, bool isText, Timestamp now);
  /// Errors: InvalidState (no message begun), Type (empty, or more than is left), Operation (buffer
  /// full).
  Result<void> sendPart(ChannelId channel, ByteSpan part, Timestamp now);
  /// Whether so many bytes would be taken now. After a no, ChannelWritable tells when the buffer is
  /// half empty; so it does after `send` and `sendPart` said Operation.
  bool canSend(ChannelId channel, size_t bytes);
  /// Incoming messages larger than this come in parts of about this size; 0, the default: whole
  /// ones only. Applies to messages that begin afterwards.
  void setPartSize(ChannelId channel, size_t bytes);
  /// Queued messages are sent first. ChannelClosed follows. Unknown and closing channels: no
  /// effect.
  void close(ChannelId channel, Timestamp now);
  /// Ends everything at once: ABORT to the peer, ChannelClosed for every channel, and ChannelFailed
  /// before it if there is a reason.
  void closeAll(Timestamp now, std::string reason = {});
  /// A new DTLS association with another peer behind it takes the place of the one we had, and the
  /// SCTP association over that is gone. Nothing is said to the former peer; channels that were
  /// open fail, those that still waited for an association go on waiting. `start` and
  /// `setDtlsRole` may be called again.
  void restart(Timestamp now);

  /// See Association::setRateLimit.
  void setRateLimit(DataRate limit);
  /// Whether something waits to be sent.
  bool hasWaiting() const { return association_ && association_->bufferedAmount() > 0; }
  void handlePacket(ByteSpan packet, Timestamp now);
  void advance(Timestamp now);
  Timestamp nextDeadline() const;
  bool pollTransmit(PacketBuf& out);
  /// See Association::isPathProbe.
  bool isPathProbe() const;
  bool pollEvent(ChannelEvent& out);
  /// `out.data` keeps its capacity between calls.
  bool pollMessage(ChannelMessage& out);

  /// Closed for unknown channels.
  ChannelState state(ChannelId channel) const;
  std::optional<uint16_t> streamId(ChannelId channel) const;
  /// Application bytes sent and not yet given to the network; 0 for unknown channels.
  size_t bufferedAmount(ChannelId channel) const;
  void setBufferedAmountLowThreshold(ChannelId channel, size_t bytes);
  ChannelStats stats(ChannelId channel) const;
  size_t channelCount() const { return channels_.size(); }
  AssociationState associationState() const;
  AssociationStats associationStats() const;

 private:
  struct Channel;
  struct Early;

  Channel* find(ChannelId id);
  const Channel* find(ChannelId id) const;
  Channel* atStream(uint16_t stream);
  Channel& add(const ChannelInit& init);
  Result<void> validate(const ChannelInit& init) const;
  std::optional<uint16_t> freeStream() const;
  uint16_t streamLimit() const;
  void assignStream(Channel& channel, uint16_t stream);
  void announce(Channel& channel);
  void beginClose(Channel& channel);
  void finishIfReset(Channel& channel);
  void finish(ChannelId id);
  void failChannel(Channel& channel, const std::string& reason);
  void endAll(const AssociationStateChanged& change);

  void pull();
  void pullEvents();
  bool hasRoom() const;
  void onConnected();
  void onOutgoingReset(const std::vector<uint16_t>& streams);
  void onBufferedDecrease(uint16_t stream);
  void wantWritable(Channel& channel);
  void tellWritable();
  void handleInbound(Inbound& in);
  void handleStreamReset(Channel& channel);
  void handleMessage(Channel& channel, Inbound& in);
  void handleDcep(Inbound& in);
  void handleOpen(uint16_t stream, ByteSpan message);
  /// A stream that the application never hears of: its OPEN was refused. It stays taken until both
  /// sides have reset it.
  struct Refused {
    bool outgoingReset = false;
    bool incomingReset = false;
  };
  void refuse(uint16_t stream);
  void handleRefused(Inbound& in);
  void finishRefused(uint16_t stream);
  bool isTaken(uint16_t stream) const;
  void keepEarly(Inbound& in);
  void replayEarly(uint16_t stream);
  void deliver(Channel& channel, bool isText, Inbound& in);
  bool keepPartial(Channel& channel, ByteSpan data);
  Bytes takePartial(Channel& channel);
  void push(ChannelEvent event);
  SendOptions optionsFor(const Channel& channel, uint32_t ppid, bool control) const;
  Result<void> transmit(Channel& channel, uint32_t ppid, ByteSpan data, bool control);
  void noteSent(Channel& channel, size_t bytes);

  Environment& env_;
  std::unique_ptr<Association> association_;
  DataRate rateLimit_ = DataRate::infinite();
  std::vector<Bytes> earlyPackets_;
  std::optional<bool> isClient_;
  bool connected_ = false;
  bool ended_ = false;
  MonotonicGuard clock_;
  Timestamp now_;
  uint64_t remoteMaxMessageSize_ = 65'536;

  std::map<ChannelId, std::unique_ptr<Channel>> channels_;  ///< in the order they were opened
  std::unordered_map<uint16_t, Channel*> byStream_;
  std::unordered_map<uint16_t, Refused> refused_;
  uint32_t nextChannel_ = 1;
  size_t waitingToWrite_ = 0;  ///< channels that were refused for a full buffer
  std::map<uint16_t, std::unique_ptr<Early>> early_;

  std::deque<ChannelEvent> events_;
  size_t unreadIncoming_ = 0;
  RingQueue<ChannelMessage> messages_;
  size_t messageBytes_ = 0;
  size_t keptBytes_ = 0;  ///< fragments and names of channels that the peer opened
  Inbound scratch_;
};

}  // namespace parley::sctp
