# As users build it. cmake -C cmake/cache/release.cmake -B build-release
set(CMAKE_BUILD_TYPE Release CACHE STRING "")
set(PARLEY_BUILD_TESTS OFF CACHE BOOL "")
