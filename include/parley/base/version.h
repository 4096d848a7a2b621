#pragma once

/// The one place that names the library's version; CMake reads it from here.
#define PARLEY_VERSION_STRING "0.1.0"
