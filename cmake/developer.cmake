# Settings of lamina's own programs and tests: warnings, sanitizers. A host project's targets never see them.

option(LAMINA_WERROR "Warnings in lamina's own targets are errors" OFF)
set(LAMINA_SANITIZE "" CACHE STRING "Sanitizers of lamina's own targets: address, undefined, thread, address,undefined")

# For each target that lamina builds itself.
function(lamina_own_target target)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  if(PROJECT_IS_TOP_LEVEL)
    target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wconversion $<$<BOOL:${LAMINA_WERROR}>:-Werror>)
    # GCC 12 takes "t" + std::to_string(i) for an overlapping copy (its bug 105651).
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
      target_compile_options(${target} PRIVATE -Wno-restrict)
    endif()
  endif()
  if(LAMINA_SANITIZE)
    set(flags -fsanitize=${LAMINA_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g1)
    target_compile_options(${target} PRIVATE ${flags})
    target_link_options(${target} PRIVATE -fsanitize=${LAMINA_SANITIZE})
  endif()
endfunction()

# Each <name>.cpp, or folder <name>/ with a main.cpp, beside the calling CMakeLists.txt becomes the program <name> in the
# build folder of the same place. The target is called <prefix>_<name>, since names like `generate` may be taken.
function(lamina_add_programs prefix)
  file(GLOB files CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} *.cpp */main.cpp)
  foreach(file IN LISTS files)
    string(REGEX REPLACE "(/main)?\\.cpp$" "" name ${file})
    set(sources ${file})
    if(file MATCHES "/main\\.cpp$")
      file(GLOB sources CONFIGURE_DEPENDS ${name}/*.cpp)
    endif()
    add_executable(${prefix}_${name} ${sources})
    set_target_properties(${prefix}_${name} PROPERTIES OUTPUT_NAME ${name})
    target_link_libraries(${prefix}_${name} PRIVATE lamina::kernels ${ARGN})
    lamina_own_target(${prefix}_${name})
  endforeach()
endfunction()
