#include "parley/devices/codecs.h"

#include <gtest/gtest.h>

#include "parley/codec/formats.h"
#include "parley/codec/generators.h"
#include "parley/rtp/payload_format/payload_format.h"

// x265 keeps some of its memory for good (libx265 3.5): said to the leak check of the sanitizers.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() {
  return "leak:libx265.so\n";
}

namespace parley::devices {
namespace {

using codec::DecodeStatus;
using codec::EncodedVideoFrame;
using codec::TestPattern;

codec::EncodedVideoView view(const EncodedVideoFrame& f) {
  return {f.data, f.keyFrame, f.rtpTimestamp, f.capture, f.rotation};
}

/// As a frame that came through the network.
struct Arrived {
  Bytes data;
  bool keyFrame = false;
  bool certainStart = false;
  rtp::VideoSize size;
  size_t packets = 0;
};

class FfmpegVideo : public ::testing::TestWithParam<codec::SdpVideoFormat> {
 protected:
  void SetUp() override {
    bool known = false;
    for (const auto& format : ffmpegVideoEncoders()->supportedFormats())
      known = known || format.name == GetParam().name;
    if (!known) GTEST_SKIP() << "this FFmpeg cannot encode it";
    settings_.width = 160;
    settings_.height = 120;
    settings_.startBitrate = DataRate::kbps(400);
    encoder_ = ffmpegVideoEncoders()->create(GetParam(), settings_).value();
    decoder_ = ffmpegVideoDecoders()->create(GetParam(), {}).value();
  }

  EncodedVideoFrame encode(bool keyFrame = false) {
    raw_ = pattern_.next(Timestamp::millis(40 * index_++));
    EXPECT_TRUE(encoder_->encode(raw_, keyFrame));
    EncodedVideoFrame out;
    EXPECT_TRUE(encoder_->poll(out));
    return out;
  }

  static Arrived travel(const EncodedVideoFrame& frame, size_t maxPayload = 300) {
    const auto packetizer = rtp::createPacketizer(GetParam().name, {1});
    const auto depacketizer = rtp::createDepacketizer(GetParam().name);
    rtp::FrameDescription description;
    description.keyFrame = frame.keyFrame;
    Arrived out;
    out.packets = packetizer->begin(frame.data, description, maxPayload);
    for (size_t i = 0; i < out.packets; ++i) {
      Bytes payload(maxPayload);
      payload.resize(packetizer->next(payload));
      rtp::PayloadInfo info;
      EXPECT_TRUE(depacketizer->parse(payload, info));
      EXPECT_TRUE(i > 0 || info.frameStart);
      out.keyFrame = out.keyFrame || info.keyFrame;
      out.certainStart = out.certainStart || (i == 0 && info.certainStart);
      if (info.size.width != 0) out.size = info.size;
      depacketizer->append(payload, out.data);
    }
    depacketizer->finish(out.data);
    return out;
  }

