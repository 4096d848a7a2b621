#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "parley/base/bytes.h"
#include "parley/base/export.h"
#include "parley/base/result.h"

namespace parley {

namespace api_internal {
class DataChannelCore;
}

/// RTCDataChannelState.
enum class DataChannelState { Connecting, Open, Closing, Closed };
PARLEY_EXPORT const char* toString(DataChannelState state);

/// RTCDataChannelInit.
struct DataChannelInit {
  bool ordered = true;
  /// Milliseconds a message may be retried for. Not together with maxRetransmits.
  std::optional<uint16_t> maxPacketLifeTime;
  std::optional<uint16_t> maxRetransmits;
  std::string protocol;
  /// Both sides create the channel with the same `id`; nothing is announced in-band.
  bool negotiated = false;
  std::optional<uint16_t> id;
};

/// A message as received. `data` is valid during the callback only.
struct DataMessage {
  ByteSpan data;
  bool isText = false;

  std::string_view text() const { return asText(data); }
};

/// RTCDataChannel: a handle; copies refer to the same channel. The channel lives as long as its
/// connection, with or without handles. Thread rules: those of its Loop.
class PARLEY_EXPORT DataChannel {
 public:
  /// An empty handle; every method but `operator bool` and comparison CHECK-fails.
  DataChannel() = default;
  explicit operator bool() const { return core_ != nullptr; }
  bool operator==(const DataChannel&) const = default;

  const std::string& label() const;
  const std::string& protocol() const;
  bool ordered() const;
  std::optional<uint16_t> maxPacketLifeTime() const;
  std::optional<uint16_t> maxRetransmits() const;
  bool negotiated() const;
  /// The SCTP stream; unknown until the DTLS role is, unless negotiated.
  std::optional<uint16_t> id() const;
  DataChannelState readyState() const;

  /// Queues a text (UTF-8) or binary message; 0 bytes are a message too.
  /// InvalidState unless open; Type above the peer's largest message
  /// (SctpTransport.maxMessageSize); Operation when `bufferedAmount()` is at its bound: wait for
  /// `onBufferedAmountLow`.
  Result<void> send(std::string_view text);
  Result<void> send(ByteSpan binary);
  Result<void> sendText(std::string_view text) { return send(text); }
  Result<void> sendBinary(ByteSpan binary) { return send(binary); }
  /// Closes after what is queued has been sent; the peer sees it close too (RFC 8831 section 6.7).
  void close();

  /// Bytes accepted by `send` and not yet handed to the network.
  uint64_t bufferedAmount() const;
  uint64_t bufferedAmountLowThreshold() const;
  void setBufferedAmountLowThreshold(uint64_t bytes);

  // Callbacks; an empty function removes one. An opening and up to 256 messages that came before
  // their callback was set are kept and delivered then.
  void onOpen(std::function<void()> callback);
  void onMessage(std::function<void(const DataMessage&)> callback);
  void onBufferedAmountLow(std::function<void()> callback);
  void onClosing(std::function<void()> callback);
  void onClose(std::function<void()> callback);
  void onError(std::function<void(const Error&)> callback);

  explicit DataChannel(std::shared_ptr<api_internal::DataChannelCore> core)
      : core_(std::move(core)) {}
  const std::shared_ptr<api_internal::DataChannelCore>& core() const { return core_; }

 private:
  std::shared_ptr<api_internal::DataChannelCore> core_;
};

}  // namespace parley
