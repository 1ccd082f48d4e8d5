# Install rules: headers, the kernels library, the CMake package and the two pkg-config files.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/lamina)

install(DIRECTORY include/lamina DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS lamina lamina_kernels EXPORT lamina-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT lamina-targets NAMESPACE lamina:: DESTINATION ${package_dir})

configure_package_config_file(cmake/lamina-config.cmake.in lamina-config.cmake INSTALL_DESTINATION ${package_dir})
# Until 1.0 a minor version may change the interface.
write_basic_package_version_file(lamina-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/lamina-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/lamina-config-version.cmake
              cmake/lamina-dependencies.cmake DESTINATION ${package_dir})

# pkg-config: with the folders of the dependencies' headers; it drops those where the compiler looks by itself.
set(dependency_flags "")
foreach(dependency IN ITEMS lamina::hwy lamina::eigen lamina::xsimd)
  set(includes $<TARGET_PROPERTY:${dependency},INTERFACE_INCLUDE_DIRECTORIES>)
  string(APPEND dependency_flags " $<$<BOOL:${includes}>:-I$<JOIN:${includes}, -I>>")
endforeach()
file(RELATIVE_PATH pc_to_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
foreach(name IN ITEMS lamina lamina-kernels)
  configure_file(cmake/${name}.pc.in ${name}.pc.generate @ONLY)
  file(GENERATE OUTPUT ${name}.pc INPUT ${CMAKE_CURRENT_BINARY_DIR}/${name}.pc.generate)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()
