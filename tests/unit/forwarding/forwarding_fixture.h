#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "parley/base/random.h"
#include "parley/base/seq_num.h"
#include "parley/forwarding/forwarder.h"
#include "parley/rtp/extensions/all.h"
#include "parley/rtp/packet_writer.h"
#include "parley/rtp/payload_format/payload_format.h"
#include "parley/sim/clock_shim.h"

// Somebody who sends and somebody who looks at what arrives as a decoder would.

namespace parley::forwarding::test {

struct ForwardingWorld {
  SeededRandom random{5};
  PacketPool pool;
  Environment environment{random, pool, nullLog(), sim::virtualWallClock(), {}};
  Timestamp now = Timestamp::seconds(100);
};

inline rtp::ExtensionMap publisherExtensions() {
  rtp::ExtensionMap map;
  map.add(rtp::ExtensionKind::Mid, 1);
  map.add(rtp::ExtensionKind::AudioLevel, 2);
  map.add(rtp::ExtensionKind::TransportSequenceNumber, 3);
  map.add(rtp::ExtensionKind::VideoOrientation, 4);
  return map;
}

inline rtp::ExtensionMap peerExtensions() {
  rtp::ExtensionMap map;
  map.add(rtp::ExtensionKind::Mid, 9);
  map.add(rtp::ExtensionKind::AudioLevel, 8);
  map.add(rtp::ExtensionKind::TransportSequenceNumber, 7);
  map.add(rtp::ExtensionKind::AbsSendTime, 6);
  return map;
}

/// One encoding of VP8 with up to three temporal layers, as browsers send it.
class Vp8Sender {
 public:
  Vp8Sender(ForwardingWorld& world, uint32_t ssrc, int layers, uint16_t width, size_t packets)
      : world_(world), ssrc_(ssrc), layers_(layers), width_(width), packets_(packets) {
    sequence_ = static_cast<uint16_t>(65000 + ssrc);
    timestamp_ = world.random.u32();
    pictureId_ = static_cast<uint16_t>(32760 + ssrc % 8);
  }

  /// The packets of the next frame, 1/30 s after the last.
  std::vector<PacketBuf> frame(bool forceKey = false, std::optional<uint32_t> timestamp = {}) {
    const bool key = forceKey || frames_ == 0;
    if (key) phase_ = 0;
    static constexpr uint8_t kPattern[3][4] = {{0, 0, 0, 0}, {0, 1, 0, 1}, {0, 2, 1, 2}};
    const uint8_t temporal = kPattern[layers_ - 1][phase_ % 4];
    if (temporal == 0) ++tl0_;
    timestamp_ = timestamp.value_or(timestamp_ + 3000);
    std::vector<PacketBuf> out;
    for (size_t i = 0; i < packets_; ++i) out.push_back(packet(key, temporal, i));
    pictureId_ = (pictureId_ + 1) & 0x7fff;
    ++phase_;
    ++frames_;
    return out;
  }
  uint32_t ssrc() const { return ssrc_; }

 private:
  PacketBuf packet(bool key, uint8_t temporal, size_t i) {
    PacketBuf out = world_.pool.allocate();
    rtp::PacketHeader header{96, i + 1 == packets_, sequence_++, timestamp_, ssrc_};
    rtp::PacketWriter writer(out, header);
    writer.add<rtp::Mid>(publisherExtensions(), "v");
    ByteWriter w(writer.beginPayload());
    rtp::Vp8Descriptor d;
    d.startOfPartition = i == 0;
    d.pictureId = pictureId_;
    d.nonReference = temporal == 2;
    if (layers_ > 1) {
      d.temporalId = temporal;
      d.tl0PicIdx = tl0_;
      // The first frame of a higher layer after a base frame refers to nothing else.
      d.layerSync = temporal > 0 && phase_ % 4 <= 2;
    }
    d.write(w);
    if (i == 0) {
      const size_t before = w.size();
      w.u8(key ? 0x10 : 0x11);
      w.u16(0);
      if (key) {
        w.u24(0x9d012a);
        w.u8(static_cast<uint8_t>(width_));
        w.u8(static_cast<uint8_t>(width_ >> 8));
        w.u8(static_cast<uint8_t>(width_ * 9 / 16));
        w.u8(static_cast<uint8_t>((width_ * 9 / 16) >> 8));
      }
      w.zeros(1000 - (w.size() - before));
    } else {
      w.zeros(1000);
    }
    writer.finish(w.size());
    return out;
  }

