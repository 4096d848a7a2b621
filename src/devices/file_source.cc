#include "parley/devices/file_source.h"

#include <utility>

#include "devices/clip_reader.h"

namespace parley::devices {
namespace {

class FileVideo final : public VideoSource {
 public:
  explicit FileVideo(std::shared_ptr<ClipReader> reader) : reader_(std::move(reader)) {}
  codec::VideoFrame next(Timestamp capture) override { return reader_->takeVideo(capture); }
  Duration interval() const override { return reader_->interval(); }

 private:
  std::shared_ptr<ClipReader> reader_;
};

class FileAudio final : public AudioSource {
 public:
  explicit FileAudio(std::shared_ptr<ClipReader> reader) : reader_(std::move(reader)) {}
  codec::AudioFrame next(Timestamp capture) override { return reader_->takeAudio(capture); }

 private:
  std::shared_ptr<ClipReader> reader_;
};

}  // namespace

Result<MediaFile> openMediaFile(const std::string& path, const MediaFileOptions& options) {
  auto opened = ClipReader::open(path, options);
  if (!opened) return fail(opened.error());
  const std::shared_ptr<ClipReader>& reader = *opened;
  MediaFile out;
  if (reader->hasVideo()) out.video = std::make_shared<FileVideo>(reader);
  if (reader->hasAudio()) out.audio = std::make_shared<FileAudio>(reader);
  out.width = reader->width();
  out.height = reader->height();
  out.fps = reader->fps();
  out.duration = reader->duration();
  return out;
}

}  // namespace parley::devices
