#include "file_receiver.h"

#include <cctype>
#include <cerrno>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <utility>

#include "common/terminal.h"

namespace call {

using example::byteCount;
using Json = nlohmann::json;

std::string safeFileName(std::string_view wanted) {
  const size_t slash = wanted.find_last_of("/\\");
  if (slash != std::string_view::npos) wanted.remove_prefix(slash + 1);
  constexpr std::string_view kAllowed = " ._-+()";
  std::string out;
  for (const char c : wanted) {
    const auto byte = static_cast<unsigned char>(c);
    // Letters of other scripts are bytes from 0x80 on and stay as they are.
    const bool plain =
        byte >= 0x80 || std::isalnum(byte) || kAllowed.find(c) != std::string_view::npos;
    out += plain ? c : '_';
  }
  while (!out.empty() && (out.front() == '.' || out.front() == ' ')) out.erase(0, 1);
  constexpr size_t kLongest = 120;
  if (out.size() > kLongest) out.erase(0, out.size() - kLongest);  // the end tells the kind
  return out.empty() ? "file" : out;
}

FileFolder::FileFolder(std::string path, uint64_t quotaBytes)
    : path_(std::move(path)), free_(quotaBytes) {}

bool FileFolder::reserve(uint64_t bytes) {
  uint64_t free = free_;
  while (bytes <= free) {
    if (free_.compare_exchange_weak(free, free - bytes)) return true;
  }
  return false;
}

void FileFolder::release(uint64_t bytes) {
  free_ += bytes;
}

std::FILE* FileFolder::create(const std::string& wantedName, std::filesystem::path& path) {
  const std::lock_guard lock(mutex_);
  std::error_code error;
  if (path_.empty()) {
    std::string made = std::filesystem::temp_directory_path(error) / "parley-call-XXXXXX";
    if (!mkdtemp(made.data())) return nullptr;
    path_ = made;
  }
  std::filesystem::create_directories(path_, error);
  const std::filesystem::path name = safeFileName(wantedName);
  for (int copy = 1; copy < 1000; ++copy) {
    const std::string suffix = copy == 1 ? "" : " (" + std::to_string(copy) + ")";
    path = path_ / (name.stem().string() + suffix + name.extension().string());
    // O_EXCL: never over a file that is there, and never through a link.
    const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd >= 0) return fdopen(fd, "wb");
    if (errno != EEXIST) break;
  }
  path.clear();
  return nullptr;
}

FileReceiver::~FileReceiver() {
  if (state_ == State::Receiving) discard();
}

std::optional<Json> FileReceiver::take(parley::ByteSpan data, bool isText) {
  if (state_ == State::Waiting && isText) return begin(parley::asText(data));
  if (state_ == State::Complete || state_ == State::Failed) return std::nullopt;
  if (state_ == State::Waiting || isText) return fail("unexpected message");
  if (data.size() > size_ - received_) return fail("longer than announced");
  if (std::fwrite(data.data(), 1, data.size(), file_) != data.size()) return fail("disk full");
  hash_.add(data);
  received_ += data.size();
  if (received_ < size_) return std::nullopt;
  return finish();
}

std::optional<Json> FileReceiver::begin(std::string_view text) {
  const Json announced = Json::parse(text, nullptr, false);
  if (!announced.is_object() || !announced.contains("name") || !announced["name"].is_string() ||
      !announced.contains("size") || !announced["size"].is_number_unsigned()) {
    return fail("name and size wanted first");
  }
  const auto size = announced["size"].get<uint64_t>();
  if (!folder_->reserve(size)) {
    return fail("too large: " + byteCount(static_cast<double>(folder_->freeBytes())) + " are left");
  }
  size_ = size;
  file_ = folder_->create(announced["name"].get<std::string>(), path_);
  state_ = State::Receiving;
  if (!file_) return fail("could not be stored");
  if (size_ == 0) return finish();
  return std::nullopt;
}

Json FileReceiver::finish() {
  const bool written = std::fclose(std::exchange(file_, nullptr)) == 0;
  if (!written) return fail("disk full");
  state_ = State::Complete;
  return {{"sha256", hash_.hex()}, {"bytes", received_}};
}

Json FileReceiver::fail(const std::string& reason) {
  if (state_ == State::Receiving) discard();
  state_ = State::Failed;
  return {{"error", reason}};
}

void FileReceiver::discard() {
  if (file_) std::fclose(std::exchange(file_, nullptr));
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove(path_, ignored);
  folder_->release(size_);
}

}  // namespace call
