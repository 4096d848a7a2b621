#pragma once

#include <array>
#include <span>
#include <sys/epoll.h>

#include "parley/base/time.h"

#include "io/fd.h"

namespace parley::io {

/// What a descriptor in the epoll set leads to.
class Pollable {
 public:
  /// `events` as epoll reports them.
  virtual void ready(uint32_t events, Timestamp now) = 0;

 protected:
  ~Pollable() = default;
};

/// A level-triggered epoll set.
class Poller {
 public:
  Poller();
  int fd() const { return epoll_.get(); }
  void add(int fd, uint32_t events, Pollable& target);
  void modify(int fd, uint32_t events, Pollable& target);
  void remove(int fd);
  /// Waits at most until `deadline` (never() = no limit, a past one = not at all).
  std::span<const epoll_event> wait(Timestamp now, Timestamp deadline);

 private:
  static constexpr size_t kMaxEvents = 64;
  int waitFor(Duration timeout);
  Fd epoll_;
  bool hasNanosecondWait_ = true;
  std::array<epoll_event, kMaxEvents> events_;
};

/// A duration as poll() wants it: rounded up, so that waking early does not spin; -1 for ever.
int toPollMillis(Duration timeout);

}  // namespace parley::io
