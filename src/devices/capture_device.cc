#include "devices/capture_device.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "devices/convert.h"
#include "devices/stream_decoder.h"

extern "C" {
#include <libavdevice/avdevice.h>
}

namespace parley::devices {
namespace {

// How long to let a device be that has nothing: well below a frame.
constexpr auto kIdle = std::chrono::milliseconds(3);
// A device that fails this often in a row is gone.
constexpr int kMaxFailures = 20;

Timestamp steadyNow() {
  return Timestamp::nanos(std::chrono::duration_cast<std::chrono::nanoseconds>(
                              std::chrono::steady_clock::now().time_since_epoch())
                              .count());
}

/// The part that the device's thread keeps alive.
class CaptureCore {
 public:
  CaptureCore(av::Input input, StreamDecoder decoder, MediaKind kind)
      : kind_(kind), input_(std::move(input)), decoder_(std::move(decoder)) {
    const AVCodecParameters& parameters = *input_->streams[decoder_.index()]->codecpar;
    if (kind_ == MediaKind::Audio) {
      sound_.emplace(static_cast<size_t>(std::max(parameters.ch_layout.nb_channels, 1)));
    } else {
      width_ = parameters.width;
      height_ = parameters.height;
      AVStream* stream = input_->streams[decoder_.index()];
      fps_ = av_q2d(av_guess_frame_rate(input_.get(), stream, nullptr));
    }
  }

  MediaKind kind() const { return kind_; }
  int width() const { return width_; }
  int height() const { return height_; }
  double fps() const { return fps_; }

  MediaStreamTrack createTrack(const std::shared_ptr<Loop>& loop) {
    MediaStreamTrack track = kind_ == MediaKind::Video ? MediaStreamTrack::createVideo(loop)
                                                       : MediaStreamTrack::createAudio(loop);
    const std::lock_guard lock(mutex_);
    if (ended_) {
      track.stop();
    } else {
      feeds_.push_back({loop, track});
    }
    return track;
  }

  template <class Frame>
  using Sink = std::function<void(const Frame&)>;
  void setSink(Sink<codec::VideoFrame> sink) { store(videoSink_, std::move(sink)); }
  void setSink(Sink<codec::AudioFrame> sink) { store(audioSink_, std::move(sink)); }
  void setOnEnded(std::function<void()> callback) { store(onEnded_, std::move(callback)); }

  void requestStop() {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  bool ended() const {
    const std::lock_guard lock(mutex_);
    return ended_;
  }
  CaptureStats stats() const {
    const std::lock_guard lock(mutex_);
    return stats_;
  }

  /// The body of the device's thread.
  void run() {
    av::Packet packet = av::makePacket();
    int failures = 0;
    while (failures < kMaxFailures && !stopRequested()) {
      const int error = av_read_frame(input_.get(), packet.get());
      if (error == AVERROR(EAGAIN)) {
        idle();
        continue;
      }
      if (error == AVERROR_EOF) break;
      bool good = error >= 0;
      if (good && packet->stream_index == decoder_.index()) good = take(*packet);
      av_packet_unref(packet.get());
      failures = good ? 0 : failures + 1;
      if (!good) countError();
    }
    input_.reset();
    end();
  }

 private:
  struct Feed {
    std::weak_ptr<Loop> loop;
    MediaStreamTrack track;
  };

  template <class F>
  void store(std::function<F>& slot, std::function<F> fresh) {
    const std::lock_guard lock(mutex_);
    std::swap(slot, fresh);
  }
  bool stopRequested() const {
    const std::lock_guard lock(mutex_);
    return stopping_;
  }
  void idle() {
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, kIdle, [this] { return stopping_; });
  }
  void countError() {
    const std::lock_guard lock(mutex_);
    ++stats_.errors;
  }

  bool take(const AVPacket& packet) {
    return decoder_.decode(&packet, [this](const AVFrame& frame) {
      if (kind_ == MediaKind::Video) {
        codec::VideoFrame picture;
        picture.buffer = pictures_.convert(frame);
        if (picture.buffer) deliver(picture, videoSink_, stats_.videoFrames);
        return;
      }
      codec::AudioFrame piece;
      sound_->push(frame);
      while (sound_->pop(piece)) deliver(piece, audioSink_, stats_.audioFrames);
    });
  }

