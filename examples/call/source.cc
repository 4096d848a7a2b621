#include "source.h"

#include <filesystem>
#include <utility>

#include "parley/devices/file_source.h"

#include "common/terminal.h"

namespace call {

using example::format;
using example::print;

namespace {

using parley::Loop;
using parley::MediaStreamTrack;
using parley::Result;
namespace devices = parley::devices;

constexpr const char* kClip = "friday.webm";

/// The clip that comes with the examples: in the source tree, or beside an installed program.
std::string defaultClip() {
  std::error_code ignored;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", ignored);
  for (const auto& folder : {std::filesystem::path(CALL_MEDIA_DIR), program.parent_path(),
                             program.parent_path().parent_path() / "media"}) {
    if (std::filesystem::exists(folder / kClip, ignored)) return folder / kClip;
  }
  return {};
}

Source testPattern(const std::shared_ptr<Loop>& loop) {
  Source out;
  out.video = MediaStreamTrack::createVideo(loop, parley::createTestPatternSource(640, 480, 30));
  out.audio = MediaStreamTrack::createAudio(loop, parley::createToneSource(440, 0.05));
  out.description = "a test pattern, 640x480, 30 fps, and a tone";
  return out;
}

Result<Source> openClip(const std::string& path, const std::shared_ptr<Loop>& loop) {
  auto file = devices::openMediaFile(path);
  if (!file) return parley::fail(file.error());
  Source out;
  if (file->video) out.video = MediaStreamTrack::createVideo(loop, file->video);
  if (file->audio) out.audio = MediaStreamTrack::createAudio(loop, file->audio);
  out.description = format("%s, %dx%d, %.0f fps", std::filesystem::path(path).filename().c_str(),
                           file->width, file->height, file->fps);
  return out;
}

void addMicrophone(Source& source, const std::shared_ptr<Loop>& loop) {
  auto microphone = devices::openMicrophone();
  if (!microphone) {
    print("No microphone: " + microphone.error().message);
    return;
  }
  source.audio = (*microphone)->createTrack(loop);
  source.devices.push_back(std::move(*microphone));
}

Result<Source> openDevice(Result<std::shared_ptr<devices::CaptureDevice>> device, const char* name,
                          const std::shared_ptr<Loop>& loop) {
  if (!device) return parley::fail(device.error());
  Source out;
  out.video = (*device)->createTrack(loop);
  out.description = format("%s, %dx%d, %.0f fps", name, (*device)->width(), (*device)->height(),
                           (*device)->fps());
  out.devices.push_back(std::move(*device));
  return out;
}

}  // namespace

Result<Source> openSource(const Options& options, const std::shared_ptr<Loop>& loop) {
  if (options.show == Show::TestPattern) return testPattern(loop);
  if (options.show == Show::Screen) return openDevice(devices::openScreen(), "the screen", loop);
  if (options.show == Show::Camera) {
    devices::CameraOptions camera;
    if (!options.camera.empty()) camera.device = options.camera;
    auto source = openDevice(devices::openCamera(camera), "the camera", loop);
    if (source) addMicrophone(*source, loop);
    return source;
  }
  const std::string clip = options.clip.empty() ? defaultClip() : options.clip;
  if (!clip.empty()) return openClip(clip, loop);
  print("The clip of the examples is not there: showing a test pattern");
  return testPattern(loop);
}

}  // namespace call
