// A peer of the comparing benchmarks: commands on standard input, one line each, one line of answer
// each. compare.py drives it; pion/main.go speaks the same.
//
//   offer | answer SDP | accept SDP | pair     one connection, or both ends of one
//   open                                       waits until the channel is open
//   send BYTES | stop                          a stream of messages, as fast as it goes
//   echo                                       sends back what comes from now on
//   ping COUNT GAP_US                          32-byte round trips: p50 and p99
//   mark                                       wall clock, CPU time, bytes and messages received
//   pairs COUNT SECONDS                        COUNT connections in one process, then silence
//
// Line ends within a description travel as '|'.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <malloc.h>
#include <mutex>
#include <sstream>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "bench/peers/end.h"

namespace parley::bench {
namespace {

using Clock = std::chrono::steady_clock;

double cpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double microsSince(Clock::time_point begin, Clock::time_point end) {
  return std::chrono::duration<double, std::micro>(end - begin).count();
}

size_t residentKib() {
  size_t pages = 0, resident = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%zu %zu", &pages, &resident) != 2) resident = 0;
    std::fclose(file);
  }
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE)) / 1024;
}

size_t heapKib() {
  const struct mallinfo2 info = mallinfo2();
  return (info.uordblks + info.hblkhd) / 1024;
}

size_t entriesOf(const char* directory) {
  size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory)) ++count;
  return count;
}

std::string toLine(std::string text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += '|';
    } else if (c != '\r') {
      out += c;
    }
  }
  return out;
}

std::string fromLine(const std::string& line) {
  std::string out;
  for (const char c : line) {
    if (c == '|') {
      out += "\r\n";
    } else {
      out += c;
    }
  }
  return out;
}

/// A connection under load, or one that just sits there.
class LoadedEnd {
 public:
  explicit LoadedEnd(int lane)
      : end_(makeEnd(lane, {[this] { onOpen(); },
                            [this](const uint8_t* data, size_t size) { onMessage(data, size); },
                            [this] { refill(); }})) {}

