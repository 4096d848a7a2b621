// libwebrtc (Debian's libtgowt-dev) as a forwarding server. It has no way to pass packets on, so
// frames go as applications take them through it: a decoder that decodes nothing hands each whole
// frame to encoders that encode nothing.

#include <api/audio_codecs/builtin_audio_decoder_factory.h>
#include <api/audio_codecs/builtin_audio_encoder_factory.h>
#include <api/create_peerconnection_factory.h>
#include <api/peer_connection_interface.h>
#include <api/video_codecs/video_decoder.h>
#include <api/video_codecs/video_decoder_factory.h>
#include <api/video_codecs/video_encoder.h>
#include <api/video_codecs/video_encoder_factory.h>
#include <condition_variable>
#include <functional>
#include <media/base/adapted_video_track_source.h>
#include <memory>
#include <modules/audio_device/include/fake_audio_device.h>
#include <modules/video_coding/include/video_codec_interface.h>
#include <modules/video_coding/include/video_error_codes.h>
#include <mutex>
#include <rtc_base/event.h>
#include <rtc_base/logging.h>
#include <rtc_base/ref_counted_object.h>
#include <rtc_base/ssl_adapter.h>
#include <rtc_base/thread.h>
#include <rtc_base/time_utils.h>
#include <utility>
#include <vector>

#include "bench/peers/forwarding_main.h"

namespace parley::bench {
namespace {

using rtc::scoped_refptr;

/// A compressed frame that travels as a picture.
class FrameInDisguise : public webrtc::VideoFrameBuffer {
 public:
  explicit FrameInDisguise(const webrtc::EncodedImage& frame) : frame_(frame) {}
  Type type() const override { return Type::kNative; }
  int width() const override { return static_cast<int>(frame_._encodedWidth); }
  int height() const override { return static_cast<int>(frame_._encodedHeight); }
  scoped_refptr<webrtc::I420BufferInterface> ToI420() override { return nullptr; }
  const webrtc::EncodedImage& frame() const { return frame_; }

 private:
  const webrtc::EncodedImage frame_;
};

class Decoder : public webrtc::VideoDecoder {
 public:
  bool Configure(const Settings&) override { return true; }
  int32_t Decode(const webrtc::EncodedImage& image, bool, int64_t) override {
    webrtc::EncodedImage frame = image;
    // Frames between key frames do not say how large they are.
    if (frame._encodedWidth == 0) std::tie(frame._encodedWidth, frame._encodedHeight) = size_;
    size_ = {frame._encodedWidth, frame._encodedHeight};
    webrtc::VideoFrame picture =
        webrtc::VideoFrame::Builder()
            .set_video_frame_buffer(rtc::make_ref_counted<FrameInDisguise>(frame))
            .set_timestamp_rtp(image.Timestamp())
            .set_ntp_time_ms(image.ntp_time_ms_)
            .build();
    done_->Decoded(picture);
    return WEBRTC_VIDEO_CODEC_OK;
  }
  int32_t RegisterDecodeCompleteCallback(webrtc::DecodedImageCallback* done) override {
    done_ = done;
    return WEBRTC_VIDEO_CODEC_OK;
  }
  int32_t Release() override { return WEBRTC_VIDEO_CODEC_OK; }

 private:
  webrtc::DecodedImageCallback* done_ = nullptr;
  std::pair<uint32_t, uint32_t> size_{1280, 720};
};

class Encoder : public webrtc::VideoEncoder {
 public:
  int InitEncode(const webrtc::VideoCodec*, const Settings&) override {
    return WEBRTC_VIDEO_CODEC_OK;
  }
  int32_t RegisterEncodeCompleteCallback(webrtc::EncodedImageCallback* done) override {
    done_ = done;
    return WEBRTC_VIDEO_CODEC_OK;
  }
  int32_t Release() override { return WEBRTC_VIDEO_CODEC_OK; }
  void SetRates(const RateControlParameters&) override {}
  EncoderInfo GetEncoderInfo() const override {
    EncoderInfo info;
    info.supports_native_handle = true;
    info.has_trusted_rate_controller = true;  // no frame is left out to keep a rate
    info.implementation_name = "none";
    return info;
  }
  int32_t Encode(const webrtc::VideoFrame& picture,
                 const std::vector<webrtc::VideoFrameType>*) override {
    const auto buffer = picture.video_frame_buffer();
    if (buffer->type() != webrtc::VideoFrameBuffer::Type::kNative) {
      return WEBRTC_VIDEO_CODEC_OK;
    }
    webrtc::EncodedImage frame = static_cast<FrameInDisguise*>(buffer.get())->frame();
    frame.SetTimestamp(picture.timestamp());
    frame.qp_ = 30;  // or it would be looked for in what is no VP8
    frame.capture_time_ms_ = picture.render_time_ms();
    webrtc::CodecSpecificInfo info;
    info.codecType = webrtc::kVideoCodecVP8;
    info.codecSpecific.VP8.nonReference = false;
    info.codecSpecific.VP8.temporalIdx = webrtc::kNoTemporalIdx;
    info.codecSpecific.VP8.keyIdx = webrtc::kNoKeyIdx;
    done_->OnEncodedImage(frame, &info);
    return WEBRTC_VIDEO_CODEC_OK;
  }

