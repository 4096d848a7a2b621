# cmake -DLIBRARY=x.so -DNM=nm -DONLY=prefix -P exports.cmake: all that the library exports begins with the prefix
# (as a C name, or as a C++ namespace with its type information), and something does.
execute_process(COMMAND ${NM} -D --defined-only --format=posix ${LIBRARY} OUTPUT_VARIABLE listing
  COMMAND_ERROR_IS_FATAL ANY)
string(LENGTH ${ONLY} length)
string(REGEX MATCHALL "[^\n]+" lines "${listing}")
set(own 0)
foreach(line IN LISTS lines)
  string(REGEX REPLACE " .*" "" symbol "${line}")
  if(symbol MATCHES "^(${ONLY}|_Z[A-Za-z]*[0-9]?N?[A-Za-z]*${length}${ONLY})")
    math(EXPR own "${own} + 1")
  elseif(NOT symbol MATCHES "^_Z[A-Z]*N?K?(S[a-z]|St|9__gnu_cxx)" AND NOT line MATCHES " [WVu] ")
    message(SEND_ERROR "${LIBRARY} exports ${symbol}")
  endif()
endforeach()
if(own EQUAL 0)
  message(SEND_ERROR "${LIBRARY} exports nothing of its own")
endif()
