#pragma once

#include <optional>
#include <vector>

#include "parley/sctp/data_channels.h"

namespace parley::sctp {

struct DataChannels::Channel {
  ChannelId id{};
  ChannelInit init;
  std::optional<uint16_t> stream;
  ChannelState state = ChannelState::Connecting;
  /// The peer has seen our OPEN, so data may overtake it (RFC 8832 section 6).
  bool peerKnows = false;
  bool resetAsked = false;
  bool outgoingReset = false;
  bool incomingReset = false;
  bool aboveThreshold = false;
  bool wantsWritable = false;
  size_t partSize = 0;
  uint64_t partsLeft = 0;  ///< bytes to come of a message sent in parts
  bool partsAreText = false;
  size_t lowThreshold = 0;
  size_t nameBytes = 0;  ///< label and protocol, if the peer chose them
  Bytes partial;         ///< fragments of the deprecated PPIDs 52 and 54
  bool partialIsText = false;
  ChannelStats stats;
};

/// Messages of a stream that has no channel yet: unordered data overtook its OPEN, the application
/// has yet to open its end of a negotiated channel, or the peer reuses a stream whose last reset is
/// still unconfirmed here.
struct DataChannels::Early {
  std::vector<Inbound> messages;
  size_t bytes = 0;
  Timestamp expires;
};

}  // namespace parley::sctp