  End& end() { return *end_; }
  bool waitOpen() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(30), [this] { return open_; });
  }
  void echo() { echoes_ = true; }
  void send(size_t size) {
    message_.assign(size, 0x5a);
    sending_ = true;
    refill();
  }
  void stop() { sending_ = false; }
  uint64_t bytes() const { return bytes_; }
  uint64_t messages() const { return messages_; }

  std::vector<double> ping(int count, int gapMicros) {
    std::vector<double> times;
    const std::vector<uint8_t> message(32, 1);
    for (int i = 0; i < count; ++i) {
      std::this_thread::sleep_for(std::chrono::microseconds(gapMicros));
      const uint64_t before = messages_;
      const auto begin = Clock::now();
      end_->send(message.data(), message.size());
      std::unique_lock lock(mutex_);
      waiting_ = true;
      changed_.wait_for(lock, std::chrono::seconds(5), [&] { return messages_ > before; });
      waiting_ = false;
      times.push_back(microsSince(begin, arrival_));
    }
    std::sort(times.begin(), times.end());
    return times;
  }

 private:
  void onOpen() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void onMessage(const uint8_t* data, size_t size) {
    bytes_ += size;
    if (echoes_) end_->send(data, size);
    if (waiting_) {
      const std::lock_guard lock(mutex_);
      arrival_ = Clock::now();
      ++messages_;
      changed_.notify_all();
    } else {
      ++messages_;
    }
  }
  void refill() {
    if (!sending_) return;
    while (sending_ && end_->buffered() < kHighBytes &&
           end_->send(message_.data(), message_.size())) {
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  std::atomic<bool> waiting_{false};
  std::atomic<bool> echoes_{false};
  std::atomic<bool> sending_{false};
  std::atomic<uint64_t> bytes_{0};
  std::atomic<uint64_t> messages_{0};
  Clock::time_point arrival_;
  std::vector<uint8_t> message_;
  std::unique_ptr<End> end_;
};

class Peer {
 public:
  /// False: no such command.
  bool run(const std::string& line) {
    std::istringstream words(line);
    std::string command, text;
    words >> command;
    if (command == "offer") {
      first_ = std::make_unique<LoadedEnd>(0);
      say(toLine(first_->end().offer()));
    } else if (command == "answer") {
      std::getline(words >> std::ws, text);
      first_ = std::make_unique<LoadedEnd>(0);
      say(toLine(first_->end().answer(fromLine(text))));
    } else if (command == "accept") {
      std::getline(words >> std::ws, text);
      first_->end().accept(fromLine(text));
      say("ok");
    } else if (command == "pair") {
      first_ = std::make_unique<LoadedEnd>(0);
      second_ = std::make_unique<LoadedEnd>(1);
      connect(*first_, *second_);
      say("ok");
    } else if (command == "open") {
      say(first_->waitOpen() && (!second_ || second_->waitOpen()) ? "ok" : "error not open");
    } else if (command == "echo") {
      (second_ ? *second_ : *first_).echo();
      say("ok");
    } else if (command == "send") {
      size_t size = 0;
      words >> size;
      first_->send(size);
      say("ok");
    } else if (command == "stop") {
      first_->stop();
      say("ok");
    } else if (command == "ping") {
      int count = 0, gap = 0;
      words >> count >> gap;
      const std::vector<double> times = first_->ping(count, gap);
      say(std::to_string(times[times.size() / 2]) + ' ' +
          std::to_string(times[times.size() * 99 / 100]));
    } else if (command == "mark") {
      mark();
    } else if (command == "pairs") {
      size_t count = 0;
      int seconds = 0;
      words >> count >> seconds;
      pairs(count, seconds);
    } else {
      return false;
    }
    return true;
  }

 private:
  static void say(const std::string& line) { std::cout << line << std::endl; }

  static void connect(LoadedEnd& a, LoadedEnd& b) {
    a.end().accept(b.end().answer(a.end().offer()));
  }

  void mark() {
    const LoadedEnd& receiver = second_ ? *second_ : *first_;
    const double wall = std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
    std::ostringstream out;
    out.precision(12);
    out << wall << ' ' << cpuSeconds() << ' ' << receiver.bytes() << ' ' << receiver.messages();
    say(out.str());
  }

  void pairs(size_t count, int seconds) {
    constexpr size_t kAtOnce = 20;
    std::vector<std::unique_ptr<LoadedEnd>> ends;
    const auto add = [&] {
      ends.push_back(std::make_unique<LoadedEnd>(0));
      ends.push_back(std::make_unique<LoadedEnd>(0));
      connect(*ends[ends.size() - 2], *ends[ends.size() - 1]);
    };
    // What the first connection brings into the process is not counted, code included: one pair
    // lives a whole life, another takes its place.
    add();
    for (const auto& end : ends) end->waitOpen();
    ends.clear();
    add();
    for (const auto& end : ends) end->waitOpen();
    const size_t residentBefore = residentKib(), heapBefore = heapKib();
    const double cpuBefore = cpuSeconds();
    const auto begin = Clock::now();
    for (size_t i = 0; i < count; ++i) {
      add();
      if (ends.size() > 2 * kAtOnce) ends[ends.size() - 2 * kAtOnce]->waitOpen();
    }
    for (const auto& end : ends) {
      if (!end->waitOpen()) return say("error not open");
    }
    const double setup = cpuSeconds() - cpuBefore;
    const double wall = microsSince(begin, Clock::now()) / 1e6;
    std::this_thread::sleep_for(std::chrono::seconds(1));
    const double idleBefore = cpuSeconds();
    std::this_thread::sleep_for(std::chrono::seconds(seconds));
    const double idle = cpuSeconds() - idleBefore;
    const double connections = 2 * static_cast<double>(count);
    // All that live: the pair from before is as idle as the others.
    const double idleConnections = static_cast<double>(ends.size());
    std::ostringstream out;
    out << "setup_cpu_ms_per_pair=" << setup * 1e3 / static_cast<double>(count)
        << " setup_wall_ms_per_pair=" << wall * 1e3 / static_cast<double>(count)
        << " resident_kib_per_connection="
        << (static_cast<double>(residentKib()) - static_cast<double>(residentBefore)) / connections
        << " heap_kib_per_connection="
        << (static_cast<double>(heapKib()) - static_cast<double>(heapBefore)) / connections
        << " idle_cpu_us_per_s_per_connection=" << idle * 1e6 / seconds / idleConnections
        << " threads_count=" << entriesOf("/proc/self/task") << " descriptors_per_connection="
        << static_cast<double>(entriesOf("/proc/self/fd")) / idleConnections;
    say(out.str());
  }

  std::unique_ptr<LoadedEnd> first_;
  std::unique_ptr<LoadedEnd> second_;
};

}  // namespace
}  // namespace parley::bench

int main() {
  parley::bench::Peer peer;
  for (std::string line; std::getline(std::cin, line);) {
    if (line == "quit" || !peer.run(line)) break;
  }
  std::_Exit(0);  // what is measured is over; stacks need not take themselves apart
}
