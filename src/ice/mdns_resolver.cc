#include "parley/ice/mdns_resolver.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "parley/base/machine.h"
#include "parley/base/ring_queue.h"
#include "parley/base/text.h"
#include "parley/ice/candidate.h"

#include "ice/dns_message.h"

namespace parley::ice {
namespace {

static_assert(Machine<MdnsResolver>);

constexpr uint16_t kMdnsPort = 5353;
/// RFC 6762 section 5.2: the second query a second or more after the first, later ones at least
/// twice as far apart.
constexpr Duration kFirstRepeat = Duration::seconds(1);
/// Section 6: a record is not multicast again before a second has passed.
constexpr Duration kMulticastPause = Duration::seconds(1);
/// Section 10: of records with a host's address. And section 6.7, for plain askers.
constexpr uint32_t kTtl = 120;
constexpr uint32_t kPlainTtl = 10;

SocketAddress group(AddressFamily family) {
  const char* text = family == AddressFamily::V4 ? "224.0.0.251" : "ff02::fb";
  return {*IpAddress::parse(text), kMdnsPort};
}

}  // namespace

class MdnsCore {
 public:
  MdnsCore(Environment& environment, IdAllocator& ids, const MdnsConfig& config)
      : results_(2 * config.maxQuestions + 1), env_(environment), ids_(ids), config_(config) {
    sockets_[0].family = AddressFamily::V4;
    sockets_[0].wanted = config.ipv4;
    sockets_[1].family = AddressFamily::V6;
    sockets_[1].wanted = config.ipv6;
  }

  void resolve(ResolveId id, std::string_view host, Timestamp now) {
    now = clock_.clamp(now);
    if (!isMdnsCandidateName(host) || questions_.size() >= config_.maxQuestions || !anyWanted()) {
      answer(id, {});
      return;
    }
    const std::string name = toLower(host);
    if (const Name* own = findName(name)) {
      answer(id, {own->address});
      return;
    }
    const bool asked = std::any_of(questions_.begin(), questions_.end(),
                                   [&](const Question& q) { return q.name == name; });
    Question question{id, name, now + config_.timeout};
    if (!asked) question.askAt = now;
    questions_.push_back(std::move(question));
    idleAt_ = Timestamp::never();
    openSockets();
    pump(now);
  }

  void cancel(ResolveId id) {
    const auto at = std::find_if(questions_.begin(), questions_.end(),
                                 [&](const Question& q) { return q.id == id; });
    if (at == questions_.end()) return;
    erase(at);
    startIdle(clock_.last());
  }

  bool handleSocketOpened(const SocketOpened& opened, Timestamp now) {
    now = clock_.clamp(now);
    Socket* socket = find(opened.socket);
    if (!socket) return false;
    if (socket->state != SocketState::Opening) return true;
    socket->state = SocketState::Open;
    if (!socket->fallback) {
      join(*socket, 0);
      for (const Name& name : names_) join(*socket, name.interfaceIndex);
    }
    // Questions that went out on the other family's socket already are asked here as well.
    for (const Question& question : questions_) {
      if (question.asked) sendQuery(*socket, question.name);
    }
    pump(now);
    return true;
  }

  bool handleSocketFailed(const SocketFailed& failed, Timestamp now) {
    now = clock_.clamp(now);
    Socket* socket = find(failed.socket);
    if (!socket) return false;
    const bool retry = socket->state == SocketState::Opening && !socket->fallback;
    // Of one that was open there may be something left.
    if (socket->state == SocketState::Open) effects_.push(CloseSocket{socket->id});
    socket->state = retry ? SocketState::Closed : SocketState::Failed;
    if (retry) {
      socket->fallback = true;
      openSocket(*socket);
    }
    const bool hopeless = std::all_of(sockets_.begin(), sockets_.end(), [](const Socket& s) {
      return !s.wanted || s.state == SocketState::Failed;
    });
    if (hopeless) {
      for (const Question& question : std::exchange(questions_, {})) answer(question.id, {});
      startIdle(now);
    }
    return true;
  }

