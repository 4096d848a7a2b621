#include <algorithm>
#include <array>

#include <gtest/gtest.h>

#include "parley/base/random.h"
#include "parley/codec/factories.h"
#include "parley/codec/generators.h"

namespace parley::codec {
namespace {

class Opus : public testing::Test {
 protected:
  void SetUp() override {
    if (builtinAudioEncoders()->supportedFormats()[0].name != "opus")
      GTEST_SKIP() << "built without Opus";
  }
  std::unique_ptr<AudioEncoder> encoder(AudioEncoderSettings settings = {},
                                        FormatParameters parameters = {{"useinbandfec", "1"}}) {
    return builtinAudioEncoders()
        ->create({"opus", 48'000, 2, std::move(parameters)}, settings)
        .value();
  }
  std::unique_ptr<AudioDecoder> decoder(FormatParameters parameters = {}) {
    return builtinAudioDecoders()->create({"OPUS", 48'000, 2, std::move(parameters)}).value();
  }
  std::array<int16_t, AudioDecoder::kMaxPacketSamples * 2> out_;
};

TEST_F(Opus, CarriesAToneInMonoAndStereo) {
  for (const bool stereo : {false, true}) {
    FormatParameters parameters{{"stereo", stereo ? "1" : "0"}};
    AudioEncoderSettings settings;
    settings.channels = 2;
    settings.bitrate = DataRate::kbps(64);
    auto enc = encoder(settings, parameters);
    auto dec = decoder(parameters);
    ToneSource tone(700, 0.4, 48'000, 2);
    std::vector<int16_t> left;
    EncodedAudioFrame packet;
    for (int i = 0; i < 50; ++i) {
      if (!enc->encode(tone.next(Timestamp::millis(10 * i)), packet)) continue;
      EXPECT_EQ(packet.rtpTimestamp, static_cast<uint32_t>(i / 2) * 960);
      EXPECT_EQ(packet.samples, 960u);
      EXPECT_EQ(dec->packetSamples(packet.data), 960u);
      ASSERT_EQ(dec->decode(packet.data, out_), 960u);
      for (size_t s = 0; s < 960; ++s) left.push_back(out_[s * dec->channels()]);
    }
    EXPECT_EQ(dec->channels(), stereo ? 2u : 1u);
    EXPECT_GT(tonePower(std::span(left).subspan(4800), 700), 0.95);
  }
}

TEST_F(Opus, TakesSoundOfEveryRate) {
  for (const int rate : {8000, 16'000, 24'000, 48'000}) {
    for (const size_t channels : {1u, 2u}) {
      SCOPED_TRACE(rate);
      AudioEncoderSettings settings;
      settings.bitrate = DataRate::kbps(48);
      auto enc = encoder(settings);
      auto dec = decoder();
      ToneSource tone(700, 0.4, rate, channels);
      std::vector<int16_t> heard;
      EncodedAudioFrame packet;
      int packets = 0;
      for (int i = 0; i < 50; ++i) {
        if (!enc->encode(tone.next(Timestamp::millis(10 * i)), packet)) continue;
        EXPECT_EQ(packet.rtpTimestamp, static_cast<uint32_t>(packets) * 960);
        ++packets;
        ASSERT_EQ(dec->decode(packet.data, out_), 960u);
        for (size_t s = 0; s < 960; ++s) heard.push_back(out_[s * dec->channels()]);
      }
      EXPECT_EQ(packets, 25);
      EXPECT_GT(tonePower(std::span(heard).subspan(4800), 700), 0.95);
    }
  }
}

TEST_F(Opus, FollowsTheTargetRate) {
  AudioEncoderSettings settings;
  auto enc = encoder(settings);
  SpeechNoiseSource speech;
  EncodedAudioFrame packet;
  size_t bytes[2] = {};
  for (int i = 0; i < 400; ++i) {
    if (i == 0) enc->setRates(DataRate::kbps(16), 0);
    if (i == 200) enc->setRates(DataRate::kbps(64), 0);
    if (enc->encode(speech.next({}), packet)) bytes[i / 200] += packet.data.size();
  }
  EXPECT_GT(bytes[1], bytes[0] * 2);
}

TEST_F(Opus, PacketsGetLongerAndShorterOnTheWay) {
  auto enc = encoder();
  auto dec = decoder();
  ToneSource tone(700, 0.4, 48'000, 1);
  EncodedAudioFrame packet;
  std::vector<uint32_t> lengths;
  std::vector<int16_t> heard;
  uint32_t next = 0;
  for (int i = 0; i < 60; ++i) {
    if (i == 19) enc->setPacketTime(Duration::millis(60));  // within a packet
    if (i == 40) enc->setPacketTime(Duration::millis(20));
    if (!enc->encode(tone.next(Timestamp::millis(10 * i)), packet)) continue;
    EXPECT_EQ(packet.rtpTimestamp, next);
    next += packet.samples;
    if (lengths.empty() || lengths.back() != packet.samples) lengths.push_back(packet.samples);
    const auto samples = dec->decode(packet.data, out_);
    ASSERT_EQ(samples, packet.samples);
    for (size_t s = 0; s < *samples; ++s) heard.push_back(out_[s * dec->channels()]);
  }
  EXPECT_EQ(lengths, (std::vector<uint32_t>{960, 2880, 960}));
  EXPECT_GT(tonePower(std::span(heard).subspan(4800), 700), 0.95);
}

TEST_F(Opus, RedundancyRecoversALostPacket) {
  AudioEncoderSettings settings;
  settings.bitrate = DataRate::kbps(24);
  auto enc = encoder(settings);
  enc->setRates(DataRate::kbps(24), 0.2);
  auto dec = decoder();
  SpeechNoiseSource speech;
  EncodedAudioFrame packet;
  int withFec = 0;
  for (int i = 0; i < 200; ++i) {
    if (!enc->encode(speech.next({}), packet)) continue;
    if (dec->hasFec(packet.data)) {
      ++withFec;
      EXPECT_EQ(dec->decodeFec(packet.data, 960, out_), 960u);
    }
    ASSERT_TRUE(dec->decode(packet.data, out_));
  }
  EXPECT_GT(withFec, 20);
}

TEST_F(Opus, WithoutLossNothingIsSpentOnRedundancy) {
  auto enc = encoder();
  auto dec = decoder();
  SpeechNoiseSource speech;
  EncodedAudioFrame packet;
  for (int i = 0; i < 100; ++i) {
    if (!enc->encode(speech.next({}), packet)) continue;
    EXPECT_FALSE(dec->hasFec(packet.data));
  }
}

TEST_F(Opus, SilenceIsMarkedAsDtx) {
  AudioEncoderSettings settings;
  settings.dtx = true;
  auto enc = encoder(settings);
  EncodedAudioFrame packet;
  int quiet = 0;
  for (int i = 0; i < 300; ++i) {
    AudioFrame silence;
    silence.rtpTimestamp = static_cast<uint32_t>(i) * 480;
    if (enc->encode(silence, packet) && packet.dtx) ++quiet;
  }
  EXPECT_GT(quiet, 100);
  EXPECT_EQ(packet.audioLevel, 127);
}

TEST_F(Opus, TocGivesTheDuration) {
  // RFC 6716 section 3.1.
  auto dec = decoder();
  EXPECT_EQ(dec->packetSamples(Bytes{0, 1}), 480u);        // SILK, 10 ms
  EXPECT_EQ(dec->packetSamples(Bytes{8, 1}), 960u);        // SILK, 20 ms
  EXPECT_EQ(dec->packetSamples(Bytes{120, 1}), 960u);      // hybrid, 20 ms
  EXPECT_EQ(dec->packetSamples(Bytes{252, 1}), 960u);      // CELT, stereo
  EXPECT_EQ(dec->packetSamples(Bytes{253, 1, 1}), 1920u);  // two frames
}

TEST_F(Opus, BrokenPacketsAreRefusedAndConcealed) {
  auto dec = decoder();
  EXPECT_FALSE(dec->decode({}, out_));
  EXPECT_FALSE(dec->decode(Bytes{75, 63}, out_));         // 63 frames of 20 ms
  EXPECT_FALSE(dec->decode(Bytes{3 << 3 | 3, 3}, out_));  // 3 x 60 ms
  EXPECT_FALSE(dec->decode(Bytes{253, 1, 1, 1}, out_));   // two frames of unequal size
  Bytes tooLong(1 + 1276, 0x55);
  tooLong[0] = 252;
  EXPECT_FALSE(dec->decode(tooLong, out_));
  EXPECT_EQ(dec->conceal(960, out_), 960u);
  EXPECT_EQ(dec->decodeFec({}, 960, out_), 960u);
  SeededRandom random(1);
  for (int i = 0; i < 300; ++i) {
    Bytes noise(random.below(200));
    random.fill(noise);
    if (!dec->decode(noise, out_)) dec->decodeFec(noise, 960, out_);
  }
}

TEST_F(Opus, ReceiverWishesConfigureTheEncoder) {
  AudioEncoderSettings settings;
  settings.channels = 2;
  settings.bitrate = DataRate::kbps(96);
  const auto applied = applyOpusParameters(settings, {{"useinbandfec", "1"},
                                                      {"usedtx", "1"},
                                                      {"stereo", "0"},
                                                      {"maxaveragebitrate", "32000"},
                                                      {"minptime", "10"},
                                                      {"unheard-of", "x"}});
  EXPECT_TRUE(applied.fec);
  EXPECT_TRUE(applied.dtx);
  EXPECT_EQ(applied.channels, 1u);
  EXPECT_EQ(applied.bitrate, DataRate::kbps(32));
  const auto bad = applyOpusParameters(
      settings, {{"maxaveragebitrate", "99999999999999999999"}, {"stereo", "yes"}, {"usedtx", ""}});
  EXPECT_EQ(bad.bitrate, DataRate::kbps(96));
  EXPECT_FALSE(bad.dtx);
  EXPECT_FALSE(bad.fec);
}

TEST_F(Opus, ImpossibleSettingsAreRefused) {
  AudioEncoderSettings settings;
  settings.packetTime = Duration::millis(30);
  EXPECT_EQ(builtinAudioEncoders()->create({"opus", 48'000, 2, {}}, settings).error().code,
            ErrorCode::Range);
  EXPECT_EQ(builtinAudioEncoders()->create({"speex", 48'000, 2, {}}, {}).error().code,
            ErrorCode::NotSupported);
  auto enc = encoder();
  AudioFrame odd;
  odd.channels = 3;
  EncodedAudioFrame packet;
  EXPECT_FALSE(enc->encode(odd, packet));
}

}  // namespace
}  // namespace parley::codec
