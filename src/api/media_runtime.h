#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "parley/api/rtp_transceiver.h"
#include "parley/jsep/session.h"

#include "api/receive_pipe.h"
#include "api/send_pipe.h"
#include "api/worker.h"

namespace parley::api_internal {

class LoopCore;
class PeerConnectionCore;

/// All encoders and decoders of a loop: which track feeds which sender, which receiver feeds which
/// track. Every member function is called with the loop's lock held; what the workers produce comes
/// back by way of the lock (or of Loop::post in an unlocked loop).
class MediaRuntime {
 public:
  explicit MediaRuntime(LoopCore& loop);
  ~MediaRuntime();

  /// The track that a sender sends has changed; null = none.
  void attachTrack(PeerConnectionCore& pc, uint32_t transceiver, std::shared_ptr<TrackCore> track);
  void configureSender(PeerConnectionCore& pc, const jsep::SenderConfigured& config);
  /// The sender's encodings and the app's own bounds on them (RTCRtpEncodingParameters).
  void setEncodings(PeerConnectionCore& pc, uint32_t transceiver,
                    const std::vector<RtpEncodingParameters>& encodings);
  /// What of pictures may be given up where rate or time lacks.
  void setDegradation(PeerConnectionCore& pc, uint32_t transceiver,
                      std::optional<DegradationPreference> preference);
  void stopSender(PeerConnectionCore& pc, uint32_t transceiver);
  /// Of one encoding, or of all.
  void requestKeyFrame(PeerConnectionCore& pc, uint32_t transceiver,
                       const std::optional<std::string>& rid = {});
  void setSenderTransform(PeerConnectionCore& pc, uint32_t transceiver, MediaKind kind,
                          AppTransform transform);
  /// InvalidState where the sender has a transform: packets would pass by it, in clear where it
  /// encrypts.
  Result<void> checkSenderOfPackets(const PeerConnectionCore& pc, uint32_t transceiver) const;
  /// The same for a track of packets; others are fine.
  Result<void> checkSenderTrack(const PeerConnectionCore& pc, uint32_t transceiver,
                                const TrackCore* track) const;
  void setReceiverTransform(PeerConnectionCore& pc, uint32_t transceiver, MediaKind kind,
                            AppTransform transform);
  void setTargetBitrate(PeerConnectionCore& pc, const jsep::TargetBitrate& target);

  void configureReceiver(PeerConnectionCore& pc, const jsep::ReceiverConfigured& config);
  void stopReceiver(PeerConnectionCore& pc, uint32_t transceiver);
  /// Moves what arrived to the decoders.
  void collect(PeerConnectionCore& pc, jsep::Session& session);
  void forget(PeerConnectionCore& pc);

  std::optional<EncodeStats> encodeStats(const PeerConnectionCore& pc, uint32_t transceiver,
                                         const std::string& rid) const;
  std::optional<DecodeStats> decodeStats(const PeerConnectionCore& pc, uint32_t transceiver) const;

 private:
  using Key = std::pair<const PeerConnectionCore*, uint32_t>;
  /// One encoding of pictures: all of a sender's are fed by the same track.
  struct VideoLayer {
    std::shared_ptr<VideoSendPipe> pipe;
    VideoSendPipe::Settings settings;
    DataRate rate;
  };
  struct Sender {
    std::shared_ptr<TrackCore> track;
    std::vector<VideoLayer> video;
    std::shared_ptr<AudioSendPipe> audio;
    TransformSlot::Held transform;
    std::optional<media::Degradation> degradation;
    VideoLayer* find(const std::string& rid);
  };
  struct Receiver {
    std::shared_ptr<VideoReceivePipe> video;
    std::shared_ptr<AudioReceivePipe> audio;
  };

  Sender& sender(PeerConnectionCore& pc, uint32_t transceiver, MediaKind kind);
  Receiver& receiver(PeerConnectionCore& pc, uint32_t transceiver, MediaKind kind);
  /// The layers for these rids, in their order: what is missing is made, what is not named ends.
  void setLayers(PeerConnectionCore& pc, uint32_t transceiver, Sender& sender,
                 const std::vector<std::string>& rids);
  VideoLayer makeLayer(PeerConnectionCore& pc, uint32_t transceiver, const Sender& sender,
                       const std::string& rid);
  void applyEncodings(PeerConnectionCore& pc, Sender& sender,
                      const std::vector<RtpEncodingParameters>& encodings);
  void attach(Sender& sender);
  void detach(Sender& sender);
  /// With what is left of it: an app's transform may own handles of ours.
  void end(Sender&& sender);
  static void tellKeyFrameNeeded(PeerConnectionCore& pc, const Sender& sender);

  LoopCore& loop_;
  std::map<Key, Sender> senders_;
  std::map<Key, Receiver> receivers_;
  // Shared with the pipes: a track may still push a frame into one while the loop dies.
  std::shared_ptr<Worker> videoEncodeWorker_;
  std::shared_ptr<Worker> videoDecodeWorker_;
  std::shared_ptr<Worker> audioWorker_;
};

}  // namespace parley::api_internal