  bool handleDatagram(SocketId id, const SocketAddress& from, ByteSpan datagram, Timestamp now) {
    now = clock_.clamp(now);
    const Socket* socket = find(id);
    if (!socket) return false;
    if (!names_.empty() && datagram.size() > 2 && (datagram[2] & 0x80) == 0) {
      handleQuery(*socket, from, datagram, now);
      return true;
    }
    // RFC 6762 section 6: "MUST silently ignore any Multicast DNS responses ... with a source port
    // other than 5353". Multicast brings all of the link's traffic here: parse only while asking.
    if (questions_.empty() || from.port != kMdnsPort) return true;
    const auto records = parseAddressResponse(datagram);
    if (!records) return true;
    for (size_t i = 0; i < questions_.size();) {
      std::vector<IpAddress> addresses;
      for (const AddressRecord& record : *records) {
        const bool known =
            std::find(addresses.begin(), addresses.end(), record.address) != addresses.end();
        if (record.name == questions_[i].name && !known) addresses.push_back(record.address);
      }
      if (addresses.empty()) {
        ++i;
        continue;
      }
      if (addresses.size() > 1) addresses.clear();
      answer(questions_[i].id, std::move(addresses));
      questions_.erase(questions_.begin() + static_cast<std::ptrdiff_t>(i));
    }
    pump(now);
    return true;
  }

  void advance(Timestamp now) {
    now = clock_.clamp(now);
    pump(now);
    PARLEY_DCHECK(nextDeadline() > now);
  }

  void publish(std::string_view host, const IpAddress& address, uint32_t interfaceIndex,
               Timestamp now) {
    now = clock_.clamp(now);
    if (!isMdnsCandidateName(host) || !anyWanted()) return;
    const std::string key = toLower(host);
    Name* name = findName(key);
    if (!name) {
      if (names_.size() >= config_.maxNames) return;
      name = &names_.emplace_back();
      name->name = key;
    }
    name->address = address;
    name->interfaceIndex = interfaceIndex;
    idleAt_ = Timestamp::never();
    openSockets();
    for (Socket& socket : sockets_) {
      if (socket.state == SocketState::Open && !socket.fallback) join(socket, interfaceIndex);
    }
  }

  void withdraw(std::string_view host, Timestamp now) {
    now = clock_.clamp(now);
    const std::string key = toLower(host);
    const auto at = std::find_if(names_.begin(), names_.end(),
                                 [&](const Name& name) { return name.name == key; });
    if (at == names_.end()) return;
    for (const Socket& socket : sockets_) {
      if (socket.state == SocketState::Open && !at->told[indexOf(socket)].isNever())
        sendRecord(socket, *at, 0, std::nullopt, group(socket.family));
    }
    names_.erase(at);
    startIdle(now);
  }

  Timestamp nextDeadline() const {
    Timestamp next = idleAt_;
    for (const Name& name : names_) next = earliest(next, name.tellAt[0], name.tellAt[1]);
    for (const Question& question : questions_) {
      next = earliest(next, question.giveUpAt);
      if (anyOpen()) next = earliest(next, question.askAt);
    }
    return next;
  }

  RingQueue<TxPacket> transmits_{64};
  RingQueue<Effect> effects_{64};
  /// Room for an end of all questions at once, and for as many refused ones.
  RingQueue<Resolved> results_;

 private:
  struct Question {
    ResolveId id{};
    std::string name;
    Timestamp giveUpAt;
    Timestamp askAt = Timestamp::never();  ///< never: another question of the same name asks
    Duration repeat = kFirstRepeat;
    bool asked = false;
  };
  enum class SocketState : uint8_t { Closed, Opening, Open, Failed };
  struct Socket {
    AddressFamily family = AddressFamily::V4;
    bool wanted = true;
    bool fallback = false;  ///< not on port 5353: others own it
    SocketState state = SocketState::Closed;
    SocketId id{};
    std::vector<uint32_t> joined{};  ///< interfaces
  };

  /// One of our own. By family of the socket: when it was multicast last, and when it is to be
  /// again.
  struct Name {
    std::string name;
    IpAddress address;
    uint32_t interfaceIndex = 0;
    std::array<Timestamp, 2> told{Timestamp::never(), Timestamp::never()};
    std::array<Timestamp, 2> tellAt{Timestamp::never(), Timestamp::never()};
  };

  size_t indexOf(const Socket& socket) const {
    return static_cast<size_t>(&socket - sockets_.data());
  }
  Name* findName(const std::string& name) {
    for (Name& known : names_) {
      if (known.name == name) return &known;
    }
    return nullptr;
  }

  void join(Socket& socket, uint32_t interfaceIndex) {
    auto& joined = socket.joined;
    if (std::find(joined.begin(), joined.end(), interfaceIndex) != joined.end()) return;
    joined.push_back(interfaceIndex);
    effects_.push(JoinMulticast{socket.id, group(socket.family).ip, interfaceIndex});
  }

