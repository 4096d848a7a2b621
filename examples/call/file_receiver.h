#pragma once

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "parley/base/bytes.h"

#include "common/sha256.h"

namespace call {

/// The folder for received files, and how much more may be put there.
class FileFolder {
 public:
  /// `path` empty: a temporary folder, made when the first file comes.
  FileFolder(std::string path, uint64_t quotaBytes);

  /// Sets bytes aside for a file; false if there are not enough.
  bool reserve(uint64_t bytes);
  void release(uint64_t bytes);
  uint64_t freeBytes() const { return free_; }

  /// Creates a file that was not there before. Null if the disk refuses.
  std::FILE* create(const std::string& wantedName, std::filesystem::path& path);

 private:
  std::mutex mutex_;
  std::filesystem::path path_;
  std::atomic<uint64_t> free_;
};

/// One file on its way. The caller opens a data channel with the protocol "parley-file" and sends
/// {"name", "size"} as text, then the content in binary messages. The answer is {"sha256", "bytes"}
/// or {"error"}.
class FileReceiver {
 public:
  explicit FileReceiver(std::shared_ptr<FileFolder> folder) : folder_(std::move(folder)) {}
  /// What is not complete is deleted.
  ~FileReceiver();
  FileReceiver(const FileReceiver&) = delete;
  FileReceiver& operator=(const FileReceiver&) = delete;

  /// Takes the next message; gives the answer once there is one.
  std::optional<nlohmann::json> take(parley::ByteSpan data, bool isText);

  bool complete() const { return state_ == State::Complete; }
  const std::filesystem::path& path() const { return path_; }
  uint64_t bytes() const { return received_; }

 private:
  enum class State { Waiting, Receiving, Complete, Failed };

  std::optional<nlohmann::json> begin(std::string_view text);
  nlohmann::json finish();
  nlohmann::json fail(const std::string& reason);
  void discard();

  std::shared_ptr<FileFolder> folder_;
  State state_ = State::Waiting;
  std::filesystem::path path_;
  std::FILE* file_ = nullptr;
  example::Sha256 hash_;
  uint64_t size_ = 0;
  uint64_t received_ = 0;
};

/// A name that is safe in any folder: no path, no control characters, no leading dot, not too long.
std::string safeFileName(std::string_view wanted);

}  // namespace call
