#include "parley/io/udp_socket.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include "io/sockaddr.h"
#include "io/udp_socket_state.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

namespace parley::io {
namespace {

constexpr size_t kMaxSegments = 64;            // UDP_MAX_SEGMENTS of the kernel
constexpr size_t kMaxSegmentedBytes = 65'000;  // below 65535 less IP and UDP headers
constexpr size_t kSendWindow = 64;             // packets looked at for one sendmmsg

// Room for packet info (IPv6's is the larger), traffic class and segment size.
constexpr size_t kControlSize =
    CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(uint16_t));

void setOption(int fd, int level, int name, int value) {
  // Options are wishes: where one is missing the socket works without it.
  setsockopt(fd, level, name, &value, sizeof value);
}

/// Appends control messages to one message header.
class ControlWriter {
 public:
  ControlWriter(msghdr& header, std::span<uint8_t> space) : header_(header), space_(space) {
    header_.msg_control = space_.data();
    header_.msg_controllen = 0;
  }
  template <class T>
  void add(int level, int type, const T& value) {
    auto* at = reinterpret_cast<cmsghdr*>(space_.data() + header_.msg_controllen);
    at->cmsg_level = level;
    at->cmsg_type = type;
    at->cmsg_len = CMSG_LEN(sizeof value);
    std::memcpy(CMSG_DATA(at), &value, sizeof value);
    header_.msg_controllen += CMSG_SPACE(sizeof value);
  }

 private:
  msghdr& header_;
  std::span<uint8_t> space_;
};

bool sameRoute(const TxPacket& a, const TxPacket& b) {
  return a.to == b.to && a.from == b.from && a.dscp == b.dscp && a.ecn == b.ecn &&
         !a.dontFragment && !b.dontFragment;
}

void addSource(ControlWriter& control, const IpAddress& from, uint32_t scope) {
  if (from.isV4()) {
    in_pktinfo info{};
    std::memcpy(&info.ipi_spec_dst, from.bytes().data(), 4);
    control.add(IPPROTO_IP, IP_PKTINFO, info);
  } else {
    in6_pktinfo info{};
    std::memcpy(&info.ipi6_addr, from.bytes().data(), 16);
    info.ipi6_ifindex = scope;
    control.add(IPPROTO_IPV6, IPV6_PKTINFO, info);
  }
}

}  // namespace

struct SendBatch {
  std::array<mmsghdr, kSendWindow> messages;
  std::array<iovec, kSendWindow> vectors;
  std::array<sockaddr_storage, kSendWindow> names;
  std::array<size_t, kSendWindow> packetsIn;  // per message
  alignas(cmsghdr) std::array<std::array<uint8_t, kControlSize>, kSendWindow> controls;
  unsigned count = 0;
};

UdpSocket::UdpSocket(std::unique_ptr<State> state) : state_(std::move(state)) {}
UdpSocket::~UdpSocket() = default;

int UdpSocket::fd() const {
  return state_->fd.get();
}
const SocketAddress& UdpSocket::local() const {
  return state_->local;
}
bool UdpSocket::wantsWritable() const {
  return !state_->queue.empty();
}
void UdpSocket::setSyscalls(const UdpSyscalls& syscalls) {
  state_->syscalls = syscalls;
}

UdpCounters UdpSocket::counters() const {
  UdpCounters counters = state_->counters;
  counters.queueDrops = state_->queue.dropped();
  return counters;
}

// ---- opening ----

