// A stream that is given packets instead of frames, as one who forwards does.

#include <initializer_list>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "parley/base/random.h"
#include "parley/media/rtp_session.h"
#include "parley/rtp/extensions/all.h"
#include "parley/rtp/packet_view.h"
#include "parley/rtp/packet_writer.h"

#include "support/alloc_guard.h"

namespace parley::media {
namespace {

class SendPacketsTest : public testing::Test {
 protected:
  SendPacketsTest()
      : environment_{
            random_, pool_, nullLog(), WallClock{Timestamp(), 1'700'000'000'000'000'000}, {}} {
    map_.add(rtp::ExtensionKind::AbsSendTime, 2);
    map_.add(rtp::ExtensionKind::TransportSequenceNumber, 3);
    RtpSessionConfig config;
    config.cname = "server";
    config.rates.start = config.rates.min = DataRate::kbps(3000);
    config.rates.max = DataRate::kbps(5000);
    session_ = std::make_unique<RtpSession>(environment_, config);
    SendStreamConfig stream;
    stream.mid = "v";
    stream.ssrc = kSsrc;
    stream.payloadType = 96;
    stream.rtxPayloadType = 97;
    stream.rtxSsrc = kRtxSsrc;
    stream.codec = "AV1";  // a packetizer is not needed
    stream.extensions = map_;
    stream.nack = stream.takesPackets = true;
    stream.maxBitrate = DataRate::kbps(5000);
    id_ = session_->addSendStream(stream, now_).value();
    session_->setNetworkAvailable(true, now_);
  }
  ~SendPacketsTest() override { session_.reset(); }

