#include "manifest.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <sys/stat.h>

#include "common/terminal.h"

namespace sending {

namespace fs = std::filesystem;
using example::printable;
using parley::ErrorCode;
using parley::Result;

namespace {

constexpr size_t kLongestPath = 4000;
constexpr size_t kLongestName = 255 - 20;  // with the ending of unfinished files
constexpr size_t kDeepest = 64;

/// False: not something to send.
bool describe(const fs::path& path, Entry& out) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return false;
  out.source = path;
  out.isFolder = S_ISDIR(status.st_mode);
  if (!out.isFolder && !S_ISREG(status.st_mode)) return false;
  out.size = out.isFolder ? 0 : static_cast<uint64_t>(status.st_size);
  out.modified = static_cast<uint64_t>(std::max<time_t>(status.st_mtime, 0));
  out.executable = !out.isFolder && (status.st_mode & S_IXUSR) != 0;
  return true;
}

void addFolder(const Entry& folder, Manifest& manifest, std::vector<std::string>& notes) {
  std::error_code error;
  std::vector<fs::directory_entry> inside;
  for (fs::directory_iterator it(folder.source, error), end; !error && it != end;
       it.increment(error))
    inside.push_back(*it);
  if (error) notes.push_back("not readable: " + printable(folder.source));
  std::sort(inside.begin(), inside.end());
  if (inside.empty()) manifest.entries.push_back(folder);
  for (const fs::directory_entry& item : inside) {
    Entry entry;
    // A link could lead round in circles, or to what nobody meant to send.
    if (item.is_symlink(error) || !describe(item.path(), entry)) {
      notes.push_back("left out, neither file nor folder: " + printable(item.path().string()));
      continue;
    }
    entry.path = folder.path + "/" + item.path().filename().string();
    if (entry.isFolder) {
      addFolder(entry, manifest, notes);
    } else {
      manifest.entries.push_back(std::move(entry));
    }
  }
}

}  // namespace

Json Entry::toJson() const {
  Json out{{"path", path}};
  if (isFolder) {
    out["folder"] = true;
    return out;
  }
  out["size"] = size;
  if (modified > 0) out["modified"] = modified;
  if (executable) out["executable"] = true;
  return out;
}

Result<Entry> Entry::fromJson(const Json& json) {
  Entry out;
  if (!json.is_object()) return parley::fail(ErrorCode::Type, "an entry is not an object");
  out.path = textIn(json, "path");
  out.isFolder = flagIn(json, "folder");
  const auto size = numberIn(json, "size");
  if (!out.isFolder && !size) return parley::fail(ErrorCode::Type, "a file without a size");
  if (size.value_or(0) > uint64_t{1} << 50) return parley::fail(ErrorCode::Range, "a file too big");
  out.size = out.isFolder ? 0 : *size;
  out.modified = numberIn(json, "modified").value_or(0);
  out.executable = flagIn(json, "executable");
  return out;
}

uint64_t Manifest::bytes() const {
  uint64_t sum = 0;
  for (const Entry& entry : entries) sum += entry.size;
  return sum;
}

size_t Manifest::files() const {
  return static_cast<size_t>(
      std::count_if(entries.begin(), entries.end(), [](const Entry& e) { return !e.isFolder; }));
}

std::string Manifest::summary() const {
  return std::to_string(files()) + (files() == 1 ? " file, " : " files, ") +
         example::byteCount(static_cast<double>(bytes()));
}

Result<Manifest> readManifest(const std::vector<std::string>& names,
                              std::vector<std::string>& notes) {
  Manifest out;
  std::set<std::string> seen;
  for (const std::string& name : names) {
    Entry entry;
    if (!describe(name, entry))
      return parley::fail(ErrorCode::NotFound, "no such file or folder: " + name);
    std::error_code error;
    const fs::path whole = fs::weakly_canonical(fs::absolute(name, error), error);
    entry.path = (whole.has_filename() ? whole : whole.parent_path()).filename().string();
    if (entry.path.empty()) entry.path = "files";  // somebody sends "/"
    if (!seen.insert(entry.path).second)
      return parley::fail(ErrorCode::Type, "two things with the name " + entry.path);
    if (entry.isFolder) {
      addFolder(entry, out, notes);
    } else {
      out.entries.push_back(std::move(entry));
    }
    if (out.entries.size() > kMaxFiles)
      return parley::fail(ErrorCode::Range,
                          "more than " + std::to_string(kMaxFiles) + " files: pack them first");
  }
  return out;
}

std::string pathProblem(std::string_view path) {
  if (path.empty()) return "an empty path";
  if (path.size() > kLongestPath) return "a path that is too long";
  if (path.front() == '/') return "an absolute path";
  size_t depth = 0;
  for (std::string_view rest = path; !rest.empty();) {
    const size_t slash = rest.find('/');
    const std::string_view name = rest.substr(0, slash);
    if (++depth > kDeepest) return "a path that is too deep";
    if (name.empty()) return "a path with an empty part";
    if (name == "." || name == "..") return "a path that leads elsewhere";
    if (name.size() > kLongestName) return "a name that is too long";
    for (const char c : name) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte < 0x20 || byte == 0x7f) return "a name with control characters";
    }
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
    if (rest.empty()) return "a path with an empty part";
  }
  return {};
}

}  // namespace sending
