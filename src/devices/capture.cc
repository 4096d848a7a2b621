#include "parley/devices/capture.h"

#include <cstdio>
#include <cstdlib>
#include <optional>

#include "devices/capture_device.h"

namespace parley::devices {
namespace {

std::string sizeText(int width, int height) {
  return std::to_string(width) + "x" + std::to_string(height);
}

std::string rateText(double fps) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f", fps);
  return text;
}

Failure badNumbers(const std::string& what) {
  return fail(ErrorCode::Range, "size and rate of " + what + " must be positive");
}

}  // namespace

Result<std::shared_ptr<CaptureDevice>> openCamera(const CameraOptions& options) {
  if (options.width < 1 || options.height < 1 || !(options.fps > 0)) return badNumbers("a camera");
  InputRequest request;
  request.what = "the camera " + options.device;
  request.format = "video4linux2";
  request.url = options.device;
  request.options = {{"video_size", sizeText(options.width, options.height)},
                     {"framerate", rateText(options.fps)}};
  auto opened = openInput(request);
  if (opened || opened.error().code != ErrorCode::Operation) return opened;
  // Some drivers refuse what they do not have instead of offering the nearest: take their own.
  request.options.clear();
  return openInput(request);
}

Result<std::shared_ptr<CaptureDevice>> openMicrophone(const MicrophoneOptions& options) {
  InputRequest request;
  request.kind = MediaKind::Audio;
  request.url = options.device;
  const char* const systems[] = {"pulse", "alsa"};
  std::optional<Error> first;
  for (const char* system : systems) {
    if (!options.system.empty() && options.system != system) continue;
    request.what = "the microphone " + options.device + " (" + system + ")";
    request.format = system;
    auto opened = openInput(request);
    if (opened) return opened;
    if (!first) first = opened.error();
  }
  if (first) return fail(*first);
  return fail(ErrorCode::NotSupported,
              "microphones are opened through pulse or alsa, not " + options.system);
}

Result<std::shared_ptr<CaptureDevice>> openScreen(const ScreenOptions& options) {
  if (options.width < 0 || options.height < 0 || !(options.fps > 0)) return badNumbers("a screen");
  const char* fromEnvironment = std::getenv("DISPLAY");
  std::string display = options.display;
  if (display.empty() && fromEnvironment) display = fromEnvironment;
  if (display.empty()) {
    return fail(ErrorCode::NotFound,
                "cannot open the screen: DISPLAY is not set and none is named");
  }
  InputRequest request;
  request.what = "the screen " + display;
  request.format = "x11grab";
  request.url = display + "+" + std::to_string(options.x) + "," + std::to_string(options.y);
  request.options = {{"framerate", rateText(options.fps)},
                     {"draw_mouse", options.showPointer ? "1" : "0"}};
  if (options.width > 0 && options.height > 0)
    request.options.emplace_back("video_size", sizeText(options.width, options.height));
  auto opened = openInput(request);
  // FFmpeg says only "input/output error" if there is no such display.
  if (!opened && opened.error().code == ErrorCode::Operation)
    return fail(ErrorCode::NotFound, opened.error().message);
  return opened;
}

}  // namespace parley::devices
