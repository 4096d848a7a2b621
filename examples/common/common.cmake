# What the examples with a web page share. include() it in an example's CMakeLists.txt and link example_common.
include_guard(GLOBAL)
find_package(PkgConfig REQUIRED)
pkg_check_modules(CPP_HTTPLIB REQUIRED IMPORTED_TARGET GLOBAL cpp-httplib)
find_package(nlohmann_json REQUIRED GLOBAL)
find_package(OpenSSL REQUIRED GLOBAL)
find_package(Threads REQUIRED)
set(here ${CMAKE_CURRENT_LIST_DIR})

add_library(example_common STATIC EXCLUDE_FROM_ALL
  ${here}/arguments.cc ${here}/terminal.cc ${here}/sha256.cc
  ${here}/path.cc ${here}/web.cc)
target_include_directories(example_common PUBLIC ${here}/..)
target_link_libraries(example_common PUBLIC parley::parley PkgConfig::CPP_HTTPLIB nlohmann_json::nlohmann_json
  OpenSSL::Crypto Threads::Threads)
if(TARGET parley_warnings)
  target_link_libraries(example_common PRIVATE parley_warnings)
endif()

# example_page(<target> [<file>...]): the page of an example, page/ beside its CMakeLists.txt and the named files of
# common/page, becomes part of the program: there is nothing to install beside it.
function(example_page target)
  file(GLOB files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/page/*)
  foreach(name IN LISTS ARGN)
    list(APPEND files ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/page/${name})
  endforeach()
  set(source ${CMAKE_CURRENT_BINARY_DIR}/page_files.cc)
  add_custom_command(OUTPUT ${source}
    COMMAND ${CMAKE_COMMAND} -D OUTPUT=${source} -D "FILES=${files}" -P ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/embed.cmake
    DEPENDS ${files} ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/embed.cmake VERBATIM)
  target_sources(${target} PRIVATE ${source})
endfunction()
