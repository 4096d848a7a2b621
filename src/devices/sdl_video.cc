#include "devices/sdl_video.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <vector>

namespace parley::devices {
namespace {

// Between two looks at events and at pictures that are due.
constexpr auto kCycle = std::chrono::milliseconds(5);

}  // namespace

struct SdlVideo::State {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<const std::function<void()>*> calls;
  std::vector<std::weak_ptr<SdlClient>> clients;
  bool started = false;
  bool stopping = false;
  bool woken = false;
  std::string error;

  void run();
  void cycle(std::unique_lock<std::mutex>& lock);
  static void pumpEvents(const std::vector<std::weak_ptr<SdlClient>>& clients);
};

std::shared_ptr<SdlVideo> SdlVideo::get(std::string& error) {
  static std::mutex mutex;
  static std::weak_ptr<SdlVideo> current;
  const std::lock_guard lock(mutex);
  std::shared_ptr<SdlVideo> video = current.lock();
  if (video) return video;
  video.reset(new SdlVideo);
  video->state_ = std::make_shared<State>();
  State& state = *video->state_;
  video->thread_ = std::thread([kept = video->state_] { kept->run(); });
  {
    std::unique_lock waiting(state.mutex);
    state.changed.wait(waiting, [&] { return state.started; });
    error = state.error;
  }
  if (!error.empty()) return nullptr;
  current = video;
  return video;
}

SdlVideo::~SdlVideo() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->changed.notify_all();
  if (onThread()) {
    thread_.detach();  // it keeps the state and ends after the callback that it is in
  } else {
    thread_.join();
  }
}

void SdlVideo::call(const std::function<void()>& fn) {
  if (onThread()) return fn();
  State& state = *state_;
  std::unique_lock lock(state.mutex);
  state.calls.push_back(&fn);
  state.changed.notify_all();
  state.changed.wait(lock, [&] {
    return std::find(state.calls.begin(), state.calls.end(), &fn) == state.calls.end();
  });
}

void SdlVideo::wake() {
  const std::lock_guard lock(state_->mutex);
  state_->woken = true;
  state_->changed.notify_all();
}

void SdlVideo::add(const std::shared_ptr<SdlClient>& client) {
  const std::lock_guard lock(state_->mutex);
  std::erase_if(state_->clients, [](const auto& weak) { return weak.expired(); });
  state_->clients.push_back(client);
}

void SdlVideo::State::pumpEvents(const std::vector<std::weak_ptr<SdlClient>>& clients) {
  SDL_Event event;
  while (SDL_PollEvent(&event)) {
    if (event.type != SDL_WINDOWEVENT) continue;
    for (const auto& weak : clients) {
      const std::shared_ptr<SdlClient> client = weak.lock();
      if (client && client->windowId() == event.window.windowID) client->handleEvent(event);
    }
  }
}

void SdlVideo::State::cycle(std::unique_lock<std::mutex>& lock) {
  while (!calls.empty()) {
    const std::function<void()>* fn = calls.front();
    lock.unlock();
    (*fn)();
    lock.lock();
    calls.pop_front();
    changed.notify_all();
  }
  const std::vector<std::weak_ptr<SdlClient>> present = clients;
  woken = false;
  lock.unlock();
  pumpEvents(present);
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  for (const auto& weak : present) {
    if (const std::shared_ptr<SdlClient> client = weak.lock())
      client->advance(Timestamp::nanos(std::chrono::nanoseconds(now).count()));
  }
  lock.lock();
}

void SdlVideo::State::run() {
  // A predecessor that was let go on its own thread may still be at its end.
  static std::mutex oneAtATime;
  const std::lock_guard alone(oneAtATime);
  // SDL would otherwise take SIGINT and SIGTERM for itself.
  SDL_SetHint(SDL_HINT_NO_SIGNAL_HANDLERS, "1");
  const bool good = SDL_InitSubSystem(SDL_INIT_VIDEO) == 0;
  std::unique_lock lock(mutex);
  if (!good) error = std::string("no screen to open a window on: ") + SDL_GetError();
  started = true;
  changed.notify_all();
  while (good && !stopping) {
    cycle(lock);
    changed.wait_for(lock, kCycle, [this] { return stopping || woken || !calls.empty(); });
  }
  lock.unlock();
  if (good) SDL_QuitSubSystem(SDL_INIT_VIDEO);
  SDL_TLSCleanup();  // SDL knows only the ends of threads that it started itself
}

}  // namespace parley::devices
