#pragma once

#include <sys/socket.h>

namespace parley::io {

/// What UdpSocket sends with; tests put a socket that is full, or a kernel without segmentation, in
/// its place.
struct UdpSyscalls {
  int (*sendmmsg)(int fd, mmsghdr* messages, unsigned count, int flags) = ::sendmmsg;
};

}  // namespace parley::io
