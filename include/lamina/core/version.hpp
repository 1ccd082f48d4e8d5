// The version of the library, as macros for the preprocessor.
//
// Everything lives in the inline namespace `lamina::v0_1`, so that two versions in one process do not collide.
#pragma once

#define LAMINA_VERSION_MAJOR 0
#define LAMINA_VERSION_MINOR 1
#define LAMINA_VERSION_PATCH 0
#define LAMINA_VERSION_STRING "0.1.0"
