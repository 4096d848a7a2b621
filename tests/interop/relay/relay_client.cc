// The TURN client with what ICE does not use of it, against a server given by address:
//   relay_client tcp|move --server ADDRESS:PORT --user NAME --password TEXT --peer ADDRESS
//                [--tls ROOTS.pem] [--stream]
// `tcp`: relayed TCP connections to a peer and from it, with bytes both ways. `move`: the
// allocation moves to another socket and stays what it was. The peer is in this process, on the
// address given.

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <poll.h>
#include <sstream>
#include <string>

#include "parley/base/ring_queue.h"
#include "parley/base/secure_random.h"
#include "parley/io/clock.h"
#include "parley/io/event_loop.h"
#include "parley/turn/client.h"

namespace {

using namespace parley;
using namespace parley::turn;

constexpr Duration kLimit = Duration::seconds(30);
constexpr size_t kBytes = 400'000;

[[noreturn]] void refuse(const std::string& text) {
  std::fprintf(stderr, "relay_client: %s\n", text.c_str());
  std::exit(1);
}

std::string pattern() {
  std::string out(kBytes, '\0');
  for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<char>(i * 31 + i / 253);
  return out;
}

struct Options {
  bool move = false;
  bool stream = false;
  SocketAddress server;
  IpAddress peer;
  std::string user;
  std::string password;
  std::string roots;
};

Options parse(int count, char** words) {
  Options out;
  std::map<std::string, std::string> named;
  if (count < 2) refuse("tcp or move?");
  out.move = std::string(words[1]) == "move";
  for (int i = 2; i < count; ++i) {
    const std::string name = words[i];
    if (name == "--stream") {
      out.stream = true;
    } else if (i + 1 < count) {
      named[name] = words[++i];
    }
  }
  const auto server = SocketAddress::parse(named["--server"]);
  const auto peer = IpAddress::parse(named["--peer"]);
  if (!server || !peer) refuse("--server ADDRESS:PORT and --peer ADDRESS are missing");
  out.server = *server;
  out.peer = *peer;
  out.user = named["--user"];
  out.password = named["--password"];
  if (!named["--tls"].empty()) {
    std::ifstream file(named["--tls"]);
    std::stringstream text;
    text << file.rdbuf();
    out.roots = text.str();
  }
  return out;
}

/// Sends back what it gets, over UDP and TCP, and opens a connection when told to.
class Peer final : public Driven {
 public:
  explicit Peer(const IpAddress& ip) {
    effects_.push(OpenUdp{kUdp, {ip, 0}});
    effects_.push(ListenTcp{kListener, {ip, 0}});
  }
  void open(const SocketAddress& to) { effects_.push(OpenTcp{kOutgoing, to, local.ip}); }
  void say(std::string_view text) { send(kOutgoing, {}, pool_.copyOf(asBytes(text))); }
  void finish() { effects_.push(CloseSocket{kOutgoing}); }

  void handle(Input&& input, Timestamp) override {
    if (auto* opened = std::get_if<SocketOpened>(&input)) {
      if (opened->socket == kUdp) udp = opened->local;
      if (opened->socket == kListener) local = opened->local;
      if (opened->socket == kOutgoing) connected = true;
    } else if (auto* datagram = std::get_if<Datagram>(&input)) {
      lastFrom = datagram->from;
      send(kUdp, datagram->from, std::move(datagram->data));
    } else if (auto* accepted = std::get_if<TcpAccepted>(&input)) {
      lastFrom = accepted->remote;
    } else if (auto* bytes = std::get_if<StreamBytes>(&input)) {
      if (bytes->socket == kOutgoing) {
        heard += asText(bytes->data.span());
      } else {
        send(bytes->socket, {}, std::move(bytes->data));
      }
    }
  }
  void advance(Timestamp) override {}
  size_t pollTransmit(std::span<TxPacket> out) override {
    size_t count = 0;
    while (count < out.size() && !transmits_.empty()) out[count++] = transmits_.pop();
    return count;
  }
  bool pollEffect(Effect& out) override {
    if (effects_.empty()) return false;
    out = effects_.pop();
    return true;
  }
  Timestamp nextDeadline() const override { return Timestamp::never(); }
  PacketPool& pool() override { return pool_; }