  ForwardingWorld& world_;
  uint32_t ssrc_;
  int layers_;
  uint16_t width_;
  size_t packets_;
  uint16_t sequence_;
  uint32_t timestamp_;
  uint16_t pictureId_;
  uint8_t tl0_ = 200;
  size_t phase_ = 0;
  size_t frames_ = 0;
};

/// Puts VP8 frames together and knows which could be decoded.
class Vp8Viewer {
 public:
  void take(const PacketBuf& packet, Timestamp now) {
    const auto view = rtp::PacketView::parse(packet.span());
    ASSERT_TRUE(view);
    const int64_t sequence = sequences_.unwrap(view->sequenceNumber());
    EXPECT_TRUE(seen_.insert(sequence).second) << "a number twice";
    ++packets;
    if (view->payload().empty()) {
      ++fillers;
      filled_.insert(sequence);
      return;
    }
    rtp::PayloadInfo info;
    ASSERT_TRUE(depacketizer_->parse(view->payload(), info));
    const auto& d = std::get<rtp::Vp8Descriptor>(info.codec);
    const int64_t timestamp = timestamps_.unwrap(view->timestamp());
    Frame& frame = frames_[timestamp];
    if (info.frameStart) {
      frame.first = sequence;
      frame.key = info.keyFrame;
      if (info.keyFrame) frame.width = info.size.width;
    }
    if (view->marker()) frame.last = sequence;
    frame.pictureId = *d.pictureId;
    frame.temporal = d.temporalId.value_or(0);
    frame.tl0 = d.tl0PicIdx;
    frame.packets.insert(sequence);
    decode(now);
  }
  /// How many numbers below the highest are missing.
  size_t holes() const {
    if (seen_.empty()) return 0;
    return static_cast<size_t>(*seen_.rbegin() - *seen_.begin() + 1) - seen_.size();
  }
  std::vector<uint16_t> missing() const {
    std::vector<uint16_t> out;
    for (int64_t s = *seen_.begin(); s < *seen_.rbegin(); ++s) {
      if (!seen_.contains(s)) out.push_back(static_cast<uint16_t>(s));
    }
    return out;
  }

  size_t packets = 0;
  size_t fillers = 0;
  size_t decoded = 0;
  int width = 0;
  uint8_t highestTemporal = 0;
  Duration longestGap;
  std::map<int, size_t> decodedByWidth;
  std::optional<Timestamp> lastDecoded;

 private:
  struct Frame {
    int64_t first = -1, last = -1;
    std::set<int64_t> packets;
    bool key = false;
    uint16_t pictureId = 0;
    uint8_t temporal = 0;
    std::optional<uint8_t> tl0;
    int width = 0;
  };
  void decode(Timestamp now) {
    while (!frames_.empty()) {
      const auto& [timestamp, frame] = *frames_.begin();
      const bool complete =
          frame.first >= 0 && frame.last >= 0 &&
          frame.packets.size() == static_cast<size_t>(frame.last - frame.first + 1);
      if (!complete) return;
      if (!frame.key) {
        if (!pictureId_) return;
        if (frame.pictureId != ((*pictureId_ + 1) & 0x7fff)) return;
        // Upper layers refer to the last base frame, base frames to the one before.
        if (frame.tl0) {
          const auto expected = static_cast<uint8_t>(frame.temporal == 0 ? *tl0_ + 1 : *tl0_);
          EXPECT_EQ(*frame.tl0, expected);
        }
      } else {
        width = frame.width;
      }
      if (lastDecoded) longestGap = std::max(longestGap, now - *lastDecoded);
      lastDecoded = now;
      pictureId_ = frame.pictureId;
      if (frame.tl0) tl0_ = frame.tl0;
      highestTemporal = std::max(highestTemporal, frame.temporal);
      ++decoded;
      ++decodedByWidth[width];
      frames_.erase(frames_.begin());
    }
  }

  std::unique_ptr<rtp::Depacketizer> depacketizer_ = rtp::createDepacketizer("VP8");
  SeqUnwrapper<uint16_t> sequences_;
  SeqUnwrapper<uint32_t> timestamps_;
  std::set<int64_t> seen_;
  std::set<int64_t> filled_;
  std::map<int64_t, Frame> frames_;
  std::optional<uint16_t> pictureId_;
  std::optional<uint8_t> tl0_;
};

inline PublicationConfig videoPublication(const std::string& codec = "VP8") {
  PublicationConfig config;
  config.codecs = {{96, codec, 90'000}, {111, codec, 48'000}};
  config.extensions = publisherExtensions();
  return config;
}

inline SubscriptionConfig videoSubscription(uint32_t ssrc, const std::string& codec = "VP8") {
  SubscriptionConfig config;
  config.codec = codec;
  config.payloadType = 102;
  config.ssrc = ssrc;
  config.extensions = peerExtensions();
  config.mid = "m";
  return config;
}

}  // namespace parley::forwarding::test
