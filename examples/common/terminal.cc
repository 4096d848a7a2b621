#include "terminal.h"

#include <cstdarg>
#include <cstdio>
#include <mutex>
#include <poll.h>
#include <unistd.h>
#include <vector>

namespace example {

void print(const std::string& line) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fputc('\n', stdout);
  std::fflush(stdout);
}

std::string printable(std::string_view text, size_t maxLength) {
  std::string out;
  for (const char c : text.substr(0, maxLength)) {
    const auto byte = static_cast<unsigned char>(c);
    out += byte < 0x20 || byte == 0x7f ? ' ' : c;
  }
  if (text.size() > maxLength) out += "...";
  return out;
}

std::string byteCount(double bytes) {
  if (bytes < 1024) return format("%.0f B", bytes);
  if (bytes < 1024 * 1024) return format("%.1f KiB", bytes / 1024);
  if (bytes < 1024.0 * 1024 * 1024) return format("%.1f MiB", bytes / 1024 / 1024);
  return format("%.2f GiB", bytes / 1024 / 1024 / 1024);
}

std::string format(const char* pattern, ...) {
  va_list values;
  va_start(values, pattern);
  va_list again;
  va_copy(again, values);
  const int length = std::vsnprintf(nullptr, 0, pattern, values);
  va_end(values);
  std::vector<char> out(length < 0 ? 1 : static_cast<size_t>(length) + 1);
  std::vsnprintf(out.data(), out.size(), pattern, again);
  va_end(again);
  return out.data();
}

parley::LogLevel ErrorLog::level() const {
  return verbose_ ? parley::LogLevel::Debug : parley::LogLevel::Warning;
}

void ErrorLog::write(parley::LogLevel, std::string_view component, std::string_view line) {
  std::fprintf(stderr, "[%.*s] %.*s\n", static_cast<int>(component.size()), component.data(),
               static_cast<int>(line.size()), line.data());
}

bool Keyboard::wait(int milliseconds) {
  pollfd entry{ended_ ? -1 : STDIN_FILENO, POLLIN, 0};
  if (poll(&entry, 1, milliseconds) <= 0) return false;
  char bytes[1024];
  const ssize_t count = read(STDIN_FILENO, bytes, sizeof bytes);
  if (count <= 0) {
    ended_ = true;  // no keyboard, or not ours any more: the program goes on without
    return false;
  }
  constexpr size_t kLongestLine = 16 * 1024;
  if (pending_.size() < kLongestLine) pending_.append(bytes, static_cast<size_t>(count));
  return true;
}

bool Keyboard::nextLine(std::string& line) {
  const size_t end = pending_.find('\n');
  if (end == std::string::npos) return false;
  line = pending_.substr(0, end);
  pending_.erase(0, end + 1);
  return true;
}

}  // namespace example
