// A link between two network namespaces: a TAP device in each, and between them a bottleneck with
// rate, queue, delay, jitter, loss and congestion marks. For programs that run in real time, where
// the simulator cannot go.
//
//     shaped_link NAMESPACE_A NAMESPACE_B [NAME=VALUE...]
//
// Names: rate (kb/s, 0: unlimited), queue (ms at that rate, then arrivals are dropped), delay and
// jitter (ms one way; the jitter is uniform and packets keep their order), loss (0..1), burst (mean
// length of a run of losses), mark (ms in the queue from which ECN-capable packets are marked, 0:
// never), seed. "ab." or "ba." before a name means one direction only.
//
// Standard input: lines of NAME=VALUE words, obeyed at once; "at SECONDS NAME=VALUE...", obeyed so
// long after the last "reset"; "reset" begins a measurement; "report" prints it as one line of
// JSON; "quit" or the end of input ends. Prints "ready" when both devices (shaped0) are up. Address
// resolution passes undisturbed.

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <map>
#include <net/if.h>
#include <poll.h>
#include <random>
#include <sched.h>
#include <sstream>
#include <string>
#include <string_view>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

constexpr const char* kDevice = "shaped0";
constexpr size_t kEthernet = 14;
constexpr double kNever = 1e300;
constexpr double kSampleMs = 200;

double nowMs() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double, std::milli>(since).count();
}

using Frame = std::vector<uint8_t>;

bool isIpv4(const Frame& f) {
  return f.size() >= kEthernet + 20 && f[12] == 8 && f[13] == 0;
}

/// "source port>destination port" of UDP and TCP, else the protocol's number.
std::string flowOf(const Frame& f) {
  const size_t header = (f[kEthernet] & 15) * 4u;
  const int protocol = f[kEthernet + 9];
  if ((protocol != 17 && protocol != 6) || f.size() < kEthernet + header + 4)
    return "protocol " + std::to_string(protocol);
  const uint8_t* ports = f.data() + kEthernet + header;
  return std::to_string(ports[0] << 8 | ports[1]) + ">" + std::to_string(ports[2] << 8 | ports[3]);
}

/// RFC 3168: Congestion Experienced, if the packet says that its sender understands it.
bool mark(Frame& f) {
  uint8_t* ip = f.data() + kEthernet;
  if ((ip[1] & 3) == 0) return false;
  ip[1] |= 3;
  ip[10] = ip[11] = 0;
  uint32_t sum = 0;
  for (int i = 0; i < (ip[0] & 15) * 4; i += 2)
    sum += static_cast<uint32_t>(ip[i] << 8 | ip[i + 1]);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  ip[10] = static_cast<uint8_t>(~sum >> 8);
  ip[11] = static_cast<uint8_t>(~sum);
  return true;
}

/// What passed in one direction since the last "reset".
struct Measurement {
  double begin = nowMs();
  uint64_t packets = 0, bytes = 0, lost = 0, dropped = 0, marked = 0, delivered = 0;
  std::map<std::string, uint64_t> flows;  ///< bytes delivered
  std::vector<float> waits;               ///< ms in the queue
  std::vector<float> samples;             ///< kb/s delivered per 200 ms

  void arrived(const Frame& f) {
    ++packets;
    bytes += f.size();
  }
  void left(const Frame& f, double waited, double now) {
    delivered += f.size();
    flows[flowOf(f)] += f.size();
    waits.push_back(static_cast<float>(waited));
    const auto slot = static_cast<size_t>(std::max(0.0, now - begin) / kSampleMs);
    if (slot >= samples.size()) samples.resize(slot + 1);
    samples[slot] += static_cast<float>(static_cast<double>(f.size()) * 8 / kSampleMs);
  }
  std::string json() const {
    std::vector<float> sorted = waits;
    std::sort(sorted.begin(), sorted.end());
    const auto percentile = [&](double share) {
      return sorted.empty()
                 ? 0.0f
                 : sorted[static_cast<size_t>(share * static_cast<double>(sorted.size() - 1))];
    };
    std::ostringstream out;
    out << "{\"seconds\":" << (nowMs() - begin) / 1000 << ",\"packets\":" << packets
        << ",\"bytes\":" << bytes << ",\"delivered_bytes\":" << delivered << ",\"lost\":" << lost
        << ",\"dropped\":" << dropped << ",\"marked\":" << marked
        << ",\"wait_ms_p50\":" << percentile(0.5) << ",\"wait_ms_p95\":" << percentile(0.95)
        << ",\"flows\":{";
    const char* separator = "";
    for (const auto& [name, count] : flows) {
      out << separator << "\"" << name << "\":" << count;
      separator = ",";
    }
    out << "},\"kbps\":[";
    separator = "";
    for (const float kbps : samples) {
      out << separator << std::lround(kbps);
      separator = ",";
    }
    out << "]}";
    return out.str();
  }
};

