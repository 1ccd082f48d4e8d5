# The fallback for what find_package does not find: pinned sources, fetched at configure time.
#
# FETCHCONTENT_SOURCE_DIR_<NAME> points it at a folder instead, FETCHCONTENT_FULLY_DISCONNECTED forbids the network.
include(FetchContent)

# Headers only: the dependency's own build files are not run.
function(lamina_fetch_headers target name url commit subdir)
  FetchContent_Declare(${name} GIT_REPOSITORY ${url} GIT_TAG ${commit} SOURCE_SUBDIR lamina-uses-headers-only)
  FetchContent_MakeAvailable(${name})
  message(STATUS "lamina: ${name} from ${${name}_SOURCE_DIR}")
  lamina_add_headers(${target} ${${name}_SOURCE_DIR}${subdir})
endfunction()

if(lamina::hwy_missing)  # 1.4.0
  lamina_fetch_headers(lamina::hwy hwy https://github.com/google/highway.git
                       2607d3b5b0113992fe84d3848859eae13b3b52c1 "")
endif()
if(lamina::eigen_missing)  # 3.4.0
  lamina_fetch_headers(lamina::eigen eigen https://gitlab.com/libeigen/eigen.git
                       3147391d946bb4b6c68edd901f2add6ac1f31f8c "")
endif()
if(lamina::xsimd_missing)  # 13.2.0
  lamina_fetch_headers(lamina::xsimd xsimd https://github.com/xtensor-stack/xsimd.git
                       1f8dd9c8e162968d9b4ff0251c56d431b8777f36 /include)
endif()

# For the tests.
macro(lamina_need_doctest)
  lamina_find_headers(lamina::doctest HEADER doctest/doctest.h PACKAGE doctest TARGETS doctest::doctest)
  if(lamina::doctest_missing)  # 2.4.11
    lamina_fetch_headers(lamina::doctest doctest https://github.com/doctest/doctest.git
                         ae7a13539fb71f270b87eb2e874fbac80bc8dda2 "")
  endif()
endmacro()

# For the benchmarks. This one is a library, so its build files do run.
macro(lamina_need_benchmark)
  find_package(benchmark QUIET)
  if(NOT TARGET benchmark::benchmark)  # 1.8.3
    set(BENCHMARK_ENABLE_TESTING OFF)
    set(BENCHMARK_ENABLE_INSTALL OFF)
    FetchContent_Declare(benchmark GIT_REPOSITORY https://github.com/google/benchmark.git
                         GIT_TAG 344117638c8ff7e239044fd0fa7085839fc03021)
    FetchContent_MakeAvailable(benchmark)
  endif()
endmacro()
