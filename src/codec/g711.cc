#include "codec/g711.h"

#include <algorithm>
#include <array>
#include <bit>

#include "parley/codec/resampler.h"

namespace parley::codec {
namespace {

constexpr int kClockRate = 8000;
constexpr size_t kMaxInputSamples = 960;  // 120 ms at 8 kHz

class G711Encoder final : public AudioEncoder {
 public:
  G711Encoder(G711Law law, Duration packetTime)
      : law_(law),
        samplesPerPacket_(static_cast<uint32_t>(packetTime.millis()) * kClockRate / 1000) {}

  bool encode(const AudioFrame& frame, EncodedAudioFrame& out) override {
    if (!frame.valid()) return false;
    if (frame.sampleRate != inputRate_) {
      inputRate_ = frame.sampleRate;
      resampler_ = Resampler(inputRate_, kClockRate);
    }
    if (pending_.empty()) {
      timestamp_ = static_cast<uint32_t>(frame.rtpTimestamp / (frame.sampleRate / kClockRate));
      capture_ = frame.capture;
      level_ = 127;
    }
    std::array<int16_t, AudioFrame::kMaxSamples> mono;
    const size_t count = frame.samplesPerChannel();
    for (size_t i = 0; i < count; ++i) {
      mono[i] = frame.channels == 1
                    ? frame.data[i]
                    : static_cast<int16_t>((frame.data[2 * i] + frame.data[2 * i + 1]) / 2);
    }
    level_ = std::min(level_, audioLevel({mono.data(), count}));
    std::array<int16_t, kClockRate / 100> narrow;
    const size_t made = resampler_.process({mono.data(), count}, narrow);
    for (size_t i = 0; i < made; ++i)
      pending_.push_back(law_ == G711Law::Mu ? encodeMuLaw(narrow[i]) : encodeALaw(narrow[i]));
    if (pending_.size() < samplesPerPacket_) return false;
    out.data.assign(pending_.begin(), pending_.end());
    out.rtpTimestamp = timestamp_;
    out.samples = static_cast<uint32_t>(pending_.size());
    out.capture = capture_;
    out.dtx = false;
    out.audioLevel = level_;
    out.voice = level_ < 50;
    pending_.clear();
    return true;
  }
  void setRates(DataRate, double) override {}
  int rtpClockRate() const override { return kClockRate; }

 private:
  G711Law law_;
  uint32_t samplesPerPacket_;
  int inputRate_ = kClockRate;
  Resampler resampler_{kClockRate, kClockRate};
  Bytes pending_;
  uint32_t timestamp_ = 0;
  Timestamp capture_;
  uint8_t level_ = 127;
};

class G711Decoder final : public AudioDecoder {
 public:
  explicit G711Decoder(G711Law law) : law_(law) {}

  size_t channels() const override { return 1; }
  int rtpClockRate() const override { return kClockRate; }
  std::optional<size_t> decode(ByteSpan packet, std::span<int16_t> out) override {
    const auto samples = packetSamples(packet);
    if (!samples || *samples > out.size()) return std::nullopt;
    std::array<int16_t, kMaxInputSamples> narrow;
    for (size_t i = 0; i < packet.size(); ++i)
      narrow[i] = law_ == G711Law::Mu ? decodeMuLaw(packet[i]) : decodeALaw(packet[i]);
    if (packet.size() >= last_.size())
      std::copy_n(narrow.begin() + static_cast<ptrdiff_t>(packet.size() - last_.size()),
                  last_.size(), last_.begin());
    gain_ = 1;
    return resampler_.process({narrow.data(), packet.size()}, out);
  }
  /// Repeats the last 10 ms, fading out within 50 ms (the spirit of G.711 Appendix I, not its
  /// letter).
  size_t conceal(size_t samples, std::span<int16_t> out) override {
    size_t made = 0;
    while (made + 480 <= samples && made + 480 <= out.size()) {
      std::array<int16_t, 80> faded;
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
    if (packet.empty() || packet.size() > kMaxInputSamples) return std::nullopt;
    return packet.size() * (kSampleRate / kClockRate);
  }
  void reset() override {
    resampler_.reset();
    last_.fill(0);
    gain_ = 1;
  }

 private:
  G711Law law_;
  Resampler resampler_{kClockRate, kSampleRate};
  std::array<int16_t, 80> last_{};
  float gain_ = 1;
};

}  // namespace

uint8_t encodeMuLaw(int16_t sample) {
  // Sign and magnitude with a bias of 33 (in 14 bits), so that each of the eight segments starts at
  // a power of two: the segment is the position of the leading one.
  const bool negative = sample < 0;
  const int magnitude14 = std::min((negative ? -static_cast<int>(sample) : sample) >> 2, 8158) + 33;
  const int segment = std::bit_width(static_cast<unsigned>(magnitude14)) - 6;
  const int mantissa = (magnitude14 >> (segment + 1)) & 0x0f;
  return static_cast<uint8_t>(~((negative ? 0x80 : 0) | segment << 4 | mantissa));
}

int16_t decodeMuLaw(uint8_t code) {
  const uint8_t bits = static_cast<uint8_t>(~code);
  const int segment = (bits >> 4) & 7;
  const int magnitude14 = ((((bits & 0x0f) << 1) + 33) << segment) - 33;
  return static_cast<int16_t>((bits & 0x80 ? -magnitude14 : magnitude14) * 4);
}

uint8_t encodeALaw(int16_t sample) {
  // 13 bits; negative values are one's complemented, so that -1 falls in the first negative step.
  const bool negative = sample < 0;
  const int magnitude = (negative ? ~static_cast<int>(sample) : sample) >> 3;  // 0..4095
  const int width = std::bit_width(static_cast<unsigned>(magnitude));
  const int segment = width <= 5 ? 0 : width - 5;
  const int mantissa = (segment == 0 ? magnitude >> 1 : magnitude >> segment) & 0x0f;
  return static_cast<uint8_t>(((negative ? 0 : 0x80) | segment << 4 | mantissa) ^ 0x55);
}

int16_t decodeALaw(uint8_t code) {
  const int bits = code ^ 0x55;
  const int segment = (bits >> 4) & 7;
  const int step = ((bits & 0x0f) << 1) + 1;
  const int magnitude = segment == 0 ? step : (step + 32) << (segment - 1);
  return static_cast<int16_t>((bits & 0x80 ? magnitude : -magnitude) * 8);
}

std::unique_ptr<AudioEncoder> createG711Encoder(G711Law law, const AudioEncoderSettings& settings) {
  return std::make_unique<G711Encoder>(law, settings.packetTime);
}

std::unique_ptr<AudioDecoder> createG711Decoder(G711Law law) {
  return std::make_unique<G711Decoder>(law);
}

}  // namespace parley::codec
