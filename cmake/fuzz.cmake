# tests/fuzz/<name>_fuzz.cc defines LLVMFuzzerTestOneInput. Any compiler builds fuzz.replay.<name>, which feeds it
# tests/fuzz/corpus/<name>/*, and bytes derived from them. PARLEY_BUILD_FUZZ adds fuzz.run.<name>: libFuzzer for
# PARLEY_FUZZ_SECONDS of the environment (60). New inputs stay in the build directory, under fuzz_corpus/<name>.
set(fuzz_dir ${PROJECT_SOURCE_DIR}/tests/fuzz)
file(GLOB fuzz_sources CONFIGURE_DEPENDS ${fuzz_dir}/*_fuzz.cc)

function(parley_fuzz_executable target)
  add_executable(${target} ${ARGN})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(${target} PRIVATE parley_all_layers parley_warnings)
  add_dependencies(tests_fuzz ${target})
endfunction()

foreach(source IN LISTS fuzz_sources)
  cmake_path(GET source STEM stem)
  string(REGEX REPLACE "_fuzz$" "" name ${stem})
  set(corpus ${fuzz_dir}/corpus/${name})
  parley_fuzz_executable(${name}_fuzz_replay ${source} ${fuzz_dir}/replay_main.cc)
  add_test(NAME fuzz.replay.${name} COMMAND ${name}_fuzz_replay ${corpus})
  set_tests_properties(fuzz.replay.${name} PROPERTIES LABELS fuzz TIMEOUT 120)
  if(PARLEY_BUILD_FUZZ)
    set(found ${PROJECT_BINARY_DIR}/fuzz_corpus/${name})
    file(MAKE_DIRECTORY ${found})
    if(NOT EXISTS ${corpus})
      set(corpus "")
    endif()
    parley_fuzz_executable(${name}_fuzz ${source})
    target_link_options(${name}_fuzz PRIVATE -fsanitize=fuzzer)
    add_test(NAME fuzz.run.${name} COMMAND sh -c
      "exec \"$0\" -max_total_time=\${PARLEY_FUZZ_SECONDS:-60} -timeout=10 -rss_limit_mb=2048 -max_len=4096 \
-verbosity=0 -print_final_stats=1 \"$@\"" $<TARGET_FILE:${name}_fuzz>
      -artifact_prefix=${PROJECT_BINARY_DIR}/fuzz_corpus/${name}- ${found} ${corpus})
    set_tests_properties(fuzz.run.${name} PROPERTIES LABELS fuzz TIMEOUT 3600)
  endif()
endforeach()
