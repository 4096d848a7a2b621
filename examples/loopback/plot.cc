#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <string>

#include "report.h"

namespace loopback {
namespace {

constexpr double kLeft = 70;
constexpr double kWidth = 860;
constexpr double kPanel = 150;
constexpr double kGap = 50;
constexpr double kTop = 60;
constexpr const char* kBlue = "#1f6fb4";
constexpr const char* kOrange = "#d9731a";
constexpr const char* kRed = "#c0392b";
constexpr const char* kGrey = "#d8dce0";

/// One diagram: its place on the page and its scales.
class Panel {
 public:
  Panel(std::FILE* file, int row, double seconds, double low, double high, const char* title)
      : file_(file), top_(kTop + row * (kPanel + kGap)), seconds_(seconds), low_(low), high_(high) {
    std::fprintf(file_, "<text x='%g' y='%g' class='title'>%s</text>\n", kLeft, top_ - 10, title);
    const double step = niceStep((high - low) / 4);
    for (double v = std::ceil(low / step) * step; v <= high + 1e-9; v += step) {
      std::fprintf(file_,
                   "<path d='M%g %.1fh%g' stroke='%s'/><text x='%g' y='%.1f' class='y'>%g</text>\n",
                   kLeft, y(v), kWidth, kGrey, kLeft - 8, y(v) + 4, v);
    }
    const double stepX = niceStep(seconds / 10);
    for (double t = 0; t <= seconds + 1e-9; t += stepX) {
      std::fprintf(file_, "<text x='%.1f' y='%g' class='x'>%g s</text>\n", x(t), top_ + kPanel + 16,
                   t);
    }
  }

  double x(double t) const { return kLeft + std::clamp(t / seconds_, 0.0, 1.0) * kWidth; }
  double y(double v) const {
    const double share = (std::clamp(v, low_, high_) - low_) / (high_ - low_);
    return top_ + kPanel * (1 - share);
  }
  /// Points are added one by one; the line breaks where one is missing.
  void point(double t, double v) {
    path_ += (pen_ ? "L" : "M") + number(x(t)) + " " + number(y(v));
    pen_ = true;
  }
  void lift() { pen_ = false; }
  void stroke(const char* colour) {
    std::fprintf(file_, "<path d='%s' fill='none' stroke='%s' stroke-width='1.5'/>\n",
                 path_.c_str(), colour);
    path_.clear();
    pen_ = false;
  }
  /// A mark on the lower edge: something is missing at this time.
  void tick(double t, const char* colour) {
    std::fprintf(file_, "<path d='M%.1f %.1fv-10' stroke='%s' stroke-width='2'/>\n", x(t),
                 top_ + kPanel, colour);
  }
  void legend(int place, const char* colour, const char* text) {
    const double at = kLeft + kWidth - 170.0 * (place + 1);
    std::fprintf(file_,
                 "<path d='M%g %gh18' stroke='%s' stroke-width='3'/>"
                 "<text x='%g' y='%g'>%s</text>\n",
                 at, top_ - 14, colour, at + 24, top_ - 10, text);
  }

 private:
  static std::string number(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1f", value);
    return text;
  }
  static double niceStep(double rough) {
    const double power = std::pow(10, std::floor(std::log10(std::max(rough, 1e-9))));
    for (double factor : {1.0, 2.0, 5.0}) {
      if (rough <= factor * power) return factor * power;
    }
    return 10 * power;
  }

  std::FILE* file_;
  double top_, seconds_, low_, high_;
  std::string path_;
  bool pen_ = false;
};

void plotQuality(std::FILE* file, const Outcome& outcome, double seconds) {
  double low = 100;
  double high = 0;
  for (const FrameResult& frame : outcome.frames) {
    if (!frame.shown) continue;
    low = std::min(low, frame.psnrDb);
    high = std::max(high, frame.psnrDb);
  }
  low = std::floor(std::min(low, 25.0) / 5) * 5;
  high = std::ceil(std::max(high, 45.0) / 5) * 5;
  Panel panel(file, 0, seconds, low, high, "Quality of each picture: PSNR of luma, dB");
  for (const FrameResult& frame : outcome.frames) {
    if (frame.shown) {
      panel.point(frame.timeS, frame.psnrDb);
    } else {
      panel.lift();
      panel.tick(frame.timeS, frame.encoded ? kRed : kOrange);
    }
  }
  panel.stroke(kBlue);
  panel.legend(1, kRed, "not shown");
  panel.legend(0, kOrange, "left out by the encoder");
}

void plotDelay(std::FILE* file, const Outcome& outcome, double seconds) {
  double high = 20;
  for (const FrameResult& frame : outcome.frames) high = std::max(high, frame.delayMs * 1.05);
  for (const Sample& sample : outcome.samples) high = std::max(high, sample.rttMs * 1.05);
  Panel panel(file, 1, seconds, 0, high, "Delay, ms");
  for (const FrameResult& frame : outcome.frames) {
    if (frame.shown)
      panel.point(frame.timeS, frame.delayMs);
    else
      panel.lift();
  }
  panel.stroke(kBlue);
  for (const Sample& sample : outcome.samples) panel.point(sample.timeS, sample.rttMs);
  panel.stroke(kOrange);
  panel.legend(1, kBlue, "source to decoder");
  panel.legend(0, kOrange, "round trip");
}

void plotRate(std::FILE* file, const Outcome& outcome, double seconds) {
  double high = 100;
  for (const Sample& sample : outcome.samples)
    high = std::max({high, sample.estimateKbps * 1.05, sample.sentKbps * 1.05});
  Panel panel(file, 2, seconds, 0, high, "Bitrate, kbit/s");
  for (const Sample& sample : outcome.samples) panel.point(sample.timeS, sample.sentKbps);
  panel.stroke(kBlue);
  for (const Sample& sample : outcome.samples) panel.point(sample.timeS, sample.estimateKbps);
  panel.stroke(kOrange);
  panel.legend(1, kBlue, "sent");
  panel.legend(0, kOrange, "estimated capacity");
}

}  // namespace

bool writePlot(const std::string& path, const std::string& title, const Outcome& outcome) {
  std::FILE* file = std::fopen(path.c_str(), "w");
  if (!file) return false;
  const double height = kTop + 3 * (kPanel + kGap);
  std::fprintf(file,
               "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 960 %g' width='960' "
               "height='%g' font-family='sans-serif' font-size='12' fill='#333'>\n"
               "<style>.title{font-weight:bold}.y{text-anchor:end}.x{text-anchor:middle}"
               ".head{font-size:16px;font-weight:bold}</style>\n"
               "<rect width='100%%' height='100%%' fill='white'/>\n"
               "<text x='%g' y='24' class='head'>%s</text>\n",
               height, height, kLeft, title.c_str());
  const double seconds = std::max(outcome.mediaS, 0.1);
  plotQuality(file, outcome, seconds);
  plotDelay(file, outcome, seconds);
  plotRate(file, outcome, seconds);
  std::fprintf(file, "</svg>\n");
  return std::fclose(file) == 0;
}

}  // namespace loopback
