#include "codec/opus.h"

#ifdef PARLEY_WITH_OPUS

#include <algorithm>
#include <array>
#include <vector>

#include <opus/opus.h>

#include "parley/codec/resampler.h"

namespace parley::codec {
namespace {

constexpr int kRate = 48'000;
constexpr size_t kFrame10ms = 480;
constexpr size_t kMaxPacketFrames = 6;
/// RFC 6716 section 3.4: no Opus frame is longer than 1275 bytes; a packet of several frames may
/// be, but ours hold one or (60 ms and more in CELT) few, and no sane rate comes near it.
constexpr size_t kMaxPacket = 1275;
/// RFC 7587 section 3.1.3: packets of at most two bytes stand for silence and need not be sent.
constexpr size_t kDtxSize = 2;

struct EncoderDeleter {
  void operator()(OpusEncoder* e) const { opus_encoder_destroy(e); }
};
struct DecoderDeleter {
  void operator()(OpusDecoder* d) const { opus_decoder_destroy(d); }
};

class Encoder final : public AudioEncoder {
 public:
  Encoder(OpusEncoder* encoder, const AudioEncoderSettings& settings)
      : encoder_(encoder), settings_(settings) {
    setPacketTime(settings.packetTime);
    packetFrames_ = nextPacketFrames_;
    input_.reserve(kMaxPacketFrames * kFrame10ms * settings.channels);
    OpusEncoder* e = encoder_.get();
    opus_encoder_ctl(e, OPUS_SET_COMPLEXITY(std::clamp(settings.complexity, 0, 10)));
    opus_encoder_ctl(e, OPUS_SET_DTX(settings.dtx ? 1 : 0));
    opus_encoder_ctl(e, OPUS_SET_VBR(settings.constantBitrate ? 0 : 1));
    opus_encoder_ctl(e, OPUS_SET_INBAND_FEC(settings.fec ? 1 : 0));
    if (!settings.music) opus_encoder_ctl(e, OPUS_SET_SIGNAL(OPUS_SIGNAL_VOICE));
    setRates(settings.bitrate, 0);
  }

  bool encode(const AudioFrame& frame, EncodedAudioFrame& out) override {
    if (!frame.valid()) return false;
    if (input_.empty()) {
      packetFrames_ = nextPacketFrames_;
      // RFC 7587 section 4.1: the RTP clock runs at 48 kHz whatever was fed in.
      timestamp_ = static_cast<uint32_t>(frame.rtpTimestamp * (kRate / frame.sampleRate));
      capture_ = frame.capture;
      level_ = 127;
    }
    level_ = std::min(level_, audioLevel(frame.samples()));
    append(frame.sampleRate == kRate ? frame : raised(frame));
    if (input_.size() < packetFrames_ * kFrame10ms * settings_.channels) return false;
    std::array<uint8_t, kMaxPacket> packet;
    const int samples = static_cast<int>(packetFrames_ * kFrame10ms);
    const int size = opus_encode(encoder_.get(), input_.data(), samples, packet.data(),
                                 static_cast<opus_int32>(packet.size()));
    input_.clear();
    if (size <= 0) return false;
    out.data.assign(packet.begin(), packet.begin() + size);
    out.rtpTimestamp = timestamp_;
    out.samples = static_cast<uint32_t>(samples);
    out.capture = capture_;
    out.dtx = settings_.dtx && static_cast<size_t>(size) <= kDtxSize;
    out.audioLevel = level_;
    out.voice = !out.dtx && level_ < 50;
    return true;
  }

  void setRates(DataRate target, double lossFraction) override {
    // Limits of RFC 6716 section 2.1.1.
    const auto bps = std::clamp<int64_t>(target.bps(), 6'000, 510'000);
    opus_encoder_ctl(encoder_.get(), OPUS_SET_BITRATE(static_cast<opus_int32>(bps)));
    const int percent = static_cast<int>(std::clamp(lossFraction, 0.0, 1.0) * 100 + 0.5);
    opus_encoder_ctl(encoder_.get(), OPUS_SET_PACKET_LOSS_PERC(percent));
  }
  void setPacketTime(Duration time) override {
    // RFC 6716 section 2.1.4: Opus frames of 10, 20, 40 or 60 ms.
    const auto frames = static_cast<size_t>(std::max<int64_t>(time.millis() / 10, 1));
    nextPacketFrames_ = std::min(frames, kMaxPacketFrames);
    if (nextPacketFrames_ == 3 || nextPacketFrames_ == 5) --nextPacketFrames_;
  }
  int rtpClockRate() const override { return kRate; }

 private:
  /// The encoder runs at 48 kHz throughout: a microphone that changes its rate does not restart it.
  AudioFrame raised(const AudioFrame& frame) {
    if (frame.sampleRate != inputRate_ || frame.channels != resamplers_.size()) {
      inputRate_ = frame.sampleRate;
      resamplers_.assign(frame.channels, Resampler(inputRate_, kRate));
    }
    AudioFrame out;
    out.channels = frame.channels;
    std::array<int16_t, kFrame10ms> narrow;
    std::array<int16_t, kFrame10ms> wide;
    const size_t count = frame.samplesPerChannel();
    for (size_t c = 0; c < frame.channels; ++c) {
      for (size_t i = 0; i < count; ++i) narrow[i] = frame.data[i * frame.channels + c];
      resamplers_[c].process({narrow.data(), count}, wide);
      for (size_t i = 0; i < kFrame10ms; ++i) out.data[i * frame.channels + c] = wide[i];
    }
    return out;
  }
  void append(const AudioFrame& frame) {
    const auto samples = frame.samples();
    if (frame.channels == settings_.channels) {
      input_.insert(input_.end(), samples.begin(), samples.end());
      return;
    }
    for (size_t i = 0; i < kFrame10ms; ++i) {
      if (settings_.channels == 2) {
        input_.push_back(samples[i]);
        input_.push_back(samples[i]);
      } else {
        input_.push_back(static_cast<int16_t>((samples[2 * i] + samples[2 * i + 1]) / 2));
      }
    }
  }

