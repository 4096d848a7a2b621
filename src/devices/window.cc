#include <algorithm>
#include <deque>
#include <utility>

#include <SDL.h>

#include "parley/devices/playback.h"

#include "devices/sdl_video.h"

namespace parley::devices {
namespace {

constexpr size_t kMaxQueued = 8;
// A picture further ahead than this has a time of another clock.
constexpr Duration kMaxAhead = Duration::seconds(2);
// Drawing takes a while, and waiting another cycle would be later still.
constexpr Duration kEarly = Duration::millis(4);

SDL_Rect fit(int width, int height, int intoWidth, int intoHeight) {
  const double scale =
      std::min(static_cast<double>(intoWidth) / width, static_cast<double>(intoHeight) / height);
  const int w = std::max(1, static_cast<int>(width * scale + 0.5));
  const int h = std::max(1, static_cast<int>(height * scale + 0.5));
  return {(intoWidth - w) / 2, (intoHeight - h) / 2, w, h};
}

/// The window itself. `push`, `stats` and the like from any thread, the rest on SDL's.
class WindowCore final : public SdlClient {
 public:
  explicit WindowCore(std::weak_ptr<SdlVideo> video) : video_(std::move(video)) {}

  Result<void> create(const WindowOptions& options) {
    fixedSize_ = options.width > 0 && options.height > 0;
    window_ = SDL_CreateWindow(options.title.c_str(), SDL_WINDOWPOS_UNDEFINED,
                               SDL_WINDOWPOS_UNDEFINED, fixedSize_ ? options.width : 640,
                               fixedSize_ ? options.height : 480, SDL_WINDOW_RESIZABLE);
    if (window_) renderer_ = SDL_CreateRenderer(window_, -1, 0);
    if (window_ && !renderer_) renderer_ = SDL_CreateRenderer(window_, -1, SDL_RENDERER_SOFTWARE);
    if (!renderer_)
      return fail(ErrorCode::NotFound, std::string("cannot open a window: ") + SDL_GetError());
    id_ = SDL_GetWindowID(window_);
    return ok();
  }

  void destroy() {
    if (texture_) SDL_DestroyTexture(texture_);
    if (renderer_) SDL_DestroyRenderer(renderer_);
    if (window_) SDL_DestroyWindow(window_);
    texture_ = nullptr;
    renderer_ = nullptr;
    window_ = nullptr;
  }

  uint32_t windowId() const override { return id_; }

  void handleEvent(const SDL_Event& event) override {
    switch (event.window.event) {
      case SDL_WINDOWEVENT_EXPOSED:
      case SDL_WINDOWEVENT_SIZE_CHANGED:
        if (renderer_ && texture_) draw();
        break;
      case SDL_WINDOWEVENT_CLOSE:
        close();
        break;
      default:
        break;
    }
  }

  void advance(Timestamp now) override {
    codec::VideoFrame frame;
    {
      const std::lock_guard lock(mutex_);
      while (!queue_.empty()) {
        const Duration ahead = queue_.front().capture - now;
        if (ahead > kEarly && ahead < kMaxAhead) break;
        if (frame.buffer) ++stats_.framesDropped;
        frame = std::move(queue_.front());
        queue_.pop_front();
      }
    }
    if (frame.buffer && renderer_) show(frame);
  }

  void push(const codec::VideoFrame& frame) {
    if (!frame.buffer) return;
    {
      const std::lock_guard lock(mutex_);
      if (closed_) return;
      if (queue_.size() >= kMaxQueued) {
        queue_.pop_front();
        ++stats_.framesDropped;
      }
      queue_.push_back(frame);
    }
    if (const auto video = video_.lock()) video->wake();
  }

  void setOnClosed(std::function<void()> callback) {
    const std::lock_guard lock(mutex_);
    std::swap(onClosed_, callback);
  }
  bool closed() const {
    const std::lock_guard lock(mutex_);
    return closed_;
  }
  WindowStats stats() const {
    const std::lock_guard lock(mutex_);
    return stats_;
  }

  RgbPicture snapshot() {
    RgbPicture out;
    if (!renderer_ || !texture_) return out;
    draw();
    SDL_GetRendererOutputSize(renderer_, &out.width, &out.height);
    const size_t row = static_cast<size_t>(out.width) * 3;
    out.data.resize(row * static_cast<size_t>(out.height));
    if (SDL_RenderReadPixels(renderer_, nullptr, SDL_PIXELFORMAT_RGB24, out.data.data(),
                             static_cast<int>(row)) < 0) {
      return {};
    }
    return out;
  }

