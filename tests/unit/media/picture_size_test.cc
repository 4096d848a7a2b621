// Bad-input rule B47: pictures that are too large are refused before a decoder sees them, whatever
// the codec.

#include <gtest/gtest.h>

#include "parley/rtp/payload_format/h264_nalu.h"
#include "parley/rtp/payload_format/h265_nalu.h"

#include "unit/media/media_fixture.h"

namespace parley::media {
namespace {

using test::HubTest;
using test::kH264;
using test::Sender;

constexpr uint8_t kH265 = 104, kAv1 = 45;

/// Bits as parameter sets have them, with the octets that keep start codes out.
class Bits {
 public:
  Bits& u(unsigned count, uint64_t value) {
    for (unsigned i = count; i-- > 0;) bits_.push_back(value >> i & 1);
    return *this;
  }
  Bits& ue(uint64_t value) {
    unsigned length = 1;
    while ((value + 1) >> length != 0) ++length;
    return u(length - 1, 0).u(length, value + 1);
  }
  Bytes behind(Bytes header, bool escape = true) {
    u(1, 1);
    while (bits_.size() % 8 != 0) bits_.push_back(false);
    size_t zeros = 0;
    for (size_t i = 0; i < bits_.size(); i += 8) {
      uint8_t octet = 0;
      for (size_t b = 0; b < 8; ++b) octet = static_cast<uint8_t>(octet << 1 | bits_[i + b]);
      if (escape && zeros >= 2 && octet <= 3) {
        header.push_back(3);
        zeros = 0;
      }
      zeros = octet == 0 ? zeros + 1 : 0;
      header.push_back(octet);
    }
    return header;
  }

 private:
  std::vector<bool> bits_;
};

struct Size {
  uint64_t width, height;
  uint64_t cutRight = 0, cutBottom = 0;
};

Bytes h264Sps(const Size& s) {
  Bits b;
  b.ue(0).ue(0).ue(2).ue(1).u(1, 0).ue(s.width / 16 - 1).ue(s.height / 16 - 1).u(2, 3);
  const bool cut = s.cutRight + s.cutBottom > 0;
  b.u(1, cut);
  if (cut) b.ue(0).ue(s.cutRight / 2).ue(0).ue(s.cutBottom / 2);
  return b.u(1, 0).behind({0x67, 0x42, 0xc0, 0x1f});
}

Bytes h265Sps(const Size& s) {
  Bits b;
  b.u(4, 0).u(3, 0).u(1, 1);
  for (int i = 0; i < 12; ++i) b.u(8, 0x55);  // profile, tier and level
  b.ue(0).ue(1).ue(s.width).ue(s.height);
  const bool cut = s.cutRight + s.cutBottom > 0;
  b.u(1, cut);
  if (cut) b.ue(0).ue(s.cutRight / 2).ue(0).ue(s.cutBottom / 2);
  return b.ue(0).ue(0).behind({0x42, 0x01});
}

Bytes av1Sequence(const Size& s) {
  Bits b;
  b.u(3, 0).u(1, 1).u(1, 1).u(5, 8).u(4, 15).u(4, 15).u(16, s.width - 1).u(16, s.height - 1);
  return b.u(16, 0).behind({0x08}, false);
}

class PictureSize : public HubTest {
 protected:
  PictureSize() {
    ReceiveConfig config = test::videoConfig(1, "v");
    config.codecs = {{kH264, "H264", 90'000, 1, {}, false, true, false},
                     {kH265, "H265", 90'000, 1, {}, false, true, false},
                     {kAv1, "AV1", 90'000, 1, {}, false, true, false}};
    hub_->setReceiver(config);
    sender_.mid = "v";
  }
  /// Whether a picture of that size is handed out.
  bool shows(uint8_t codec, const Size& size) {
    frames_.clear();
    const uint64_t dropped = statsOf(sender_.ssrc).framesDropped;
    if (codec == kH264) {
      deliver(sender_.packet(kH264, false, h264Sps(size)));
      deliver(sender_.packet(kH264, false, Bytes{0x68, 0xce, 0x3c, 0x80}));
      deliver(sender_.packet(kH264, true, Bytes{0x65, 0x88, 0x77, 0x77}));
    } else if (codec == kH265) {
      deliver(sender_.packet(kH265, false, Bytes{0x40, 0x01, 0x0c, 0x01}));
      deliver(sender_.packet(kH265, false, h265Sps(size)));
      deliver(sender_.packet(kH265, false, Bytes{0x44, 0x01, 0xc1, 0x72}));
      deliver(sender_.packet(kH265, true, Bytes{0x26, 0x01, 0xaf, 0x77}));
    } else {
      const Bytes sequence = av1Sequence(size);
      Bytes payload{0x28, static_cast<uint8_t>(sequence.size())};
      payload.insert(payload.end(), sequence.begin(), sequence.end());
      const uint8_t frame[] = {0x30, 0x10, 0x77, 0x77};
      payload.insert(payload.end(), std::begin(frame), std::end(frame));
      deliver(sender_.packet(kAv1, true, payload));
    }
    sender_.timestamp += 3000;
    run(Duration::millis(500));
    EXPECT_LE(frames_.size(), 1u);
    EXPECT_EQ(statsOf(sender_.ssrc).framesDropped - dropped, frames_.empty() ? 1u : 0u);
    return !frames_.empty();
  }
  Sender sender_;
};

TEST_F(PictureSize, UpToTheLimitIsShownAndBeyondItIsNot) {
  for (const uint8_t codec : {kH264, kH265, kAv1}) {
    EXPECT_TRUE(shows(codec, {640, 480})) << int{codec};
    EXPECT_TRUE(shows(codec, {4096, 2304})) << int{codec};
    EXPECT_TRUE(shows(codec, {2304, 4096})) << "either way up " << int{codec};
    EXPECT_FALSE(shows(codec, {4112, 2304})) << int{codec};
    EXPECT_FALSE(shows(codec, {2320, 2320})) << int{codec};
    EXPECT_FALSE(shows(codec, {65536, 65536})) << "one more than 16 bits " << int{codec};
    EXPECT_FALSE(shows(codec, {65536, 16})) << int{codec};
    EXPECT_TRUE(shows(codec, {640, 480})) << "and it goes on " << int{codec};
  }
}

// The window is small, but a decoder has to hold all of it.
TEST_F(PictureSize, WhatIsCutOffCounts) {
  for (const uint8_t codec : {kH264, kH265}) {
    EXPECT_FALSE(shows(codec, {16384, 16384, 16384 - 640, 16384 - 480})) << int{codec};
    EXPECT_FALSE(shows(codec, {4096, 4096, 0, 4096 - 480})) << int{codec};
    EXPECT_FALSE(shows(codec, {1u << 20, 1u << 20, (1u << 20) - 640, (1u << 20) - 480}));
    EXPECT_TRUE(shows(codec, {1920, 1088, 0, 8})) << int{codec};
    EXPECT_EQ(frames_[0].size, (rtp::VideoSize{1920, 1080}));
    EXPECT_TRUE(shows(codec, {4096, 2320, 0, 16})) << "within blocks " << int{codec};
  }
}

}  // namespace
}  // namespace parley::media
