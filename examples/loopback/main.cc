// Plays a clip from one peer to another through the whole stack, over sockets or over an imagined
// network, and tells what that did to it: a recording, a plot, and figures.

#include <chrono>
#include <cstdio>
#include <sys/resource.h>

#include "options.h"
#include "play.h"
#include "report.h"

using namespace loopback;

namespace {

double cpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::string titleOf(const Options& options) {
  char text[200];
  if (const auto& s = options.simulation) {
    std::snprintf(
        text, sizeof text, "%s up to %d kbit/s, simulated: %g %% loss, %g ms round trip, %g kbit/s",
        options.codec.c_str(), options.bitrateKbps, s->lossPercent, s->rttMs, s->rateKbps);
  } else {
    std::snprintf(text, sizeof text, "%s up to %d kbit/s, over sockets", options.codec.c_str(),
                  options.bitrateKbps);
  }
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  const std::optional<Options> options = parseOptions(argc, argv);
  if (!options) return 2;
  std::printf("%s\n", titleOf(*options).c_str());
  const auto begin = std::chrono::steady_clock::now();
  const double cpuBefore = cpuSeconds();
  parley::Result<Outcome> played =
      options->simulation ? playSimulated(*options) : playLive(*options);
  if (!played) {
    std::fprintf(stderr, "loopback: %s\n", played.error().message.c_str());
    return 1;
  }
  played->cpuS = cpuSeconds() - cpuBefore;
  played->wallS = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();

  const Figures figures = figuresOf(*played);
  std::printf(
      "%g of %g pictures, %.1f dB on average, %.1f dB at worst, delay %.0f ms, "
      "%.2f s of CPU per second\n",
      figure(figures, "frames_received"), figure(figures, "frames_sent"),
      figure(figures, "video_psnr_db_mean"), figure(figures, "video_psnr_db_min"),
      figure(figures, "video_delay_ms_p50"), figure(figures, "cpu_s_per_media_s"));
  std::printf("what arrived: %s   plot: %s\n", options->recording.c_str(), options->plot.c_str());
  bool good = writePlot(options->plot, titleOf(*options), *played);
  if (!good) std::fprintf(stderr, "loopback: cannot write %s\n", options->plot.c_str());
  if (!options->report.empty() && !writeJson(options->report, figures)) {
    std::fprintf(stderr, "loopback: cannot write %s\n", options->report.c_str());
    good = false;
  }
  if (figure(figures, "frames_received") == 0 ||
      figure(figures, "video_psnr_db_mean") < options->leastDb) {
    std::fprintf(stderr, "loopback: less than the %g dB that were asked for\n", options->leastDb);
    good = false;
  }
  return good ? 0 : 1;
}
