# Address and undefined-behaviour sanitizers. cmake -C cmake/cache/asan.cmake -B build-asan
set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "")
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1 -g1" CACHE STRING "")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O1 -g1" CACHE STRING "")
set(PARLEY_SANITIZE "address,undefined" CACHE STRING "")
set(PARLEY_BUILD_EXAMPLES OFF CACHE BOOL "")
set(PARLEY_TEST_FLAGS "-O0" CACHE STRING "")
