// Receiving: recvmmsg, with UDP_GRO where the kernel has it. A message then is one datagram or a
// run of datagrams from one sender that the kernel did not cut apart (the last may be shorter): one
// pass through its network code for up to 64 KiB.

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <vector>

#include "io/sockaddr.h"
#include "io/udp_socket_state.h"

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

namespace parley::io {
namespace {

constexpr size_t kMessages = 16;    // per call, at most
constexpr size_t kFewMessages = 2;  // and where there were few before
constexpr size_t kMaxMessage = 65'536;
constexpr size_t kControlSize =
    CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(int));

/// What control data says about a message.
struct Envelope {
  IpAddress to;
  Ecn ecn = Ecn::NotEct;
  size_t segmentSize = 0;  ///< 0: one datagram
};

template <class T>
T readAs(const cmsghdr& message) {
  T value;
  std::memcpy(&value, CMSG_DATA(&message), sizeof value);
  return value;
}

Envelope readControl(msghdr& header, const IpAddress& local) {
  Envelope out{local, Ecn::NotEct, 0};
  for (cmsghdr* at = CMSG_FIRSTHDR(&header); at; at = CMSG_NXTHDR(&header, at)) {
    if (at->cmsg_level == IPPROTO_IP && at->cmsg_type == IP_PKTINFO) {
      out.to = IpAddress::v4(ntohl(readAs<in_pktinfo>(*at).ipi_addr.s_addr));
    } else if (at->cmsg_level == IPPROTO_IP && at->cmsg_type == IP_TOS) {
      out.ecn = static_cast<Ecn>(*CMSG_DATA(at) & 3);
    } else if (at->cmsg_level == IPPROTO_IPV6 && at->cmsg_type == IPV6_PKTINFO) {
      std::array<uint8_t, 16> bytes;
      std::memcpy(bytes.data(), CMSG_DATA(at), 16);  // in6_pktinfo begins with the address
      out.to = IpAddress::v6(bytes);
    } else if (at->cmsg_level == IPPROTO_IPV6 && at->cmsg_type == IPV6_TCLASS) {
      out.ecn = static_cast<Ecn>(readAs<int>(*at) & 3);
    } else if (at->cmsg_level == IPPROTO_UDP && at->cmsg_type == UDP_GRO) {
      out.segmentSize = static_cast<size_t>(readAs<int>(*at));
    }
  }
  return out;
}

}  // namespace

/// Each message goes to a packet buffer first and to the overflow when that is full: a single
/// datagram is where it belongs, runs are copied from there, one copy each.
struct UdpReceiveBuffer::State {
  std::array<PacketBuf, kMessages> first;
  /// Its pages take no memory until long messages come.
  std::unique_ptr<uint8_t[]> overflow =
      std::make_unique_for_overwrite<uint8_t[]>(kMessages * kMaxMessage);
  std::vector<Datagram> datagrams;

  uint8_t* overflowOf(size_t message) { return &overflow[message * kMaxMessage]; }

  /// Copies a part of a message.
  void copy(size_t message, size_t offset, MutableByteSpan out) {
    constexpr size_t kInFirst = PacketBuf::kMaxPayload;
    const size_t fromFirst = offset < kInFirst ? std::min(kInFirst - offset, out.size()) : 0;
    if (fromFirst > 0) std::memcpy(out.data(), first[message].data() + offset, fromFirst);
    if (fromFirst < out.size()) {
      std::memcpy(out.data() + fromFirst, overflowOf(message) + (offset + fromFirst - kInFirst),
                  out.size() - fromFirst);
    }
  }

  void add(const Datagram& envelope, PacketBuf data) {
    datagrams.push_back(
        {envelope.socket, envelope.from, envelope.to, std::move(data), envelope.ecn});
  }

