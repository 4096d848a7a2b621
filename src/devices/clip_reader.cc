#include "devices/clip_reader.h"

#include <algorithm>
#include <utility>

namespace parley::devices {
namespace {

constexpr size_t kPicturesAhead = 15;
constexpr size_t kLargePicturesAhead = 6;  // 1080p: 3 MB each
constexpr size_t kSoundsAhead = 100;       // a second
constexpr Duration kStale = Duration::millis(500);
// Sound that is this far from its time is left out or waited for; less is kept as it is, because a
// seam is heard and a few milliseconds are not seen.
constexpr Duration kSoundTolerance = Duration::millis(60);
constexpr Duration kPiece = Duration::millis(10);

int askInterrupted(void* flag) {
  return static_cast<std::atomic<bool>*>(flag)->load() ? 1 : 0;
}

}  // namespace

Result<std::shared_ptr<ClipReader>> ClipReader::open(const std::string& path,
                                                     const MediaFileOptions& options) {
  std::shared_ptr<ClipReader> reader(new ClipReader(options));
  if (Result<void> started = reader->start(path); !started) return fail(started.error());
  return reader;
}

Result<void> ClipReader::start(const std::string& path) {
  AVFormatContext* context = avformat_alloc_context();
  if (!context) return fail(ErrorCode::Operation, "out of memory");
  context->interrupt_callback = {askInterrupted, &interrupted_};
  // A failing call frees the context.
  int error = avformat_open_input(&context, path.c_str(), nullptr, nullptr);
  const std::string what = "cannot open the media file " + path;
  if (error < 0) return av::failure(what, error);
  input_.reset(context);
  error = avformat_find_stream_info(context, nullptr);
  if (error < 0) return av::failure(what, error);

  const int videoIndex = av_find_best_stream(context, AVMEDIA_TYPE_VIDEO, -1, -1, nullptr, 0);
  const int audioIndex =
      av_find_best_stream(context, AVMEDIA_TYPE_AUDIO, -1, videoIndex, nullptr, 0);
  constexpr int kCover = AV_DISPOSITION_ATTACHED_PIC;  // the picture of a music file
  if (videoIndex >= 0 && (context->streams[videoIndex]->disposition & kCover) == 0) {
    auto opened = StreamDecoder::open(*context->streams[videoIndex], what);
    if (!opened) return fail(opened.error());
    video_ = *std::move(opened);
  }
  if (audioIndex >= 0) {
    auto opened = StreamDecoder::open(*context->streams[audioIndex], what);
    if (!opened) return fail(opened.error());
    audio_ = *std::move(opened);
    sounds_.emplace(static_cast<size_t>(
        std::max(context->streams[audioIndex]->codecpar->ch_layout.nb_channels, 1)));
  }
  if (!video_ && !audio_)
    return fail(ErrorCode::NotSupported, what + ": it has neither pictures nor sound");
  packet_ = av::makePacket();
  describe();
  thread_ = std::thread([this] { run(); });
  return ok();
}

void ClipReader::describe() {
  if (input_->duration > 0) duration_ = Duration::micros(input_->duration);
  for (unsigned i = 0; i < input_->nb_streams; ++i) {
    AVStream& stream = *input_->streams[i];
    const bool used =
        (video_ && video_->index() == stream.index) || (audio_ && audio_->index() == stream.index);
    if (!used) stream.discard = AVDISCARD_ALL;
  }
  if (!video_) return;
  const AVStream& stream = *input_->streams[video_->index()];
  width_ = stream.codecpar->width;
  height_ = stream.codecpar->height;
  picturesAhead_ = width_ * height_ > 1280 * 720 ? kLargePicturesAhead : kPicturesAhead;
  rotation_ = rotationOf(stream);
  fps_ = av_q2d(av_guess_frame_rate(input_.get(), input_->streams[video_->index()], nullptr));
  if (!(fps_ >= 1 && fps_ <= 240)) fps_ = 30;
  interval_ = Duration::fromSeconds(1.0 / fps_);
}

ClipReader::~ClipReader() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  interrupted_ = true;
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void ClipReader::run() {
  do {
    const Duration before = end_;
    while (readOnce()) {
    }
    drain();
    // A file that gives nothing would be read again and again without end.
    if (end_ <= before) break;
  } while (options_.loop && !interrupted_ && rewind());
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
}

bool ClipReader::readOnce() {
  if (!waitForRoom()) return false;
  if (av_read_frame(input_.get(), packet_.get()) < 0) return false;
  takePacket(*packet_);
  av_packet_unref(packet_.get());
  return true;
}

// What is too old to be taken: a source that is not used, or was stalled, must not stop the other.
void ClipReader::dropStale() {
  if (!start_) return;
  const Duration oldest = position_ - kStale;
  while (!pictureQueue_.empty() && pictureQueue_.front().at < oldest) pictureQueue_.pop_front();
  while (!soundQueue_.empty() && soundQueue_.front().at < oldest) soundQueue_.pop_front();
}

bool ClipReader::full() {
  dropStale();
  const size_t pictures = pictureQueue_.size();
  const size_t sounds = soundQueue_.size();
  const bool videoFull = !video_ || pictures >= picturesAhead_;
  const bool audioFull = !audio_ || sounds >= kSoundsAhead;
  if (videoFull && audioFull) return true;
  // One has enough and the other is about to run dry: read on, up to twice the queue. The file may
  // be badly interleaved, or one of its streams may be at its end.
  if (video_ && pictures >= picturesAhead_) return sounds >= 20 || pictures >= 2 * picturesAhead_;
  if (audio_ && sounds >= kSoundsAhead) return pictures >= 3 || sounds >= 2 * kSoundsAhead;
  return false;
}

// With one queue full to its limit and the other empty the file has nothing for the other here.
bool ClipReader::worthWaiting() {
  return options_.waitForDecoder && !ended_ && !full();
}

bool ClipReader::waitForRoom() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return stopping_ || !full(); });
  return !stopping_;
}

