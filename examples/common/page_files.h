#pragma once

#include <string_view>
#include <vector>

namespace example {

/// A file of a page, as the web server hands it out.
struct PageFile {
  const char* path;  ///< "/" for the page itself
  const char* type;
  std::string_view content;
};

/// All files of the program's page, put into it by example_page() of common.cmake.
const std::vector<PageFile>& pageFiles();

}  // namespace example
