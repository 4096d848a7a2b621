#pragma once

#include <string_view>
#include <vector>

namespace call {

/// A file of the call page, as the web server hands it out.
struct PageFile {
  const char* path;  ///< "/" for the page itself
  const char* type;
  std::string_view content;
};

/// Everything in page/, put into the program by embed.cmake.
const std::vector<PageFile>& pageFiles();

}  // namespace call
