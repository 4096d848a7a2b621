// FEC of the layers of simulcast: each layer has its own.

#include <algorithm>
#include <deque>
#include <map>

#include <gtest/gtest.h>

#include "parley/base/environment.h"
#include "parley/base/random.h"
#include "parley/media/rtp_session.h"

namespace parley::media {
namespace {

constexpr Duration kOneWay = Duration::millis(150);

class SimulcastFec : public ::testing::TestWithParam<rtp::FecScheme> {
 protected:
  struct Flying {
    Timestamp arrival;
    bool toB = false;
    OutgoingPacket packet;
  };

  ~SimulcastFec() override { flying_.clear(); }

  static rtp::ExtensionMap extensions() {
    rtp::ExtensionMap map;
    map.add(rtp::ExtensionKind::Mid, 1);
    map.add(rtp::ExtensionKind::AbsSendTime, 2);
    map.add(rtp::ExtensionKind::TransportSequenceNumber, 3);
    map.add(rtp::ExtensionKind::Rid, 4);
    map.add(rtp::ExtensionKind::RepairedRid, 5);
    return map;
  }
  SendStreamId addLayer(const char* rid) {
    SendStreamConfig config;
    config.mid = "v";
    config.rid = rid;
    config.codec = "VP8";
    config.payloadType = 96;
    config.extensions = extensions();
    config.layer = SimulcastLayer{1, rid[0] == 'q' ? 2.0 : 1.0, false};
    config.fec = GetParam() == rtp::FecScheme::Ulpfec ? FecSendConfig{GetParam(), 120, 0, 118, {}}
                                                      : FecSendConfig{GetParam(), 49, 0, 0, {}};
    return a_.addSendStream(config, now_).value();
  }
  void receive() {
    ReceiveConfig config;
    config.id = ReceiverId{1};
    config.mid = "v";
    config.kind = MediaKind::Video;
    config.codecs = {{96, "VP8", 90'000, 1, {}, false, true, false},
                     {118, "red", 90'000, 1, {}, false, false, false},
                     {120, "ulpfec", 90'000, 1, {}, false, false, false},
                     {49,
                      GetParam() == rtp::FecScheme::Flexfec ? "flexfec" : "flexfec-03",
                      90'000,
                      1,
                      {},
                      false,
                      false,
                      false}};
    config.extensions = extensions();
    b_.setReceiver(config, now_);
  }
  void send(SendStreamId id, bool key, size_t size) {
    codec::EncodedVideoFrame frame;
    frame.data = Bytes(size, 1);
    frame.data[0] = key ? 0x10 : 0x11;
    frame.keyFrame = key;
    frame.capture = now_;
    frame.rtpTimestamp = codec::videoRtpTimestamp(now_);
    frame.width = 320;
    frame.height = 180;
    (void)a_.sendVideo(id, frame, now_).has_value();
  }
  void collect(RtpSession& from, bool toB) {
    OutgoingPacket packet;
    while (from.pollTransmit(packet)) {
      const bool lost = toB && !packet.isRtcp && losses_.unit() < 0.05;
      if (lost) continue;
      flying_.push_back({now_ + kOneWay, toB, std::move(packet)});
    }
  }
  void deliver() {
    while (!flying_.empty() && flying_.front().arrival <= now_) {
      Flying f = std::move(flying_.front());
      flying_.pop_front();
      RtpSession& to = f.toB ? b_ : a_;
      if (f.packet.isRtcp) {
        to.handleRtcp(f.packet.data.span(), now_);
      } else {
        to.handleRtp(std::move(f.packet.data), now_);
      }
    }
    ReceivedFrame frame;
    while (b_.pollFrame(frame)) ++frames_[frame.rid];
    RtpEvent event;
    while (a_.pollEvent(event) || b_.pollEvent(event)) {
    }
  }

  SeededRandom random_{3};
  SeededRandom losses_{9};
  PacketPool pool_;
  Environment environment_{
      random_, pool_, nullLog(), WallClock{Timestamp(), 1'700'000'000'000'000'000}, {}};
  Timestamp now_ = Timestamp::seconds(100);
  static RtpSessionConfig config(ArrivalFeedback feedback) {
    RtpSessionConfig out;
    out.rates.start = DataRate::kbps(1500);
    out.arrivalFeedback = feedback;
    return out;
  }
  RtpSession a_{environment_, config(ArrivalFeedback::None)};
  RtpSession b_{environment_, config(ArrivalFeedback::TransportWide)};
  std::deque<Flying> flying_;
  std::map<std::string, int> frames_;
};

TEST_P(SimulcastFec, EachLayerIsRepairedByItsOwn) {
  const SendStreamId small = addLayer("q");
  const SendStreamId large = addLayer("f");
  receive();
  a_.setNetworkAvailable(true, now_);
  b_.setNetworkAvailable(true, now_);
  for (int i = 0; i < 20 * 200; ++i) {
    now_ += Duration::millis(5);
    if (i % 7 == 0) {
      const bool key = i % 420 == 0;
      send(small, key, 900);
      send(large, key, 3000);
    }
    a_.advance(now_);
    b_.advance(now_);
    collect(a_, true);
    collect(b_, false);
    deliver();
  }
  std::vector<InboundStats> streams;
  b_.receiveStats(streams);
  ASSERT_EQ(streams.size(), 2u);
  for (const InboundStats& stream : streams) {
    EXPECT_TRUE(stream.rid == "q" || stream.rid == "f") << stream.rid;
    EXPECT_GT(stream.fecPacketsReceived, 20u) << stream.rid;
    EXPECT_GT(stream.restoredPackets, 10u) << stream.rid;
    EXPECT_EQ(stream.fecSsrc.has_value(), GetParam() != rtp::FecScheme::Ulpfec);
  }
  EXPECT_NE(streams[0].rid, streams[1].rid);
}

INSTANTIATE_TEST_SUITE_P(Schemes, SimulcastFec,
                         ::testing::Values(rtp::FecScheme::Ulpfec, rtp::FecScheme::Flexfec03,
                                           rtp::FecScheme::Flexfec));

}  // namespace
}  // namespace parley::media