  SocketAddress udp;
  SocketAddress local;
  SocketAddress lastFrom;
  bool connected = false;
  std::string heard;

 private:
  static constexpr SocketId kUdp{1};
  static constexpr SocketId kListener{2};
  static constexpr SocketId kOutgoing{3};
  void send(SocketId socket, const SocketAddress& to, PacketBuf data) {
    TxPacket packet;
    packet.socket = socket;
    packet.to = to;
    packet.data = std::move(data);
    transmits_.push(std::move(packet));
  }
  PacketPool pool_;
  RingQueue<TxPacket> transmits_{1024};
  RingQueue<Effect> effects_{16};
};

class Relayed final : public Driven {
 public:
  explicit Relayed(ClientConfig config) : client(environment_, ids_, std::move(config)) {}

  void handle(Input&& input, Timestamp now) override {
    if (auto* datagram = std::get_if<Datagram>(&input)) {
      client.handleDatagram(std::move(*datagram), now);
    } else if (auto* bytes = std::get_if<StreamBytes>(&input)) {
      client.handleStream(std::move(*bytes), now);
    } else if (auto* pressure = std::get_if<StreamPressure>(&input)) {
      client.handlePressure(*pressure, now);
    } else if (auto* bound = std::get_if<SocketOpened>(&input)) {
      sockets.push_back(bound->local);
      client.handleSocketOpened(*bound, now);
    } else if (auto* failed = std::get_if<SocketFailed>(&input)) {
      client.handleSocketFailed(*failed, now);
    }
  }
  void advance(Timestamp now) override { client.advance(now); }
  size_t pollTransmit(std::span<TxPacket> out) override {
    size_t count = 0;
    while (count < out.size() && client.pollTransmit(out[count])) ++count;
    return count;
  }
  bool pollEffect(Effect& out) override { return client.pollEffect(out); }
  Timestamp nextDeadline() const override { return client.nextDeadline(); }
  PacketPool& pool() override { return pool_; }
  void dispatch() override {
    PacketBuf bytes;
    for (const PeerStreamOpened& one : opened) {
      while (client.pollStream(one.stream, bytes)) heard[one.stream] += asText(bytes.span());
    }
    ClientEvent event;
    while (client.pollEvent(event)) {
      if (auto* made = std::get_if<Allocated>(&event)) relayed = made->relayed.front();
      if (auto* failed = std::get_if<ClientFailed>(&event)) refuse("failed: " + failed->text);
      if (auto* one = std::get_if<PeerStreamOpened>(&event)) opened.push_back(*one);
      if (auto* one = std::get_if<PeerStreamClosed>(&event)) {
        if (one->code != 0) refuse("peer stream: " + std::to_string(one->code) + " " + one->text);
        ++ended;
      }
      if (std::holds_alternative<ClientClosed>(event)) closed = true;
    }
    PeerData data;
    while (client.pollData(data)) ++echoes;
    while (!outgoing.empty()) {
      const std::string_view piece = std::string_view(outgoing).substr(0, 1400);
      PacketBuf packet = pool_.copyOf(asBytes(piece));
      if (!client.sendStream(target, std::move(packet), io::monotonicNow())) break;
      outgoing.erase(0, piece.size());
    }
  }
  void sendDatagram(const SocketAddress& to) {
    TxPacket packet;
    packet.to = to;
    packet.data = pool_.copyOf(asBytes("datagram"));
    client.send(std::move(packet), io::monotonicNow());
  }

 private:
  SecureRandom random_;
  PacketPool pool_;
  Environment environment_{random_, pool_};
  IdAllocator ids_;

 public:
  Client client;
  SocketAddress relayed;
  std::vector<SocketAddress> sockets;
  std::vector<PeerStreamOpened> opened;
  std::map<PeerStreamId, std::string> heard;
  PeerStreamId target{};
  std::string outgoing;
  int ended = 0;
  int echoes = 0;
  bool closed = false;
};

class Program {
 public:
  explicit Program(const Options& options)
      : options_(options), peer_(options.peer), relayed_(config(options)), loop_(relayed_) {
    loop_.add(peer_);
  }
  int run() {
    relayed_.client.start(io::monotonicNow());
    until("an allocation", [&] { return relayed_.client.isAllocated() && peer_.local.port != 0; });
    std::printf("relayed address %s\n", relayed_.relayed.toString().c_str());
    options_.move ? move() : connections();
    relayed_.client.close(io::monotonicNow());
    until("the end", [&] { return relayed_.closed; });
    return 0;
  }

