// What becomes of large pictures where the path has no room for them (RTCDegradationPreference),
// and that they come back.

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "parley/codec/fake.h"
#include "parley/testing/pair.h"

#include "sim/support/sim_case.h"

namespace parley {
namespace {

using testing::Pair;
using testing::PairOptions;

/// The fake encoder with a quantizer that follows from the bits which a pixel gets.
class QuantizingEncoder final : public codec::VideoEncoder {
 public:
  explicit QuantizingEncoder(std::unique_ptr<codec::VideoEncoder> inner)
      : inner_(std::move(inner)) {}
  Result<void> configure(const codec::VideoEncoderSettings& settings) override {
    return inner_->configure(settings);
  }
  Result<void> encode(const codec::VideoFrame& frame, bool keyFrame) override {
    return inner_->encode(frame, keyFrame);
  }
  bool poll(codec::EncodedVideoFrame& out) override {
    if (!inner_->poll(out)) return false;
    const double bits = static_cast<double>(out.data.size()) * 8 / (out.keyFrame ? 4 : 1);
    out.qp = std::clamp(static_cast<int>(4.0 * out.width * out.height / bits), 4, 127);
    return true;
  }
  void setRates(DataRate target, double framerate) override { inner_->setRates(target, framerate); }
  std::string_view implementationName() const override { return inner_->implementationName(); }

 private:
  std::unique_ptr<codec::VideoEncoder> inner_;
};

class QuantizingEncoders final : public codec::VideoEncoderFactory {
 public:
  std::vector<codec::SdpVideoFormat> supportedFormats() const override {
    return inner_->supportedFormats();
  }
  Result<std::unique_ptr<codec::VideoEncoder>> create(
      const codec::SdpVideoFormat& format,
      const codec::VideoEncoderSettings& settings) const override {
    auto made = inner_->create(format, settings);
    if (!made) return fail(made.error());
    return std::unique_ptr<codec::VideoEncoder>(
        std::make_unique<QuantizingEncoder>(*std::move(made)));
  }

 private:
  std::unique_ptr<codec::VideoEncoderFactory> inner_ = codec::fakeVideoEncoders();
};

PairOptions narrow(sim::World&) {
  PairOptions options;
  options.aToB.delay = Duration::millis(25);
  options.bToA = options.aToB;
  options.aToB.queue.rate = DataRate::kbps(150);
  for (Configuration* side : {&options.configurationA, &options.configurationB}) {
    side->videoEncoders = std::make_unique<QuantizingEncoders>();
    side->videoDecoders = codec::fakeVideoDecoders();
  }
  return options;
}

/// A camera of 1280x720 at 30 Hz over 150 kb/s.
struct NarrowCall {
  NarrowCall(sim::World& world, std::optional<DegradationPreference> preference,
             const std::string& hint = "")
      : pair(world, narrow(world)),
        track(MediaStreamTrack::createVideo(pair.loopA(), createTestPatternSource(1280, 720, 30))) {
    track.setContentHint(hint);
    EXPECT_TRUE(pair.a().addTrack(track, {"s"}));
    if (preference) {
      RtpSender sender = pair.a().getSenders().front();
      RtpSendParameters parameters = sender.getParameters();
      parameters.degradationPreference = preference;
      sender.setParameters(parameters, [](Result<void> result) { EXPECT_TRUE(result); });
    }
    EXPECT_TRUE(pair.connect());
  }
  Stats sent() {
    Stats out;
    pair.a().getStats([&](Result<StatsReport> report) {
      for (const Stats& object : report->all()) {
        if (object.type == "outbound-rtp") out = object;
      }
    });
    pair.run(Duration::millis(1));
    return out;
  }
  void widen() {
    sim::LinkConfig config = pair.hostA().port(0).up.config();
    config.queue.rate = DataRate::kbps(3000);
    pair.hostA().port(0).up.setConfig(config);
  }

  Pair pair;
  MediaStreamTrack track;
};

PARLEY_SIM_TEST(DegradationSim, PicturesGetSmallerAndComeBack) {
  NarrowCall call(world, DegradationPreference::MaintainFramerate);
  call.pair.run(Duration::seconds(25));
  const Stats low = call.sent();
  EXPECT_LE(low.number("frameWidth"), 480);
  EXPECT_GE(low.number("frameWidth"), 320);
  EXPECT_EQ(low.number("frameWidth") * 9, low.number("frameHeight") * 16);
  EXPECT_GT(low.number("framesPerSecond"), 25);
  EXPECT_EQ(low.text("qualityLimitationReason"), "bandwidth");
  const auto durations =
      std::get<std::map<std::string, double>>(low.members.at("qualityLimitationDurations"));
  EXPECT_GT(durations.at("bandwidth"), 15);
  call.widen();
  call.pair.run(Duration::seconds(60));
  const Stats high = call.sent();
  EXPECT_EQ(high.number("frameWidth"), 1280);
  EXPECT_EQ(high.number("frameHeight"), 720);
  EXPECT_EQ(high.text("qualityLimitationReason"), "none");
  EXPECT_GE(high.number("qualityLimitationResolutionChanges"), 3);
}

PARLEY_SIM_TEST(DegradationSim, BalancedIsTheDefault) {
  NarrowCall call(world, std::nullopt);
  call.pair.run(Duration::seconds(40));
  const Stats low = call.sent();
  EXPECT_LE(low.number("frameWidth"), 480);
  EXPECT_EQ(low.text("qualityLimitationReason"), "bandwidth");
}

PARLEY_SIM_TEST(DegradationSim, DetailKeepsItsResolution) {
  NarrowCall call(world, std::nullopt, "detail");
  call.pair.run(Duration::seconds(20));
  EXPECT_EQ(call.sent().number("frameWidth"), 1280);
}

PARLEY_SIM_TEST(DegradationSim, MotionKeepsItsFrameRate) {
  NarrowCall call(world, std::nullopt, "motion");
  call.pair.run(Duration::seconds(30));
  const Stats low = call.sent();
  EXPECT_LE(low.number("frameWidth"), 480);
  EXPECT_GT(low.number("framesPerSecond"), 25);
}

PARLEY_SIM_TEST(DegradationSim, TheAppsPreferenceGoesBeforeTheHint) {
  NarrowCall call(world, DegradationPreference::MaintainFramerateAndResolution, "motion");
  call.pair.run(Duration::seconds(20));
  EXPECT_EQ(call.sent().number("frameWidth"), 1280);
}

}  // namespace
}  // namespace parley
