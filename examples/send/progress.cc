#include "progress.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/ioctl.h>
#include <unistd.h>
#include <vector>

#include "common/terminal.h"

namespace sending {

using example::byteCount;
using example::format;
using example::print;
using example::printable;

namespace {

constexpr std::chrono::milliseconds kTerminalInterval{100};
constexpr std::chrono::seconds kPlainInterval{1};
constexpr std::chrono::seconds kRateWindow{5};

bool knowsBlocks() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(name);
    if (value && *value) return std::strstr(value, "UTF-8") || std::strstr(value, "utf8");
  }
  return false;
}

double ratioOf(uint64_t part, uint64_t whole) {
  if (whole == 0) return 1;
  return std::min(1.0, static_cast<double>(part) / static_cast<double>(whole));
}

std::string duration(double seconds) {
  if (seconds > 100 * 3600) return "days";
  const auto s = static_cast<long>(std::ceil(seconds));
  if (s >= 3600) return format("%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
  if (s >= 60) return format("%ld:%02ld", s / 60, s % 60);
  return format("%ld s", s);
}

/// Cut to so many characters (not bytes), the end kept: it tells the kind of a file.
std::string fitted(const std::string& text, size_t width) {
  const auto isStart = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; };
  const auto length = static_cast<size_t>(std::count_if(text.begin(), text.end(), isStart));
  if (length <= width) return text + std::string(width - length, ' ');
  size_t drop = length - width + 2;
  size_t at = 0;
  while (at < text.size() && drop > 0) {
    ++at;
    while (at < text.size() && !isStart(text[at])) ++at;
    --drop;
  }
  return ".." + text.substr(at);
}

}  // namespace

Progress::Progress() : terminal_(isatty(STDOUT_FILENO) == 1), blocks_(knowsBlocks()) {}

void Progress::begin(uint64_t totalBytes, size_t totalFiles) {
  total_ = totalBytes;
  totalFiles_ = totalFiles;
  name_.clear();
  skipped_ = at_ = 0;
  files_ = 0;
  samples_.clear();
}

void Progress::file(const std::string& name, uint64_t size, uint64_t at) {
  name_ = printable(name);
  fileSize_ = size;
  fileAt_ = at;
}

void Progress::at(uint64_t bytes, size_t files) {
  at_ = std::max(at_, bytes);
  files_ = std::max(files_, files);
}

double Progress::rate() const {
  if (samples_.size() < 2) return 0;
  const std::chrono::duration<double> time = samples_.back().first - samples_.front().first;
  const double bytes =
      static_cast<double>(samples_.back().second) - static_cast<double>(samples_.front().second);
  return time.count() > 0 ? std::max(0.0, bytes / time.count()) : 0;
}

std::string Progress::bar(double ratio, size_t width) const {
  const auto eighths = static_cast<size_t>(ratio * static_cast<double>(width) * 8);
  std::string out;
  for (size_t i = 0; i < width; ++i) {
    const size_t part = std::min<size_t>(8, eighths > i * 8 ? eighths - i * 8 : 0);
    if (!blocks_) {
      out += part >= 4 ? '#' : '-';
    } else if (part == 0) {
      out += "\xe2\x94\x80";  // a thin line
    } else {
      // U+2588 is the full block, U+258f an eighth of it.
      const char last = static_cast<char>(0x88 + (8 - part));
      out += "\xe2\x96";
      out += last;
    }
  }
  return "[" + out + "]";
}

std::string Progress::totalLine(size_t room) const {
  const double speed = rate();
  std::vector<std::string> parts{format("%3.0f %%", std::floor(ratioOf(at_, total_) * 100))};
  if (speed > 0) parts.push_back(byteCount(speed) + "/s");
  if (speed > 0 && at_ < total_)
    parts.push_back(duration(static_cast<double>(total_ - at_) / speed) + " left");
  parts.push_back(byteCount(static_cast<double>(at_)) + " of " +
                  byteCount(static_cast<double>(total_)));
  if (totalFiles_ > 1) parts.push_back(format("%zu of %zu files", files_, totalFiles_));
  std::string out;
  for (const std::string& part : parts) {
    if (out.size() + part.size() + 2 > room) break;
    out += (out.empty() ? "" : "  ") + part;
  }
  return out;
}

std::string Progress::fileLine() const {
  return format("%3.0f %%  %s", std::floor(ratioOf(fileAt_, fileSize_) * 100),
                byteCount(static_cast<double>(fileSize_)).c_str());
}

void Progress::show() {
  const auto now = Clock::now();
  if (now - lastShown_ < (terminal_ ? Clock::duration(kTerminalInterval) : kPlainInterval)) return;
  lastShown_ = now;
  samples_.emplace_back(now, at_ - std::min(at_, skipped_));
  while (samples_.size() > 2 && now - samples_.front().first > kRateWindow) samples_.pop_front();
  if (total_ == 0) return;
  if (!terminal_) {
    print(totalLine(200));
    return;
  }
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) columns_ = size.ws_col;
  const size_t left = std::clamp<size_t>(columns_ / 4, 10, 34);
  const size_t barWidth = std::clamp<size_t>(columns_ / 5, 6, 30);
  std::string out = shown_ ? "\x1b[2A\r\x1b[J" : "";
  // What does not fit would wrap, and the bars would no longer be where they are taken away.
  const size_t room = columns_ > left + barWidth + 5 ? columns_ - left - barWidth - 5 : 0;
  out += fitted(name_, left) + " " + bar(ratioOf(fileAt_, fileSize_), barWidth) + " " +
         fileLine().substr(0, room) + "\n";
  out += fitted("Total", left) + " " + bar(ratioOf(at_, total_), barWidth) + " " + totalLine(room) +
         "\n";
  std::fwrite(out.data(), 1, out.size(), stdout);
  std::fflush(stdout);
  shown_ = true;
}

void Progress::note(const std::string& line) {
  clear();
  print(line);
}

void Progress::clear() {
  if (!shown_) return;
  shown_ = false;
  lastShown_ = {};
  std::fputs("\x1b[2A\r\x1b[J", stdout);
  std::fflush(stdout);
}

}  // namespace sending