  std::unique_ptr<OpusEncoder, EncoderDeleter> encoder_;
  AudioEncoderSettings settings_;
  size_t packetFrames_ = 2;  ///< of 10 ms
  size_t nextPacketFrames_ = 2;
  std::vector<int16_t> input_;
  int inputRate_ = 0;
  std::vector<Resampler> resamplers_;  // per channel, for inputRate_
  uint32_t timestamp_ = 0;
  Timestamp capture_;
  uint8_t level_ = 127;
};

class Decoder final : public AudioDecoder {
 public:
  Decoder(OpusDecoder* decoder, size_t channels) : decoder_(decoder), channels_(channels) {}

  size_t channels() const override { return channels_; }
  int rtpClockRate() const override { return kRate; }

  std::optional<size_t> decode(ByteSpan packet, std::span<int16_t> out) override {
    const auto samples = packetSamples(packet);
    if (!samples || *samples * channels_ > out.size()) return std::nullopt;
    const int made =
        opus_decode(decoder_.get(), packet.data(), static_cast<opus_int32>(packet.size()),
                    out.data(), static_cast<int>(*samples), 0);
    if (made <= 0) return std::nullopt;
    return static_cast<size_t>(made);
  }

  size_t conceal(size_t samples, std::span<int16_t> out) override {
    return run({}, samples, out, false);
  }

  size_t decodeFec(ByteSpan next, size_t samples, std::span<int16_t> out) override {
    if (!hasFec(next)) return conceal(samples, out);
    return run(next, samples, out, true);
  }

  /// RFC 6716 section 4.2.3: a SILK or hybrid frame begins with one activity bit per 20 ms and then
  /// the bit that announces redundancy, for the mid channel and in stereo again for the side
  /// channel.
  bool hasFec(ByteSpan next) const override {
    if (!packetSamples(next)) return false;
    const int config = next[0] >> 3;
    if (config >= 16) return false;  // CELT has none
    const unsigned char* frames[48];
    opus_int16 sizes[48];
    if (opus_packet_parse(next.data(), static_cast<opus_int32>(next.size()), nullptr, frames, sizes,
                          nullptr) <= 0 ||
        sizes[0] == 0)
      return false;
    const int perFrame = opus_packet_get_samples_per_frame(next.data(), kRate);
    const int silkFrames = std::max(1, perFrame / 960);
    const bool stereo = (next[0] & 0x04) != 0;
    bool present = ((frames[0][0] >> (7 - silkFrames)) & 1) != 0;
    if (stereo) present = present || ((frames[0][0] >> (6 - 2 * silkFrames)) & 1) != 0;
    return present;
  }

  std::optional<size_t> packetSamples(ByteSpan packet) const override {
    if (packet.empty() || packet.size() > 48 * kMaxPacket) return std::nullopt;
    const int samples =
        opus_packet_get_nb_samples(packet.data(), static_cast<opus_int32>(packet.size()), kRate);
    if (samples <= 0 || static_cast<size_t>(samples) > kMaxPacketSamples) return std::nullopt;
    return static_cast<size_t>(samples);
  }

  void reset() override { opus_decoder_ctl(decoder_.get(), OPUS_RESET_STATE); }

 private:
  size_t run(ByteSpan packet, size_t samples, std::span<int16_t> out, bool fec) {
    samples = std::min({samples, kMaxPacketSamples, out.size() / channels_});
    samples -= samples % (kRate / 400);  // libopus works in multiples of 2.5 ms
    if (samples == 0) return 0;
    const int made = opus_decode(decoder_.get(), packet.empty() ? nullptr : packet.data(),
                                 static_cast<opus_int32>(packet.size()), out.data(),
                                 static_cast<int>(samples), fec);
    if (made > 0) return static_cast<size_t>(made);
    std::fill_n(out.begin(), samples * channels_, int16_t{0});
    return samples;
  }

  std::unique_ptr<OpusDecoder, DecoderDeleter> decoder_;
  size_t channels_;
};

}  // namespace

Result<std::unique_ptr<AudioEncoder>> createOpusEncoder(const AudioEncoderSettings& settings) {
  int error = OPUS_OK;
  OpusEncoder* encoder =
      opus_encoder_create(kRate, static_cast<int>(settings.channels),
                          settings.music ? OPUS_APPLICATION_AUDIO : OPUS_APPLICATION_VOIP, &error);
  if (encoder == nullptr)
    return fail(ErrorCode::Operation,
                std::string("the Opus encoder refused to start: ") + opus_strerror(error));
  return std::unique_ptr<AudioEncoder>(std::make_unique<Encoder>(encoder, settings));
}

Result<std::unique_ptr<AudioDecoder>> createOpusDecoder(size_t channels) {
  int error = OPUS_OK;
  OpusDecoder* decoder = opus_decoder_create(kRate, static_cast<int>(channels), &error);
  if (decoder == nullptr)
    return fail(ErrorCode::Operation,
                std::string("the Opus decoder refused to start: ") + opus_strerror(error));
  return std::unique_ptr<AudioDecoder>(std::make_unique<Decoder>(decoder, channels));
}

}  // namespace parley::codec

#endif  // PARLEY_WITH_OPUS
