#include "meter.h"

#include <algorithm>

#include "common/path.h"
#include "common/terminal.h"

namespace call {

using example::format;
using parley::Stats;
using parley::StatsReport;

void Meter::readPath(const StatsReport& report, Sample& sample) {
  for (const Stats* transport : report.ofType("transport")) {
    sample.timeMs = transport->timestampMs;
    sample.received.bytes = transport->number("bytesReceived");
    sample.sent.bytes = transport->number("bytesSent");
    const Stats* pair = report.find(transport->text("selectedCandidatePairId"));
    if (!pair) continue;
    path_ = example::selectedPath(report);
    if (!pair->has("currentRoundTripTime")) continue;
    rttMs_ = pair->number("currentRoundTripTime") * 1000;
    constexpr size_t kSamples = 24 * 3600;
    if (rttsMs_.size() < kSamples) rttsMs_.push_back(*rttMs_);
  }
}

void Meter::add(const StatsReport& report) {
  Sample sample;
  readPath(report, sample);
  for (const Stats* stream : report.ofType("inbound-rtp")) {
    sample.received.packets += stream->number("packetsReceived");
    sample.received.lost += stream->number("packetsLost");
    sample.received.frames += stream->number("framesReceived");
  }
  for (const Stats* stream : report.ofType("outbound-rtp")) {
    sample.sent.packets += stream->number("packetsSent");
    sample.sent.frames += stream->number("framesSent");
    if (stream->has("frameWidth"))
      videoSize_ = format("%.0fx%.0f", stream->number("frameWidth"), stream->number("frameHeight"));
  }
  // What the other side says about our packets.
  for (const Stats* stream : report.ofType("remote-inbound-rtp"))
    sample.sent.lost += stream->number("packetsLost");
  if (first_) {
    previous_ = last_;
  } else {
    first_ = sample;
  }
  last_ = sample;
}

Meter::Rates Meter::between(const Direction& from, const Direction& to, double seconds) {
  Rates out;
  if (seconds <= 0) return out;
  out.kbps = (to.bytes - from.bytes) * 8 / 1000 / seconds;
  out.fps = (to.frames - from.frames) / seconds;
  // Packets that come after all take a loss back, so the difference may be below zero.
  const double lost = std::max(0.0, to.lost - from.lost);
  const double all = to.packets - from.packets + lost;
  if (all > 0) out.lostRatio = std::min(1.0, lost / all);
  return out;
}

std::string Meter::line() const {
  if (!previous_) return path_.empty() ? "connecting" : path_;
  const double seconds = (last_.timeMs - previous_->timeMs) / 1000;
  const Rates in = between(previous_->received, last_.received, seconds);
  const Rates out = between(previous_->sent, last_.sent, seconds);
  const std::string rtt = rttMs_ ? format("%.1f ms", *rttMs_) : "?";
  return format(
      "%s | rtt %s | in %4.0f kb/s %2.0f fps %.1f %% lost | out %4.0f kb/s %2.0f fps "
      "%.1f %% lost",
      path_.c_str(), rtt.c_str(), in.kbps, in.fps, in.lostRatio * 100, out.kbps, out.fps,
      out.lostRatio * 100);
}

nlohmann::json Meter::json(const char* prefix, const Rates& rates) {
  const std::string p = prefix;
  return {{p + "_kbps_mean", rates.kbps},
          {p + "_video_fps_mean", rates.fps},
          {p + "_lost_ratio", rates.lostRatio}};
}

nlohmann::json Meter::report() const {
  nlohmann::json out{{"path", path_}};
  if (!first_) return out;
  const double seconds = (last_.timeMs - first_->timeMs) / 1000;
  out["measured_s"] = seconds;
  out.update(json("received", between(first_->received, last_.received, seconds)));
  out.update(json("sent", between(first_->sent, last_.sent, seconds)));
  out["received_bytes"] = last_.received.bytes;
  out["sent_bytes"] = last_.sent.bytes;
  out["received_video_frames"] = last_.received.frames;
  out["sent_video_frames"] = last_.sent.frames;
  if (!videoSize_.empty()) out["sent_video_size"] = videoSize_;
  if (!rttsMs_.empty()) {
    std::vector<double> sorted = rttsMs_;
    std::sort(sorted.begin(), sorted.end());
    out["rtt_ms_p50"] = sorted[sorted.size() / 2];
    out["rtt_ms_max"] = sorted.back();
  }
  return out;
}

}  // namespace call
