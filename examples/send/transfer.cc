#include "transfer.h"

#include <algorithm>

#include "common/terminal.h"

namespace sending {

using example::byteCount;
using example::printable;

namespace {

constexpr size_t kTold = 200;  // files with a line of their own

}  // namespace

bool Transfer::allDone() const {
  return !results_.empty() && std::none_of(results_.begin(), results_.end(), [](const auto& r) {
    return r.state == FileResult::State::Pending;
  });
}

size_t Transfer::failed() const {
  return static_cast<size_t>(std::count_if(results_.begin(), results_.end(), [](const auto& r) {
    return r.state != FileResult::State::Done;
  }));
}

void Transfer::moved(uint64_t bytes) {
  const auto now = Clock::now();
  // A pause is no part of the time that the content took.
  const std::chrono::duration<double> since = now - lastMoved_;
  if (lastMoved_ != Clock::time_point{} && since.count() < 2) movingSeconds_ += since.count();
  lastMoved_ = now;
  movedBytes_ += bytes;
}

void Transfer::noteDone(size_t index) {
  if (entry(index).isFolder || count() > kTold) return;
  progress_.note("  " + printable(entry(index).path) + "  " +
                 byteCount(static_cast<double>(entry(index).size)) + "  sha-256 " +
                 results_[index].sha256 + (results_[index].wasThere ? "  (was there)" : ""));
}

void Transfer::noteFailed(size_t index) {
  progress_.note("  " + printable(entry(index).path) +
                 "  FAILED: " + printable(results_[index].error));
}

void Transfer::again() {
  results_.assign(count(), {});
  movedBytes_ = 0;
  movingSeconds_ = 0;
  lastMoved_ = {};
}

std::string Transfer::summary() const {
  std::string out = failed() == 0
                        ? "Done: " + manifest_.summary()
                        : std::to_string(failed()) + " of " + manifest_.summary() + " FAILED";
  if (movingSeconds_ > 0) {
    const double rate = static_cast<double>(movedBytes_) / movingSeconds_;
    out += ", " + byteCount(static_cast<double>(movedBytes_)) + " at " + byteCount(rate) + "/s";
  }
  return failed() == 0 ? out + ", checksums agree" : out;
}

Json Transfer::report() const {
  Json files = Json::array();
  uint64_t resumed = 0;
  for (size_t i = 0; i < count(); ++i) {
    const FileResult& result = results_[i];
    if (entry(i).isFolder) continue;
    Json file{{"path", entry(i).path}, {"bytes", entry(i).size}};
    file["state"] = result.state == FileResult::State::Pending  ? "pending"
                    : result.state == FileResult::State::Failed ? "failed"
                    : result.wasThere                           ? "was there"
                                                                : "done";
    if (!result.sha256.empty()) file["sha256"] = result.sha256;
    if (result.resumedBytes > 0) file["resumed_bytes"] = result.resumedBytes;
    if (!result.error.empty()) file["error"] = result.error;
    resumed += result.wasThere ? entry(i).size : result.resumedBytes;
    files.push_back(std::move(file));
  }
  Json out{{"files", std::move(files)},
           {"bytes", manifest_.bytes()},
           {"moved_bytes", movedBytes_},
           {"resumed_bytes", resumed},
           {"moving_s", movingSeconds_}};
  if (movingSeconds_ > 0)
    out["mib_per_s"] = static_cast<double>(movedBytes_) / 1024 / 1024 / movingSeconds_;
  return out;
}

}  // namespace sending
