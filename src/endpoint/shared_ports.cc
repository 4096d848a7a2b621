#include "parley/endpoint/shared_ports.h"

#include <algorithm>
#include <utility>

#include "parley/stun/message.h"

namespace parley::endpoint {
namespace {

constexpr size_t kMaxUfrags = 4;
// More than a checklist has pairs with remote candidates.
constexpr size_t kMaxTuples = 256;
constexpr size_t kMaxTransactions = 256;
constexpr size_t kMaxUnknown = 256;
constexpr size_t kMaxUfragSize = 256;  // RFC 8839 section 5.4

/// Transaction IDs are random: eight of their twelve bytes tell them apart.
uint64_t keyOf(const stun::TransactionId& id) {
  uint64_t key = 0;
  for (size_t i = 0; i < 8; ++i) key = key << 8 | id[i];
  return key;
}

/// The class bits of a STUN message's first two bytes (RFC 8489 section 5).
std::optional<stun::Class> classOf(ByteSpan bytes) {
  if (!stun::Message::looksLikeStun(bytes)) return std::nullopt;
  return static_cast<stun::Class>((bytes[0] & 1) << 1 | (bytes[1] >> 4 & 1));
}

stun::TransactionId transactionOf(ByteSpan bytes) {
  stun::TransactionId id;
  std::copy_n(bytes.begin() + 8, id.size(), id.begin());
  return id;
}

}  // namespace

SharedPorts::SharedPorts(std::vector<SocketAddress> addresses) : unknown_(kMaxUnknown) {
  for (SocketAddress& address : addresses) ports_.push_back({address});
}

std::optional<size_t> SharedPorts::portFor(const IpAddress& local) const {
  std::optional<size_t> any;
  for (size_t i = 0; i < ports_.size(); ++i) {
    if (ports_[i].failed) continue;
    if (ports_[i].wanted.ip == local) return i;
    if (!any && ports_[i].wanted.ip == IpAddress::any(local.family())) any = i;
  }
  return any;
}

SharedPorts::Client& SharedPorts::clientAt(size_t session) {
  if (session >= clients_.size()) clients_.resize(session + 1);
  return clients_[session];
}

void SharedPorts::add(size_t session, const Use& use) {
  clientAt(session).uses.push_back(use);
}

bool SharedPorts::remove(size_t session, SocketId sessionSocket) {
  if (session >= clients_.size()) return false;
  return std::erase_if(clients_[session].uses,
                       [&](const Use& use) { return use.sessionSocket == sessionSocket; }) != 0;
}

const SharedPorts::Use* SharedPorts::find(size_t session, SocketId sessionSocket) const {
  if (session >= clients_.size()) return nullptr;
  for (const Use& use : clients_[session].uses) {
    if (use.sessionSocket == sessionSocket) return &use;
  }
  return nullptr;
}

std::span<const SharedPorts::Use> SharedPorts::usesOf(size_t session) const {
  if (session >= clients_.size()) return {};
  return clients_[session].uses;
}

void SharedPorts::forget(size_t session) {
  if (session >= clients_.size()) return;
  Client& client = clients_[session];
  for (const Tuple& tuple : client.tuples) {
    const auto at = tuples_.find(tuple);
    if (at != tuples_.end() && at->second == session) tuples_.erase(at);
  }
  for (const std::string& ufrag : client.ufrags) {
    const auto at = ufrags_.find(ufrag);
    if (at != ufrags_.end() && at->second == session) ufrags_.erase(at);
  }
  for (const uint64_t key : client.transactions) transactions_.erase(key);
  client = {};
}

void SharedPorts::setUfrag(size_t session, const std::string& ufrag) {
  Client& client = clientAt(session);
  if (!client.ufrags.empty() && client.ufrags.back() == ufrag) return;
  // A rolled back restart brings a former one back.
  std::erase(client.ufrags, ufrag);
  client.ufrags.push_back(ufrag);
  ufrags_[ufrag] = session;
  if (client.ufrags.size() <= kMaxUfrags) return;
  ufrags_.erase(client.ufrags.front());
  client.ufrags.pop_front();
}

void SharedPorts::noteSent(size_t session, ByteSpan packet) {
  if (classOf(packet) != stun::Class::Request) return;
  const uint64_t key = keyOf(transactionOf(packet));
  if (!transactions_.emplace(key, session).second) return;  // repeated
  std::deque<uint64_t>& own = clientAt(session).transactions;
  own.push_back(key);
  if (own.size() <= kMaxTransactions) return;
  transactions_.erase(own.front());
  own.pop_front();
}

void SharedPorts::bind(size_t session, size_t port, const SocketAddress& remote) {
  const Tuple tuple{port, remote};
  const auto [at, isNew] = tuples_.emplace(tuple, session);
  if (!isNew) {
    if (at->second == session) return;
    ++counters_.rebound;
    std::erase(clients_[at->second].tuples, tuple);
    at->second = session;
  }
  std::deque<Tuple>& own = clientAt(session).tuples;
  own.push_back(tuple);
  if (own.size() <= kMaxTuples) return;
  tuples_.erase(own.front());
  own.pop_front();
}

std::optional<size_t> SharedPorts::sessionOfCheck(ByteSpan packet, const SocketAddress& from,
                                                  const SocketAddress& to) {
  const auto request = stun::Message::parse(packet);
  const auto username = request ? request->text(stun::AttributeType::Username) : std::nullopt;
  if (!username) return std::nullopt;
  const size_t colon = username->find(':');
  const std::string ours(username->substr(0, colon));
  if (ours.empty() || ours.size() > kMaxUfragSize) return std::nullopt;
  if (const auto at = ufrags_.find(ours); at != ufrags_.end()) return at->second;
  ++counters_.unknownUfrag;
  if (colon != std::string_view::npos && !unknown_.full() &&
      username->size() - colon - 1 <= kMaxUfragSize) {
    unknown_.push({ours, std::string(username->substr(colon + 1)), from, to});
  }
  return std::nullopt;
}

std::optional<size_t> SharedPorts::sessionOf(size_t port, const Datagram& datagram, bool& isCheck) {
  const ByteSpan bytes = datagram.data.span();
  const auto kind = classOf(bytes);
  isCheck = kind && *kind != stun::Class::Indication;
  if (kind == stun::Class::Request) return sessionOfCheck(bytes, datagram.from, datagram.to);
  if (isCheck) {
    const auto at = transactions_.find(keyOf(transactionOf(bytes)));
    return at == transactions_.end() ? std::nullopt : std::optional(at->second);
  }
  const auto at = tuples_.find({port, datagram.from});
  if (at != tuples_.end()) return at->second;
  ++counters_.unknownTuple;
  return std::nullopt;
}

std::optional<SharedPorts::Target> SharedPorts::route(size_t port, const Datagram& datagram) {
  Target target;
  const auto session = sessionOf(port, datagram, target.isCheck);
  if (!session) return std::nullopt;
  const Use* use = useOf(*session, port, datagram.to.ip);
  if (use == nullptr) return std::nullopt;
  target.session = *session;
  target.sessionSocket = use->sessionSocket;
  return target;
}

const SharedPorts::Use* SharedPorts::useOf(size_t session, size_t port,
                                           const IpAddress& local) const {
  const Use* only = nullptr;
  for (const Use& use : usesOf(session)) {
    if (use.port != port) continue;
    if (use.local == local) return &use;
    only = only == nullptr ? &use : only;
  }
  return only;
}

bool SharedPorts::needsLookUp(const Datagram& datagram) {
  return stun::Message::looksLikeStun(datagram.data.span());
}

bool SharedPorts::pollUnknownUfrag(UnknownUfrag& out) {
  if (unknown_.empty()) return false;
  out = unknown_.pop();
  return true;
}

}  // namespace parley::endpoint
