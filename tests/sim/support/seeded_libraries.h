#pragma once

#include <cstdint>

namespace parley::test {

/// From now on, in this process, OpenSSL and usrsctp draw their randomness (handshake randoms,
/// keys, signatures, verification tags, timer jitter) from a generator with this seed. One thread
/// only.
void seedLibraries(uint64_t seed);

}  // namespace parley::test
