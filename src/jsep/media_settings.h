#pragma once

#include "parley/jsep/state.h"

namespace parley::jsep {

/// The two descriptions that an answer has brought together.
struct Agreement {
  const sdp::SessionDescription& local;
  const sdp::SessionDescription& remote;
  bool answerIsLocal;

  const sdp::SessionDescription& answer() const { return answerIsLocal ? local : remote; }
};

/// Our direction in section `i` (RFC 3264 section 6.1).
sdp::Direction agreedDirection(const Agreement& agreement, size_t i);

/// What media must do for section `i` after the answer. `mid` is the transceiver's.
MediaSettings agreedSettings(const Agreement& agreement, size_t i, const std::string& mid,
                             const std::vector<Encoding>& encodings);

/// What media must be ready to receive once our offer is out; what was agreed before stays in
/// force.
MediaSettings offeredSettings(const sdp::SessionDescription& offer, size_t i,
                              const std::string& mid, MediaSettings before);

}  // namespace parley::jsep
