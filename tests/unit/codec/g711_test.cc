#include "codec/g711.h"

#include <array>
#include <optional>

#include <gtest/gtest.h>

#include "parley/codec/factories.h"
#include "parley/codec/generators.h"

#include "unit/codec/g711_vectors.h"

namespace parley::codec {
namespace {

TEST(G711, DecodesEveryCodeAsTheTableSays) {
  for (int code = 0; code < 256; ++code) {
    EXPECT_EQ(decodeMuLaw(static_cast<uint8_t>(code)), kMuLawDecoded[code]) << code;
    EXPECT_EQ(decodeALaw(static_cast<uint8_t>(code)), kALawDecoded[code]) << code;
  }
}

TEST(G711, EncodesToTheNearestCode) {
  for (int code = 0; code < 256; ++code) {
    const int wanted = code == 0x7f ? 0xff : code;  // 0x7f is minus zero
    EXPECT_EQ(encodeMuLaw(kMuLawDecoded[code]), wanted);
    EXPECT_EQ(encodeALaw(kALawDecoded[code]), code);
  }
  for (int sample = -32768; sample <= 32767; sample += 7) {
    const auto s = static_cast<int16_t>(sample);
    // A quantization step is at most a sixteenth of the value's power of two.
    const int allowed = 16 + std::abs(sample) / 16;
    EXPECT_NEAR(std::clamp(sample, -32636, 32636), decodeMuLaw(encodeMuLaw(s)), allowed) << sample;
    EXPECT_NEAR(sample, decodeALaw(encodeALaw(s)), allowed + 16) << sample;
  }
}

TEST(G711, CarriesATone) {
  for (const char* name : {"PCMU", "PCMA"}) {
    auto encoder = builtinAudioEncoders()->create({name, 8000, 1, {}}, {});
    auto decoder = builtinAudioDecoders()->create({name, 8000, 1, {}});
    ASSERT_TRUE(encoder && decoder);
    ToneSource tone(1000);
    std::vector<int16_t> heard;
    EncodedAudioFrame packet;
    int packets = 0;
    for (int i = 0; i < 40; ++i) {
      if (!(*encoder)->encode(tone.next(Timestamp::millis(10 * i)), packet)) continue;
      EXPECT_EQ(packet.data.size(), 160u);
      EXPECT_EQ(packet.rtpTimestamp, static_cast<uint32_t>(packets) * 160);
      ++packets;
      std::array<int16_t, AudioDecoder::kMaxPacketSamples> out;
      const auto samples = (*decoder)->decode(packet.data, out);
      ASSERT_EQ(samples, 960u);
      heard.insert(heard.end(), out.begin(), out.begin() + 960);
    }
    EXPECT_EQ(packets, 20);
    EXPECT_GT(tonePower(std::span(heard).subspan(960), 1000), 0.98) << name;
  }
}

// A track counts media time from when the machine started: 32 bits of 48 kHz last 24.9 hours.
TEST(G711, ItsClockGoesOnAfterADayOfUptime) {
  auto encoder = builtinAudioEncoders()->create({"PCMU", 8000, 1, {}}, {}).value();
  EncodedAudioFrame packet;
  std::optional<uint32_t> last;
  int64_t time = (int64_t{1} << 32) - 48'000;
  for (int i = 0; i < 200; ++i, time += 480) {
    AudioFrame frame;
    frame.rtpTimestamp = time;
    // Half way another encoder takes over.
    if (i == 150) encoder = builtinAudioEncoders()->create({"PCMU", 8000, 1, {}}, {}).value();
    if (!encoder->encode(frame, packet)) continue;
    if (last) {
      EXPECT_EQ(packet.rtpTimestamp - *last, 160u);
    }
    last = packet.rtpTimestamp;
  }
}

TEST(G711, RefusesPacketsOfImpossibleLength) {
  auto decoder = createG711Decoder(G711Law::Mu);
  std::array<int16_t, AudioDecoder::kMaxPacketSamples> out;
  EXPECT_FALSE(decoder->decode({}, out));
  EXPECT_FALSE(decoder->decode(Bytes(961), out));
  EXPECT_FALSE(decoder->decode(Bytes(160), std::span(out).first(100)));
  EXPECT_TRUE(decoder->decode(Bytes(960), out));
}

TEST(G711, ConcealmentFadesToSilence) {
  auto encoder = createG711Encoder(G711Law::Mu, {});
  auto decoder = createG711Decoder(G711Law::Mu);
  ToneSource tone(440, 0.5, 8000);
  EncodedAudioFrame packet;
  std::array<int16_t, AudioDecoder::kMaxPacketSamples> out;
  for (int i = 0; i < 4; ++i) {
    if (!encoder->encode(tone.next({}), packet)) continue;
    ASSERT_TRUE(decoder->decode(packet.data, out));
  }
  EXPECT_EQ(decoder->conceal(960, out), 960u);
  EXPECT_LT(audioLevel(std::span(out).first(960)), 20);
  EXPECT_EQ(decoder->conceal(5760, out), 5760u);
  EXPECT_EQ(audioLevel(std::span(out).subspan(4800, 960)), 127);
}

}  // namespace
}  // namespace parley::codec