  codec::VideoEncoderSettings settings_;
  std::unique_ptr<codec::VideoEncoder> encoder_;
  std::unique_ptr<codec::VideoDecoder> decoder_;
  TestPattern pattern_{160, 120};
  codec::VideoFrame raw_;
  int index_ = 0;
};

TEST_P(FfmpegVideo, PicturesSurviveTheTripInPackets) {
  codec::VideoFrame shown;
  for (int i = 0; i < 8; ++i) {
    const EncodedVideoFrame coded = encode(i == 5);
    const bool key = i == 0 || i == 5;
    EXPECT_EQ(coded.keyFrame, key) << i;
    EXPECT_EQ(coded.rtpTimestamp, static_cast<uint32_t>(i) * 3600);
    const Arrived arrived = travel(coded);
    ASSERT_GT(arrived.packets, 0u);
    EXPECT_EQ(arrived.keyFrame, key) << i;
    if (key) {
      EXPECT_TRUE(arrived.certainStart) << "a receiver can begin here";
      EXPECT_EQ(arrived.size, (rtp::VideoSize{160, 120}));
    }
    EncodedVideoFrame received = coded;
    received.data = arrived.data;
    ASSERT_EQ(decoder_->decode(view(received), shown), DecodeStatus::Ok) << i;
    EXPECT_EQ(TestPattern::readFrameNumber(*shown.buffer), static_cast<uint32_t>(i));
    EXPECT_GT(codec::psnr(*raw_.buffer, *shown.buffer), 25);
    EXPECT_EQ(shown.rtpTimestamp, coded.rtpTimestamp);
  }
}

TEST_P(FfmpegVideo, ADecoderWithoutAKeyFrameAsksForOne) {
  codec::VideoFrame shown;
  encode();
  EXPECT_EQ(decoder_->decode(view(encode()), shown), DecodeStatus::NeedKeyFrame);
  EXPECT_EQ(decoder_->decode(view(encode(true)), shown), DecodeStatus::Ok);
  const Bytes noise(200, 0x5a);
  EXPECT_NE(decoder_->decode({noise, false, 0, {}, {}}, shown), DecodeStatus::Ok);
}

TEST_P(FfmpegVideo, AResizeRestartsWithAKeyFrame) {
  codec::VideoFrame shown;
  encode();
  pattern_.resize(320, 180);
  const EncodedVideoFrame coded = encode();
  EXPECT_TRUE(coded.keyFrame);
  EXPECT_EQ(decoder_->decode(view(coded), shown), DecodeStatus::Ok);
  EXPECT_EQ(shown.width(), 320);
}

TEST_P(FfmpegVideo, TheRateIsFollowed) {
  size_t bytes[2] = {};
  for (int i = 0; i < 80; ++i) {
    encoder_->setRates(DataRate::kbps(i < 40 ? 30 : 200), 25);
    const size_t size = encode().data.size();
    if (i % 40 > 20) bytes[i / 40] += size;
  }
  EXPECT_GT(bytes[1] * 2, bytes[0] * 3);
}

INSTANTIATE_TEST_SUITE_P(All, FfmpegVideo,
                         ::testing::Values(codec::h264Formats()[0], codec::h264Formats()[4],
                                           codec::h265Format(), codec::av1Format()),
                         [](const auto& info) {
                           return info.param.name + std::to_string(info.index);
                         });

TEST(FfmpegCodecs, PacketizationMode0GetsSlicesThatFit) {
  const auto encoders = ffmpegVideoEncoders();
  codec::VideoEncoderSettings settings;
  settings.width = 640;
  settings.height = 360;
  settings.startBitrate = DataRate::kbps(3000);
  const auto encoder = encoders->create(codec::h264Formats()[1], settings);
  if (!encoder) GTEST_SKIP() << "no H.264 encoder";
  TestPattern pattern(640, 360);
  ASSERT_TRUE((*encoder)->encode(pattern.next({}), true));
  EncodedVideoFrame coded;
  ASSERT_TRUE((*encoder)->poll(coded));
  const auto packetizer = rtp::createPacketizer("H264", {0});
  EXPECT_GT(packetizer->begin(coded.data, {}, 1150), 5u);
}

TEST(FfmpegCodecs, G722CarriesWidebandSound) {
  const codec::SdpAudioFormat format = codec::g722Format();
  auto encoder = ffmpegAudioEncoders()->create(format, {});
  auto decoder = ffmpegAudioDecoders()->create(format);
  if (!encoder || !decoder) GTEST_SKIP() << "no G.722";
  codec::ToneSource tone(5000);
  std::vector<int16_t> heard;
  std::vector<int16_t> piece(codec::AudioDecoder::kMaxPacketSamples);
  codec::EncodedAudioFrame packet;
  uint32_t expected = 0;
  for (int i = 0; i < 100; ++i) {
    codec::AudioFrame frame = tone.next(Timestamp::millis(10 * i));
    frame.rtpTimestamp = 480 * i;
    if (!(*encoder)->encode(frame, packet)) continue;
    EXPECT_EQ(packet.data.size(), 160u) << "20 ms at 64 kbit/s";
    EXPECT_EQ(packet.samples, 160u);
    EXPECT_EQ(packet.rtpTimestamp, expected) << "the clock runs at 8 kHz";
    expected += 160;
    EXPECT_EQ((*decoder)->packetSamples(packet.data), 960u);
    const auto got = (*decoder)->decode(packet.data, piece);
    ASSERT_EQ(got, 960u);
    heard.insert(heard.end(), piece.begin(), piece.begin() + 960);
  }
  EXPECT_EQ(expected, 8000u);
  EXPECT_GT(codec::tonePower(std::span(heard).subspan(9600), 5000), 0.9)
      << "above what telephones carry";
  EXPECT_EQ((*decoder)->conceal(960, piece), 960u);
  EXPECT_FALSE((*decoder)->decode({}, piece));
}

TEST(FfmpegCodecs, StandBehindTheBuiltInOnes) {
  Configuration configuration;
  useFfmpegCodecs(configuration);
  const auto formats = configuration.videoDecoders->supportedFormats();
  ASSERT_FALSE(formats.empty());
  EXPECT_NE(formats.front().name, "H264");
  EXPECT_EQ(configuration.audioDecoders->supportedFormats().back().name, "PCMA");
  EXPECT_EQ(configuration.videoDecoders->create({"H266", {}, {}}, {}).error().code,
            ErrorCode::NotSupported);
}

}  // namespace
}  // namespace parley::devices
