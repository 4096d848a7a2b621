#include "target_folder.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace sending {

using parley::ErrorCode;
using parley::Result;

namespace {

constexpr int kFolderFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

parley::Failure systemError(const std::string& what) {
  return parley::fail(ErrorCode::Operation, what + ": " + std::strerror(errno));
}

File regular(int fd) {
  File file(fd);
  struct stat status {};
  if (fd >= 0 && (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))) return File();
  return file;
}

}  // namespace

File::~File() {
  if (fd_ >= 0) ::close(fd_);
}

File& File::operator=(File&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

uint64_t File::size() const {
  struct stat status {};
  return fstat(fd_, &status) == 0 ? static_cast<uint64_t>(status.st_size) : 0;
}

std::optional<size_t> File::read(parley::MutableByteSpan out, uint64_t offset) const {
  size_t done = 0;
  while (done < out.size()) {
    const ssize_t count =
        pread(fd_, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::nullopt;
    if (count == 0) break;
    done += static_cast<size_t>(count);
  }
  return done;
}

bool File::write(parley::ByteSpan data, uint64_t offset) const {
  while (!data.empty()) {
    const ssize_t count = pwrite(fd_, data.data(), data.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    data = data.subspan(static_cast<size_t>(count));
    offset += static_cast<uint64_t>(count);
  }
  return true;
}

bool File::truncate(uint64_t size) const {
  return ftruncate(fd_, static_cast<off_t>(size)) == 0;
}

Result<TargetFolder> TargetFolder::open(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  TargetFolder out;
  // The folder itself is the user's choice: it may be a link.
  out.folder_ = File(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!out.folder_) return systemError(path);
  return out;
}

std::pair<File, std::string> TargetFolder::parent(const std::string& path, bool create) const {
  File folder(openat(folder_.get(), ".", kFolderFlags));
  size_t begin = 0;
  for (size_t slash = path.find('/'); slash != std::string::npos && folder;
       slash = path.find('/', begin)) {
    const std::string name = path.substr(begin, slash - begin);
    if (create) (void)mkdirat(folder.get(), name.c_str(), 0777);
    folder = File(openat(folder.get(), name.c_str(), kFolderFlags));
    begin = slash + 1;
  }
  return {std::move(folder), path.substr(begin)};
}

File TargetFolder::openFinished(const std::string& path) const {
  const auto [folder, name] = parent(path, false);
  if (!folder) return File();
  return regular(
      openat(folder.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
}

bool TargetFolder::exists(const std::string& path) const {
  const auto [folder, name] = parent(path, false);
  struct stat status {};
  return folder && fstatat(folder.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
}

File TargetFolder::openUnfinished(const std::string& path, bool create) const {
  const auto [folder, name] = parent(path + kUnfinished, create);
  if (!folder) return File();
  const int flags = O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | (create ? O_CREAT : 0);
  return regular(openat(folder.get(), name.c_str(), flags, 0666));
}

void TargetFolder::removeUnfinished(const std::string& path) const {
  const auto [folder, name] = parent(path + kUnfinished, false);
  if (folder) (void)unlinkat(folder.get(), name.c_str(), 0);
}

Result<void> TargetFolder::makeFolder(const std::string& path) const {
  const auto [folder, name] = parent(path, true);
  if (!folder) return systemError(path);
  if (mkdirat(folder.get(), name.c_str(), 0777) == 0) return parley::ok();
  if (errno == EEXIST && File(openat(folder.get(), name.c_str(), kFolderFlags)))
    return parley::ok();
  return systemError(path);
}

Result<void> TargetFolder::finish(const Entry& entry, const File& file, bool force) const {
  if (entry.modified > 0) {
    const timespec times[2] = {{0, UTIME_OMIT}, {static_cast<time_t>(entry.modified), 0}};
    (void)futimens(file.get(), times);
  }
  struct stat status {};
  if (entry.executable && fstat(file.get(), &status) == 0) {
    // Whoever may read it may run it, so the user's umask stays in force.
    const mode_t run = (status.st_mode & 0444) >> 2;
    (void)fchmod(file.get(), status.st_mode | run);
  }
  const auto [folder, from] = parent(entry.path + kUnfinished, false);
  if (!folder) return systemError(entry.path);
  const std::string to = from.substr(0, from.size() - std::strlen(kUnfinished));
  const int renamed =
      force ? renameat(folder.get(), from.c_str(), folder.get(), to.c_str())
            : renameat2(folder.get(), from.c_str(), folder.get(), to.c_str(), RENAME_NOREPLACE);
  if (renamed == 0) return parley::ok();
  if (!force && errno == EINVAL && !exists(entry.path) &&  // a file system without that flag
      renameat(folder.get(), from.c_str(), folder.get(), to.c_str()) == 0)
    return parley::ok();
  return systemError(entry.path);
}

uint64_t TargetFolder::freeBytes() const {
  struct statvfs status {};
  if (fstatvfs(folder_.get(), &status) != 0) return UINT64_MAX;
  return uint64_t{status.f_bavail} * status.f_frsize;
}

}  // namespace sending