 private:
  void show(const codec::VideoFrame& frame) {
    const codec::I420Buffer& picture = *frame.buffer;
    if (!texture_ || picture.width() != width_ || picture.height() != height_) {
      if (texture_) SDL_DestroyTexture(texture_);
      width_ = picture.width();
      height_ = picture.height();
      texture_ = SDL_CreateTexture(renderer_, SDL_PIXELFORMAT_IYUV, SDL_TEXTUREACCESS_STREAMING,
                                   width_, height_);
      if (!texture_) return;
      SDL_SetTextureScaleMode(texture_, SDL_ScaleModeLinear);
    }
    SDL_UpdateYUVTexture(texture_, nullptr, picture.dataY(), picture.strideY(), picture.dataU(),
                         picture.strideU(), picture.dataV(), picture.strideV());
    rotation_ = static_cast<int>(frame.rotation);
    if (!std::exchange(fixedSize_, true)) {
      SDL_SetWindowSize(window_, sideways() ? height_ : width_, sideways() ? width_ : height_);
    }
    draw();
    SDL_RenderPresent(renderer_);
    const std::lock_guard lock(mutex_);
    ++stats_.framesShown;
  }

  bool sideways() const { return rotation_ == 90 || rotation_ == 270; }

  void draw() {
    int width = 0;
    int height = 0;
    SDL_GetRendererOutputSize(renderer_, &width, &height);
    SDL_SetRenderDrawColor(renderer_, 0, 0, 0, 255);
    SDL_RenderClear(renderer_);
    SDL_Rect target =
        sideways() ? fit(height_, width_, width, height) : fit(width_, height_, width, height);
    if (sideways()) {
      // SDL turns about the middle of the unturned rectangle.
      target = {target.x + (target.w - target.h) / 2, target.y + (target.h - target.w) / 2,
                target.h, target.w};
    }
    SDL_RenderCopyEx(renderer_, texture_, nullptr, &target, rotation_, nullptr, SDL_FLIP_NONE);
  }

  void close() {
    std::function<void()> callback;
    {
      const std::lock_guard lock(mutex_);
      if (std::exchange(closed_, true)) return;
      queue_.clear();
      callback = onClosed_;
    }
    destroy();
    if (callback) callback();
  }

  const std::weak_ptr<SdlVideo> video_;
  SDL_Window* window_ = nullptr;
  SDL_Renderer* renderer_ = nullptr;
  SDL_Texture* texture_ = nullptr;
  uint32_t id_ = 0;
  int width_ = 0;
  int height_ = 0;
  int rotation_ = 0;
  bool fixedSize_ = false;

  mutable std::mutex mutex_;
  std::deque<codec::VideoFrame> queue_;
  std::function<void()> onClosed_;
  bool closed_ = false;
  WindowStats stats_;
};

class WindowHandle final : public Window {
 public:
  WindowHandle(std::shared_ptr<SdlVideo> video, std::shared_ptr<WindowCore> core)
      : video_(std::move(video)), core_(std::move(core)) {}
  ~WindowHandle() override {
    show({});
    core_->setOnClosed({});
    video_->call([this] { core_->destroy(); });
  }

  void show(MediaStreamTrack track) override {
    const std::lock_guard lock(mutex_);
    if (track_) track_.setVideoSink({});
    track_ = std::move(track);
    if (!track_) return;
    track_.setVideoSink([core = core_](const codec::VideoFrame& frame) { core->push(frame); });
  }
  void push(const codec::VideoFrame& frame) override { core_->push(frame); }
  void onClosed(std::function<void()> callback) override {
    core_->setOnClosed(std::move(callback));
  }
  bool closed() const override { return core_->closed(); }
  RgbPicture snapshot() override {
    RgbPicture out;
    video_->call([&] { out = core_->snapshot(); });
    return out;
  }
  WindowStats stats() const override { return core_->stats(); }

 private:
  std::shared_ptr<SdlVideo> video_;
  std::shared_ptr<WindowCore> core_;
  std::mutex mutex_;
  MediaStreamTrack track_;
};

}  // namespace

Result<std::unique_ptr<Window>> Window::open(const WindowOptions& options) {
  std::string error;
  std::shared_ptr<SdlVideo> video = SdlVideo::get(error);
  if (!video) return fail(ErrorCode::NotFound, error);
  auto core = std::make_shared<WindowCore>(video);
  Result<void> created;
  video->call([&] {
    created = core->create(options);
    if (!created) core->destroy();
  });
  if (!created) return fail(created.error());
  video->add(core);
  return std::unique_ptr<Window>(std::make_unique<WindowHandle>(std::move(video), std::move(core)));
}

}  // namespace parley::devices