bool ClipReader::rewind() {
  // Whole frames, so that the rhythm of the pictures goes on across the seam.
  const Duration length = end_ - base_;
  const int64_t frames = (length.nanos() + interval_.nanos() * 3 / 4) / interval_.nanos();
  base_ += video_ ? interval_ * std::max<int64_t>(frames, 1) : length;
  end_ = base_;
  soundAnchored_ = false;
  const int64_t begin = input_->start_time == AV_NOPTS_VALUE ? 0 : input_->start_time;
  if (av_seek_frame(input_.get(), -1, begin, AVSEEK_FLAG_BACKWARD) < 0) return false;
  if (video_) video_->flush();
  if (audio_) audio_->flush();
  return true;
}

void ClipReader::takePacket(const AVPacket& packet) {
  if (video_ && packet.stream_index == video_->index()) {
    video_->decode(&packet, [this](const AVFrame& frame) { onPicture(frame); });
  } else if (audio_ && packet.stream_index == audio_->index()) {
    audio_->decode(&packet, [this](const AVFrame& frame) { onSound(frame); });
  }
}

void ClipReader::drain() {
  if (video_) video_->decode(nullptr, [this](const AVFrame& frame) { onPicture(frame); });
  if (!audio_) return;
  audio_->decode(nullptr, [this](const AVFrame& frame) { onSound(frame); });
  sounds_->pad();
  moveSound();
}

Duration ClipReader::positionOf(int64_t pts, AVRational timeBase) const {
  const int64_t begin = input_->start_time == AV_NOPTS_VALUE ? 0 : input_->start_time;
  const int64_t micros = av_rescale_q(pts, timeBase, AVRational{1, AV_TIME_BASE});
  return base_ + Duration::micros(micros - begin);
}

void ClipReader::onPicture(const AVFrame& frame) {
  std::shared_ptr<const codec::I420Buffer> buffer = pictures_.convert(frame);
  if (!buffer) return;
  const int64_t pts = frame.best_effort_timestamp;
  Duration at = pts == AV_NOPTS_VALUE ? end_ : positionOf(pts, video_->timeBase());
  // The pictures of many files begin a little after zero. On the grid of the frames, rounding to
  // whole milliseconds (as WebM does) cannot move one into the next interval.
  if (!pictureShift_) pictureShift_ = at < interval_ ? at : Duration::zero();
  at -= *pictureShift_;
  end_ = std::max(end_, at + interval_);
  {
    const std::lock_guard lock(mutex_);
    pictureQueue_.push_back({at, std::move(buffer)});
  }
  changed_.notify_all();
}

void ClipReader::onSound(const AVFrame& frame) {
  const int64_t pts = frame.best_effort_timestamp;
  if (pts != AV_NOPTS_VALUE) {
    const Duration buffered =
        Duration::micros(static_cast<int64_t>(sounds_->buffered()) * 1'000'000 / 48'000);
    const Duration at = positionOf(pts, audio_->timeBase()) - buffered;
    const Duration off = at - soundAt_;
    if (!soundAnchored_ || off > kSoundTolerance || off < -kSoundTolerance) soundAt_ = at;
    soundAnchored_ = true;
  }
  if (sounds_->push(frame)) moveSound();
}

void ClipReader::moveSound() {
  {
    const std::lock_guard lock(mutex_);
    Sound sound;
    while (sounds_->pop(sound.frame)) {
      sound.at = soundAt_;
      soundAt_ += kPiece;
      soundQueue_.push_back(sound);
    }
  }
  end_ = std::max(end_, soundAt_);
  changed_.notify_all();
}

Duration ClipReader::elapsed(Timestamp capture) {
  if (!start_) start_ = capture;
  const Duration position = capture - *start_;
  position_ = std::max(position_, position);
  return position;
}

codec::VideoFrame ClipReader::takeVideo(Timestamp capture) {
  codec::VideoFrame out;
  out.capture = capture;
  out.rotation = rotation_;
  std::unique_lock lock(mutex_);
  const Duration limit = elapsed(capture) + interval_ / 2;
  for (;;) {
    // The newest that is due; older ones were missed.
    while (!pictureQueue_.empty() && pictureQueue_.front().at <= limit) {
      out.buffer = std::move(pictureQueue_.front().buffer);
      pictureQueue_.pop_front();
    }
    if (!pictureQueue_.empty() || !worthWaiting()) break;
    changed_.notify_all();
    changed_.wait(lock);
  }
  lock.unlock();
  changed_.notify_all();
  return out;
}

codec::AudioFrame ClipReader::takeAudio(Timestamp capture) {
  codec::AudioFrame out;
  out.channels = sounds_->channels();
  std::unique_lock lock(mutex_);
  const Duration position = elapsed(capture);
  for (;;) {
    while (!soundQueue_.empty() && soundQueue_.front().at < position - kSoundTolerance)
      soundQueue_.pop_front();
    if (!soundQueue_.empty() || !worthWaiting()) break;
    changed_.notify_all();
    changed_.wait(lock);
  }
  if (!soundQueue_.empty() && soundQueue_.front().at <= position + kSoundTolerance) {
    out = soundQueue_.front().frame;
    soundQueue_.pop_front();
  }
  out.capture = capture;
  lock.unlock();
  changed_.notify_all();
  return out;
}

}  // namespace parley::devices
