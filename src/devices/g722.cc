// G.722 by FFmpeg: sound of 16 kHz in 64 kbit/s, one byte for two samples, and so for one tick of
// its RTP clock of 8 kHz (RFC 3551 section 4.5.2).

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "parley/codec/resampler.h"

#include "devices/av.h"
#include "devices/ffmpeg_codecs.h"

namespace parley::devices {
namespace {

constexpr int kClockRate = 8000;
constexpr int kRate = 16'000;
constexpr size_t kMaxBytes = 960;  // 120 ms
constexpr size_t kPieceSamples = 320;

Result<av::CodecContext> openCodec(const AVCodec* codec) {
  if (!codec) return fail(ErrorCode::NotSupported, "this FFmpeg has no G.722");
  av::CodecContext out(avcodec_alloc_context3(codec));
  if (!out) return fail(ErrorCode::Operation, "out of memory");
  out->sample_rate = kRate;
  out->sample_fmt = AV_SAMPLE_FMT_S16;
  out->bit_rate = 64'000;
  av_channel_layout_default(&out->ch_layout, 1);
  out->frame_size = static_cast<int>(kPieceSamples);
  if (const int error = avcodec_open2(out.get(), codec, nullptr); error < 0)
    return fail(ErrorCode::Operation, av::errorText(error));
  return out;
}

class Encoder final : public codec::AudioEncoder {
 public:
  Encoder(av::CodecContext context, Duration packetTime)
      : context_(std::move(context)),
        packet_(av::makePacket()),
        sound_(av::makeFrame()),
        bytesPerPacket_(static_cast<size_t>(packetTime.millis()) * kClockRate / 1000) {}

  bool encode(const codec::AudioFrame& frame, codec::EncodedAudioFrame& out) override {
    if (!frame.valid()) return false;
    if (frame.sampleRate != inputRate_) configure(frame.sampleRate);
    if (pending_.empty() && samples_.empty()) {
      timestamp_ = static_cast<uint32_t>(frame.rtpTimestamp / (frame.sampleRate / kClockRate));
      capture_ = frame.capture;
      level_ = 127;
    }
    resample(frame);
    while (samples_.size() >= kPieceSamples) compressPiece();
    if (pending_.size() < bytesPerPacket_) return false;
    out.data.assign(pending_.begin(), pending_.begin() + static_cast<ptrdiff_t>(bytesPerPacket_));
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<ptrdiff_t>(bytesPerPacket_));
    out.rtpTimestamp = timestamp_;
    timestamp_ += static_cast<uint32_t>(bytesPerPacket_);
    out.samples = static_cast<uint32_t>(bytesPerPacket_);
    out.capture = capture_;
    capture_ = frame.capture;
    out.dtx = false;
    out.audioLevel = std::exchange(level_, uint8_t{127});
    out.voice = out.audioLevel < 50;
    return true;
  }
  void setRates(DataRate, double) override {}
  int rtpClockRate() const override { return kClockRate; }

