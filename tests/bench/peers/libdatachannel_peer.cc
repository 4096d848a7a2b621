// libdatachannel as a peer of the comparing benchmarks.

#include <condition_variable>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "bench/peers/end.h"
#include "bench/peers/libdatachannel_binary.h"

namespace parley::bench {
namespace {

using ChannelPtr = std::shared_ptr<void>;

struct Library : ConnectionFunctions {
  void (*onDataChannel)(void* connection, std::function<void(ChannelPtr)>);
  ChannelPtr (*createDataChannel)(void* connection, std::string, void* init);
  bool (*send)(void* dataChannel, const std::byte*, size_t);
  void (*onOpen)(void* channel, std::function<void()>);
  void (*onBufferedAmountLow)(void* channel, std::function<void()>);
  void (*setLowThreshold)(void* channel, size_t);
  size_t (*bufferedAmount)(const void* channel);

  explicit Library(const Symbols& symbols = Symbols(fileOfTheBinary()))
      : ConnectionFunctions(symbols) {
    symbols.load(onDataChannel,
                 "_ZN3rtc14PeerConnection13onDataChannelE"
                 "St8functionIFvSt10shared_ptrINS_11DataChannelEEEE");
    symbols.load(createDataChannel,
                 "_ZN3rtc14PeerConnection17createDataChannelE"
                 "NSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEENS_15DataChannelInitE");
    symbols.load(send, "_ZN3rtc11DataChannel4sendEPKSt4bytem");
    symbols.load(onOpen, "_ZN3rtc7Channel6onOpenESt8functionIFvvEE");
    symbols.load(onBufferedAmountLow, "_ZN3rtc7Channel19onBufferedAmountLowESt8functionIFvvEE");
    symbols.load(setLowThreshold, "_ZN3rtc7Channel29setBufferedAmountLowThresholdEm");
    symbols.load(bufferedAmount, "_ZNK3rtc7Channel14bufferedAmountEv");
  }
};

const Library& library() {
  static const Library loaded;
  return loaded;
}

class LibdatachannelEnd final : public End {
 public:
  explicit LibdatachannelEnd(EndEvents events) : events_(std::move(events)) {
    library_.construct(connection_.get());
    bindToLoopback(const_cast<void*>(library_.config(connection_.get())));
    library_.onGatheringStateChange(connection_.get(), [this](int state) {
      constexpr int kComplete = 2;
      if (state != kComplete) return;
      const std::lock_guard lock(mutex_);
      gathered_ = true;
      changed_.notify_all();
    });
    library_.onDataChannel(connection_.get(), [this](ChannelPtr channel) { adopt(channel); });
  }

  // Descriptions are made by the library's automatic negotiation.
  std::string offer() override {
    Opaque init;  // all zero: ordered, reliable, in-band
    adopt(library_.createDataChannel(connection_.get(), "bench", init.get()));
    return describe();
  }
  std::string answer(const std::string& offer) override {
    setRemote(offer, "offer");
    return describe();
  }
  void accept(const std::string& answer) override { setRemote(answer, "answer"); }
  bool send(const uint8_t* data, size_t size) override {
    library_.send(channel_.get(), reinterpret_cast<const std::byte*>(data), size);
    return true;  // its answer says whether the message was buffered
  }
  size_t buffered() override { return library_.bufferedAmount(channelOf(channel_.get())); }

 private:
  void setRemote(const std::string& sdp, const char* type) {
    Opaque description;
    library_.constructDescription(description.get(), sdp, type);
    library_.setRemoteDescription(connection_.get(), description.get());
  }
  std::string describe() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return gathered_; });
    Opaque description;
    library_.localDescription(description.get(), connection_.get());
    return library_.generateSdp(description.get(), "\r\n");
  }
  void adopt(const ChannelPtr& channel) {
    channel_ = channel;
    void* const base = channelOf(channel_.get());
    library_.setLowThreshold(base, kLowBytes);
    library_.onMessage(
        base,
        [this](const Binary& data) {
          events_.message(reinterpret_cast<const uint8_t*>(data.data()), data.size());
        },
        [](const std::string&) {});
    library_.onBufferedAmountLow(base, events_.low);
    library_.onOpen(base, events_.open);
  }

  const Library& library_ = library();
  EndEvents events_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool gathered_ = false;
  Opaque connection_;
  ChannelPtr channel_;
};

}  // namespace

std::unique_ptr<End> makeEnd(int, EndEvents events) {
  return std::make_unique<LibdatachannelEnd>(std::move(events));
}

}  // namespace parley::bench
