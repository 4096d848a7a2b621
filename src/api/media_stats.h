#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "parley/media/types.h"
#include "parley/sdp/codec_params.h"

#include "api/stats_context.h"

namespace parley::api_internal {

/// Which of the negotiated codecs a stream uses.
struct CodecUse {
  bool sending = false;
  std::string mid;
  uint8_t payloadType = 0;
  media::MediaKind kind{};
  std::string transportId;
};

/// Adds the codec object unless it is there, and gives its id; empty if it is not in the list.
std::string addCodecStats(StatsContext& context, const CodecUse& use,
                          const std::vector<sdp::CodecParams>& codecs);

}  // namespace parley::api_internal
