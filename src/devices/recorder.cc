#include "parley/devices/recorder.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <variant>

#include "devices/webm_writer.h"

namespace parley::devices {
namespace {

// Four seconds of a call with one video track. A disk that is slower for longer loses frames.
constexpr size_t kMaxQueued = 600;

/// What sinks, the handle and the writing thread share.
class RecorderCore {
 public:
  RecorderCore(std::unique_ptr<WebmWriter> writer, bool writeInline)
      : inline_(writeInline), writer_(std::move(writer)) {
    if (!inline_) thread_ = std::thread([this] { run(); });
  }

  Result<size_t> add(MediaKind kind) {
    const std::scoped_lock lock(writerMutex_, mutex_);
    if (closing_) return fail(ErrorCode::InvalidState, "the recording is finished");
    if (Result<void> added = writer_->addTrack(kinds_.size(), kind); !added)
      return fail(added.error());
    kinds_.push_back(kind);
    needKeyFrame_.push_back(false);
    return kinds_.size() - 1;
  }

  template <class Frame>
  void push(size_t track, const Frame& frame) {
    constexpr bool kVideo = std::is_same_v<Frame, codec::EncodedVideoFrame>;
    std::unique_lock<std::mutex> writing;
    if (inline_) writing = std::unique_lock(writerMutex_);
    const std::lock_guard lock(mutex_);
    if (closing_ || track >= kinds_.size()) return;
    if ((kinds_[track] == MediaKind::Video) != kVideo) return;
    if (inline_) {
      writer_->push(track, frame);
      stats_ = writer_->stats();
      return;
    }
    if constexpr (kVideo) {
      // After a lost picture nothing can be decoded before the next key frame.
      if (frame.keyFrame) needKeyFrame_[track] = false;
      if (needKeyFrame_[track] || queue_.size() >= kMaxQueued) {
        needKeyFrame_[track] = true;
        ++lost_.droppedVideoFrames;
        return;
      }
    } else if (queue_.size() >= kMaxQueued) {
      ++lost_.droppedAudioFrames;
      return;
    }
    queue_.push_back({track, frame});
    wake_.notify_one();
  }

  Result<void> finish() {
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
    }
    wake_.notify_one();
    const std::lock_guard finishing(finishMutex_);
    if (thread_.joinable()) thread_.join();
    if (!result_) {
      result_ = writer_->finish();
      const std::lock_guard lock(mutex_);
      stats_ = writer_->stats();
    }
    return *result_;
  }

  RecorderStats stats() const {
    const std::lock_guard lock(mutex_);
    RecorderStats out = stats_;
    out.droppedVideoFrames += lost_.droppedVideoFrames;
    out.droppedAudioFrames += lost_.droppedAudioFrames;
    return out;
  }

 private:
  struct Item {
    size_t track;
    std::variant<codec::EncodedVideoFrame, codec::AudioFrame> frame;
  };

  void run() {
    std::deque<Item> batch;
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return closing_ || !queue_.empty(); });
      if (queue_.empty()) return;
      batch.swap(queue_);
      lock.unlock();
      RecorderStats stats;
      {
        const std::lock_guard writing(writerMutex_);
        for (const Item& item : batch)
          std::visit([&](const auto& frame) { writer_->push(item.track, frame); }, item.frame);
        stats = writer_->stats();
      }
      batch.clear();
      lock.lock();
      stats_ = stats;
    }
  }

  const bool inline_;
  std::mutex writerMutex_;  ///< taken before `mutex_`
  const std::unique_ptr<WebmWriter> writer_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Item> queue_;
  std::vector<MediaKind> kinds_;
  std::vector<bool> needKeyFrame_;
  bool closing_ = false;
  RecorderStats stats_;
  RecorderStats lost_;
  std::mutex finishMutex_;
  std::optional<Result<void>> result_;
  std::thread thread_;
};

class RecorderHandle final : public Recorder {
 public:
  explicit RecorderHandle(std::shared_ptr<RecorderCore> core) : core_(std::move(core)) {}
  ~RecorderHandle() override { (void)finish(); }

  Result<void> addTrack(MediaStreamTrack track) override {
    Result<size_t> added = core_->add(track.kind());
    if (!added) return fail(added.error());
    const size_t index = *added;
    if (track.kind() == MediaKind::Video) {
      track.setEncodedVideoSink([core = core_, index](const codec::EncodedVideoFrame& frame) {
        core->push(index, frame);
      });
    } else {
      track.setAudioSink(
          [core = core_, index](const codec::AudioFrame& frame) { core->push(index, frame); });
    }
    const std::lock_guard lock(mutex_);
    tracks_.push_back(std::move(track));
    return ok();
  }
  Result<size_t> addVideo() override { return core_->add(MediaKind::Video); }
  Result<size_t> addAudio() override { return core_->add(MediaKind::Audio); }
  void push(size_t track, const codec::EncodedVideoFrame& frame) override {
    core_->push(track, frame);
  }
  void push(size_t track, const codec::AudioFrame& frame) override { core_->push(track, frame); }

  Result<void> finish() override {
    std::vector<MediaStreamTrack> tracks;
    {
      const std::lock_guard lock(mutex_);
      tracks.swap(tracks_);
    }
    for (MediaStreamTrack& track : tracks) {
      if (track.kind() == MediaKind::Video) {
        track.setEncodedVideoSink({});
      } else {
        track.setAudioSink({});
      }
    }
    return core_->finish();
  }
  RecorderStats stats() const override { return core_->stats(); }

 private:
  std::shared_ptr<RecorderCore> core_;
  std::mutex mutex_;
  std::vector<MediaStreamTrack> tracks_;
};

}  // namespace

Result<std::unique_ptr<Recorder>> Recorder::create(const std::string& path,
                                                   RecorderOptions options) {
  auto writer = WebmWriter::create(path, options);
  if (!writer) return fail(writer.error());
  auto core = std::make_shared<RecorderCore>(*std::move(writer), options.writeInline);
  return std::unique_ptr<Recorder>(std::make_unique<RecorderHandle>(std::move(core)));
}

}  // namespace parley::devices