  void handleQuery(const Socket& socket, const SocketAddress& from, ByteSpan datagram,
                   Timestamp now) {
    const auto query = parseAddressQuery(datagram);
    if (!query) return;
    for (const AddressQuestion& question : query->questions) {
      Name* name = findName(question.name);
      if (!name) continue;
      const bool known = std::any_of(
          query->knownAnswers.begin(), query->knownAnswers.end(), [&](const AddressRecord& r) {
            return r.name == name->name && r.address == name->address && r.ttl >= kTtl / 2;
          });
      if (known) continue;
      if (from.port != kMdnsPort) {
        sendRecord(socket, *name, kPlainTtl, PlainQuestion{query->id, question.type}, from);
        continue;
      }
      // An answer to one port 5353 may end at another program that shares it: so the first one is
      // always for all, and only those that follow at once are for the asker alone.
      const size_t i = indexOf(socket);
      const bool lately = !name->told[i].isNever() && now - name->told[i] < kMulticastPause;
      if (!lately) {
        tell(socket, *name, now);
        continue;
      }
      if (question.unicast) sendRecord(socket, *name, kTtl, std::nullopt, from);
      name->tellAt[i] = name->told[i] + kMulticastPause;
    }
  }

  void tell(const Socket& socket, Name& name, Timestamp now) {
    name.told[indexOf(socket)] = now;
    name.tellAt[indexOf(socket)] = Timestamp::never();
    sendRecord(socket, name, kTtl, std::nullopt, group(socket.family));
  }

  void sendRecord(const Socket& socket, const Name& name, uint32_t ttl,
                  std::optional<PlainQuestion> plain, const SocketAddress& to) {
    PacketBuf packet = env_.pool.allocate();
    if (!packet) return;
    packet.resize(writeAddressResponse(name.name, name.address, ttl, plain, packet.writable()));
    // Out of the interface that the address is on.
    const bool direct = name.address.family() == socket.family && to.ip.isMulticast() &&
                        name.address.isV4() && !name.address.isLoopback();
    send(socket, to, direct ? name.address : IpAddress::any(socket.family), std::move(packet));
  }

  void send(const Socket& socket, const SocketAddress& to, const IpAddress& from,
            PacketBuf packet) {
    TxPacket out;
    out.socket = socket.id;
    out.to = to;
    out.from = from;
    out.data = std::move(packet);
    transmits_.push(std::move(out));
  }

  bool anyWanted() const {
    return std::any_of(sockets_.begin(), sockets_.end(), [](const Socket& s) { return s.wanted; });
  }
  bool anyOpen() const {
    return std::any_of(sockets_.begin(), sockets_.end(),
                       [](const Socket& s) { return s.state == SocketState::Open; });
  }
  Socket* find(SocketId id) {
    for (Socket& socket : sockets_) {
      const bool live = socket.state == SocketState::Opening || socket.state == SocketState::Open;
      if (live && socket.id == id) return &socket;
    }
    return nullptr;
  }

  void openSockets() {
    const bool none = std::none_of(sockets_.begin(), sockets_.end(), [](const Socket& s) {
      return s.state == SocketState::Opening || s.state == SocketState::Open;
    });
    for (Socket& socket : sockets_) {
      // A family that failed gets another chance once all is closed.
      if (none && socket.state == SocketState::Failed) socket.state = SocketState::Closed;
      if (socket.wanted && socket.state == SocketState::Closed) {
        socket.fallback = false;
        openSocket(socket);
      }
    }
  }

  void openSocket(Socket& socket) {
    socket.id = ids_.nextSocket();
    socket.state = SocketState::Opening;
    socket.joined.clear();
    const uint16_t port = socket.fallback ? 0 : kMdnsPort;
    effects_.push(OpenUdp{socket.id, {IpAddress::any(socket.family), port}, !socket.fallback});
  }

  void sendQuery(const Socket& socket, const std::string& name) {
    PacketBuf packet = env_.pool.allocate();
    if (!packet) return;
    packet.resize(writeAddressQuery(name, packet.writable()));
    send(socket, group(socket.family), IpAddress::any(socket.family), std::move(packet));
  }

  void answer(ResolveId id, std::vector<IpAddress> addresses) {
    results_.push(Resolved{id, std::move(addresses)});
  }

