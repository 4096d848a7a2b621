// libdatachannel as a forwarding server: the packets of one track, as they come, to all others.

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string_view>

#include "bench/peers/forwarding_main.h"
#include "bench/peers/libdatachannel_binary.h"

namespace parley::bench {
namespace {

using TrackPtr = std::shared_ptr<void>;

struct Library : ConnectionFunctions {
  void (*onTrack)(void* connection, std::function<void(TrackPtr)>);
  bool (*send)(void* track, const std::byte*, size_t);

  explicit Library(const Symbols& symbols = Symbols(fileOfTheBinary()))
      : ConnectionFunctions(symbols) {
    symbols.load(onTrack,
                 "_ZN3rtc14PeerConnection7onTrackESt8functionIFvSt10shared_ptrINS_5TrackEEEE");
    symbols.load(send, "_ZN3rtc5Track4sendEPKSt4bytem");
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