  /// Turns a message into its datagrams, the first of which is where it belongs already.
  void cut(size_t message, size_t size, size_t segmentSize, PacketPool& pool,
           const Datagram& envelope, UdpCounters& counters) {
    const size_t begin = datagrams.size();
    const size_t inPlace = std::min(size, segmentSize);
    const bool firstFits = inPlace <= PacketBuf::kMaxPayload;
    if (firstFits) {
      add(envelope, {});
    } else {
      ++counters.truncated;
    }
    for (size_t offset = segmentSize; offset < size; offset += segmentSize) {
      const size_t length = std::min(segmentSize, size - offset);
      PacketBuf packet = length <= PacketBuf::kMaxPayload ? pool.allocate() : PacketBuf{};
      if (!packet) {
        ++(length <= PacketBuf::kMaxPayload ? counters.poolExhausted : counters.truncated);
        continue;
      }
      packet.resize(length);
      copy(message, offset, packet.mutableSpan());
      add(envelope, std::move(packet));
    }
    if (!firstFits) return;
    first[message].resize(inPlace);
    datagrams[begin].data = std::move(first[message]);
  }
};

UdpReceiveBuffer::UdpReceiveBuffer() : state_(std::make_unique<State>()) {}
UdpReceiveBuffer::~UdpReceiveBuffer() = default;
UdpReceiveBuffer::UdpReceiveBuffer(UdpReceiveBuffer&&) noexcept = default;
UdpReceiveBuffer& UdpReceiveBuffer::operator=(UdpReceiveBuffer&&) noexcept = default;

void UdpSocket::State::discardOne() {
  uint8_t byte;
  if (::recv(fd.get(), &byte, 1, MSG_DONTWAIT | MSG_TRUNC) >= 0) ++counters.poolExhausted;
}

std::span<Datagram> UdpSocket::receive(PacketPool& pool, UdpReceiveBuffer& buffer) {
  UdpReceiveBuffer::State& room = *buffer.state_;
  room.datagrams.clear();
  std::array<mmsghdr, kMessages> messages;
  std::array<std::array<iovec, 2>, kMessages> vectors;
  std::array<sockaddr_storage, kMessages> names;
  alignas(cmsghdr) std::array<std::array<uint8_t, kControlSize>, kMessages> controls;
  size_t ready = 0;
  for (; ready < state_->expected; ++ready) {
    PacketBuf& first = room.first[ready];
    if (!first) first = pool.allocate();
    if (!first) break;
    first.resize(PacketBuf::kMaxPayload);
    vectors[ready][0] = {first.data(), PacketBuf::kMaxPayload};
    vectors[ready][1] = {room.overflowOf(ready), kMaxMessage - PacketBuf::kMaxPayload};
    msghdr& header = messages[ready].msg_hdr;
    header = {};
    header.msg_name = &names[ready];
    header.msg_namelen = sizeof names[ready];
    header.msg_iov = vectors[ready].data();
    header.msg_iovlen = vectors[ready].size();
    header.msg_control = controls[ready].data();
    header.msg_controllen = kControlSize;
  }
  if (ready == 0) {
    state_->discardOne();  // else the loop would spin on a readable socket
    return {};
  }
  UdpCounters& counters = state_->counters;
  ++counters.receiveCalls;
  const int got = ::recvmmsg(fd(), messages.data(), static_cast<unsigned>(ready), 0, nullptr);
  // Of this socket: one that many share says nothing about those that have one peer each.
  state_->expected = got >= static_cast<int>(kFewMessages) ? kMessages : kFewMessages;
  for (size_t i = 0; i < static_cast<size_t>(std::max(got, 0)); ++i) {
    msghdr& header = messages[i].msg_hdr;
    const size_t size = messages[i].msg_len;
    const Envelope envelope = readControl(header, state_->local.ip);
    Datagram outer;
    outer.from = fromSockaddr(names[i]);
    // RFC 768: a source port of zero means that no answer is wanted, and none could be sent.
    if (outer.from.port == 0) continue;
    outer.to = {envelope.to, state_->local.port};
    outer.ecn = envelope.ecn;
    const bool isRun = envelope.segmentSize != 0;
    counters.coalescedMessages += isRun ? 1 : 0;
    const size_t segmentSize = isRun ? envelope.segmentSize : std::max<size_t>(size, 1);
    room.cut(i, size, segmentSize, pool, outer, counters);
  }
  counters.datagramsReceived += room.datagrams.size();
  return room.datagrams;
}

}  // namespace parley::io
