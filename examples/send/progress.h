#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>

namespace sending {

/// What a transfer shows in the terminal: a bar for the file and one for all, with rate and time
/// left; where the output is not a terminal, a plain line now and then. One thread.
class Progress {
 public:
  Progress();
  ~Progress() { clear(); }

  /// A transfer of so much begins, or goes on after its connection was lost.
  void begin(uint64_t totalBytes, size_t totalFiles);
  /// The file that is under way; `at` bytes of it were there before.
  void file(const std::string& name, uint64_t size, uint64_t at);
  void fileAt(uint64_t bytes) { fileAt_ = bytes; }
  /// How much of everything has arrived.
  void at(uint64_t bytes, size_t files);
  /// How much of that need not be sent because it was there: it does not count for the rate.
  void skipped(uint64_t bytes) { skipped_ = bytes; }
  /// Shows how things are, if it is time.
  void show();
  /// A line that stays.
  void note(const std::string& line);
  /// Takes the bars away.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;

  std::string bar(double ratio, size_t width) const;
  /// As much of it as fits into `room` characters.
  std::string totalLine(size_t room) const;
  std::string fileLine() const;
  double rate() const;

  const bool terminal_;
  const bool blocks_;  ///< the terminal knows block characters
  size_t columns_ = 80;
  bool shown_ = false;
  Clock::time_point lastShown_{};
  std::string name_;
  uint64_t fileSize_ = 0;
  uint64_t fileAt_ = 0;
  uint64_t total_ = 0;
  size_t totalFiles_ = 0;
  uint64_t at_ = 0;
  size_t files_ = 0;
  uint64_t skipped_ = 0;
  std::deque<std::pair<Clock::time_point, uint64_t>> samples_;  ///< of the last seconds
};

}  // namespace sending
