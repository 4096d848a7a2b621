#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace parley::test {

inline std::string readText(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// A description of tests/vectors/sdp by file name without ".sdp".
inline std::string corpus(const std::string& name) {
  return readText(std::string(PARLEY_TEST_DATA) + "/sdp/" + name + ".sdp");
}

inline std::vector<std::string> corpusNames() {
  std::vector<std::string> out;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(PARLEY_TEST_DATA) + "/sdp")) {
    if (entry.path().extension() == ".sdp") out.push_back(entry.path().stem());
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace parley::test
