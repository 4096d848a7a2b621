#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "parley/api/priority.h"
#include "parley/base/bytes.h"
#include "parley/base/export.h"
#include "parley/base/result.h"

namespace parley {

namespace api_internal {
class DataChannelCore;
}

/// RTCDataChannelState (webrtc-pc section 6.2).
enum class DataChannelState {
  Connecting,  ///< the association does not stand yet
  Open,        ///< messages can be sent
  Closing,     ///< one end has closed it; what is queued still leaves
  Closed       ///< for good
};
/// The W3C spelling: "connecting".
PARLEY_EXPORT const char* toString(DataChannelState state);

/// RTCDataChannelInit (webrtc-pc section 6.1).
struct DataChannelInit {
  bool ordered = true;  ///< false: messages may overtake each other
  /// Milliseconds a message may be retried for. Not together with maxRetransmits.
  std::optional<uint16_t> maxPacketLifeTime{};
  /// How often a message may be retried; neither: until it has arrived.
  std::optional<uint16_t> maxRetransmits{};
  /// A name for what the channel speaks, told to the peer; at most 65535 bytes of UTF-8.
  std::string protocol{};
  /// Both sides create the channel with the same `id`; nothing is announced in-band.
  bool negotiated = false;
  /// 0 to 65534; without `negotiated` it is not looked at.
  std::optional<uint16_t> id{};
  /// Among the channels of this connection, and told to the peer: how they share the wire when all
  /// have something to send. Each level gets twice what the one below gets (RFC 8831 section 6.4).
  PriorityType priority = PriorityType::Low;
};

/// A message as received. `data` is valid during the callback only.
struct DataMessage {
  ByteSpan data;        ///< its bytes; of a text whatever the peer calls UTF-8, unchecked
  bool isText = false;  ///< sent as text
  /// Only after DataChannel::setPartSize: which parts of its message these are. A whole message is
  /// both the first and the last.
  bool first = true;
  bool last = true;  ///< as `first`
  /// The peer gave up the rest of a message of which parts have come (partial reliability).
  bool abandoned = false;

  /// The same bytes as a text.
  std::string_view text() const { return asText(data); }
};

/// RTCDataChannel (webrtc-pc section 6.2): a handle; copies refer to the same channel. The channel
/// lives as long as its connection, with or without handles. (It has no binaryType: bytes are
/// bytes.) Thread rules: those of its Loop.
class PARLEY_EXPORT DataChannel {
 public:
  /// An empty handle; every method but `operator bool` and comparison CHECK-fails.
  DataChannel() = default;
  /// Whether it refers to a channel, open or closed.
  explicit operator bool() const { return core_ != nullptr; }
  bool operator==(const DataChannel&) const = default;

  // What it was made with, here or by the peer (DataChannelInit).
  const std::string& label() const;
  const std::string& protocol() const;
  bool ordered() const;
  std::optional<uint16_t> maxPacketLifeTime() const;
  std::optional<uint16_t> maxRetransmits() const;
  bool negotiated() const;
  PriorityType priority() const;

  /// The SCTP stream; unknown until the DTLS role is, unless negotiated.
  std::optional<uint16_t> id() const;
  /// Closing at once after close(), Closed when the peer has closed it too, or with the connection.
  DataChannelState readyState() const;

  /// Queues a text (UTF-8, which is not checked) or binary message; 0 bytes are a message too.
  /// InvalidState unless open, and while a message of `beginMessage` is unfinished; Type above the
  /// largest message (SctpTransport.maxMessageSize); Operation when what the connection's channels
  /// have queued together is at its bound (Limits::maxBufferedAmount): wait for `onWritable`.
  Result<void> send(std::string_view text);
  Result<void> send(ByteSpan binary);
  /// As `send`, for callers to whom the overloads are ambiguous.
  Result<void> sendText(std::string_view text) { return send(text); }
  /// As sendText.
  Result<void> sendBinary(ByteSpan binary) { return send(binary); }
  /// Begins a message of `size` bytes that is handed over piece by piece and never held whole:
  /// `sendPart` until the size is reached. Until then the channel takes no other message, and
  /// closing it breaks the message off. Other channels are not held up unless the peer lacks RFC
  /// 8260 (browsers do): then they wait for the end of the message.
  /// InvalidState unless open and without an unfinished message; Type for 0 bytes and above the
  /// peer's largest message.
  Result<void> beginMessage(uint64_t size, bool isText = false);
  /// The next bytes of the message. InvalidState without a message begun; Type for an empty part or
  /// one larger than what is left; Operation when the buffer is full: wait for `onWritable`.
  Result<void> sendPart(ByteSpan part);
  /// Whether `send` or `sendPart` would take so many bytes now. After a no, `onWritable` is called.
  bool canSend(size_t bytes) const;
  /// Incoming messages larger than this come to `onMessage` in parts of about this size, so that
  /// they need not be held whole; 0, the default: whole messages. Their size in all stays bounded
  /// by Limits::maxMessageSize. Set it before the peer sends: in onDataChannel or right after
  /// createDataChannel.
  void setPartSize(size_t bytes);
  /// Closes after what is queued has been sent; the peer sees it close too (RFC 8831 section 6.7).
  void close();

  /// Bytes accepted by `send` and not yet handed to the network. It does not fall within a
  /// callback, and stays as it was when the channel closes.
  uint64_t bufferedAmount() const;
  /// At or below how many bytes onBufferedAmountLow is called; 0 at first.
  uint64_t bufferedAmountLowThreshold() const;
  /// See bufferedAmountLowThreshold.
  void setBufferedAmountLowThreshold(uint64_t bytes);

  // Callbacks; an empty function removes one. An opening and up to 256 messages that came before
  // their callback was set are kept and delivered then, as long as the connection is open; those of
  // all its channels within Limits::maxKeptDataBytes, further ones are dropped.

  /// It can be sent on.
  void onOpen(std::function<void()> callback);
  /// A message, or a part of one (setPartSize), in the order that the channel keeps.
  void onMessage(std::function<void(const DataMessage&)> callback);
  /// bufferedamountlow: the buffered amount has fallen from above the threshold to it or below.
  void onBufferedAmountLow(std::function<void()> callback);
  /// The buffer was too full for a `send`, `sendPart` or `canSend`, and is half empty now. The
  /// bound is the connection's (Limits::maxBufferedAmount), shared by its channels.
  void onWritable(std::function<void()> callback);
  /// The peer closes it; not after our own close().
  void onClosing(std::function<void()> callback);
  /// It is closed. Nothing comes after this.
  void onClose(std::function<void()> callback);
  /// Why it closes, right before onClose, when it was not on purpose (RTCErrorEvent, webrtc-pc
  /// section 11.2): `detail` is DataChannelFailure or SctpFailure, the latter with the cause code
  /// if the peer gave one.
  void onError(std::function<void(const Error&)> callback);

  // For the library's own objects.
  explicit DataChannel(std::shared_ptr<api_internal::DataChannelCore> core)
      : core_(std::move(core)) {}
  const std::shared_ptr<api_internal::DataChannelCore>& core() const { return core_; }

 private:
  std::shared_ptr<api_internal::DataChannelCore> core_;
};

}  // namespace parley
