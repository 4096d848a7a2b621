#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "parley/base/time.h"
#include "parley/base/units.h"

namespace parley::media {

/// What of pictures may be given up where rate or time lacks (RTCDegradationPreference).
enum class Degradation : uint8_t {
  Resolution,  ///< to maintain the frame rate
  Framerate,   ///< to maintain the resolution
  Balanced,
  Nothing,
};

/// Quantizers, in a codec's own scale, between which pictures are as large as they should be.
struct QpRange {
  int low = 0;
  int high = 0;
  bool operator==(const QpRange&) const = default;
};

/// Of the codec of that name; nothing if its quantizers are not known to say how pictures look.
std::optional<QpRange> qpRangeOf(std::string_view codec);

/// Decides how much smaller or rarer pictures have to be for an encoder to make good ones of them.
///
/// Too coarse a quantizer, or too many pictures that the encoder leaves out, for two seconds: one
/// step down. A fine one for some seconds: one step up again; the longer, the more often that has
/// been too early. An encoder that takes most of the time between pictures counts likewise, over
/// ten seconds. At a low rate the first pictures are made small to begin with, until the rate
/// grows.
///
/// With Degradation::Framerate only a lack of time lowers the frame rate: what the rate does not
/// allow, the encoder leaves out by itself.
///
/// Not a machine with deadlines: time counts while pictures come.
class QualityScaler {
 public:
  enum class Reason : uint8_t { Bandwidth, Cpu };
  /// No picture gets fewer pixels.
  static constexpr int kMinPixels = 320 * 180;
  static constexpr double kMinFramerate = 2;

  /// Lifts all limits if it is another one.
  void setDegradation(Degradation degradation);
  /// Without a range, the bandwidth limits nothing.
  void setQpRange(std::optional<QpRange> range);
  void setTarget(DataRate target) { target_ = target; }

  /// A picture comes, of this size before scale().
  void handlePicture(int width, int height, Timestamp now);
  /// It was compressed in `took`, with a quantizer of `qp`; -1: unknown.
  void handleEncoded(int qp, Duration took, Timestamp now);
  /// It was left out: because of the rate, or because there was no time for it.
  void handleDropped(Reason reason, Timestamp now);

  /// By what to divide both sides of pictures.
  double scale() const;
  std::optional<double> maxFramerate() const;
  bool isLimitedBy(Reason reason) const;

 private:
  struct Step {
    Reason reason = Reason::Bandwidth;
    bool resolution = true;
    bool initial = false;
    double framerate = 0;  ///< if it is not one of resolution
  };
  /// What was seen in some seconds.
  struct Window {
    std::optional<Timestamp> begin;
    int pictures = 0;
    int encoded = 0;
    int dropped = 0;
    int withQp = 0;
    int64_t qpSum = 0;
    Duration busy;
  };
  /// How long to wait before a step up.
  struct Patience {
    int calm = 0;       ///< windows in a row that ask for a step up
    int wanted = 1;     ///< of them
    DataRate failedAt;  ///< the rate at which a step up proved to be one too many
    std::optional<Timestamp> raised;
  };
  size_t resolutionSteps() const;
  size_t usableSteps() const;
  double pixelsAt(size_t steps) const;
  double framerate() const;
  bool mayLowerResolution() const;
  void begin();
  void growWithTarget(Timestamp now);
  void judgeBandwidth(Timestamp now);
  void judgeCpu(Timestamp now);
  bool lower(Reason reason, Timestamp now);
  bool raise(Reason reason, Timestamp now);
  bool push(Step step);
  bool lowerResolution(Reason reason);
  bool lowerFramerate(Reason reason, double framerate);
  Patience& patienceOf(Reason reason) { return patience_[static_cast<size_t>(reason)]; }
  void restartWindows(Timestamp begin);

  Degradation degradation_ = Degradation::Balanced;
  std::optional<QpRange> range_;
  DataRate target_;
  std::vector<Step> steps_;
  int width_ = 0;
  int height_ = 0;
  double sourceFramerate_ = 30;
  std::optional<Timestamp> started_;
  std::optional<Timestamp> lastPicture_;
  Window rate_;
  Window time_;
  Patience patience_[2];
  bool overused_ = false;  ///< the last window was one of too little time
};

}  // namespace parley::media
