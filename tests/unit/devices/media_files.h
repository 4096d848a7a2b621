#pragma once

#include <filesystem>
#include <string>
#include <unistd.h>

namespace parley::devices::test {

inline std::string clipPath() {
  return std::string(PARLEY_TEST_DATA) + "/../../examples/media/friday.webm";
}

/// A path in a directory that goes with the test.
class TempFile {
 public:
  explicit TempFile(const std::string& name) {
    std::string pattern = (std::filesystem::temp_directory_path() / "parley_XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
    path_ = directory_ + "/" + name;
  }
  ~TempFile() { std::filesystem::remove_all(directory_); }
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string directory_;
  std::string path_;
};

}  // namespace parley::devices::test
