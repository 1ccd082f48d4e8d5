# Finds the header-only dependencies, for the build and, installed beside lamina-config.cmake, for find_package(lamina).
#
# Only headers are used of each, so that is all that is asked for: of Highway in particular, lamina links no library.
# A dependency is taken from, in this order, a target that the host project has already, find_package, and a header in
# the search path (which serves cross builds, where a package's CMake files are hidden in the other machine's folder).

# lamina_find_headers(<target> HEADER <file> PACKAGE <name> [VERSION <v>] TARGETS <candidates...> [PATH_SUFFIXES <s>])
# makes the imported target <target>, or sets <target>_missing where the headers are not found.
function(lamina_find_headers target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "HEADER;PACKAGE;VERSION;PATH_SUFFIXES" "TARGETS")
  set(${target}_missing FALSE PARENT_SCOPE)
  if(TARGET ${target})
    return()
  endif()

  set(from "")
  foreach(attempt IN ITEMS host package)
    if(NOT from AND attempt STREQUAL "package")
      find_package(${arg_PACKAGE} ${arg_VERSION} CONFIG QUIET)
    endif()
    foreach(candidate IN LISTS arg_TARGETS)
      if(NOT from AND TARGET ${candidate})
        # Resolved here: a package's targets are not visible in every folder that uses lamina.
        get_target_property(includes ${candidate} INTERFACE_INCLUDE_DIRECTORIES)
        set(from "target ${candidate}")
      endif()
    endforeach()
  endforeach()
  if(NOT from AND NOT CMAKE_DISABLE_FIND_PACKAGE_${arg_PACKAGE})
    string(TOUPPER LAMINA_${arg_PACKAGE}_INCLUDE_DIR variable)
    find_path(${variable} ${arg_HEADER} PATH_SUFFIXES ${arg_PATH_SUFFIXES})
    mark_as_advanced(${variable})
    set(includes ${${variable}})
    set(from ${includes})
  endif()
  if(NOT from)
    set(${target}_missing TRUE PARENT_SCOPE)
    return()
  endif()

  message(STATUS "lamina: ${arg_HEADER} from ${from}")
  lamina_add_headers(${target} "${includes}")
endfunction()

# The include folder of headers as an imported target; what is imported counts as a system header.
function(lamina_add_headers target includes)
  add_library(${target} INTERFACE IMPORTED GLOBAL)
  if(includes)
    set_property(TARGET ${target} PROPERTY INTERFACE_INCLUDE_DIRECTORIES ${includes})
  endif()
endfunction()

lamina_find_headers(lamina::hwy HEADER hwy/highway.h PACKAGE hwy VERSION 1.0.3 TARGETS hwy::hwy hwy)
lamina_find_headers(lamina::eigen HEADER Eigen/Core PACKAGE Eigen3 VERSION 3.4 TARGETS Eigen3::Eigen eigen
                    PATH_SUFFIXES eigen3)
lamina_find_headers(lamina::xsimd HEADER xsimd/xsimd.hpp PACKAGE xsimd TARGETS xsimd::xsimd xsimd)
