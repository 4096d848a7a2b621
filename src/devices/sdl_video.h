#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include <SDL.h>

#include "parley/base/time.h"

namespace parley::devices {

/// Something that the windows' thread looks after.
class SdlClient {
 public:
  virtual ~SdlClient() = default;
  virtual uint32_t windowId() const = 0;
  virtual void handleEvent(const SDL_Event& event) = 0;
  /// Draws what is due.
  virtual void advance(Timestamp now) = 0;
};

/// The thread on which all of SDL's video calls of this process happen, as SDL demands. It begins
/// with the first window and ends with the last, which may be let go on the thread itself.
class SdlVideo {
 public:
  /// The process's one; null with `error` set if there is no screen.
  static std::shared_ptr<SdlVideo> get(std::string& error);
  ~SdlVideo();
  SdlVideo(const SdlVideo&) = delete;
  SdlVideo& operator=(const SdlVideo&) = delete;

  /// Runs `fn` on the thread and waits for it, unless this is the thread.
  void call(const std::function<void()>& fn);
  /// Makes the thread look at its clients soon.
  void wake();
  void add(const std::shared_ptr<SdlClient>& client);
  bool onThread() const { return std::this_thread::get_id() == thread_.get_id(); }

 private:
  struct State;
  SdlVideo() = default;

  std::shared_ptr<State> state_;
  std::thread thread_;
};

}  // namespace parley::devices
