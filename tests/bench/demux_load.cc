// What it costs to find the session of a packet on a port that all share: demux.py runs it with few
// sessions and with many, once against the clock and once counting instructions.
//
//   demux_load SESSIONS PACKETS    nanoseconds of CPU per packet
//
// The packets come from the sessions' proven addresses in a random order, 32 at a time as the
// driver hands them over; what the session then does with one (a record that no handshake waits
// for) is the same for all.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "parley/base/random.h"
#include "parley/endpoint/endpoint.h"
#include "parley/sdp/writer.h"
#include "parley/stun/integrity.h"
#include "parley/stun/message_builder.h"

namespace parley::bench {
namespace {

using endpoint::Endpoint;
using endpoint::SessionId;

constexpr size_t kBatch = 32;

[[noreturn]] void stop(const char* what) {
  std::fprintf(stderr, "demux_load: %s\n", what);
  std::exit(1);
}

class Server {
 public:
  explicit Server(size_t sessions) : endpoint_(random_, nullLog(), config()) {
    constexpr int64_t kUnixNanos = 1'748'736'000'000'000'000;  // 2025-06-01
    endpoint_.setWallClock({Timestamp{}, kUnixNanos});
    certificate_ = *dtls::Certificate::generate(random_, kUnixNanos);
    for (size_t i = 0; i < sessions / 2; ++i) addPair();
    Effect effect;
    while (endpoint_.pollEffect(effect)) {
      if (const auto* open = std::get_if<OpenUdp>(&effect)) {
        socket_ = open->socket;
        endpoint_.handle(SocketOpened{socket_, *SocketAddress::parse("0.0.0.0:3478")}, now_);
      }
    }
    InterfacesChanged interfaces{{{"eth0", 1, {*IpAddress::parse("10.0.0.1")}}}};
    endpoint_.handle(std::move(interfaces), now_);
    // Candidates are gathered.
    for (const Timestamp end = now_ + Duration::millis(100); endpoint_.nextDeadline() <= end;) {
      now_ = std::max(now_, endpoint_.nextDeadline());
      endpoint_.advance(now_);
    }
    for (size_t i = 0; i < sessions_.size(); ++i) prove(i);
    // In a random order, the same again and again: with few connections as with many no two packets
    // of one follow each other, which would share work.
    order_.resize(sessions_.size());
    std::iota(order_.begin(), order_.end(), 0);
    for (size_t i = order_.size(); i > 1; --i) std::swap(order_[i - 1], order_[random_.u64() % i]);
  }

  /// The part that is measured. A name of its own, so that instructions can be counted in it alone.
  [[gnu::noinline]] void receive(size_t packets) {
    std::vector<Datagram> batch(kBatch);
    for (size_t sent = 0; sent < packets; sent += kBatch) {
      for (size_t i = 0; i < kBatch; ++i) {
        fill(batch[i], order_[(sent + i) % order_.size()], endpoint_.pool().copyOf(record_));
      }
      endpoint_.handleDatagrams(batch, now_);
    }
  }

  /// Every packet must have found its session: otherwise the figure means nothing.
  void check(size_t packets) {
    if (endpoint_.sharedCounters().unknownTuple != 0) stop("packets that found no session");
    uint64_t received = 0;
    for (const SessionId id : sessions_)
      received += endpoint_.session(id)->transport().counters().packetsReceived;
    if (received != packets + sessions_.size()) stop("packets are missing");
  }

 private:
  static endpoint::EndpointConfig config() {
    endpoint::EndpointConfig out;
    out.sharedPorts = {*SocketAddress::parse("0.0.0.0:3478")};
    return out;
  }

  SessionId create() {
    jsep::SessionConfig config;
    config.transport.certificate = certificate_;
    const SessionId id = endpoint_.createSession(std::move(config), now_);
    sessions_.push_back(id);
    return id;
  }

  void addPair() {
    const SessionId ids[] = {create(), create()};
    jsep::Session& a = *endpoint_.session(ids[0]);
    jsep::Session& b = *endpoint_.session(ids[1]);
    const bool agreed = a.createDataChannel({.label = "x"}, now_) &&
                        a.setLocalDescription({}, "", now_) &&
                        b.setRemoteDescription(jsep::SdpType::Offer,
                                               *sdp::write(a.state().pendingLocal->sdp), now_) &&
                        b.setLocalDescription({}, "", now_) &&
                        a.setRemoteDescription(jsep::SdpType::Answer,
                                               *sdp::write(b.state().currentLocal->sdp), now_);
    if (!agreed) stop("two sessions could not agree");
    for (const SessionId id : ids) endpoint_.touch(id, now_);
  }

  void fill(Datagram& datagram, size_t session, PacketBuf data) const {
    datagram.socket = socket_;
    // Addresses as NATs have them: many ports on fewer addresses.
    const uint32_t host = 0xC6120000u + static_cast<uint32_t>(session / 16);  // 198.18/15
    datagram.from = SocketAddress(IpAddress::v4(host), static_cast<uint16_t>(20000 + session % 16));
    datagram.to = SocketAddress(IpAddress::v4(0x0A000001), 3478);
    datagram.data = std::move(data);
  }

  /// An authentic check from the session's address.
  void prove(size_t session) {
    const ice::Credentials& ours =
        endpoint_.session(sessions_[session])->transport().localCredentials();
    PacketBuf packet = endpoint_.pool().allocate();
    stun::MessageBuilder builder(packet, stun::Class::Request, stun::Method::Binding,
                                 stun::newTransactionId(random_));
    builder.text(stun::AttributeType::Username, ours.ufrag + ":peer")
        .u32(stun::AttributeType::Priority, 1)
        .u64(stun::AttributeType::IceControlling, ~uint64_t{0})
        .messageIntegrity(stun::shortTermKey(ours.password))
        .fingerprint();
    if (!builder.finishInto(packet)) stop("a check could not be written");
    Datagram datagram;
    fill(datagram, session, std::move(packet));
    endpoint_.handleDatagrams({&datagram, 1}, now_);
    TxPacket out[8];
    while (endpoint_.pollTransmit(out) > 0) {
    }
  }

  Timestamp now_ = Timestamp::seconds(1000);
  SeededRandom random_{1};
  Endpoint endpoint_;
  std::shared_ptr<const dtls::Certificate> certificate_;
  std::vector<SessionId> sessions_;
  std::vector<size_t> order_;
  SocketId socket_{};
  const Bytes record_{23, 254, 253, 0, 1, 0, 0, 0, 0, 0, 1, 0, 4, 1, 2, 3, 4};
};

double cpuNanos() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

}  // namespace
}  // namespace parley::bench

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: demux_load SESSIONS PACKETS\n");
    return 2;
  }
  const size_t sessions = std::strtoul(argv[1], nullptr, 10);
  const size_t packets = std::strtoul(argv[2], nullptr, 10) / 32 * 32;
  parley::bench::Server server(sessions);
  const double before = parley::bench::cpuNanos();
  server.receive(packets);
  const double spent = parley::bench::cpuNanos() - before;
  server.check(packets);
  std::printf("%.2f\n", spent / static_cast<double>(packets));
}