class Direction {
 public:
  bool set(std::string_view name, double value) {
    const std::pair<std::string_view, double*> known[] = {
        {"rate", &rate_}, {"queue", &queue_}, {"delay", &delay_}, {"jitter", &jitter_},
        {"loss", &loss_}, {"burst", &burst_}, {"mark", &mark_}};
    if (name == "seed") {
      random_.seed(static_cast<uint64_t>(value));
      return true;
    }
    for (const auto& [word, place] : known) {
      if (word != name) continue;
      *place = value;
      return true;
    }
    return false;
  }
  Measurement& measured() { return measured_; }

  void arrive(Frame frame, double now) {
    if (!isIpv4(frame)) return underway_.push_back({now, std::move(frame)});
    measured_.arrived(frame);
    if (lose()) {
      ++measured_.lost;
      return;
    }
    const double room = rate_ > 0 ? std::max(3000.0, rate_ * queue_ / 8) : 1e12;
    if (static_cast<double>(queued_ + frame.size()) > room) {
      ++measured_.dropped;
      return;
    }
    queued_ += frame.size();
    waiting_.push_back({now, std::move(frame)});
    if (waiting_.size() == 1) begin(now);
  }
  /// Frames whose time has come, to `device`.
  void run(int device, double now) {
    while (!waiting_.empty() && sentAt_ <= now) {
      Timed head = std::move(waiting_.front());
      waiting_.pop_front();
      queued_ -= head.frame.size();
      const double waited = std::max(0.0, begunAt_ - head.at);
      if (mark_ > 0 && waited > mark_ && mark(head.frame)) ++measured_.marked;
      measured_.left(head.frame, waited, sentAt_);
      double due = sentAt_ + delay_;
      if (jitter_ > 0) due += std::uniform_real_distribution<>(0, jitter_)(random_);
      if (!underway_.empty()) due = std::max(due, underway_.back().at);
      underway_.push_back({due, std::move(head.frame)});
      if (!waiting_.empty()) begin(std::max(sentAt_, waiting_.front().at));
    }
    while (!underway_.empty() && underway_.front().at <= now) {
      const Frame& frame = underway_.front().frame;
      if (write(device, frame.data(), frame.size()) < 0 && errno == EAGAIN) break;
      underway_.pop_front();
    }
  }
  double next() const {
    return std::min(waiting_.empty() ? kNever : sentAt_,
                    underway_.empty() ? kNever : underway_.front().at);
  }
  void reset() { measured_ = {}; }

 private:
  struct Timed {
    double at;
    Frame frame;
  };
  /// The head of the queue goes onto the wire.
  void begin(double at) {
    begunAt_ = at;
    sentAt_ = at;
    if (rate_ > 0) sentAt_ += static_cast<double>(waiting_.front().frame.size()) * 8 / rate_;
  }
  bool lose() {
    if (loss_ <= 0) return false;
    std::uniform_real_distribution<> unit(0, 1);
    if (burst_ <= 1) return unit(random_) < loss_;
    // Gilbert: runs end with 1 / burst and begin so often that `loss` of all packets are in one.
    const double end = 1 / burst_;
    const double start = end * loss_ / (1 - loss_);
    losing_ = losing_ ? unit(random_) >= end : unit(random_) < start;
    return losing_;
  }

  double rate_ = 0, queue_ = 300, delay_ = 0, jitter_ = 0, loss_ = 0, burst_ = 1, mark_ = 0;
  std::mt19937_64 random_{1};
  bool losing_ = false;
  std::deque<Timed> waiting_;
  size_t queued_ = 0;
  double begunAt_ = 0, sentAt_ = 0;
  std::deque<Timed> underway_;
  Measurement measured_;
};

