// RTCDataChannel.

#include "fields.h"

namespace parley::binding {
namespace {

Result<DataChannel> createDataChannel(const Context&, PeerConnection pc, std::string label,
                                      DataChannelInit init) {
  return pc.createDataChannel(std::move(label), std::move(init));
}

/// `emit(what, ...)` for everything that happens on the channel; text as a string, binary as an
/// ArrayBuffer.
void channelListen(const Context&, DataChannel channel, JsFunction emit) {
  channel.onOpen([emit] { emit("open"); });
  channel.onMessage([emit](const DataMessage& message) {
    if (message.isText) {
      emit("message", std::string(message.text()));
    } else {
      emit("message", Bytes(message.data.begin(), message.data.end()));
    }
  });
  channel.onBufferedAmountLow([emit] { emit("bufferedamountlow"); });
  channel.onClosing([emit] { emit("closing"); });
  channel.onClose([emit] { emit("close"); });
  channel.onError([emit](const Error& error) { emit("error", error); });
}

std::string channelLabel(const Context&, DataChannel channel) {
  return channel.label();
}
std::string channelProtocol(const Context&, DataChannel channel) {
  return channel.protocol();
}
bool channelOrdered(const Context&, DataChannel channel) {
  return channel.ordered();
}
std::optional<uint16_t> channelMaxPacketLifeTime(const Context&, DataChannel channel) {
  return channel.maxPacketLifeTime();
}
std::optional<uint16_t> channelMaxRetransmits(const Context&, DataChannel channel) {
  return channel.maxRetransmits();
}
bool channelNegotiated(const Context&, DataChannel channel) {
  return channel.negotiated();
}
PriorityType channelPriority(const Context&, DataChannel channel) {
  return channel.priority();
}
std::optional<uint16_t> channelId(const Context&, DataChannel channel) {
  return channel.id();
}
DataChannelState channelState(const Context&, DataChannel channel) {
  return channel.readyState();
}
Result<void> channelSendText(const Context&, DataChannel channel, std::string text) {
  return channel.send(std::string_view(text));
}
Result<void> channelSendBinary(const Context&, DataChannel channel, Bytes bytes) {
  return channel.send(ByteSpan(bytes));
}
void channelClose(const Context&, DataChannel channel) {
  channel.close();
}
uint64_t channelBufferedAmount(const Context&, DataChannel channel) {
  return channel.bufferedAmount();
}
uint64_t channelLowThreshold(const Context&, DataChannel channel) {
  return channel.bufferedAmountLowThreshold();
}
void channelSetLowThreshold(const Context&, DataChannel channel, uint64_t bytes) {
  channel.setBufferedAmountLowThreshold(bytes);
}

}  // namespace

void addChannelFunctions(napi_env env, napi_value exports) {
#define PARLEY_NODE_ADD(name) add<name>(env, exports, #name)
  PARLEY_NODE_ADD(createDataChannel);
  PARLEY_NODE_ADD(channelListen);
  PARLEY_NODE_ADD(channelLabel);
  PARLEY_NODE_ADD(channelProtocol);
  PARLEY_NODE_ADD(channelOrdered);
  PARLEY_NODE_ADD(channelMaxPacketLifeTime);
  PARLEY_NODE_ADD(channelMaxRetransmits);
  PARLEY_NODE_ADD(channelNegotiated);
  PARLEY_NODE_ADD(channelPriority);
  PARLEY_NODE_ADD(channelId);
  PARLEY_NODE_ADD(channelState);
  PARLEY_NODE_ADD(channelSendText);
  PARLEY_NODE_ADD(channelSendBinary);
  PARLEY_NODE_ADD(channelClose);
  PARLEY_NODE_ADD(channelBufferedAmount);
  PARLEY_NODE_ADD(channelLowThreshold);
  PARLEY_NODE_ADD(channelSetLowThreshold);
#undef PARLEY_NODE_ADD
}

}  // namespace parley::binding