  void erase(std::vector<Question>::iterator at) {
    const Question gone = std::move(*at);
    questions_.erase(at);
    if (gone.askAt.isNever()) return;
    // Whoever waits for the same name asks in its stead.
    for (Question& question : questions_) {
      if (question.name != gone.name) continue;
      question.askAt = gone.askAt;
      question.repeat = gone.repeat;
      question.asked = gone.asked;
      return;
    }
  }

  void startIdle(Timestamp now) {
    const bool live = std::any_of(sockets_.begin(), sockets_.end(), [](const Socket& s) {
      return s.state == SocketState::Opening || s.state == SocketState::Open;
    });
    if (questions_.empty() && names_.empty() && idleAt_.isNever() && live)
      idleAt_ = now + config_.idleClose;
  }

  void pump(Timestamp now) {
    for (size_t i = 0; i < questions_.size();) {
      Question& question = questions_[i];
      if (question.giveUpAt <= now) {
        answer(question.id, {});
        erase(questions_.begin() + static_cast<std::ptrdiff_t>(i));
        continue;
      }
      if (question.askAt <= now && anyOpen()) {
        for (const Socket& socket : sockets_) {
          if (socket.state == SocketState::Open) sendQuery(socket, question.name);
        }
        question.asked = true;
        question.askAt = now + question.repeat;
        question.repeat = question.repeat * 2;
      }
      ++i;
    }
    for (Name& name : names_) {
      for (const Socket& socket : sockets_) {
        if (name.tellAt[indexOf(socket)] <= now) tell(socket, name, now);
      }
    }
    startIdle(now);
    if (idleAt_ <= now) {
      idleAt_ = Timestamp::never();
      for (Socket& socket : sockets_) {
        if (socket.state == SocketState::Open || socket.state == SocketState::Opening) {
          effects_.push(CloseSocket{socket.id});
          socket.state = SocketState::Closed;
        }
      }
    }
  }

  Environment& env_;
  IdAllocator& ids_;
  MdnsConfig config_;
  MonotonicGuard clock_;
  std::array<Socket, 2> sockets_;
  std::vector<Question> questions_;
  std::vector<Name> names_;
  Timestamp idleAt_ = Timestamp::never();
};

MdnsResolver::MdnsResolver(Environment& environment, IdAllocator& ids, const MdnsConfig& config)
    : core_(std::make_unique<MdnsCore>(environment, ids, config)) {}
MdnsResolver::~MdnsResolver() = default;
MdnsResolver::MdnsResolver(MdnsResolver&&) noexcept = default;
MdnsResolver& MdnsResolver::operator=(MdnsResolver&&) noexcept = default;

void MdnsResolver::resolve(ResolveId id, std::string_view host, Timestamp now) {
  core_->resolve(id, host, now);
}
void MdnsResolver::cancel(ResolveId id) {
  core_->cancel(id);
}
void MdnsResolver::publish(std::string_view name, const IpAddress& address, uint32_t interfaceIndex,
                           Timestamp now) {
  core_->publish(name, address, interfaceIndex, now);
}
void MdnsResolver::withdraw(std::string_view name, Timestamp now) {
  core_->withdraw(name, now);
}
bool MdnsResolver::handleSocketOpened(const SocketOpened& opened, Timestamp now) {
  return core_->handleSocketOpened(opened, now);
}
bool MdnsResolver::handleSocketFailed(const SocketFailed& failed, Timestamp now) {
  return core_->handleSocketFailed(failed, now);
}
bool MdnsResolver::handleDatagram(SocketId socket, const SocketAddress& from, ByteSpan datagram,
                                  Timestamp now) {
  return core_->handleDatagram(socket, from, datagram, now);
}
bool MdnsResolver::pollTransmit(TxPacket& out) {
  if (core_->transmits_.empty()) return false;
  out = core_->transmits_.pop();
  return true;
}
bool MdnsResolver::pollEffect(Effect& out) {
  if (core_->effects_.empty()) return false;
  out = core_->effects_.pop();
  return true;
}
bool MdnsResolver::pollResult(Resolved& out) {
  if (core_->results_.empty()) return false;
  out = core_->results_.pop();
  return true;
}
void MdnsResolver::advance(Timestamp now) {
  core_->advance(now);
}
Timestamp MdnsResolver::nextDeadline() const {
  return core_->nextDeadline();
}

}  // namespace parley::ice
