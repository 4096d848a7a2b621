# Everyday build: optimized enough for the simulator, debug checks on. cmake -C cmake/cache/dev.cmake -B build-dev
set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "")
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1" CACHE STRING "")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g1" CACHE STRING "")
set(PARLEY_TEST_FLAGS "-O1" CACHE STRING "")