 private:
  /// By way of 48 kHz, which all rates divide.
  void configure(int rate) {
    inputRate_ = rate;
    up_ = codec::Resampler(rate, 48'000);
    down_ = codec::Resampler(48'000, kRate);
    samples_.clear();
  }

  void resample(const codec::AudioFrame& frame) {
    std::array<int16_t, codec::AudioFrame::kMaxSamples> mono;
    const size_t count = frame.samplesPerChannel();
    for (size_t i = 0; i < count; ++i) {
      mono[i] = frame.channels == 1
                    ? frame.data[i]
                    : static_cast<int16_t>((frame.data[2 * i] + frame.data[2 * i + 1]) / 2);
    }
    level_ = std::min(level_, codec::audioLevel({mono.data(), count}));
    std::array<int16_t, 480> wide;
    std::span<const int16_t> full(mono.data(), count);
    if (inputRate_ != 48'000) full = {wide.data(), up_.process(full, wide)};
    std::array<int16_t, kRate / 100> narrow;
    const size_t made = down_.process(full, narrow);
    samples_.insert(samples_.end(), narrow.begin(), narrow.begin() + static_cast<ptrdiff_t>(made));
  }

  void compressPiece() {
    av_frame_unref(sound_.get());
    sound_->format = AV_SAMPLE_FMT_S16;
    sound_->sample_rate = kRate;
    sound_->nb_samples = static_cast<int>(kPieceSamples);
    av_channel_layout_default(&sound_->ch_layout, 1);
    if (av_frame_get_buffer(sound_.get(), 0) >= 0) {
      std::copy_n(samples_.begin(), kPieceSamples, reinterpret_cast<int16_t*>(sound_->data[0]));
      if (avcodec_send_frame(context_.get(), sound_.get()) >= 0) {
        while (avcodec_receive_packet(context_.get(), packet_.get()) >= 0) {
          pending_.insert(pending_.end(), packet_->data, packet_->data + packet_->size);
          av_packet_unref(packet_.get());
        }
      }
    }
    samples_.erase(samples_.begin(), samples_.begin() + static_cast<ptrdiff_t>(kPieceSamples));
  }

  av::CodecContext context_;
  av::Packet packet_;
  av::Frame sound_;
  const size_t bytesPerPacket_;
  int inputRate_ = 48'000;
  codec::Resampler up_{48'000, 48'000};
  codec::Resampler down_{48'000, kRate};
  std::vector<int16_t> samples_;  ///< less than a piece
  Bytes pending_;
  uint32_t timestamp_ = 0;
  Timestamp capture_;
  uint8_t level_ = 127;
};

class Decoder final : public codec::AudioDecoder {
 public:
  explicit Decoder(av::CodecContext context)
      : context_(std::move(context)), packet_(av::makePacket()), sound_(av::makeFrame()) {}

  size_t channels() const override { return 1; }
  int rtpClockRate() const override { return kClockRate; }

  std::optional<size_t> decode(ByteSpan packet, std::span<int16_t> out) override {
    const auto samples = packetSamples(packet);
    if (!samples || *samples > out.size()) return std::nullopt;
    if (av_new_packet(packet_.get(), static_cast<int>(packet.size())) < 0) return std::nullopt;
    std::copy(packet.begin(), packet.end(), packet_->data);
    const int sent = avcodec_send_packet(context_.get(), packet_.get());
    av_packet_unref(packet_.get());
    if (sent < 0) return std::nullopt;
    size_t made = 0;
    while (avcodec_receive_frame(context_.get(), sound_.get()) >= 0) {
      const auto count = static_cast<size_t>(sound_->nb_samples);
      const std::span<const int16_t> wide(reinterpret_cast<const int16_t*>(sound_->data[0]), count);
      if (made + count * 3 <= out.size()) made += resampler_.process(wide, out.subspan(made));
      if (count >= last_.size())
        std::copy_n(wide.end() - static_cast<ptrdiff_t>(last_.size()), last_.size(), last_.begin());
      av_frame_unref(sound_.get());
    }
    gain_ = 1;
    return made > 0 ? std::optional(made) : std::nullopt;
  }
  /// The last 10 ms again and again, fading out within 50 ms.
  size_t conceal(size_t samples, std::span<int16_t> out) override {
    size_t made = 0;
    while (made + 480 <= samples && made + 480 <= out.size()) {
      std::array<int16_t, 160> faded;
      for (size_t i = 0; i < faded.size(); ++i)
        faded[i] = static_cast<int16_t>(static_cast<float>(last_[i]) * gain_);
      gain_ = std::max(0.0f, gain_ - 0.2f);
      made += resampler_.process(faded, out.subspan(made));
    }
    return made;
  }
  size_t decodeFec(ByteSpan, size_t samples, std::span<int16_t> out) override {
    return conceal(samples, out);
  }
  bool hasFec(ByteSpan) const override { return false; }
  std::optional<size_t> packetSamples(ByteSpan packet) const override {
    if (packet.empty() || packet.size() > kMaxBytes) return std::nullopt;
    return packet.size() * (kSampleRate / kClockRate);
  }
  void reset() override {
    avcodec_flush_buffers(context_.get());
    resampler_.reset();
    last_.fill(0);
    gain_ = 1;
  }

 private:
  av::CodecContext context_;
  av::Packet packet_;
  av::Frame sound_;
  codec::Resampler resampler_{kRate, kSampleRate};
  std::array<int16_t, 160> last_{};
  float gain_ = 1;
};

const AVCodec* encoder() {
  return avcodec_find_encoder(AV_CODEC_ID_ADPCM_G722);
}
const AVCodec* decoder() {
  return avcodec_find_decoder(AV_CODEC_ID_ADPCM_G722);
}

}  // namespace

bool canEncodeG722() {
  return encoder() != nullptr;
}
bool canDecodeG722() {
  return decoder() != nullptr;
}

Result<std::unique_ptr<codec::AudioEncoder>> makeG722Encoder(
    const codec::AudioEncoderSettings& settings) {
  const int64_t ms = settings.packetTime.millis();
  if (ms != 10 && ms != 20 && ms != 40 && ms != 60)
    return fail(ErrorCode::Range, "a packet holds 10, 20, 40 or 60 ms of sound");
  auto context = openCodec(encoder());
  if (!context) return fail(context.error());
  return std::unique_ptr<codec::AudioEncoder>(
      std::make_unique<Encoder>(*std::move(context), settings.packetTime));
}

Result<std::unique_ptr<codec::AudioDecoder>> makeG722Decoder() {
  auto context = openCodec(decoder());
  if (!context) return fail(context.error());
  return std::unique_ptr<codec::AudioDecoder>(std::make_unique<Decoder>(*std::move(context)));
}

}  // namespace parley::devices
