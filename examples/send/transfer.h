#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "link.h"
#include "manifest.h"
#include "progress.h"

namespace sending {

/// How the work on one link ended.
enum class End {
  Done,     ///< both sides know about every file
  Lost,     ///< the connection is gone: go on over another
  Stopped,  ///< the user wants it so
  Broken,   ///< the other side does not keep to the protocol
};

/// What became of a file.
struct FileResult {
  enum class State { Pending, Done, Failed };
  State state = State::Pending;
  std::string sha256;
  uint64_t resumedBytes = 0;  ///< of it that were there before
  bool wasThere = false;      ///< all of it
  std::string error;
};

/// One side of a transfer. It outlives its links: after a lost connection run() is called with the
/// next one, and goes on where the last one stopped.
class Transfer {
 public:
  using Stop = std::function<bool()>;

  explicit Transfer(Progress& progress) : progress_(progress) {}
  virtual ~Transfer() = default;
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  /// Waits; `stop` is asked often.
  virtual End run(Link& link, const Stop& stop) = 0;

  bool allDone() const;
  size_t failed() const;
  /// Forgets what was done, for another transfer to come.
  virtual void again();
  /// "Done: 3 files, 12.4 MiB, 56.0 MiB/s": one line.
  std::string summary() const;
  Json report() const;

 protected:
  using Clock = std::chrono::steady_clock;

  /// Content moved, for the rate in the report.
  void moved(uint64_t bytes);
  /// "name  12.3 MiB  sha-256 ..." as a line that stays.
  void noteDone(size_t index);
  void noteFailed(size_t index);
  const Entry& entry(size_t index) const { return manifest_.entries[index]; }
  size_t count() const { return manifest_.entries.size(); }

  Progress& progress_;
  Manifest manifest_;
  std::vector<FileResult> results_;

 private:
  uint64_t movedBytes_ = 0;
  double movingSeconds_ = 0;
  Clock::time_point lastMoved_{};
};

}  // namespace sending
