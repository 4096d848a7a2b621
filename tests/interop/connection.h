#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "parley/parley.h"

#include "media_meter.h"
#include "sources.h"
#include "wire.h"

namespace parley::interop {

/// What all connections of the process share.
struct Shared {
  LineWriter& out;
  std::shared_ptr<Loop> loop;
  std::string clip;            ///< a film, or empty
  bool allInterfaces = false;  ///< report candidates of other interfaces than loopback too
  std::string traces;  ///< folder for a CSV of each connection's bandwidth estimates, or empty
  /// Takes in a channel that the other side opened.
  std::function<void(const std::string& pc, DataChannel channel, const std::string& mode)> adopt;
};

/// One connection by name, and the commands on it. Commands block the calling thread; events come
/// on the loop's.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  static std::shared_ptr<Connection> create(Shared& shared, std::string name, const Json& config);

  Json describe(const Json& request, bool offer);
  void setLocal(const Json& request);
  void setRemote(const Json& request);
  Json localDescription(const Json& request);
  void addCandidate(const Json& request);
  void restartIce() { pc_.restartIce(); }
  void wait(const Json& request);
  void close();

  DataChannel openChannel(const std::string& label, const Json& init);
  void setIncomingMode(const std::string& mode);
  Json sctp() const { return {{"maxMessageSize", pc_.maxMessageSize()}}; }

  Json addTrack(const Json& request);
  void removeTrack(const Json& request);
  void stopTransceiver(const Json& request);
  void addTransceiver(const Json& request);
  void setCodecs(const Json& request);
  void setSender(const Json& request);
  Json transceivers() const;
  void replaceTrack(const Json& request);
  void dtmf(const Json& request);
  Json keys();
  void sframe(const Json& request);
  void askForExtensions();
  Json extensions() const;
  void setPlayoutDelay(const Json& request);

  Json stats(const Json& request);
  Json selected();
  Json media();
  Json frame(const Json& request);
  Json sourceFrame(const Json& request);

 private:
  struct Brought;
  struct Source {
    MediaStreamTrack track;
    std::shared_ptr<NumberedSource> video;
  };

  Connection(Shared& shared, std::string name) : shared_(shared), name_(std::move(name)) {}
  void watch();
  void onCandidate(const std::optional<IceCandidate>& candidate);
  void onTrack(const TrackEvent& event);
  /// An event of this connection.
  void report(const char* event, Json members);
  std::string stateOf(const std::string& kind) const;
  Source makeSource(MediaKind kind, const Json& request);
  RtpTransceiver transceiverOf(MediaKind kind) const;
  StatsReport statsReport();

  Shared& shared_;
  const std::string name_;
  PeerConnection pc_;
  std::mutex mutex_;
  bool ownCodecs_ = false;  ///< pictures are compressed and decompressed here
  std::string incomingMode_ = "event";
  std::map<std::string, std::shared_ptr<MediaMeter>> meters_;  ///< by mid
  std::map<MediaKind, Source> sources_;
  std::vector<std::pair<RtpTransceiver, std::shared_ptr<Brought>>> brought_;
  std::vector<TelephoneEvent> keys_;  ///< of the peer, as far as they have been let go
};

}  // namespace parley::interop