 private:
  webrtc::EncodedImageCallback* done_ = nullptr;
};

class DecoderFactory : public webrtc::VideoDecoderFactory {
  std::vector<webrtc::SdpVideoFormat> GetSupportedFormats() const override {
    return {webrtc::SdpVideoFormat("VP8")};
  }
  std::unique_ptr<webrtc::VideoDecoder> CreateVideoDecoder(const webrtc::SdpVideoFormat&) override {
    return std::make_unique<Decoder>();
  }
};

class EncoderFactory : public webrtc::VideoEncoderFactory {
  std::vector<webrtc::SdpVideoFormat> GetSupportedFormats() const override {
    return {webrtc::SdpVideoFormat("VP8")};
  }
  std::unique_ptr<webrtc::VideoEncoder> CreateVideoEncoder(const webrtc::SdpVideoFormat&) override {
    return std::make_unique<Encoder>();
  }
};

/// What all viewers see.
class Stage : public rtc::AdaptedVideoTrackSource,
              public rtc::VideoSinkInterface<webrtc::VideoFrame> {
 public:
  void OnFrame(const webrtc::VideoFrame& picture) override {
    webrtc::VideoFrame copy = picture;
    // The encoders' side drops what is not later than the frame before.
    last_ = std::max(last_ + 1, rtc::TimeMillis());
    copy.set_timestamp_us(rtc::TimeMicros());
    copy.set_ntp_time_ms(last_);
    copy.set_timestamp(0);
    AdaptedVideoTrackSource::OnFrame(copy);
  }
  SourceState state() const override { return kLive; }
  bool remote() const override { return false; }
  bool is_screencast() const override { return false; }
  absl::optional<bool> needs_denoising() const override { return false; }

 private:
  int64_t last_ = 0;
};

class Connection : public webrtc::PeerConnectionObserver {
 public:
  scoped_refptr<webrtc::PeerConnectionInterface> pc;

  void waitForCandidates() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return gathered_; });
  }

 private:
  void OnSignalingChange(webrtc::PeerConnectionInterface::SignalingState) override {}
  void OnDataChannel(scoped_refptr<webrtc::DataChannelInterface>) override {}
  void OnIceCandidate(const webrtc::IceCandidateInterface*) override {}
  void OnIceGatheringChange(webrtc::PeerConnectionInterface::IceGatheringState state) override {
    if (state != webrtc::PeerConnectionInterface::kIceGatheringComplete) return;
    const std::lock_guard lock(mutex_);
    gathered_ = true;
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool gathered_ = false;
};

/// One completion of libwebrtc, waited for.
struct Created : webrtc::CreateSessionDescriptionObserver {
  rtc::Event done;
  webrtc::SessionDescriptionInterface* description = nullptr;
  void OnSuccess(webrtc::SessionDescriptionInterface* made) override {
    description = made;
    done.Set();
  }
  void OnFailure(webrtc::RTCError) override { done.Set(); }
};
struct Applied : webrtc::SetSessionDescriptionObserver {
  rtc::Event done;
  void OnSuccess() override { done.Set(); }
  void OnFailure(webrtc::RTCError error) override {
    std::cerr << error.message() << '\n';
    done.Set();
  }
};

