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

// The functions of Node that the binary takes the address of must exist for it to load.
extern "C" {
[[gnu::visibility("default")]] void napi_create_error();
void napi_create_error() {
  std::abort();
}
[[gnu::visibility("default")]] void napi_create_type_error();
void napi_create_type_error() {
  std::abort();
}
}

namespace parley::bench {
namespace {

using ChannelPtr = std::shared_ptr<void>;

// Objects passed by value are passed by address, as the C++ ABI has it for types with a destructor.
struct Library {
  void (*construct)(void* connection);
  const void* (*config)(const void* connection);
  void (*onGatheringStateChange)(void* connection, std::function<void(int)>);
  void (*onDataChannel)(void* connection, std::function<void(ChannelPtr)>);
  void (*localDescription)(void* result, const void* connection);
  void (*setRemoteDescription)(void* connection, void* description);
  ChannelPtr (*createDataChannel)(void* connection, std::string, void* init);
  void (*constructDescription)(void* description, const std::string&, std::string type);
  std::string (*generateSdp)(const void* description, std::string_view lineEnd);
  bool (*send)(void* dataChannel, const std::byte*, size_t);
  void (*onOpen)(void* channel, std::function<void()>);
  void (*onMessage)(void* channel, std::function<void(Binary)>, std::function<void(std::string)>);
  void (*onBufferedAmountLow)(void* channel, std::function<void()>);
  void (*setLowThreshold)(void* channel, size_t);
  size_t (*bufferedAmount)(const void* channel);

  Library() {
    const char* path = std::getenv("LIBDATACHANNEL_BINARY");
    if (path == nullptr) giveUp("LIBDATACHANNEL_BINARY is not set");
    const Symbols symbols(path);
    symbols.load(construct, "_ZN3rtc14PeerConnectionC1Ev");
    symbols.load(config, "_ZNK3rtc14PeerConnection6configEv");
    symbols.load(onGatheringStateChange,
                 "_ZN3rtc14PeerConnection22onGatheringStateChangeE"
                 "St8functionIFvNS0_14GatheringStateEEE");
    symbols.load(onDataChannel,
                 "_ZN3rtc14PeerConnection13onDataChannelE"
                 "St8functionIFvSt10shared_ptrINS_11DataChannelEEEE");
    symbols.load(localDescription, "_ZNK3rtc14PeerConnection16localDescriptionEv");
    symbols.load(setRemoteDescription,
                 "_ZN3rtc14PeerConnection20setRemoteDescriptionENS_11DescriptionE");
    symbols.load(createDataChannel,
                 "_ZN3rtc14PeerConnection17createDataChannelE"
                 "NSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEENS_15DataChannelInitE");
    symbols.load(constructDescription,
                 "_ZN3rtc11DescriptionC1E"
                 "RKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEES6_");
    symbols.load(generateSdp,
                 "_ZNK3rtc11Description11generateSdpB5cxx11E"
                 "St17basic_string_viewIcSt11char_traitsIcEE");
    symbols.load(send, "_ZN3rtc11DataChannel4sendEPKSt4bytem");
    symbols.load(onOpen, "_ZN3rtc7Channel6onOpenESt8functionIFvvEE");
    symbols.load(onMessage,
                 "_ZN3rtc7Channel9onMessageESt8functionIFvSt6vectorISt4byteSaIS3_EEEES1_"
                 "IFvNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEEEE");
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
