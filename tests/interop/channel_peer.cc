#include "channel_peer.h"

#include <algorithm>
#include <stdexcept>
#include <utility>
#include <vector>

namespace parley::interop {
namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

constexpr size_t kReportedBytes = 4096;
constexpr uint64_t kSendBufferBytes = 1 << 20;
constexpr std::chrono::seconds kStall{60};

}  // namespace

ChannelPeer::ChannelPeer(LineWriter& out, std::string pc, std::string name, DataChannel channel,
                         std::string mode)
    : out_(out),
      pc_(std::move(pc)),
      name_(std::move(name)),
      channel_(std::move(channel)),
      mode_(std::move(mode)) {}

std::shared_ptr<ChannelPeer> ChannelPeer::create(LineWriter& out, std::string pc, std::string name,
                                                 DataChannel channel, std::string mode) {
  std::shared_ptr<ChannelPeer> made(
      new ChannelPeer(out, std::move(pc), std::move(name), std::move(channel), std::move(mode)));
  made->attach();
  return made;
}

void ChannelPeer::attach() {
  const auto self = shared_from_this();
  channel_.onOpen([self] {
    self->out_.event({{"event", "open"},
                      {"pc", self->pc_},
                      {"dc", self->name_},
                      {"id", orNull(self->channel_.id())}});
    self->notify();
  });
  channel_.onClose([self] {
    self->out_.event({{"event", "close"}, {"pc", self->pc_}, {"dc", self->name_}});
    self->notify();
  });
  channel_.onError([self](const Error& error) {
    self->out_.event(
        {{"event", "dcerror"}, {"pc", self->pc_}, {"dc", self->name_}, {"error", error.message}});
  });
  channel_.onBufferedAmountLow([self] { self->notify(); });
  channel_.onMessage([self](const DataMessage& message) { self->onMessage(message); });
}

void ChannelPeer::notify() {
  // With the lock, so that nobody is between looking and waiting.
  const std::lock_guard lock(mutex_);
  changed_.notify_all();
}

Json ChannelPeer::describe() const {
  return {{"dc", name_},
          {"label", channel_.label()},
          {"protocol", channel_.protocol()},
          {"id", orNull(channel_.id())},
          {"ordered", channel_.ordered()},
          {"maxRetransmits", orNull(channel_.maxRetransmits())},
          {"maxPacketLifeTime", orNull(channel_.maxPacketLifeTime())},
          {"negotiated", channel_.negotiated()}};
}

Json ChannelPeer::received() const {
  const std::string state = toString(channel_.readyState());
  const uint64_t buffered = channel_.bufferedAmount();
  const std::lock_guard lock(mutex_);
  Json out = tally_.result();
  out["state"] = state;
  out["buffered"] = buffered;
  return out;
}

void ChannelPeer::setMode(const std::string& mode) {
  const std::lock_guard lock(mutex_);
  mode_ = mode;
}

void ChannelPeer::onMessage(const DataMessage& message) {
  std::string mode;
  {
    const std::lock_guard lock(mutex_);
    tally_.add(message.data, message.isText);
    if (mode_ != "echo" && awaited_ > 0) {
      --awaited_;
      echoes_.push_back(toBytes(message.data));
      changed_.notify_all();
      return;
    }
    mode = mode_;
  }
  if (mode == "echo") {
    // A full buffer loses the echo, and who waits for it reports that.
    (void)(message.isText ? channel_.send(message.text()) : channel_.send(message.data));
  } else if (mode == "event") {
    report(message);
  }
}

void ChannelPeer::report(const DataMessage& message) const {
  Json event{{"event", "message"},
             {"pc", pc_},
             {"dc", name_},
             {"size", message.data.size()},
             {"hash", fnv1a(message.data)}};
  if (message.data.size() <= kReportedBytes) {
    if (message.isText) {
      event["text"] = std::string(message.text());
    } else {
      event["base64"] = toBase64(message.data);
    }
  }
  out_.event(event);
}