 private:
  static ClientConfig config(const Options& options) {
    ClientConfig out;
    out.connectTo = options.server;
    out.host = "localhost";
    out.port = options.server.port;
    out.username = options.user;
    out.password = options.password;
    out.families = RelayFamilies::V4;
    out.tcpRelay = !options.move;
    out.mobility = options.move;
    const bool isStream = !options.move || options.stream;
    out.transport = isStream ? Transport::Tcp : Transport::Udp;
    if (!options.roots.empty()) {
      out.transport = Transport::Tls;
      out.tls = *dtls::TlsContext::client({.roots = options.roots});
    }
    return out;
  }

  template <class Done>
  void until(const char* what, Done done) {
    const Timestamp limit = io::monotonicNow() + kLimit;
    while (!done()) {
      if (io::monotonicNow() > limit) refuse(std::string("no ") + what + " in time");
      loop_.wake();
      pollfd wait{loop_.fd(), POLLIN, 0};
      poll(&wait, 1, 10);
      loop_.process();
    }
  }

  void connections() {
    const auto stream = relayed_.client.connect(peer_.local, io::monotonicNow());
    if (!stream) refuse("cannot connect");
    until("connection to the peer", [&] { return relayed_.opened.size() == 1; });
    if (peer_.lastFrom != relayed_.relayed) {
      refuse("the peer saw " + peer_.lastFrom.toString());
    }
    const std::string expected = pattern();
    relayed_.target = *stream;
    relayed_.outgoing = expected;
    until("echo", [&] { return relayed_.heard[*stream].size() == expected.size(); });
    if (relayed_.heard[*stream] != expected) refuse("bytes were changed");
    std::printf("%zu bytes there and back\n", expected.size());

    relayed_.client.permit(options_.peer, io::monotonicNow());
    const Timestamp start = io::monotonicNow();
    until("permission", [&] { return io::monotonicNow() - start > Duration::millis(300); });
    peer_.open(relayed_.relayed);
    until("connection from the peer", [&] { return relayed_.opened.size() == 2; });
    const PeerStreamId incoming = relayed_.opened[1].stream;
    if (!relayed_.opened[1].incoming) refuse("not an incoming one");
    peer_.say("hello from the peer");
    until("bytes of the peer", [&] { return relayed_.heard[incoming] == "hello from the peer"; });
    relayed_.target = incoming;
    relayed_.outgoing = "hello to the peer";
    until("bytes for the peer", [&] { return peer_.heard == "hello to the peer"; });
    peer_.finish();
    until("end of the stream", [&] { return relayed_.ended == 1; });
    std::printf("a connection of the peer's, both ways, and its end\n");
  }

  void move() {
    echo();
    const SocketAddress seen = peer_.lastFrom;
    const SocketAddress before = relayed_.sockets.back();
    relayed_.client.handleNetworkChange(io::monotonicNow());
    until("other socket", [&] { return relayed_.sockets.size() == 2; });
    until("move", [&] { return !relayed_.client.isConfirming(); });
    echo();
    if (peer_.lastFrom != seen) refuse("the relayed address has changed");
    if (relayed_.sockets.back() == before) refuse("nothing has moved");
    std::printf("moved from %s to %s\n", before.toString().c_str(),
                relayed_.sockets.back().toString().c_str());
  }
  void echo() {
    const int before = relayed_.echoes;
    Timestamp next{};
    until("echo", [&] {
      if (io::monotonicNow() >= next) {
        relayed_.sendDatagram(peer_.udp);
        next = io::monotonicNow() + Duration::millis(200);
      }
      return relayed_.echoes >= before + 3;
    });
  }

  const Options options_;
  Peer peer_;
  Relayed relayed_;
  io::EventLoop loop_;
};

}  // namespace

int main(int count, char** words) {
  const Options options = parse(count, words);
  return Program(options).run();
}
