#include "io/poller.h"

#include <algorithm>
#include <cerrno>
#include <limits>

#include "parley/base/check.h"

namespace parley::io {

Poller::Poller() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  PARLEY_CHECK(static_cast<bool>(epoll_));
}

void Poller::add(int fd, uint32_t events, Pollable& target) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &target;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
}

void Poller::modify(int fd, uint32_t events, Pollable& target) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &target;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void Poller::remove(int fd) {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

int toPollMillis(Duration timeout) {
  if (timeout.isInfinite()) return -1;
  if (timeout <= Duration::zero()) return 0;
  constexpr int64_t kMax = std::numeric_limits<int>::max();
  return static_cast<int>(std::min(kMax, (timeout.nanos() - 1) / 1'000'000 + 1));
}

int Poller::waitFor(Duration timeout) {
  const int size = static_cast<int>(kMaxEvents);
  if (hasNanosecondWait_ && !timeout.isInfinite()) {
    const timespec spec{timeout.nanos() / 1'000'000'000, timeout.nanos() % 1'000'000'000};
    const int count = ::epoll_pwait2(epoll_.get(), events_.data(), size, &spec, nullptr);
    if (count >= 0 || (errno != ENOSYS && errno != EPERM)) return count;
    hasNanosecondWait_ = false;  // before Linux 5.11, or filtered by a sandbox
  }
  return ::epoll_wait(epoll_.get(), events_.data(), size, toPollMillis(timeout));
}

std::span<const epoll_event> Poller::wait(Timestamp now, Timestamp deadline) {
  const Duration timeout =
      deadline.isNever() ? Duration::infinite() : std::max(deadline - now, Duration::zero());
  const int count = waitFor(timeout);
  return {events_.data(), count > 0 ? static_cast<size_t>(count) : 0};
}

}  // namespace parley::io