void ChannelPeer::waitForRoom(uint64_t below) {
  channel_.setBufferedAmountLowThreshold(below);
  std::unique_lock lock(mutex_);
  const auto settled = [&] {
    const DataChannelState state = channel_.readyState();
    if (state == DataChannelState::Connecting) return false;
    return state != DataChannelState::Open || channel_.bufferedAmount() <= below;
  };
  if (!changed_.wait_for(lock, kStall, settled)) throw std::runtime_error("the channel stalls");
  if (channel_.readyState() != DataChannelState::Open) {
    throw std::runtime_error(std::string("channel is ") + toString(channel_.readyState()));
  }
}

void ChannelPeer::transmit(ByteSpan bytes, bool text) {
  const Result<void> sent = text ? channel_.send(asText(bytes)) : channel_.send(bytes);
  if (!sent) {
    throw std::runtime_error(std::string(toString(sent.error().code)) + ": " +
                             sent.error().message);
  }
}

void ChannelPeer::send(const Json& request) {
  const auto count = request.value("count", uint32_t{1});
  for (uint32_t index = 0; index < count; ++index) {
    waitForRoom(kSendBufferBytes);
    if (const auto text = optionalMember<std::string>(request, "text")) {
      transmit(asBytes(*text), true);
    } else if (const auto base64 = optionalMember<std::string>(request, "base64")) {
      transmit(fromBase64(*base64), false);
    } else {
      transmit(payload(request.value("size", size_t{0}), index, false), false);
    }
  }
}

Json ChannelPeer::sendPlan(const Json& request) {
  MessagePlan plan(request);
  Tally sent;
  MessagePlan::Message message;
  while (plan.next(message)) {
    const Bytes bytes = payload(message.size, message.index, message.text);
    waitForRoom(kSendBufferBytes);
    transmit(bytes, message.text);
    sent.add(bytes, message.text);
  }
  return sent.result();
}

Json ChannelPeer::ping(const Json& request) {
  const auto count = std::max(request.value("count", uint32_t{20}), uint32_t{1});
  const auto size = request.value("size", size_t{32});
  const std::chrono::milliseconds timeout{request.value("timeout", 5000)};
  std::vector<double> times;
  uint32_t wrong = 0;
  waitForRoom(kSendBufferBytes);
  for (uint32_t index = 0; index < count; ++index) {
    const Bytes out = payload(size, index, false);
    {
      const std::lock_guard lock(mutex_);
      ++awaited_;
    }
    const auto started = Clock::now();
    transmit(out, false);
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, timeout, [&] { return !echoes_.empty(); })) {
      awaited_ = 0;
      throw std::runtime_error("no echo of message " + std::to_string(index));
    }
    times.push_back(Milliseconds(Clock::now() - started).count());
    if (echoes_.front() != out) ++wrong;
    echoes_.pop_front();
  }
  std::sort(times.begin(), times.end());
  return {{"count", count},
          {"size", size},
          {"wrong", wrong},
          {"rtt_ms_min", times.front()},
          {"rtt_ms_p50", times[count / 2]},
          {"rtt_ms_max", times.back()}};
}

Json ChannelPeer::blast(const Json& request) {
  const auto bytes = request.value("bytes", uint64_t{1} << 24);
  const auto chunk = std::max(request.value("chunk", size_t{16384}), size_t{1});
  const auto buffer = request.value("buffer", kSendBufferBytes);
  const bool tally = request.value("tally", false);
  Bytes block = payload(chunk, 0, false);
  Tally tallied;
  const auto started = Clock::now();
  uint64_t sent = 0;
  for (uint32_t index = 0; sent < bytes; sent += chunk, ++index) {
    if (tally) {
      block = payload(chunk, index, false);
      tallied.add(block, false);
    }
    waitForRoom(buffer);
    transmit(block, false);
  }
  waitForRoom(0);
  const double ms = Milliseconds(Clock::now() - started).count();
  Json out{{"bytes", sent},
           {"duration_ms", ms},
           {"rate_mbps", static_cast<double>(sent) * 8 / ms / 1000}};
  if (tally) out["tally"] = tallied.result();
  return out;
}

}  // namespace parley::interop
