#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "parley/devices/file_source.h"
#include "parley/devices/recorder.h"
#include "parley/parley.h"

#include "options.h"
#include "quality.h"

namespace loopback {

/// One look at the connection's statistics.
struct Sample {
  double timeS = 0;  ///< since the clip began
  double rttMs = 0;
  double estimateKbps = 0;
  double sentKbps = 0;  ///< pictures and sound, payload
};

/// Everything that was learnt.
struct Outcome {
  std::vector<FrameResult> frames;
  std::vector<Sample> samples;
  parley::StatsReport sender;
  parley::StatsReport receiver;
  parley::devices::RecorderStats recording;
  uint64_t unmatchedFrames = 0;
  double mediaS = 0;
  double wallS = 0;
  double cpuS = 0;
  double connectMs = 0;
};

/// The part that does not care whether time and network are real: media on both sides, and what is
/// measured on the way.
class Play {
 public:
  /// Opens the clip and the recording.
  static parley::Result<std::unique_ptr<Play>> create(const Options& options);

  /// For the sender: its encoders are listened to.
  parley::Configuration senderConfiguration();
  parley::Result<void> addSender(parley::PeerConnection& pc,
                                 const std::shared_ptr<parley::Loop>& loop);
  void addReceiver(parley::PeerConnection& pc, const std::shared_ptr<parley::Loop>& loop);

  void start(parley::Timestamp now);
  void stopSource() { video_->stop(); }
  void sample(const parley::StatsReport& sender, parley::Timestamp now);
  double seconds() const { return seconds_; }
  /// A line about the last second, for whoever watches.
  std::string statusLine() const;
  parley::Result<void> finish(Outcome& outcome);

 private:
  explicit Play(const Options& options) : options_(options) {}

  const Options options_;
  double seconds_ = 0;
  parley::devices::MediaFile clip_;
  QualityMeter meter_;
  std::shared_ptr<MeteredSource> video_;
  std::unique_ptr<parley::devices::Recorder> recorder_;
  parley::Timestamp begin_;
  std::vector<Sample> samples_;
  double lastBytes_ = 0;
};

/// Two loops, two threads, UDP sockets on this machine.
parley::Result<Outcome> playLive(const Options& options);
/// The same over parley::testing::Pair.
parley::Result<Outcome> playSimulated(const Options& options);

}  // namespace loopback
