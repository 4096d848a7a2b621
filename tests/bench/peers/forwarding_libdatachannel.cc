// libdatachannel as a forwarding server: the packets of one track, as they come, to all others.

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string_view>

#include "bench/peers/forwarding_main.h"
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

using TrackPtr = std::shared_ptr<void>;

struct Library {
  void (*construct)(void* connection);
  const void* (*config)(const void* connection);
  void (*onGatheringStateChange)(void* connection, std::function<void(int)>);
  void (*onTrack)(void* connection, std::function<void(TrackPtr)>);
  void (*localDescription)(void* result, const void* connection);
  void (*setRemoteDescription)(void* connection, void* description);
  void (*constructDescription)(void* description, const std::string&, std::string type);
  std::string (*generateSdp)(const void* description, std::string_view lineEnd);
  bool (*send)(void* track, const std::byte*, size_t);
  void (*onMessage)(void* channel, std::function<void(Binary)>, std::function<void(std::string)>);

  Library() {
    const char* path = std::getenv("LIBDATACHANNEL_BINARY");
    if (path == nullptr) giveUp("LIBDATACHANNEL_BINARY is not set");
    const Symbols symbols(path);
    symbols.load(construct, "_ZN3rtc14PeerConnectionC1Ev");
    symbols.load(config, "_ZNK3rtc14PeerConnection6configEv");
    symbols.load(onGatheringStateChange,
                 "_ZN3rtc14PeerConnection22onGatheringStateChangeE"
                 "St8functionIFvNS0_14GatheringStateEEE");
    symbols.load(onTrack,
                 "_ZN3rtc14PeerConnection7onTrackESt8functionIFvSt10shared_ptrINS_5TrackEEEE");
    symbols.load(localDescription, "_ZNK3rtc14PeerConnection16localDescriptionEv");
    symbols.load(setRemoteDescription,
                 "_ZN3rtc14PeerConnection20setRemoteDescriptionENS_11DescriptionE");
    symbols.load(constructDescription,
                 "_ZN3rtc11DescriptionC1E"
                 "RKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEES6_");
    symbols.load(generateSdp,
                 "_ZNK3rtc11Description11generateSdpB5cxx11E"
                 "St17basic_string_viewIcSt11char_traitsIcEE");
    symbols.load(send, "_ZN3rtc5Track4sendEPKSt4bytem");
    symbols.load(onMessage,
                 "_ZN3rtc7Channel9onMessageESt8functionIFvSt6vectorISt4byteSaIS3_EEEES1_"
                 "IFvNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEEEE");
  }
};

class Server {
 public:
  std::string join(const std::string& offer, bool publisher) {
    connections_.push_back(std::make_unique<Opaque>());
    void* const connection = connections_.back()->get();
    library_.construct(connection);
    bindToLoopback(const_cast<void*>(library_.config(connection)));
    gathered_ = false;
    library_.onGatheringStateChange(connection, [this](int state) {
      constexpr int kComplete = 2;
      if (state != kComplete) return;
      const std::lock_guard lock(mutex_);
      gathered_ = true;
      changed_.notify_all();
    });
    library_.onTrack(connection, [this, publisher](TrackPtr track) { adopt(track, publisher); });
    Opaque description;
    library_.constructDescription(description.get(), offer, "offer");
    library_.setRemoteDescription(connection, description.get());
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return gathered_; });
    Opaque local;
    library_.localDescription(local.get(), connection);
    return library_.generateSdp(local.get(), "\r\n");
  }
  uint64_t count() const { return sent_; }

 private:
  void adopt(const TrackPtr& track, bool publisher) {
    const std::lock_guard lock(tracksMutex_);
    tracks_.push_back(track);
    if (!publisher) {
      viewers_.push_back(track.get());
      return;
    }
    library_.onMessage(
        channelOf(track.get()),
        [this](const Binary& packet) {
          const auto second = static_cast<uint8_t>(packet.size() > 1 ? packet[1] : std::byte{});
          if (second >= 192 && second <= 223) return;  // RTCP
          const std::lock_guard forwarding(tracksMutex_);
          for (void* viewer : viewers_)
            sent_ += library_.send(viewer, packet.data(), packet.size());
        },
        [](const std::string&) {});
  }

  const Library library_;
  std::vector<std::unique_ptr<Opaque>> connections_;
  std::vector<TrackPtr> tracks_;
  std::vector<void*> viewers_;
  std::mutex tracksMutex_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool gathered_ = false;
  std::atomic<uint64_t> sent_{0};
};

}  // namespace
}  // namespace parley::bench

int main() {
  parley::bench::Server server;
  return parley::bench::runServer(server);
}
