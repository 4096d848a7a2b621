# The targets that users see, made of the layers' objects:
#
#   parley::parley    the library: every layer but the next two
#   parley::testing   simulator and ready-made worlds for users' own tests; never part of a product
#   parley::devices   cameras, microphones, files; there if FFmpeg and SDL2 are

set(PARLEY_TESTING_LAYERS sim testing)
set(PARLEY_DEVICE_LAYERS devices)

# parley_bundle(<target> <exported name> <kind> LAYERS...) joins the layers' objects into one library. Empty kind:
# static or shared, as BUILD_SHARED_LIBS says.
function(parley_bundle target exported kind)
  set(objects "")
  set(externals "")
  foreach(layer IN LISTS ARGN)
    if(TARGET parley_${layer})
      list(APPEND objects $<TARGET_OBJECTS:parley_${layer}>)
      list(APPEND externals ${PARLEY_LAYER_${layer}_EXTERNALS})
    endif()
  endforeach()
  if(NOT objects)
    return()
  endif()
  add_library(${target} ${kind} ${objects})
  target_include_directories(${target} INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_compile_features(${target} PUBLIC cxx_std_20)
  list(REMOVE_DUPLICATES externals)
  foreach(external IN LISTS externals)
    if(TARGET parley::external_${external})
      target_link_libraries(${target} PRIVATE parley::external_${external})
    endif()
  endforeach()
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${exported} LINKER_LANGUAGE CXX
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  add_library(parley::${exported} ALIAS ${target})
endfunction()

# What a shared parley::parley needs beyond its objects: nothing of libusrsctp.a may be visible outside.
function(parley_shared_options target)
  target_link_options(${target} PRIVATE LINKER:--exclude-libs,ALL)
  if(NOT PARLEY_SANITIZE)
    target_link_options(${target} PRIVATE LINKER:-z,defs)
  endif()
endfunction()

set(core_layers ${PARLEY_LAYERS})
list(REMOVE_ITEM core_layers ${PARLEY_TESTING_LAYERS} ${PARLEY_DEVICE_LAYERS})
parley_bundle(parley parley "" ${core_layers})
get_target_property(parley_kind parley TYPE)
if(parley_kind STREQUAL "SHARED_LIBRARY")
  parley_shared_options(parley)
  target_link_options(parley PRIVATE ${PARLEY_USRSCTP_HOOKS})
else()
  target_link_options(parley INTERFACE ${PARLEY_USRSCTP_HOOKS})
  # A shared library of a user that contains the static parley does not export it again, nor the copy of usrsctp.
  target_link_options(parley INTERFACE LINKER:--exclude-libs,libparley.a:libusrsctp.a)
endif()

parley_bundle(parley_testing_bundle testing STATIC ${PARLEY_TESTING_LAYERS})
if(TARGET parley_testing_bundle)
  set_target_properties(parley_testing_bundle PROPERTIES OUTPUT_NAME parley-testing)
  target_link_libraries(parley_testing_bundle PUBLIC parley)
  parley_clock_shim(parley_testing_bundle)
endif()
parley_bundle(parley_devices_bundle devices "" ${PARLEY_DEVICE_LAYERS})
if(TARGET parley_devices_bundle)
  set_target_properties(parley_devices_bundle PROPERTIES OUTPUT_NAME parley-devices)
  target_link_libraries(parley_devices_bundle PUBLIC parley)
endif()
