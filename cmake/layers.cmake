# One static library per layer folder, wired by layers.txt and by nothing else.
#
# parley_read_layers()      parses layers.txt into PARLEY_LAYERS and PARLEY_LAYER_<name>_{DEPS,EXTERNALS}
# parley_layer(name)        target parley_<name> from src/<name>/**/*.cc

function(parley_read_layers)
  set(file ${PROJECT_SOURCE_DIR}/cmake/layers.txt)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  file(STRINGS ${file} lines REGEX "^[a-z]+:")
  set(names "")
  foreach(line IN LISTS lines)
    string(REGEX MATCH "^([a-z]+):([^|]*)\\|(.*)$" _ "${line}")
    set(name ${CMAKE_MATCH_1})
    separate_arguments(deps UNIX_COMMAND "${CMAKE_MATCH_2}")
    separate_arguments(externals UNIX_COMMAND "${CMAKE_MATCH_3}")
    list(REMOVE_ITEM externals "-")
    list(APPEND names ${name})
    set(PARLEY_LAYER_${name}_DEPS "${deps}" PARENT_SCOPE)
    set(PARLEY_LAYER_${name}_EXTERNALS "${externals}" PARENT_SCOPE)
  endforeach()
  set(PARLEY_LAYERS "${names}" PARENT_SCOPE)
endfunction()

function(parley_layer name)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.cc)
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/parley/${name}/*.h
       ${PROJECT_SOURCE_DIR}/src/${name}/*.h)
  if(NOT sources)
    return()
  endif()
  add_library(parley_${name} STATIC ${sources} ${headers})
  target_include_directories(parley_${name} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_compile_features(parley_${name} PUBLIC cxx_std_20)
  set_target_properties(parley_${name} PROPERTIES CXX_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON POSITION_INDEPENDENT_CODE ON)
  target_link_libraries(parley_${name} PRIVATE parley_warnings)
  if(PARLEY_NO_EXCEPTIONS AND NOT name MATCHES "^(io|sim|api|testing|devices)$")
    target_compile_options(parley_${name} PRIVATE -fno-exceptions -fno-rtti)
  endif()
  foreach(dep IN LISTS PARLEY_LAYER_${name}_DEPS)
    if(TARGET parley_${dep})
      target_link_libraries(parley_${name} PUBLIC parley_${dep})
    endif()
  endforeach()
  foreach(external IN LISTS PARLEY_LAYER_${name}_EXTERNALS)
    if(TARGET parley::external_${external})
      target_link_libraries(parley_${name} PRIVATE parley::external_${external})
    endif()
  endforeach()
  if(name STREQUAL "sim")
    parley_clock_shim(parley_sim)
  endif()
  if(name STREQUAL "sctp")
    target_link_options(parley_sctp INTERFACE ${PARLEY_USRSCTP_HOOKS})
  endif()
endfunction()

# The engine's timers pass through src/sctp/usrsctp_timers.cc in whatever links a static usrsctp.
set(PARLEY_USRSCTP_HOOKS "")
if(NOT APPLE)
  set(PARLEY_USRSCTP_HOOKS LINKER:--wrap=sctp_os_timer_start LINKER:--wrap=sctp_os_timer_stop)
endif()

# gettimeofday() of sim/clock_shim.cc must get into every executable that links the simulator, and into its
# dynamic symbol table, where libssl and libusrsctp look it up.
function(parley_clock_shim target)
  target_link_options(${target} INTERFACE LINKER:--undefined=parleyClockShim
    LINKER:--export-dynamic-symbol=gettimeofday)
endfunction()