class Link {
 public:
  bool set(std::string_view word) {
    const size_t equals = word.find('=');
    if (equals == std::string_view::npos) return false;
    std::string_view name = word.substr(0, equals);
    const double value = std::atof(std::string(word.substr(equals + 1)).c_str());
    if (name.substr(0, 3) == "ab.") return ways_[0].set(name.substr(3), value);
    if (name.substr(0, 3) == "ba.") return ways_[1].set(name.substr(3), value);
    return ways_[0].set(name, value) && ways_[1].set(name, value + (name == "seed" ? 1 : 0));
  }
  void obey(const std::string& line) {
    std::istringstream words(line);
    std::string word;
    words >> word;
    if (word == "at") {
      double seconds = 0;
      words >> seconds;
      std::string rest;
      std::getline(words, rest);
      plan_.emplace(seconds, rest);
    } else if (word == "reset") {
      for (Direction& way : ways_) way.reset();
      begin_ = nowMs();
    } else if (word == "forget") {
      plan_.clear();
    } else if (word == "report") {
      std::printf("{\"ab\":%s,\"ba\":%s}\n", ways_[0].measured().json().c_str(),
                  ways_[1].measured().json().c_str());
      std::fflush(stdout);
    } else if (word == "quit") {
      ended_ = true;
    } else {
      for (; !word.empty(); word.clear(), words >> word)
        if (!set(word)) std::fprintf(stderr, "shaped_link: %s?\n", word.c_str());
    }
  }
  void run(const std::array<int, 2>& devices) {
    std::vector<uint8_t> buffer(65536);
    std::string typed;
    while (!ended_) {
      const double now = nowMs();
      while (!plan_.empty() && begin_ + plan_.begin()->first * 1000 <= now) {
        const std::string line = plan_.begin()->second;
        plan_.erase(plan_.begin());
        obey(line);
      }
      for (size_t i = 0; i < 2; ++i) ways_[i].run(devices[1 - i], now);
      wait(devices);
      for (size_t i = 0; i < 2; ++i) {
        ssize_t count;
        while ((count = read(devices[i], buffer.data(), buffer.size())) > 0)
          ways_[i].arrive({buffer.begin(), buffer.begin() + count}, nowMs());
      }
      if (polled_[2].revents == 0) continue;
      char text[4096];
      const ssize_t count = read(STDIN_FILENO, text, sizeof text);
      if (count <= 0) return;
      typed.append(text, static_cast<size_t>(count));
      for (size_t end; (end = typed.find('\n')) != std::string::npos; typed.erase(0, end + 1))
        obey(typed.substr(0, end));
    }
  }

 private:
  void wait(const std::array<int, 2>& devices) {
    double next = std::min(ways_[0].next(), ways_[1].next());
    if (!plan_.empty()) next = std::min(next, begin_ + plan_.begin()->first * 1000);
    const double ms = std::clamp(next - nowMs(), 0.0, 1000.0);
    timespec time{};
    time.tv_sec = static_cast<time_t>(ms / 1000);
    time.tv_nsec = static_cast<long>(std::fmod(ms, 1000) * 1e6);
    polled_ = {{{devices[0], POLLIN, 0}, {devices[1], POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}}};
    ppoll(polled_.data(), polled_.size(), &time, nullptr);
  }

  std::array<Direction, 2> ways_;
  std::multimap<double, std::string> plan_;
  double begin_ = nowMs();
  std::array<pollfd, 3> polled_{};
  bool ended_ = false;
};

/// The device stays when its namespace is left again.
int openDevice(const char* name, int home) {
  const int there = open((std::string("/run/netns/") + name).c_str(), O_RDONLY | O_CLOEXEC);
  if (there < 0 || setns(there, CLONE_NEWNET) != 0) return -1;
  close(there);
  const int device = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  ifreq request{};
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  std::strncpy(request.ifr_name, kDevice, IFNAMSIZ - 1);
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const bool up = device >= 0 && ioctl(device, TUNSETIFF, &request) == 0 &&
                  ioctl(socket, SIOCGIFFLAGS, &request) == 0 &&
                  (request.ifr_flags |= IFF_UP, ioctl(socket, SIOCSIFFLAGS, &request) == 0);
  close(socket);
  if (setns(home, CLONE_NEWNET) != 0) return -1;
  return up ? device : -1;
}

}  // namespace

int main(int count, char** words) {
  if (count < 3) {
    std::fprintf(stderr, "usage: shaped_link NAMESPACE_A NAMESPACE_B [NAME=VALUE...]\n");
    return 2;
  }
  Link link;
  for (int i = 3; i < count; ++i) {
    if (link.set(words[i])) continue;
    std::fprintf(stderr, "shaped_link: %s?\n", words[i]);
    return 2;
  }
  const int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  std::array<int, 2> devices{};
  for (size_t i = 0; i < 2; ++i) {
    devices[i] = openDevice(words[i + 1], home);
    if (devices[i] >= 0) continue;
    std::perror(words[i + 1]);
    return 1;
  }
  // Late by a time slice of others would be measured as a queue. Without the right to it, so be it.
  sched_param priority{};
  priority.sched_priority = 10;
  (void)sched_setscheduler(0, SCHED_RR, &priority);
  std::puts("ready");
  std::fflush(stdout);
  link.run(devices);
  return 0;
}
