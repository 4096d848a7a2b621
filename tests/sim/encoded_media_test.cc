// Media that the app compresses and takes compressed: nothing here has a codec for it.

#include <algorithm>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "parley/codec/formats.h"
#include "parley/testing/pair.h"

namespace parley {
namespace {

/// A picture of H.264 as far as packets are concerned; `number` tells it from others.
codec::EncodedVideoFrame h264Picture(uint32_t number, bool keyFrame, size_t size = 3000) {
  codec::EncodedVideoFrame out;
  const auto unit = [&](Bytes nalu) {
    out.data.insert(out.data.end(), {0, 0, 0, 1});
    out.data.insert(out.data.end(), nalu.begin(), nalu.end());
  };
  if (keyFrame) {
    unit({0x67, 0x42, 0xc0, 0x1f, 0xda, 0x02, 0x80, 0xbf, 0xe5, 0x40});
    unit({0x68, 0xce, 0x3c, 0x80});
  }
  Bytes slice(size, 0xaa);
  slice[0] = keyFrame ? 0x65 : 0x41;
  slice[1] = 0x88;
  storeU32(&slice[2], number | 0x01010101);
  unit(slice);
  out.keyFrame = keyFrame;
  out.capture = Timestamp::millis(33 * number);
  out.rtpTimestamp = 3000 * number;
  out.width = 640;
  out.height = 360;
  return out;
}

class EncodedMedia : public ::testing::Test {
 protected:
  explicit EncodedMedia(bool bothKnow = true) : pair(options(bothKnow)), a(pair.a()), b(pair.b()) {}
  static Configuration configuration() {
    Configuration out;
    out.encodedVideoFormats = codec::h264Formats();
    out.encodedVideoFormats.push_back(codec::av1Format());
    out.encodedAudioFormats = {codec::g722Format()};
    return out;
  }
  static testing::PairOptions options(bool bothKnow) {
    testing::PairOptions out;
    out.configurationA = configuration();
    if (bothKnow) out.configurationB = configuration();
    return out;
  }
  void negotiate() { ASSERT_TRUE(pair.connect()); }