  template <class Frame>
  void deliver(Frame& frame, const Sink<Frame>& slot, uint64_t& counter) {
    std::vector<Feed> feeds;
    Sink<Frame> sink;
    {
      const std::lock_guard lock(mutex_);
      ++counter;
      std::erase_if(feeds_,
                    [](const Feed& f) { return f.track.readyState() == TrackState::Ended; });
      feeds = feeds_;
      sink = slot;
    }
    for (Feed& feed : feeds) {
      const std::shared_ptr<Loop> loop = feed.loop.lock();
      if (!loop) continue;
      frame.capture = loop->now();
      (void)feed.track.push(frame);
    }
    frame.capture = steadyNow();
    if (sink) sink(frame);
  }

  void end() {
    std::vector<Feed> feeds;
    std::function<void()> callback;
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
      feeds.swap(feeds_);
      callback = onEnded_;
    }
    for (Feed& feed : feeds) feed.track.stop();
    if (callback) callback();
  }

  const MediaKind kind_;
  av::Input input_;
  StreamDecoder decoder_;
  PictureConverter pictures_;
  std::optional<SoundConverter> sound_;
  int width_ = 0;
  int height_ = 0;
  double fps_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Feed> feeds_;
  Sink<codec::VideoFrame> videoSink_;
  Sink<codec::AudioFrame> audioSink_;
  std::function<void()> onEnded_;
  bool stopping_ = false;
  bool ended_ = false;
  CaptureStats stats_;
};

class CaptureHandle final : public CaptureDevice {
 public:
  explicit CaptureHandle(std::shared_ptr<CaptureCore> core)
      : core_(std::move(core)), thread_([kept = core_] { kept->run(); }) {}
  ~CaptureHandle() override { stop(); }

  MediaKind kind() const override { return core_->kind(); }
  int width() const override { return core_->width(); }
  int height() const override { return core_->height(); }
  double fps() const override { return core_->fps(); }
  MediaStreamTrack createTrack(const std::shared_ptr<Loop>& loop) override {
    return core_->createTrack(loop);
  }
  void setVideoSink(std::function<void(const codec::VideoFrame&)> sink) override {
    core_->setSink(std::move(sink));
  }
  void setAudioSink(std::function<void(const codec::AudioFrame&)> sink) override {
    core_->setSink(std::move(sink));
  }
  void onEnded(std::function<void()> callback) override { core_->setOnEnded(std::move(callback)); }
  void stop() override {
    core_->requestStop();
    if (std::this_thread::get_id() == ownThread_) {
      letGo();
      return;
    }
    const std::lock_guard lock(joinMutex_);
    if (thread_.joinable()) thread_.join();
  }
  bool ended() const override { return core_->ended(); }
  CaptureStats stats() const override { return core_->stats(); }

 private:
  /// On the device's own thread, which keeps the core and is about to end. Who holds the lock waits
  /// for that.
  void letGo() {
    const std::unique_lock lock(joinMutex_, std::try_to_lock);
    if (lock && thread_.joinable()) thread_.detach();
  }

  std::shared_ptr<CaptureCore> core_;
  std::mutex joinMutex_;
  std::thread thread_;
  const std::thread::id ownThread_ = thread_.get_id();
};

}  // namespace

Result<std::shared_ptr<CaptureDevice>> openInput(const InputRequest& request) {
  avdevice_register_all();
  const AVInputFormat* format = av_find_input_format(request.format.c_str());
  if (!format) {
    return fail(ErrorCode::NotSupported,
                "cannot open " + request.what + ": this FFmpeg has no input " + request.format);
  }
  const std::string what = "cannot open " + request.what;
  AVDictionary* options = nullptr;
  for (const auto& [key, value] : request.options)
    av_dict_set(&options, key.c_str(), value.c_str(), 0);
  AVFormatContext* context = avformat_alloc_context();
  if (!context) return fail(ErrorCode::Operation, what + ": out of memory");
  int error = avformat_open_input(&context, request.url.c_str(), format, &options);
  av_dict_free(&options);
  if (error < 0) return av::failure(what, error);
  av::Input input(context);
  error = avformat_find_stream_info(context, nullptr);
  if (error < 0) return av::failure(what, error);
  const AVMediaType type =
      request.kind == MediaKind::Video ? AVMEDIA_TYPE_VIDEO : AVMEDIA_TYPE_AUDIO;
  const int index = av_find_best_stream(context, type, -1, -1, nullptr, 0);
  if (index < 0) return av::failure(what, index);
  auto decoder = StreamDecoder::open(*context->streams[index], what);
  if (!decoder) return fail(decoder.error());
  // From here on reading does not wait, so that the thread can be stopped.
  context->flags |= AVFMT_FLAG_NONBLOCK;
  auto core = std::make_shared<CaptureCore>(std::move(input), *std::move(decoder), request.kind);
  return std::shared_ptr<CaptureDevice>(std::make_shared<CaptureHandle>(std::move(core)));
}

}  // namespace parley::devices
