#pragma once

/// Marks a symbol as part of the library's surface. All other symbols are built hidden.
#define PARLEY_EXPORT __attribute__((visibility("default")))
