# The only clever CMake of this house. A folder is a library: every x.cpp belongs to it, every
# x_test.cpp to its unit test. main.cpp belongs to a program. That every x.hpp compiles alone is proved by the
# source that includes it first (tools/tidy.py sees to that) or, where there is none, by compiling it.
#
#   house_library(NAME [COLD] [DEPS lib...] [SYSTEM lib...] [THREADS test...])
#     DEPS: libraries of the house; SYSTEM: packages; COLD: runs seldom and compiles slowly, so that sanitizers see it
#     unoptimised, as they see all tests; THREADS: x for each x_test.cpp that starts threads, to run under ThreadSanitizer too
#   house_program(NAME SOURCES file... DEPS lib...)

option(HOUSE_FUZZ "build the libFuzzer targets (clang)" OFF)
set(HOUSE_SANITIZE "" CACHE STRING "sanitizers, as -fsanitize= takes them")
option(HOUSE_COVERAGE "instrument for gcov" OFF)

# Objects know no path of their checkout, so that one checkout takes from the cache what another has compiled.
find_program(HOUSE_CCACHE ccache)
if(HOUSE_CCACHE AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER
    ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
    CCACHE_SLOPPINESS=pch_defines,time_macros ${HOUSE_CCACHE})
endif()

add_library(house_options INTERFACE)
target_compile_features(house_options INTERFACE cxx_std_23)
target_compile_options(house_options INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -fno-omit-frame-pointer
  -ffile-prefix-map=${CMAKE_SOURCE_DIR}=.)
# g++ is the judge of these; clang, which lints and fuzzes, is stricter about members left to their defaults and
# about integers, and finds libstdc++ 12 itself deprecated.
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(house_options INTERFACE
    -Wno-missing-designated-field-initializers -Wno-implicit-int-conversion -Wno-deprecated-declarations)
endif()
target_include_directories(house_options INTERFACE ${CMAKE_SOURCE_DIR}/src)
if(HOUSE_SANITIZE)
  target_compile_options(house_options INTERFACE -fsanitize=${HOUSE_SANITIZE} -fno-sanitize-recover=all)
  if(HOUSE_SANITIZE MATCHES "undefined")
    target_compile_options(house_options INTERFACE
      $<$<BOOL:$<TARGET_PROPERTY:HOUSE_COMPILES_QUICKLY>>:-fno-sanitize=vptr,null,alignment,object-size>)
  endif()
  # Instrumented, g++ 12 takes members of libstdc++'s own classes for uninitialised.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(house_options INTERFACE -Wno-maybe-uninitialized)
  endif()
  target_link_options(house_options INTERFACE -fsanitize=${HOUSE_SANITIZE})
endif()
if(HOUSE_COVERAGE)
  target_compile_options(house_options INTERFACE --coverage)
  target_link_options(house_options INTERFACE --coverage)
endif()
if(HOUSE_FUZZ)
  target_compile_options(house_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_VERIFY_INTERFACE_HEADER_SETS ON)

# Everything that the tsan stage of ./test runs (label threads).
add_custom_target(threads)

# Instrumented and optimised, what is full of templates compiles two to three times as long as unoptimised. The checks
# of every single pointer take as long as all others, and what they would find here ends in AddressSanitizer as well.
function(house_compile_quickly NAME)
  if(HOUSE_SANITIZE AND NOT HOUSE_FUZZ)
    target_compile_options(${NAME} PRIVATE -O0)
    set_target_properties(${NAME} PROPERTIES HOUSE_COMPILES_QUICKLY ON)
  endif()
endfunction()

# Boost.Asio has fences, which ThreadSanitizer does not follow, and g++ warns of each; what it follows are the locks.
function(house_uses_asio NAME)
  if(HOUSE_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${NAME} PUBLIC -Wno-tsan)
  endif()
endfunction()

# What ./test builds from nothing is built by clang, and what most sources include is read once for all of them: reading
# headers is more than half of what a source takes. What those headers instantiate (cmake/instantiated.hpp adds to it) is
# compiled once, too, into a library that all who share them link. The released build does without, so that no source lives
# on what another has included. KIND: warm (optimised), cold (not, and with what is full of templates), test (cold, GoogleTest).
set(HOUSE_PRECOMPILED_warm <algorithm> <array> <chrono> <compare> <expected> <functional> <map> <memory> <optional>
  <ranges> <set> <span> <string> <string_view> <unordered_map> <utility> <variant> <vector> <fmt/format.h>)
set(HOUSE_PRECOMPILED_cold ${HOUSE_PRECOMPILED_warm} <nlohmann/json.hpp> <boost/asio.hpp> <boost/asio/ssl.hpp>
  <boost/beast/core.hpp> <boost/beast/http.hpp> <boost/beast/websocket.hpp> ${CMAKE_SOURCE_DIR}/cmake/instantiated.hpp)
