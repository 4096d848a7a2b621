#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "parley/base/random.h"

#include "unit/sdp/corpus.h"

namespace parley::test {

/// How many mutated descriptions a test tries: `usual`, or what the environment says, for a long
/// hunt.
inline uint64_t mutationCount(uint64_t usual) {
  const char* wish = std::getenv("PARLEY_MUTATIONS");
  const uint64_t count = wish ? std::strtoull(wish, nullptr, 10) : 0;
  return count > 0 ? count : usual;
}

/// Damages real descriptions as no peer of good will would, the same way in every run.
class Mutator {
 public:
  explicit Mutator(uint64_t seed) : random_(seed) {
    for (const std::string& name : corpusNames()) texts_.push_back(split(corpus(name)));
  }

  /// One of the corpus with one to six injuries.
  std::string next() {
    std::vector<std::string> lines = pick(texts_);
    damage(lines);
    return join(lines);
  }
  /// The same of a given text.
  std::string next(const std::string& text) {
    std::vector<std::string> lines = split(text);
    damage(lines);
    return join(lines);
  }

 private:
  using Lines = std::vector<std::string>;

  void damage(Lines& lines) {
    for (uint64_t n = 1 + random_.below(6); n > 0 && !lines.empty(); --n) injure(lines);
  }

  void injure(Lines& lines) {
    const size_t at = random_.below(lines.size());
    switch (random_.below(16)) {
      case 0:
        lines.erase(lines.begin() + static_cast<long>(at));
        break;
      case 1:
        lines.insert(lines.begin() + static_cast<long>(random_.below(lines.size())), lines[at]);
        break;
      case 2:
        std::swap(lines[at], lines[random_.below(lines.size())]);
        break;
      case 3:
      case 4:
      case 5:
        changeNumber(lines[at]);
        break;
      case 6:
        changeWord(lines[at]);
        break;
      case 7:
        lines[at].resize(random_.below(lines[at].size() + 1));
        break;
      case 8:
        if (!lines[at].empty())
          lines[at][random_.below(lines[at].size())] = static_cast<char>(random_.below(256));
        break;
      case 9:
        lines.insert(lines.begin() + static_cast<long>(at), pick(pick(texts_)));
        break;
      case 10:
        lines[at] += pick(Lines{" ", ";", "=", ":", " 0", " -1", ",", "/", "\t", "\r"});
        break;
      case 11:
        lines.resize(at);
        break;
      case 12:
        repeatSection(lines);
        break;
      case 13:
        removeSection(lines);
        break;
      case 14:
        lines[at] += std::string(random_.below(10000), 'x');
        break;
      default:
        lines.insert(
            lines.begin() + static_cast<long>(at),
            pick(Lines{"a=inactive", "a=bundle-only", "a=ice-lite", "a=mid:0", "a=group:BUNDLE 0 1",
                       "a=setup:active", "a=simulcast:send 1;2", "a=rid:1 send", "a=rtcp-mux",
                       "a=ssrc-group:FID 1 2", "a=sctp-port:0", "m=audio 0 UDP/TLS/RTP/SAVPF 0"}));
    }
  }

  void changeNumber(std::string& line) {
    const size_t begin = line.find_first_of("0123456789", random_.below(line.size() + 1));
    if (begin == std::string::npos) return;
    const size_t end = std::min(line.find_first_not_of("0123456789", begin), line.size());
    line.replace(begin, end - begin,
                 pick(Lines{"0", "1", "63", "64", "96", "127", "128", "255", "256", "65535",
                            "65536", "4294967295", "4294967296", "18446744073709551616", "-1", "",
                            "00000000000000000000001"}));
  }

  void changeWord(std::string& line) {
    const std::string& other = pick(pick(texts_));
    const size_t from = line.find_first_of(" :;=", random_.below(line.size() + 1));
    const size_t take = other.find_first_of(" :;=", random_.below(other.size() + 1));
    if (from == std::string::npos || take == std::string::npos) return;
    const size_t length = random_.below(other.size() - take) + 1;
    line.replace(from, random_.below(line.size() - from) + 1, other.substr(take, length));
  }

  std::pair<size_t, size_t> section(const Lines& lines) {
    std::vector<size_t> starts;
    for (size_t i = 0; i < lines.size(); ++i) {
      if (lines[i].starts_with("m=")) starts.push_back(i);
    }
    if (starts.empty()) return {0, 0};
    const size_t which = random_.below(starts.size());
    return {starts[which], which + 1 < starts.size() ? starts[which + 1] : lines.size()};
  }
  void repeatSection(Lines& lines) {
    if (lines.size() > 2000) return;
    const auto [begin, end] = section(lines);
    const Lines copy(lines.begin() + static_cast<long>(begin),
                     lines.begin() + static_cast<long>(end));
    lines.insert(lines.end(), copy.begin(), copy.end());
  }
  void removeSection(Lines& lines) {
    const auto [begin, end] = section(lines);
    lines.erase(lines.begin() + static_cast<long>(begin), lines.begin() + static_cast<long>(end));
  }

  template <class T>
  T pick(const std::vector<T>& list) {
    return list[random_.below(list.size())];
  }
  static Lines split(const std::string& text) {
    Lines out;
    size_t at = 0;
    while (at < text.size()) {
      const size_t end = std::min(text.find('\n', at), text.size());
      std::string line = text.substr(at, end - at);
      if (line.ends_with('\r')) line.pop_back();
      out.push_back(std::move(line));
      at = end + 1;
    }
    return out;
  }
  static std::string join(const Lines& lines) {
    std::string out;
    for (const std::string& line : lines) out += line + "\r\n";
    return out;
  }

  SeededRandom random_;
  std::vector<Lines> texts_;
};

}  // namespace parley::test
