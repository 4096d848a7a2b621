#include "parley/io/resolver.h"

#include <algorithm>
#include <arpa/inet.h>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <deque>
#include <mutex>
#include <netdb.h>
#include <sys/socket.h>
#include <thread>
#include <utility>

#include "parley/base/text.h"

#include "io/sockaddr.h"

namespace parley::io {
namespace {

/// Of the IPv4 default routes, the one with the least metric first. /proc/net/route: name,
/// destination, gateway, flags, references, uses, metric, mask; addresses in hexadecimal as they
/// lie in memory.
std::vector<IpAddress> defaultGateways() {
  constexpr unsigned kViaGateway = 2;  // RTF_GATEWAY
  std::vector<std::pair<unsigned, IpAddress>> found;
  std::FILE* table = std::fopen("/proc/net/route", "re");
  if (!table) return {};
  char line[256];
  while (std::fgets(line, sizeof line, table)) {
    unsigned destination = 0, gateway = 0, flags = 0, metric = 0;
    if (std::sscanf(line, "%*s %x %x %x %*d %*d %u", &destination, &gateway, &flags, &metric) ==
            4 &&
        destination == 0 && gateway != 0 && (flags & kViaGateway) != 0) {
      found.emplace_back(metric, IpAddress::v4(ntohl(gateway)));
    }
  }
  std::fclose(table);
  std::sort(found.begin(), found.end());
  std::vector<IpAddress> out;
  for (const auto& [metric, address] : found) out.push_back(address);
  return out;
}

std::vector<IpAddress> lookUp(const std::string& host) {
  std::vector<IpAddress> addresses;
  // RFC 6761 section 6.3: known without asking anyone, also where no hosts file says so.
  if (equalsIgnoreCase(host, "localhost"))
    return {IpAddress::loopback(AddressFamily::V4), IpAddress::loopback(AddressFamily::V6)};
  if (host == "_gateway") return defaultGateways();
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* list = nullptr;
  if (getaddrinfo(host.c_str(), nullptr, &hints, &list) != 0) return addresses;
  for (const addrinfo* entry = list; entry; entry = entry->ai_next) {
    if (entry->ai_family != AF_INET && entry->ai_family != AF_INET6) continue;
    sockaddr_storage storage{};
    std::memcpy(&storage, entry->ai_addr, entry->ai_addrlen);
    addresses.push_back(fromSockaddr(storage).ip);
  }
  freeaddrinfo(list);
  return addresses;
}

/// The thread and its inbox. Never destroyed: the thread may be inside getaddrinfo at exit.
class Worker {
 public:
  bool add(std::string host, Resolver::Done done) {
    {
      const std::lock_guard lock(mutex_);
      if (waiting_.size() >= Resolver::kMaxWaiting) return false;
      waiting_.emplace_back(std::move(host), std::move(done));
      if (!started_) {
        started_ = true;
        std::thread([this] { run(); }).detach();
      }
    }
    wake_.notify_one();
    return true;
  }

 private:
  void run() {
    for (;;) {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return !waiting_.empty(); });
      auto [host, done] = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      done(lookUp(host));
    }
  }
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::pair<std::string, Resolver::Done>> waiting_;
  bool started_ = false;
};

}  // namespace

void Resolver::resolve(std::string host, Done done) {
  if (const auto literal = IpAddress::parse(host)) {
    done({*literal});
    return;
  }
  static Worker& worker = *new Worker;
  const Done fallback = done;
  if (!worker.add(std::move(host), std::move(done))) fallback({});
}

}  // namespace parley::io
