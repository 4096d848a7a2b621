# Thread sanitizer: for the layers that know threads, io and api. The core below has none, so this build also
# proves that it compiles without exceptions and RTTI. cmake -C cmake/cache/tsan.cmake -B build-tsan
set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "")
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1 -g1" CACHE STRING "")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O1 -g1" CACHE STRING "")
set(PARLEY_SANITIZE "thread" CACHE STRING "")
set(PARLEY_NO_EXCEPTIONS ON CACHE BOOL "")
set(PARLEY_BUILD_EXAMPLES OFF CACHE BOOL "")
set(PARLEY_TEST_FLAGS "-O0" CACHE STRING "")
