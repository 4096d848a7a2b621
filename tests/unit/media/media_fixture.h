#pragma once

#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "parley/base/environment.h"
#include "parley/media/receive_hub.h"
#include "parley/rtp/extensions/all.h"
#include "parley/rtp/packet_writer.h"
#include "parley/rtp/payload_format/payload_format.h"
#include "parley/rtp/rtx.h"

#include "support/hex.h"

namespace parley::media::test {

inline constexpr uint8_t kVp8 = 96, kVp8Rtx = 97, kVp9 = 98, kVp9Rtx = 99, kH264 = 102,
                         kH264Rtx = 103, kOpus = 111, kRed = 63, kPcmu = 0, kCn = 13, kDtmf = 126;

/// The ids of tests/vectors/rtp/README.md.
inline rtp::ExtensionMap browserExtensions() {
  rtp::ExtensionMap map;
  map.add(rtp::AudioLevel::kUri, 1);
  map.add(rtp::AbsSendTime::kUri, 2);
  map.add(rtp::TransportSequenceNumber::kUri, 3);
  map.add(rtp::Mid::kUri, 4);
  map.add(rtp::PlayoutDelay::kUri, 5);
  map.add(rtp::ContentType::kUri, 6);
  map.add(rtp::VideoTiming::kUri, 7);
  map.add(rtp::ColorSpace::kUri, 8);
  map.add(rtp::AbsCaptureTime::kUri, 9);
  map.add(rtp::Rid::kUri, 10);
  map.add(rtp::RepairedRid::kUri, 11);
  map.add(rtp::VideoOrientation::kUri, 13);
  return map;
}

inline ReceiveConfig videoConfig(uint32_t id, std::string mid) {
  ReceiveConfig config;
  config.id = ReceiverId(id);
  config.mid = std::move(mid);
  config.kind = MediaKind::Video;
  config.codecs = {{kVp8, "VP8", 90'000, 1, kVp8Rtx, true, true, true},
                   {kVp9, "VP9", 90'000, 1, kVp9Rtx, true, true, true},
                   {kH264, "H264", 90'000, 1, kH264Rtx, true, true, true}};
  config.extensions = browserExtensions();
  return config;
}

inline ReceiveConfig audioConfig(uint32_t id, std::string mid) {
  ReceiveConfig config;
  config.id = ReceiverId(id);
  config.mid = std::move(mid);
  config.kind = MediaKind::Audio;
  config.codecs = {{kOpus, "opus", 48'000, 2, {}, false, false, false},
                   {kRed, "red", 48'000, 2, {}, false, false, false},
                   {kPcmu, "PCMU", 8'000, 1, {}, false, false, false},
                   {kCn, "CN", 8'000, 1, {}, false, false, false},
                   {kDtmf, "telephone-event", 8'000, 1, {}, false, false, false}};
  config.extensions = browserExtensions();
  return config;
}

/// A hub with its environment, driven by hand. Time starts at one second.
class HubTest : public testing::Test {
 protected:
  HubTest() : hub_(std::in_place, env_) {}
  ~HubTest() override {
    hub_.reset();
    EXPECT_EQ(pool_.inUse(), 0u) << "packet buffers must not leak";
  }

  void deliver(ByteSpan bytes, Ecn ecn = Ecn::NotEct) {
    PacketBuf buf = pool_.copyOf(bytes);
    const auto view = rtp::PacketView::parse(buf.span());
    ASSERT_TRUE(view);
    hub_->handleRtp(std::move(buf), *view, ecn, now_);
    collect();
  }
  /// Runs the machine's deadlines up to `t`, checking that each advance makes progress.
  void runTo(Timestamp t) {
    while (hub_->nextDeadline() <= t) {
      now_ = std::max(now_, hub_->nextDeadline());
      hub_->advance(now_);
      ASSERT_GT(hub_->nextDeadline(), now_) << "machine rule M4";
      collect();
    }
    now_ = t;
    hub_->advance(now_);
    collect();
  }
  void run(Duration d) { runTo(now_ + d); }
  void collect() {
    ReceivedFrame frame;
    while (hub_->pollFrame(frame)) frames_.push_back(frame);
    AudioPlayoutUnit unit;
    while (hub_->pollAudio(unit)) units_.push_back(unit);
    FeedbackRequest request;
    while (hub_->pollFeedback(request)) requests_.push_back(request);
    SourceEvent event;
    while (hub_->pollEvent(event)) events_.push_back(event);
  }
  InboundStats statsOf(uint32_t ssrc) const {
    std::vector<InboundStats> all;
    hub_->stats(all);
    for (const auto& s : all) {
      if (s.ssrc == ssrc) return s;
    }
    return {};
  }
  size_t count(FeedbackRequest::Kind kind) const {
    size_t n = 0;
    for (const auto& r : requests_) n += r.kind == kind;
    return n;
  }

  SeededRandom random_{1};
  PacketPool pool_;
  Environment env_{random_, pool_};
  std::optional<ReceiveHub> hub_;
  Timestamp now_ = Timestamp::seconds(1);
  std::vector<ReceivedFrame> frames_;
  std::vector<AudioPlayoutUnit> units_;
  std::vector<FeedbackRequest> requests_;
  std::vector<SourceEvent> events_;
};

/// Makes the packets of one sender.
class Sender {
 public:
  uint32_t ssrc = 0x1111;
  uint32_t rtxSsrc = 0x2222;
  uint16_t sequence = 100;
  uint16_t rtxSequence = 5;
  uint16_t transportSequence = 1;
  uint32_t timestamp = 1000;
  uint16_t pictureId = 10;
  std::string mid;
  std::string rid;
  bool withTransportSequence = false;
  std::optional<rtp::PlayoutDelayValue> playoutDelay;
  std::optional<rtp::VideoOrientationValue> orientation;

  Bytes packet(uint8_t payloadType, bool marker, ByteSpan payload) {
    PacketBuf buf = pool_.allocate();
    rtp::PacketWriter writer(buf, {payloadType, marker, sequence++, timestamp, ssrc});
    addExtensions(writer, false);
    MutableByteSpan room = writer.beginPayload();
    std::copy(payload.begin(), payload.end(), room.begin());
    writer.finish(payload.size());
    return toBytes(buf.span());
  }
  Bytes padding(uint8_t payloadType) {
    PacketBuf buf = pool_.allocate();
    rtp::PacketWriter writer(buf, {payloadType, false, sequence++, timestamp, ssrc});
    writer.finish(0);
    rtp::addPadding(buf, 100);
    return toBytes(buf.span());
  }
  Bytes rtx(const Bytes& original, uint8_t rtxPayloadType) {
    PacketBuf buf = pool_.allocate();
    EXPECT_TRUE(rtp::wrapRtx(*rtp::PacketView::parse(original), rtxSsrc, rtxPayloadType,
                             rtxSequence++, buf));
    return toBytes(buf.span());
  }
  /// A VP8 frame in `packets` packets; the next one is 1/30 s later.
  std::vector<Bytes> vp8(bool key, size_t packets = 3, std::optional<rtp::Vp8Descriptor> d = {}) {
    Bytes frame(packets * 100, static_cast<uint8_t>(timestamp >> 3));
    frame[0] = key ? 0x50 : 0x51;
    if (key) {
      const Bytes header = parley::test::fromHex("50f7009d012a80026801");
      std::copy(header.begin(), header.end(), frame.begin());
    }
    rtp::FrameDescription description;
    if (!d) {
      d.emplace();
      d->pictureId = pictureId;
      pictureId = (pictureId + 1) & 0x7fff;
    }
    description.codec = *d;
    return cut(*vp8_, kVp8, frame, description, 110, packets);
  }
  std::vector<Bytes> h264(bool key, size_t sliceBytes) {
    Bytes frame;
    if (key) {
      frame = parley::test::fromHex(
          "000000016742c01fda0280bfe540000000016"
          "8ce3c80");
    }
    const Bytes start = parley::test::fromHex(key ? "0000000165"
                                                    "88"
                                                  : "0000000141"
                                                    "9a");
    frame.insert(frame.end(), start.begin(), start.end());
    frame.insert(frame.end(), sliceBytes, 0x77);
    return cut(*h264_, kH264, frame, {}, 110, 0);
  }
  std::vector<Bytes> vp9(const rtp::Vp9Descriptor& d, size_t packets = 2) {
    Bytes frame(packets * 90, 0x82);
    rtp::FrameDescription description;
    description.codec = d;
    return cut(*vp9_, kVp9, frame, description, 110, packets);
  }
  /// 20 ms of Opus. The first byte is the TOC (SILK, 20 ms).
  Bytes opusPayload(ByteSpan payload) {
    const Bytes out = packet(kOpus, false, payload);
    timestamp += 960;
    return out;
  }
  Bytes opus(bool fec = false) {
    const uint8_t bytes[] = {0x08, static_cast<uint8_t>(fec ? 0x40 : 0), uint8_t(sequence >> 8),
                             uint8_t(sequence)};
    return opusPayload(bytes);
  }

 private:
  void addExtensions(rtp::PacketWriter& writer, bool repair) {
    const rtp::ExtensionMap map = browserExtensions();
    if (!mid.empty()) writer.add<rtp::Mid>(map, mid);
    if (!rid.empty() && !repair) writer.add<rtp::Rid>(map, rid);
    if (withTransportSequence) writer.add<rtp::TransportSequenceNumber>(map, transportSequence++);
    if (playoutDelay) writer.add<rtp::PlayoutDelay>(map, *playoutDelay);
    if (orientation) writer.add<rtp::VideoOrientation>(map, *orientation);
  }
  std::vector<Bytes> cut(rtp::Packetizer& packetizer, uint8_t payloadType, const Bytes& frame,
                         const rtp::FrameDescription& description, size_t maxPayload,
                         size_t expected) {
    const size_t count = packetizer.begin(frame, description, maxPayload);
    if (expected) {
      EXPECT_EQ(count, expected);
    }
    std::vector<Bytes> out;
    for (size_t i = 0; i < count; ++i) {
      Bytes piece(maxPayload);
      piece.resize(packetizer.next(piece));
      out.push_back(packet(payloadType, i + 1 == count, piece));
    }
    timestamp += 3000;
    return out;
  }
  PacketPool pool_;
  std::unique_ptr<rtp::Packetizer> vp8_ = rtp::createPacketizer("VP8");
  std::unique_ptr<rtp::Packetizer> vp9_ = rtp::createPacketizer("VP9");
  std::unique_ptr<rtp::Packetizer> h264_ = rtp::createPacketizer("H264", {1});
};

struct CapturedPacket {
  Duration at;
  Bytes bytes;
};

/// A file of tests/vectors/rtp.
inline std::vector<CapturedPacket> loadCapture(const std::string& name) {
  std::ifstream in(std::string(PARLEY_TEST_DATA) + "/rtp/" + name + ".txt");
  std::vector<CapturedPacket> out;
  int64_t ms = 0;
  std::string hex;
  while (in >> ms >> hex) out.push_back({Duration::millis(ms), parley::test::fromHex(hex)});
  EXPECT_FALSE(out.empty()) << name;
  return out;
}

}  // namespace parley::media::test