  PreparedPacket packet(uint16_t sequence, uint32_t ssrc = kSsrc, size_t payload = 1000) {
    PreparedPacket out;
    out.data = pool_.allocate();
    rtp::PacketWriter writer(out.data, {96, true, sequence, 90'000u * sequence, ssrc});
    writer.reserve<rtp::AbsSendTime>(map_);
    out.sendTimeAt = static_cast<uint16_t>(writer.lastValueAt());
    writer.reserve<rtp::TransportSequenceNumber>(map_);
    out.transportSequenceAt = static_cast<uint16_t>(writer.lastValueAt());
    writer.beginPayload();
    writer.finish(payload);
    out.headerSize = static_cast<uint16_t>(writer.headerSize());
    return out;
  }
  void send(std::vector<PreparedPacket>& packets) { session_->sendPackets(id_, packets, now_); }
  /// The media packets that leave now.
  std::vector<PacketBuf> take() {
    std::vector<PacketBuf> out;
    OutgoingPacket packet;
    while (session_->pollTransmit(packet)) {
      if (!packet.isRtcp) out.push_back(std::move(packet.data));
    }
    return out;
  }

  /// Until probes are over.
  void settle() {
    for (int i = 0; i < 600; ++i) {
      now_ += Duration::millis(10);
      session_->advance(now_);
      transportWide_ = static_cast<uint16_t>(transportWide_ + take().size());
    }
  }

  static constexpr uint32_t kSsrc = 0x1234;
  static constexpr uint32_t kRtxSsrc = 0x5678;
  SeededRandom random_{1};
  PacketPool pool_;
  Environment environment_;
  rtp::ExtensionMap map_;
  Timestamp now_ = Timestamp::seconds(7);
  std::unique_ptr<RtpSession> session_;
  SendStreamId id_;
  uint16_t transportWide_ = 0;  ///< of what was taken
};

TEST_F(SendPacketsTest, LeaveAtOnceWithSendTimeAndTransportWideNumbers) {
  // One at a time: what comes while the path is probed is part of the probe.
  for (uint16_t i = 0; i < 3; ++i) {
    std::vector<PreparedPacket> packets;
    packets.push_back(packet(i));
    send(packets);
    bool left = false;
    for (const PacketBuf& sent : take()) {
      const auto view = rtp::PacketView::parse(sent.span());
      ASSERT_TRUE(view);
      EXPECT_EQ(rtp::getExtension<rtp::AbsSendTime>(*view, map_),
                rtp::AbsSendTime::fromTimestamp(now_));
      EXPECT_EQ(rtp::getExtension<rtp::TransportSequenceNumber>(*view, map_), ++transportWide_);
      left |= view->ssrc() == kSsrc && view->sequenceNumber() == i;
    }
    EXPECT_TRUE(left);
    settle();
  }
  std::vector<SendStreamStats> stats;
  session_->sendStats(stats);
  EXPECT_EQ(stats.at(0).framesSent, 3u);
  EXPECT_GE(stats.at(0).packetsSent, 3u);
}

TEST_F(SendPacketsTest, ThePositionIsThatOfTheNewest) {
  EXPECT_FALSE(session_->sentPosition(id_, now_));
  for (const uint16_t sequence : std::initializer_list<uint16_t>{7, 9, 8}) {
    std::vector<PreparedPacket> packets;
    packets.push_back(packet(sequence));
    send(packets);
  }
  settle();
  const auto before = session_->sentPosition(id_, now_);
  const auto after = session_->sentPosition(id_, now_ + Duration::millis(100));
  ASSERT_TRUE(before && after);
  EXPECT_EQ(before->sequence, 9);
  EXPECT_EQ(after->timestamp - before->timestamp, 9000u);
}

TEST_F(SendPacketsTest, MoreThanABurstIsPacedInOrder) {
  // The burst of 5 ms at 2.5 times 3 Mb/s is 4687 bytes.
  std::vector<PreparedPacket> packets;
  for (uint16_t i = 0; i < 40; ++i) packets.push_back(packet(i));
  send(packets);
  std::vector<PacketBuf> sent = take();
  EXPECT_LT(sent.size(), 20u);
  uint16_t next = 0;
  const Timestamp end = now_ + Duration::seconds(2);
  for (;;) {
    for (const PacketBuf& data : sent) {
      const auto view = rtp::PacketView::parse(data.span());
      if (view->ssrc() != kSsrc) continue;  // padding
      EXPECT_EQ(view->sequenceNumber(), next++);
    }
    now_ = session_->nextDeadline();
    if (now_ > end) break;
    session_->advance(now_);
    sent = take();
  }
  EXPECT_EQ(next, 40);
}

TEST_F(SendPacketsTest, WhatIsNotOfTheStreamIsDroppedAndCounted) {
  std::vector<PreparedPacket> packets;
  packets.push_back(packet(1, kSsrc + 1));
  PreparedPacket cut = packet(2);
  cut.data.resize(9);
  packets.push_back(std::move(cut));
  send(packets);
  EXPECT_TRUE(take().empty());
  EXPECT_EQ(session_->drops().forwarded, 2u);
  session_->sendPackets(SendStreamId{99}, packets, now_);
  EXPECT_EQ(session_->drops().forwarded, 4u);
}

TEST_F(SendPacketsTest, ARepetitionLeavesAsRtx) {
  std::vector<PreparedPacket> packets;
  packets.push_back(packet(5));
  packets.back().isRepetition = true;
  send(packets);
  const auto sent = take();
  ASSERT_EQ(sent.size(), 1u);
  const auto view = rtp::PacketView::parse(sent[0].span());
  EXPECT_EQ(view->ssrc(), kRtxSsrc);
  EXPECT_EQ(view->payloadType(), 97);
  EXPECT_EQ(loadU16(view->payload().data()), 5);
}

TEST_F(SendPacketsTest, APacketCostsNoAllocation) {
  if (!test::AllocGuard::isActive()) GTEST_SKIP() << "allocations are not counted in this build";
  std::vector<PreparedPacket> packets;
  packets.reserve(2);
  OutgoingPacket out;
  uint16_t sequence = 0;
  const auto round = [&] {
    packets.clear();
    for (int i = 0; i < 2; ++i) packets.push_back(packet(sequence++));
    send(packets);
    while (session_->pollTransmit(out)) out.data.reset();
    now_ += Duration::millis(10);
    session_->advance(now_);
    while (session_->pollTransmit(out)) out.data.reset();
    RtpEvent event;
    while (session_->pollEvent(event)) {
    }
  };
  for (int i = 0; i < 1500; ++i) round();
  const test::AllocGuard guard;
  for (int i = 0; i < 200; ++i) round();
  EXPECT_EQ(guard.count(), 0u);
}

}  // namespace
}  // namespace parley::media
