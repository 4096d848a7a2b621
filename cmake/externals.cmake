# External packages as interface targets, one per name in layers.txt. Layers link them PRIVATE.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)

add_library(parley_external_openssl INTERFACE)
target_link_libraries(parley_external_openssl INTERFACE OpenSSL::SSL OpenSSL::Crypto)

add_library(parley_external_threads INTERFACE)
target_link_libraries(parley_external_threads INTERFACE Threads::Threads)

function(parley_pkg_external name)
  pkg_check_modules(PARLEY_PC_${name} REQUIRED IMPORTED_TARGET ${ARGN})
  add_library(parley_external_${name} INTERFACE)
  target_link_libraries(parley_external_${name} INTERFACE PkgConfig::PARLEY_PC_${name})
endfunction()

parley_pkg_external(srtp2 libsrtp2)
parley_pkg_external(usrsctp usrsctp)
if(PARLEY_WITH_OPUS)
  parley_pkg_external(opus opus)
endif()
if(PARLEY_WITH_VPX)
  parley_pkg_external(vpx vpx)
endif()
