#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "parley/base/environment.h"
#include "parley/media/rtp_session.h"
#include "parley/sdp/description.h"
#include "parley/transport/peer_transport.h"

namespace parley::jsep {

/// One transport of a session, with the media that travels on it: of its kind there is one, unless
/// the peer does not bundle. For `Session` alone.
struct Lane {
  Lane(Environment& environment, transport::TransportConfig config, uint32_t number)
      : id(number), transport(environment, std::move(config)) {}

  uint32_t id;  ///< as SessionState numbers it
  transport::PeerTransport transport;

  struct LocalCandidates {
    std::vector<sdp::CandidateLine> lines;
    bool complete = false;
  };
  LocalCandidates localCandidates;
  std::optional<LocalCandidates> beforeRestart;  ///< in case the offer that restarts is rolled back

  media::RtpSessionConfig rtpConfig;
  std::unique_ptr<media::RtpSession> rtp;  ///< made with the first media section
  bool mediaAvailable = false;
  struct MediaRoute {
    IpAddress local;
    IpAddress remote;
    bool operator==(const MediaRoute&) const = default;
  };
  std::optional<MediaRoute> mediaRoute;  ///< the last one in use
  /// What was found on the routes used lately.
  struct RouteMemory {
    MediaRoute route;
    DataRate estimate;
    Timestamp left;
  };
  std::vector<RouteMemory> formerRoutes;
  /// What data channels have told the estimate of so far.
  struct DataShare {
    uint64_t sent = 0;
    uint64_t acked = 0;
    bool waiting = false;
    Timestamp told;
    DataRate limit = DataRate::infinite();
  };
  DataShare dataShare;

  // Of a lane beside the first.
  uint32_t slot = 0;              ///< top bits of the numbers of its sockets and look-ups
  std::vector<SocketId> sockets;  ///< those that are open
  bool ending = false;            ///< until its good-byes have left
};

}  // namespace parley::jsep