  testing::Pair pair;
  PeerConnection& a;
  PeerConnection& b;
};

TEST_F(EncodedMedia, H264GoesThroughUntouched) {
  std::vector<codec::EncodedVideoFrame> received;
  b.onTrack([&](const TrackEvent& event) {
    MediaStreamTrack track = event.track;
    track.setEncodedVideoSink([&](const codec::EncodedVideoFrame& f) { received.push_back(f); });
  });
  MediaStreamTrack track = MediaStreamTrack::createEncodedVideo(pair.loopA(), "h264");
  int keyFramesNeeded = 0;
  std::vector<DataRate> rates;
  bool key = true;
  track.onKeyFrameNeeded([&] {
    ++keyFramesNeeded;
    key = true;
  });
  track.onTargetBitrate([&](DataRate rate) { rates.push_back(rate); });
  ASSERT_TRUE(a.addTrack(track));
  negotiate();
  std::vector<Bytes> sent;
  for (uint32_t i = 0; i < 120; ++i) {
    const auto picture = h264Picture(i, std::exchange(key, false));
    ASSERT_TRUE(track.push(picture));
    sent.push_back(picture.data);
    pair.run(Duration::millis(33));
  }
  ASSERT_GT(received.size(), 60u);
  ASSERT_FALSE(rates.empty());
  EXPECT_GT(rates.back(), DataRate::kbps(100));
  EXPECT_GE(keyFramesNeeded, 1) << "once there is a rate";
  EXPECT_TRUE(received[0].keyFrame);
  EXPECT_EQ(received[0].codec, "H264");
  EXPECT_EQ(received[0].width, 640);
  EXPECT_EQ(received[0].height, 360);
  const auto first = std::find(sent.begin(), sent.end(), received[0].data);
  ASSERT_NE(first, sent.end());
  for (size_t i = 0; i < received.size(); ++i)
    EXPECT_EQ(received[i].data, first[static_cast<ptrdiff_t>(i)]) << i;
}

TEST_F(EncodedMedia, CapabilitiesNameWhatTheAppBringsAndMayBePreferred) {
  const auto has = [](const std::vector<RtpCodec>& codecs, const std::string& type) {
    return std::any_of(codecs.begin(), codecs.end(),
                       [&](const RtpCodec& codec) { return codec.mimeType == type; });
  };
  std::vector<RtpCodec> video = a.capabilities(MediaKind::Video).codecs;
  EXPECT_TRUE(has(video, "video/VP8"));
  EXPECT_TRUE(has(video, "video/H264"));
  EXPECT_TRUE(has(a.capabilities(MediaKind::Audio).codecs, "audio/G722"));
  EXPECT_FALSE(has(PeerConnection::receiverCapabilities(MediaKind::Video), "video/H264"));
  EXPECT_TRUE(
      has(PeerConnection::receiverCapabilities(MediaKind::Video, configuration()), "video/H264"));
  EXPECT_TRUE(
      has(RtpSender::getCapabilities(MediaKind::Audio, configuration()).codecs, "audio/G722"));
  RtpTransceiver transceiver = a.addTransceiver(MediaKind::Video).value();
  std::erase_if(video, [](const RtpCodec& codec) { return codec.mimeType != "video/H264"; });
  EXPECT_TRUE(transceiver.setCodecPreferences(video));
  a.close();
  EXPECT_TRUE(has(a.capabilities(MediaKind::Video).codecs, "video/H264"));
}

TEST_F(EncodedMedia, ASinkBeginsWithAKeyFrameThatIsAskedFor) {
  MediaStreamTrack remote;
  b.onTrack([&](const TrackEvent& event) { remote = event.track; });
  MediaStreamTrack track = MediaStreamTrack::createEncodedVideo(pair.loopA(), "H264");
  bool key = true;
  track.onKeyFrameNeeded([&] { key = true; });
  ASSERT_TRUE(a.addTrack(track));
  negotiate();
  uint32_t number = 0;
  const auto send = [&](int pictures) {
    for (int i = 0; i < pictures; ++i) {
      ASSERT_TRUE(track.push(h264Picture(number++, std::exchange(key, false))));
      pair.run(Duration::millis(33));
    }
  };
  send(60);  // nobody looks: no decoder here, and no storm of requests for key frames
  std::vector<bool> received;
  int keyFrames = 0;
  remote.setEncodedVideoSink([&](const codec::EncodedVideoFrame& f) {
    received.push_back(f.keyFrame);
    keyFrames += f.keyFrame;
  });
  send(60);
  ASSERT_GT(received.size(), 30u);
  EXPECT_TRUE(received[0]);
  EXPECT_LE(keyFrames, 2);
}

TEST_F(EncodedMedia, RawTracksAreSentInWhatCanBeEncoded) {
  if (PeerConnection::senderCapabilities(MediaKind::Video).empty())
    GTEST_SKIP() << "built without codecs";
  int pictures = 0;
  b.onTrack([&](const TrackEvent& event) {
    MediaStreamTrack track = event.track;
    track.setVideoSink([&](const codec::VideoFrame&) { ++pictures; });
  });
  MediaStreamTrack raw =
      MediaStreamTrack::createVideo(pair.loopA(), createTestPatternSource(160, 120, 30));
  RtpSender sender = a.addTrack(raw).value();
  negotiate();
  ASSERT_TRUE(pair.runUntil([&] { return pictures > 10; }, Duration::seconds(5)));
  // And in H.264 once the track brings that, without a negotiation.
  MediaStreamTrack track = MediaStreamTrack::createEncodedVideo(pair.loopA(), "H264");
  bool key = true;
  track.onKeyFrameNeeded([&] { key = true; });
  bool replaced = false;
  sender.replaceTrack(track, [&](Result<void> r) { replaced = r.has_value(); });
  int compressed = 0;
  b.getReceivers()[0].track().setEncodedVideoSink([&](const codec::EncodedVideoFrame& f) {
    if (f.codec == "H264") ++compressed;
  });
  for (uint32_t i = 0; i < 90; ++i) {
    ASSERT_TRUE(track.push(h264Picture(i, std::exchange(key, false))));
    pair.run(Duration::millis(33));
  }
  EXPECT_TRUE(replaced);
  EXPECT_GT(compressed, 30);
}

TEST_F(EncodedMedia, CodecsWithoutAnEncoderStandLast) {
  const auto offered = [&] {
    std::string sdp;
    a.createOffer({}, [&](Result<SessionDescription> d) { sdp = d.value().sdp; });
    pair.run(Duration::millis(10));
    return sdp;
  };
  ASSERT_TRUE(a.addTransceiver(MediaKind::Video));
  ASSERT_TRUE(a.addTransceiver(MediaKind::Audio));
  const std::string sdp = offered();
  EXPECT_NE(sdp.find("H264/90000"), std::string::npos);
  EXPECT_NE(sdp.find("profile-level-id=42e01f"), std::string::npos);
  EXPECT_NE(sdp.find("profile-level-id=640c1f"), std::string::npos);
  EXPECT_NE(sdp.find("a=rtpmap:45 AV1/90000"), std::string::npos);
  EXPECT_NE(sdp.find("a=rtpmap:9 G722/8000"), std::string::npos);
  EXPECT_NE(sdp.find("a=rtpmap:13 CN/8000"), std::string::npos);
  EXPECT_LT(sdp.find("VP8/90000"), sdp.find("H264/90000"));
}

TEST_F(EncodedMedia, SoundGoesThroughUntouched) {
  std::vector<codec::EncodedAudioFrame> received;
  b.onTrack([&](const TrackEvent& event) {
    MediaStreamTrack track = event.track;
    track.setEncodedAudioSink([&](const codec::EncodedAudioFrame& f) { received.push_back(f); });
  });
  MediaStreamTrack track = MediaStreamTrack::createEncodedAudio(pair.loopA(), "G722");
  ASSERT_TRUE(a.addTrack(track));
  EXPECT_EQ(track.push(codec::AudioFrame{}).error().code, ErrorCode::Type);
  negotiate();
  for (uint32_t i = 0; i < 100; ++i) {
    codec::EncodedAudioFrame frame;
    frame.data = Bytes(160, static_cast<uint8_t>(i));
    frame.rtpTimestamp = i * 160;
    frame.samples = 160;
    ASSERT_TRUE(track.push(frame));
    pair.run(Duration::millis(20));
  }
  ASSERT_GT(received.size(), 50u);
  EXPECT_EQ(received[0].codec, "G722");
  for (size_t i = 1; i < received.size(); ++i) {
    EXPECT_EQ(received[i].data.size(), 160u);
    EXPECT_EQ(static_cast<uint8_t>(received[i].data[0] - received[i - 1].data[0]), 1);
    EXPECT_EQ(received[i].rtpTimestamp - received[i - 1].rtpTimestamp, 160u);
  }
}

class OneSidedEncodedMedia : public EncodedMedia {
 protected:
  OneSidedEncodedMedia() : EncodedMedia(false) {}
};

TEST_F(OneSidedEncodedMedia, NothingIsSentThatThePeerDoesNotTake) {
  MediaStreamTrack track = MediaStreamTrack::createEncodedVideo(pair.loopA(), "H264");
  ASSERT_TRUE(a.addTrack(track));
  int received = 0;
  b.onTrack([&](const TrackEvent& event) {
    MediaStreamTrack in = event.track;
    in.setEncodedVideoSink([&](const codec::EncodedVideoFrame&) { ++received; });
  });
  negotiate();
  for (uint32_t i = 0; i < 30; ++i) {
    ASSERT_TRUE(track.push(h264Picture(i, true)));
    pair.run(Duration::millis(33));
  }
  EXPECT_EQ(received, 0);
}

}  // namespace
}  // namespace parley
