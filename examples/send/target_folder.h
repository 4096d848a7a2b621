#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "parley/base/bytes.h"
#include "parley/base/result.h"

#include "manifest.h"

namespace sending {

/// An open file, closed when it goes.
class File {
 public:
  File() = default;
  explicit File(int fd) : fd_(fd) {}
  ~File();
  File(File&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  File& operator=(File&& other) noexcept;

  explicit operator bool() const { return fd_ >= 0; }
  int get() const { return fd_; }
  uint64_t size() const;
  /// Reads at `offset`, fewer bytes only at the end; nullopt: the disk fails.
  std::optional<size_t> read(parley::MutableByteSpan out, uint64_t offset) const;
  bool write(parley::ByteSpan data, uint64_t offset) const;
  bool truncate(uint64_t size) const;

 private:
  int fd_ = -1;
};

/// The folder that a receiver stores into. Paths were checked by pathProblem(); beyond that no link
/// is followed on the way, so nothing is ever stored elsewhere, whatever lies in the folder.
class TargetFolder {
 public:
  /// Files that are not complete have this at the end of their name.
  static constexpr const char* kUnfinished = ".parley-part";

  static parley::Result<TargetFolder> open(const std::string& path);

  /// A finished file of that path; not if something else is there.
  File openFinished(const std::string& path) const;
  /// Whether anything has that name.
  bool exists(const std::string& path) const;
  /// An unfinished file; with `create` made with its folders if it is not there.
  File openUnfinished(const std::string& path, bool create) const;
  void removeUnfinished(const std::string& path) const;
  parley::Result<void> makeFolder(const std::string& path) const;
  /// Gives the unfinished file its name, time and rights. Without `force` never over something.
  parley::Result<void> finish(const Entry& entry, const File& file, bool force) const;
  uint64_t freeBytes() const;

 private:
  /// The folder that `path` is in, and the last part of it.
  std::pair<File, std::string> parent(const std::string& path, bool create) const;

  File folder_;
};

}  // namespace sending