void UdpSocket::State::configure(const UdpSocketOptions& options, bool reuseAddress) {
  const int f = fd.get();
  if (reuseAddress) setOption(f, SOL_SOCKET, SO_REUSEADDR, 1);
  setOption(f, SOL_SOCKET, SO_RCVBUF, options.receiveBufferBytes);
  setOption(f, SOL_SOCKET, SO_SNDBUF, options.sendBufferBytes);
  if (local.ip.isV4()) {
    // Who is bound to one address knows where everything arrives.
    if (boundToAny) setOption(f, IPPROTO_IP, IP_PKTINFO, 1);
    setOption(f, IPPROTO_IP, IP_RECVTOS, 1);
    setOption(f, IPPROTO_IP, IP_MULTICAST_ALL, 0);
    // No DF: where the path is narrower than our 1200 bytes routers may cut, and what cannot be
    // made smaller any more (a chunk of SCTP that has its number) still arrives. ICMP that would
    // tell of it is filtered too often. IPv6 carries 1280 everywhere.
    setOption(f, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
  } else {
    setOption(f, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (boundToAny) setOption(f, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    setOption(f, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
  }
  if (options.coalescing) setOption(f, IPPROTO_UDP, UDP_GRO, 1);
  int unused = 0;
  socklen_t length = sizeof unused;
  segmentation =
      options.segmentation && getsockopt(f, IPPROTO_UDP, UDP_SEGMENT, &unused, &length) == 0;
}

std::unique_ptr<UdpSocket> UdpSocket::open(const OpenUdp& request, const UdpSocketOptions& options,
                                           SocketFailure& failure) {
  auto state = std::make_unique<State>();
  state->local = request.local;
  state->scope = scopeOf(request.local.ip);
  state->boundToAny = request.local.ip.isUnspecified();
  state->fd =
      Fd(::socket(socketFamily(request.local.ip), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!state->fd) {
    failure = failureFromErrno(errno);
    return nullptr;
  }
  if (!bindToDevice(state->fd.get(), options.device)) {
    failure = failureFromErrno(errno);
    return nullptr;
  }
  state->configure(options, request.reuseAddress);
  sockaddr_storage name;
  const socklen_t length = toSockaddr(request.local, state->scope, name);
  if (::bind(state->fd.get(), reinterpret_cast<sockaddr*>(&name), length) != 0) {
    failure = failureFromErrno(errno);
    return nullptr;
  }
  state->local = localAddressOf(state->fd.get());
  return std::unique_ptr<UdpSocket>(new UdpSocket(std::move(state)));
}

bool UdpSocket::joinMulticast(const IpAddress& group, uint32_t interfaceIndex) {
  if (!group.isMulticast() || group.family() != state_->local.ip.family()) return false;
  constexpr int kMdnsHops = 255;  // RFC 6762 section 11
  if (group.isV4()) {
    ip_mreqn request{};
    std::memcpy(&request.imr_multiaddr, group.bytes().data(), 4);
    request.imr_ifindex = static_cast<int>(interfaceIndex);
    // A member already, by way of the interface that the system had chosen, is as well. Which way
    // packets leave is up to their source address (TxPacket::from).
    if (setsockopt(fd(), IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request) != 0 &&
        errno != EADDRINUSE) {
      return false;
    }
    setOption(fd(), IPPROTO_IP, IP_MULTICAST_TTL, kMdnsHops);
    return true;
  }
  ipv6_mreq request{};
  std::memcpy(&request.ipv6mr_multiaddr, group.bytes().data(), 16);
  request.ipv6mr_interface = interfaceIndex;
  if (setsockopt(fd(), IPPROTO_IPV6, IPV6_JOIN_GROUP, &request, sizeof request) != 0 &&
      errno != EADDRINUSE) {
    return false;
  }
  if (interfaceIndex != 0)
    setOption(fd(), IPPROTO_IPV6, IPV6_MULTICAST_IF, static_cast<int>(interfaceIndex));
  setOption(fd(), IPPROTO_IPV6, IPV6_MULTICAST_HOPS, kMdnsHops);
  return true;
}

// ---- sending ----

/// How many packets at the front can be one message: one route and equal sizes, of which the last
/// may be smaller.
size_t UdpSocket::State::groupSize(std::span<TxPacket* const> packets, bool mayMerge) const {
  const TxPacket& first = *packets[0];
  const size_t size = first.data.size();
  if (!segmentation || !mayMerge || size == 0) return 1;
  size_t count = 1;
  size_t bytes = size;
  while (count < std::min(packets.size(), kMaxSegments)) {
    const TxPacket& next = *packets[count];
    const size_t nextSize = next.data.size();
    if (nextSize > size || nextSize == 0 || bytes + nextSize > kMaxSegmentedBytes ||
        !sameRoute(first, next)) {
      break;
    }
    ++count;
    bytes += nextSize;
    if (nextSize < size) break;
  }
  return count;
}

void UdpSocket::State::addMessage(SendBatch& batch, std::span<TxPacket* const> packets,
                                  size_t vectorAt) {
  const TxPacket& first = *packets[0];
  for (size_t i = 0; i < packets.size(); ++i) {
    PacketBuf& data = packets[i]->data;
    batch.vectors[vectorAt + i] = {data.data(), data.size()};
  }
  msghdr& header = batch.messages[batch.count].msg_hdr;
  header = {};
  header.msg_name = &batch.names[batch.count];
  header.msg_namelen = toSockaddr(first.to, scope, batch.names[batch.count]);
  header.msg_iov = &batch.vectors[vectorAt];
  header.msg_iovlen = packets.size();
  ControlWriter control(header, batch.controls[batch.count]);
  const bool named = !first.from.isUnspecified() && first.from.family() == first.to.ip.family();
  if (boundToAny && named) addSource(control, first.from, scope);
  const int trafficClass = first.dscp << 2 | static_cast<int>(first.ecn);
  if (trafficClass != 0) {
    if (first.to.ip.isV4()) {
      control.add(IPPROTO_IP, IP_TOS, trafficClass);
    } else {
      control.add(IPPROTO_IPV6, IPV6_TCLASS, trafficClass);
    }
  }
  if (packets.size() > 1)
    control.add(IPPROTO_UDP, UDP_SEGMENT, static_cast<uint16_t>(first.data.size()));
  if (header.msg_controllen == 0) header.msg_control = nullptr;
  batch.packetsIn[batch.count++] = packets.size();
}

/// IPv4 knows DF per socket only. Rare packets want it: a question about the path's size each.
void UdpSocket::State::setDontFragment(bool on) {
  if (on == dontFragment) return;
  dontFragment = on;
  if (local.ip.isV4()) {
    setOption(fd.get(), IPPROTO_IP, IP_MTU_DISCOVER, on ? IP_PMTUDISC_PROBE : IP_PMTUDISC_DONT);
  } else {
    setOption(fd.get(), IPPROTO_IPV6, IPV6_MTU_DISCOVER,
              on ? IPV6_PMTUDISC_PROBE : IPV6_PMTUDISC_WANT);
  }
}

size_t UdpSocket::State::build(SendBatch& batch, std::span<TxPacket* const> packets,
                               bool mayMerge) {
  batch.count = 0;
  size_t used = 0;
  size_t window = std::min(packets.size(), kSendWindow);
  setDontFragment(packets[0]->dontFragment);
  for (size_t i = 1; i < window; ++i) {
    if (packets[i]->dontFragment != dontFragment) window = i;
  }
  while (used < window) {
    const auto rest = packets.subspan(used, window - used);
    const size_t count = groupSize(rest, mayMerge);
    addMessage(batch, rest.first(count), used);
    used += count;
  }
  return used;
}

/// After sendmmsg failed on its first message. True: go on, with `done` packets given up and
/// `singly` of those that follow to be sent one by one.
bool UdpSocket::State::handleError(const SendBatch& batch, int error, size_t& done,
                                   size_t& singly) {
  done = 0;
  switch (error) {
    case EINTR:
      return true;
    case EAGAIN:
#if EWOULDBLOCK != EAGAIN
    case EWOULDBLOCK:
#endif
    case ENOBUFS:
      return false;
    case EINVAL:
    case EIO:
    case EMSGSIZE:
      if (batch.packetsIn[0] > 1) {
        // No segmentation here (an old kernel, a device without checksum offload, a path MTU below
        // the segment size), or nothing that could be sent there in any way: each by itself tells.
        singly = batch.packetsIn[0];
        return true;
      }
      break;
    default:
      break;
  }
  done = batch.packetsIn[0];
  counters.sendErrors += done;
  return true;
}

/// Sends from the front until all is gone or the socket is full; returns how many are done with.
size_t UdpSocket::State::transmit(std::span<TxPacket* const> packets) {
  SendBatch batch;
  size_t done = 0;
  size_t singly = 0;  // left of a group that was refused
  bool refusedOnce = false;
  while (done < packets.size()) {
    const auto rest = packets.subspan(done);
    build(batch, singly > 0 ? rest.first(singly) : rest, singly == 0);
    ++counters.sendCalls;
    const int sent = syscalls.sendmmsg(fd.get(), batch.messages.data(), batch.count, 0);
    if (sent <= 0) {
      const int error = sent < 0 ? errno : EAGAIN;
      if (error == ECONNREFUSED && !refusedOnce) {
        refusedOnce = true;  // reports an earlier datagram's fate; this one was not sent
        continue;
      }
      size_t givenUp = 0;
      if (!handleError(batch, error, givenUp, singly)) return done;
      done += givenUp;
      singly -= std::min(singly, givenUp);
      continue;
    }
    refusedOnce = false;
    if (singly > 0) {
      // What cannot go as one and can go by itself shows who is to blame: never again here.
      segmentation = false;
      singly -= std::min(singly, static_cast<size_t>(sent));
    }
    for (size_t i = 0; i < static_cast<size_t>(sent); ++i) {
      const size_t count = batch.packetsIn[i];
      done += count;
      counters.datagramsSent += count;
      if (count > 1) {
        ++counters.segmentedMessages;
        counters.segmentedDatagrams += count;
      }
    }
  }
  return done;
}

void UdpSocket::send(std::span<TxPacket> packets, Timestamp now) {
  if (state_->queue.empty()) {
    std::array<TxPacket*, kSendWindow> pointers;
    while (!packets.empty()) {
      const size_t count = std::min(packets.size(), pointers.size());
      for (size_t i = 0; i < count; ++i) pointers[i] = &packets[i];
      const size_t done = state_->transmit({pointers.data(), count});
      for (size_t i = 0; i < done; ++i) packets[i].data.reset();
      packets = packets.subspan(done);
      if (done < count) break;
    }
  }
  for (TxPacket& packet : packets) state_->queue.push(std::move(packet), now);
}

void UdpSocket::flush(Timestamp now) {
  state_->queue.expire(now);
  std::array<TxPacket*, kSendWindow> pointers;
  while (const size_t count = state_->queue.peek(pointers)) {
    const size_t done = state_->transmit({pointers.data(), count});
    state_->queue.drop(done);
    if (done < count) return;
  }
}

}  // namespace parley::io
