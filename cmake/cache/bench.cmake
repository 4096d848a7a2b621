# The release build with the benchmarks. cmake -C cmake/cache/bench.cmake -B build-bench
include(${CMAKE_CURRENT_LIST_DIR}/release.cmake)
set(PARLEY_BUILD_EXAMPLES OFF CACHE BOOL "")
set(PARLEY_BUILD_BENCH ON CACHE BOOL "")