class Server {
 public:
  Server() {
    rtc::LogMessage::LogToDebug(rtc::LS_NONE);
    rtc::InitializeSSL();
    for (const auto& thread : {network_.get(), worker_.get(), signaling_.get()}) thread->Start();
    factory_ = webrtc::CreatePeerConnectionFactory(
        network_.get(), worker_.get(), signaling_.get(),
        scoped_refptr<webrtc::AudioDeviceModule>(
            new rtc::RefCountedObject<webrtc::FakeAudioDeviceModule>()),
        webrtc::CreateBuiltinAudioEncoderFactory(), webrtc::CreateBuiltinAudioDecoderFactory(),
        std::make_unique<EncoderFactory>(), std::make_unique<DecoderFactory>(), nullptr, nullptr);
    webrtc::PeerConnectionFactoryInterface::Options options;
    options.network_ignore_mask = 0;  // loopback, too
    options.crypto_options.srtp.enable_gcm_crypto_suites = true;
    factory_->SetOptions(options);
  }

  std::string join(const std::string& offer, bool publisher) {
    auto connection = std::make_unique<Connection>();
    webrtc::PeerConnectionInterface::RTCConfiguration configuration;
    configuration.sdp_semantics = webrtc::SdpSemantics::kUnifiedPlan;
    auto& pc = connection->pc;
    pc = factory_
             ->CreatePeerConnectionOrError(configuration,
                                           webrtc::PeerConnectionDependencies(connection.get()))
             .MoveValue();
    webrtc::BitrateSettings rates;
    rates.min_bitrate_bps = rates.start_bitrate_bps = 30'000'000;
    rates.max_bitrate_bps = 100'000'000;
    pc->SetBitrate(rates);
    apply([&](auto* observer) {
      pc->SetRemoteDescription(observer, described("offer", offer).release());
    });
    if (publisher) {
      watch(*pc);
    } else {
      show(*pc);
    }
    const auto created = rtc::make_ref_counted<Created>();
    pc->CreateAnswer(created.get(), {});
    created->done.Wait(rtc::Event::kForever);
    apply([&](auto* observer) { pc->SetLocalDescription(observer, created->description); });
    connection->waitForCandidates();
    std::string answer;
    pc->local_description()->ToString(&answer);
    connections_.push_back(std::move(connection));
    return answer;
  }
  uint64_t count() const { return 0; }

 private:
  static std::unique_ptr<webrtc::SessionDescriptionInterface> described(const std::string& type,
                                                                        const std::string& sdp) {
    return webrtc::CreateSessionDescription(*webrtc::SdpTypeFromString(type), sdp);
  }
  static void apply(const std::function<void(Applied*)>& set) {
    const auto observer = rtc::make_ref_counted<Applied>();
    set(observer.get());
    observer->done.Wait(rtc::Event::kForever);
  }
  void watch(webrtc::PeerConnectionInterface& pc) {
    const auto track = pc.GetTransceivers().front()->receiver()->track();
    static_cast<webrtc::VideoTrackInterface*>(track.get())->AddOrUpdateSink(stage_.get(), {});
  }
  void show(webrtc::PeerConnectionInterface& pc) {
    const auto sender =
        pc.AddTrack(factory_->CreateVideoTrack("v", stage_.get()), {"s"}).MoveValue();
    webrtc::RtpParameters parameters = sender->GetParameters();
    parameters.degradation_preference = webrtc::DegradationPreference::DISABLED;
    for (auto& encoding : parameters.encodings) {
      encoding.max_bitrate_bps = 100'000'000;
      encoding.max_framerate = 1000;
    }
    if (const auto error = sender->SetParameters(parameters); !error.ok())
      std::cerr << error.message() << '\n';
  }

  const std::unique_ptr<rtc::Thread> network_ = rtc::Thread::CreateWithSocketServer();
  const std::unique_ptr<rtc::Thread> worker_ = rtc::Thread::Create();
  const std::unique_ptr<rtc::Thread> signaling_ = rtc::Thread::Create();
  scoped_refptr<webrtc::PeerConnectionFactoryInterface> factory_;
  const scoped_refptr<Stage> stage_ = rtc::make_ref_counted<Stage>();
  std::vector<std::unique_ptr<Connection>> connections_;
};

}  // namespace
}  // namespace parley::bench

int main() {
  parley::bench::Server server;
  return parley::bench::runServer(server);
}