set(HOUSE_PRECOMPILED_test ${HOUSE_PRECOMPILED_cold} <gtest/gtest.h>)
function(house_precompile NAME KIND)
  if(NOT HOUSE_SANITIZE OR HOUSE_FUZZ OR NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    return()
  endif()
  set(shared house_precompiled_${KIND})
  if(NOT TARGET ${shared})
    house_add_precompiled(${KIND} ${shared})
  endif()
  target_precompile_headers(${NAME} REUSE_FROM ${shared})
  if(NOT KIND STREQUAL warm)
    target_link_libraries(${NAME} PRIVATE ${shared}_code)
  endif()
endfunction()

function(house_add_precompiled KIND NAME)
  set(source ${CMAKE_BINARY_DIR}/${NAME}.cpp)
  file(CONFIGURE OUTPUT ${source} CONTENT "")
  add_library(${NAME} OBJECT ${source})
  target_precompile_headers(${NAME} PRIVATE ${HOUSE_PRECOMPILED_${KIND}})
  target_compile_options(${NAME} PRIVATE "SHELL:-Xclang -fno-pch-timestamp")  # ccache compares contents
  target_link_libraries(${NAME} PRIVATE house_options fmt::fmt)
  if(KIND STREQUAL warm)
    return()
  endif()
  set(packages Boost::headers OpenSSL::SSL nlohmann_json::nlohmann_json fmt::fmt)
  if(KIND STREQUAL test)
    list(APPEND packages GTest::gtest)
  endif()
  target_link_libraries(${NAME} PRIVATE ${packages})
  house_compile_quickly(${NAME})
  target_compile_options(${NAME} PRIVATE -fpch-codegen)
  set(precompiled ${CMAKE_CURRENT_BINARY_DIR}/CMakeFiles/${NAME}.dir/cmake_pch.hxx.pch)
  set(object ${CMAKE_BINARY_DIR}/${NAME}.o)
  separate_arguments(flags UNIX_COMMAND "${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_DEBUG}")
  add_custom_command(OUTPUT ${object} DEPENDS ${NAME} ${precompiled} VERBATIM
    COMMAND ${CMAKE_CXX_COMPILER} ${flags} -O0 -ffunction-sections -fno-omit-frame-pointer -fsanitize=${HOUSE_SANITIZE} -fno-sanitize-recover=all
      $<$<BOOL:$<TARGET_PROPERTY:${NAME},HOUSE_COMPILES_QUICKLY>>:-fno-sanitize=vptr,null,alignment,object-size>
      -c ${precompiled} -o ${object})
  add_library(${NAME}_code STATIC ${object})
  set_target_properties(${NAME}_code PROPERTIES LINKER_LANGUAGE CXX)
  target_link_libraries(${NAME}_code PUBLIC ${packages})
  target_link_options(${NAME}_code PUBLIC -Wl,--gc-sections)  # what the headers declare and no package defines
endfunction()

function(house_test NAME)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;DEPS;LABEL" ${ARGN})
  add_executable(${NAME} ${ARG_SOURCES})
  target_link_libraries(${NAME} PRIVATE house_options ${ARG_DEPS} GTest::gtest GTest::gtest_main)
  house_compile_quickly(${NAME})
  house_precompile(${NAME} test)
  add_test(NAME ${NAME} COMMAND ${NAME})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  set_tests_properties(${NAME} PROPERTIES LABELS "${ARG_LABEL}" TIMEOUT ${ARG_TIMEOUT})
endfunction()

function(house_library NAME)
  cmake_parse_arguments(ARG "COLD" "" "DEPS;SYSTEM;THREADS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *.cpp)
  file(GLOB headers CONFIGURE_DEPENDS *.hpp)
  foreach(source ${sources})  # proves its own header
    string(REGEX REPLACE "(_test)?\\.cpp$" ".hpp" header ${source})
    list(REMOVE_ITEM headers ${header})
  endforeach()
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  list(FILTER sources EXCLUDE REGEX "(_test|/main)\\.cpp$")
  if(NOT sources)  # headers alone
    add_library(${NAME} INTERFACE)
    target_sources(${NAME} INTERFACE FILE_SET HEADERS BASE_DIRS ${CMAKE_SOURCE_DIR}/src FILES ${headers})
    target_link_libraries(${NAME} INTERFACE house_options ${ARG_DEPS} ${ARG_SYSTEM})
    return()
  endif()
  add_library(${NAME} STATIC ${sources})
  target_sources(${NAME} PUBLIC FILE_SET HEADERS BASE_DIRS ${CMAKE_SOURCE_DIR}/src FILES ${headers})
  target_link_libraries(${NAME} PUBLIC house_options ${ARG_DEPS} ${ARG_SYSTEM})
  if(ARG_COLD)
    house_compile_quickly(${NAME})
    house_precompile(${NAME} cold)
  else()
    house_precompile(${NAME} warm)
  endif()
  if(tests AND NOT HOUSE_FUZZ)
    set(labels unit)
    if(ARG_THREADS)
      list(APPEND labels threads)
      if(HOUSE_SANITIZE MATCHES "thread")  # which sees nothing in the others
        list(TRANSFORM ARG_THREADS APPEND _test.cpp OUTPUT_VARIABLE tests)
      endif()
    endif()
    house_test(${NAME}_test SOURCES ${tests} DEPS ${NAME} LABEL ${labels})
    if(ARG_THREADS)
      add_dependencies(threads ${NAME}_test)
    endif()
  endif()
endfunction()

function(house_program NAME)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${NAME} ${ARG_SOURCES})
  target_link_libraries(${NAME} PRIVATE house_options ${ARG_DEPS})
endfunction()
