# Clang with libFuzzer on top of asan.cmake. The same build runs the unit and simulator tests under the
# sanitizers, so one Clang build serves both. cmake -C cmake/cache/fuzz.cmake -B build-fuzz
set(CMAKE_C_COMPILER clang CACHE STRING "")
set(CMAKE_CXX_COMPILER clang++ CACHE STRING "")
include(${CMAKE_CURRENT_LIST_DIR}/asan.cmake)
set(PARLEY_BUILD_FUZZ ON CACHE BOOL "")
