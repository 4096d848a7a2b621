#include "received.h"

#include <filesystem>
#include <utility>

#include "common/terminal.h"

namespace call {

using example::byteCount;
using example::format;
using example::print;
using parley::Result;
namespace devices = parley::devices;

Result<std::unique_ptr<Received>> Received::open(const Options& options, int number,
                                                 std::shared_ptr<devices::Speaker> speaker,
                                                 std::function<void()> onWindowClosed) {
  std::unique_ptr<Received> out(new Received);
  out->speaker_ = std::move(speaker);
  if (!options.record.empty()) {
    out->path_ = numbered(options.record, number);
    auto recorder = devices::Recorder::create(out->path_);
    if (!recorder) return parley::fail(recorder.error());
    out->recorder_ = std::move(*recorder);
  }
  if (options.window) {
    auto window = devices::Window::open({.title = format("Parley: call %d", number)});
    if (!window) return parley::fail(window.error());
    out->window_ = std::move(*window);
    out->window_->onClosed(std::move(onWindowClosed));
  }
  return out;
}

void Received::add(parley::MediaStreamTrack track) {
  if (track.kind() == parley::MediaKind::Audio) return addAudio(std::move(track));
  // The two do not get in each other's way: the recorder takes the pictures as they came over the
  // network, the window takes them decoded.
  if (recorder_) {
    if (const auto added = recorder_->addTrack(track); !added)
      print("Not recorded: " + added.error().message);
  }
  if (window_) window_->show(std::move(track));
}

void Received::addAudio(parley::MediaStreamTrack track) {
  if (!recorder_ && !speaker_) return;
  size_t recorded = 0;
  if (recorder_) {
    const auto added = recorder_->addAudio();
    if (!added) return print("Not recorded: " + added.error().message);
    recorded = *added;
  }
  track.setAudioSink(
      [recorder = recorder_, recorded, speaker = speaker_](const parley::codec::AudioFrame& frame) {
        if (recorder) recorder->push(recorded, frame);
        if (speaker) speaker->push(frame);
      });
}

std::string Received::finish() {
  window_.reset();
  if (!recorder_) return {};
  const auto finished = recorder_->finish();
  const devices::RecorderStats stats = recorder_->stats();
  if (!finished) {
    if (stats.videoFrames + stats.audioFrames > 0) return "recording: " + finished.error().message;
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);  // nothing came, nothing to keep
    return {};
  }
  return format("recorded %s: %llu pictures, %s", path_.c_str(),
                static_cast<unsigned long long>(stats.videoFrames),
                byteCount(static_cast<double>(stats.bytesWritten)).c_str());
}

}  // namespace call
