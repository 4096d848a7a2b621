#include "report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace loopback {

using namespace parley;

namespace {

/// Mean and percentiles of a set of numbers.
class Spread {
 public:
  void add(double value) { values_.push_back(value); }
  bool empty() const { return values_.empty(); }
  double mean() const {
    double sum = 0;
    for (double value : values_) sum += value;
    return sum / static_cast<double>(values_.size());
  }
  double percentile(double percent) {
    std::sort(values_.begin(), values_.end());
    const double at = percent / 100 * static_cast<double>(values_.size() - 1);
    return values_[static_cast<size_t>(std::lround(at))];
  }

 private:
  std::vector<double> values_;
};

double total(const StatsReport& report, const char* type, const char* kind, const char* member) {
  double sum = 0;
  for (const Stats* stats : report.ofType(type)) {
    if (stats->text("kind") == kind) sum += stats->number(member);
  }
  return sum;
}

void addSpread(Figures& out, const std::string& name, Spread& spread,
               std::initializer_list<int> percentiles) {
  if (spread.empty()) return;
  for (int percent : percentiles) {
    const std::string suffix = percent == 0     ? "min"
                               : percent == 100 ? "max"
                                                : "p" + std::to_string(percent);
    out.emplace_back(name + "_" + suffix, spread.percentile(percent));
  }
}

}  // namespace

Figures figuresOf(const Outcome& outcome) {
  Figures out;
  double encoded = 0;
  double shown = 0;
  double keyFrames = 0;
  double bytes = 0;
  double longestGap = 0;
  double lastShown = 0;
  Spread quality, delay, rtt;
  for (const FrameResult& frame : outcome.frames) {
    encoded += frame.encoded;
    keyFrames += frame.keyFrame;
    bytes += static_cast<double>(frame.bytes);
    if (!frame.shown) continue;
    ++shown;
    quality.add(frame.psnrDb);
    delay.add(frame.delayMs);
    longestGap = std::max(longestGap, frame.timeS - lastShown);
    lastShown = frame.timeS;
  }
  for (const Sample& sample : outcome.samples) {
    if (sample.rttMs > 0) rtt.add(sample.rttMs);
  }
  if (!quality.empty()) out.emplace_back("video_psnr_db_mean", quality.mean());
  addSpread(out, "video_psnr_db", quality, {0, 5, 50});
  out.emplace_back("frames_sent", static_cast<double>(outcome.frames.size()));
  out.emplace_back("frames_encoded", encoded);
  out.emplace_back("frames_received", shown);
  out.emplace_back("frames_unmatched", static_cast<double>(outcome.unmatchedFrames));
  out.emplace_back("key_frames", keyFrames);
  out.emplace_back("longest_freeze_ms", longestGap * 1000);
  out.emplace_back("video_kbps_mean", bytes * 8 / 1000 / outcome.mediaS);
  addSpread(out, "video_delay_ms", delay, {50, 95, 100});
  addSpread(out, "rtt_ms", rtt, {50, 95});
  out.emplace_back("connect_ms", outcome.connectMs);
  const StatsReport& in = outcome.receiver;
  out.emplace_back("video_packets_lost", total(in, "inbound-rtp", "video", "packetsLost"));
  out.emplace_back("video_packets_received", total(in, "inbound-rtp", "video", "packetsReceived"));
  out.emplace_back("video_retransmitted_packets",
                   total(in, "inbound-rtp", "video", "retransmittedPacketsReceived"));
  out.emplace_back("video_nacks", total(in, "inbound-rtp", "video", "nackCount"));
  out.emplace_back("video_plis", total(in, "inbound-rtp", "video", "pliCount"));
  const double samples = total(in, "inbound-rtp", "audio", "totalSamplesReceived");
  if (samples > 0) {
    out.emplace_back("audio_concealed_ratio",
                     total(in, "inbound-rtp", "audio", "concealedSamples") / samples);
  }
  out.emplace_back("recorded_frames", static_cast<double>(outcome.recording.videoFrames));
  out.emplace_back("recorded_audio_s", static_cast<double>(outcome.recording.audioFrames) / 100);
  out.emplace_back("recorded_bytes", static_cast<double>(outcome.recording.bytesWritten));
  out.emplace_back("media_s", outcome.mediaS);
  out.emplace_back("wall_s", outcome.wallS);
  out.emplace_back("cpu_s_per_media_s", outcome.cpuS / outcome.mediaS);
  return out;
}

double figure(const Figures& figures, const std::string& name) {
  for (const auto& [key, value] : figures) {
    if (key == name) return value;
  }
  return 0;
}

bool writeJson(const std::string& path, const Figures& figures) {
  std::FILE* file = std::fopen(path.c_str(), "w");
  if (!file) return false;
  const char* separator = "{";
  for (const auto& [key, value] : figures) {
    std::fprintf(file, "%s\n  \"%s\": %.9g", separator, key.c_str(), value);
    separator = ",";
  }
  std::fprintf(file, "\n}\n");
  return std::fclose(file) == 0;
}

}  // namespace loopback
