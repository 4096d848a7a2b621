#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "parley/base/result.h"

#include "protocol.h"

namespace sending {

/// A file or an empty folder of a transfer.
struct Entry {
  std::string path;  ///< as the receiver sees it: relative, parts joined by "/"
  uint64_t size = 0;
  uint64_t modified = 0;  ///< seconds since 1970; 0: unknown
  bool executable = false;
  bool isFolder = false;
  std::string source;  ///< where it lies at the sender

  Json toJson() const;
  static parley::Result<Entry> fromJson(const Json& json);
};

struct Manifest {
  std::vector<Entry> entries;

  uint64_t bytes() const;
  size_t files() const;
  /// "3 files, 12.4 MiB"
  std::string summary() const;
};

/// What the named files and folders hold, folders with all in them. Links inside of folders and
/// what is no regular file are left out and told in `notes`.
parley::Result<Manifest> readManifest(const std::vector<std::string>& names,
                                      std::vector<std::string>& notes);

/// Why a path that someone else names may not be stored under; empty if it may. It is relative, and
/// all its parts are ordinary names: whatever it says, it stays below the folder it is put into.
std::string pathProblem(std::string_view path);

}  // namespace sending
