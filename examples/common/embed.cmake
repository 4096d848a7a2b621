# Writes the files of a page into one C++ source: pageFiles() of page_files.h.
set(types html text/html css text/css js text/javascript svg image/svg+xml)
set(rows "")
foreach(path IN LISTS FILES)
  get_filename_component(name ${path} NAME)
  get_filename_component(kind ${path} LAST_EXT)
  string(SUBSTRING ${kind} 1 -1 kind)
  list(FIND types ${kind} at)
  math(EXPR at "${at} + 1")
  list(GET types ${at} type)
  file(READ ${path} text)
  if(name STREQUAL "index.html")
    set(name "")
  endif()
  string(APPEND rows "    {\"/${name}\", \"${type}\", R\"page(${text})page\"},\n")
endforeach()
file(WRITE ${OUTPUT}.new "#include \"common/page_files.h\"\n
namespace example {\n
const std::vector<PageFile>& pageFiles() {
  static const std::vector<PageFile> files{\n${rows}  };
  return files;
}\n
}  // namespace example\n")
file(RENAME ${OUTPUT}.new ${OUTPUT})
