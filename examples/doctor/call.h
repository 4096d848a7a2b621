#pragma once

#include <string>
#include <vector>

#include "parley/parley.h"

/// Connects two peers in this process by way of the servers: with a TURN server over its relays
/// alone, without one over whatever there is. Waits until it stands or `patience` has passed, and
/// says what the calling side makes of it.
parley::Result<parley::Diagnosis> tryCall(const std::vector<parley::IceServer>& servers,
                                          double patience);
