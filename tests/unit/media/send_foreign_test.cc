// Packets that an application brings, as packets of a stream's own.

#include <initializer_list>
#include <memory>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "parley/base/random.h"
#include "parley/media/rtp_session.h"
#include "parley/rtp/extensions/all.h"
#include "parley/rtp/packet_view.h"
#include "parley/rtp/packet_writer.h"
#include "parley/rtp/rtcp/all.h"

#include "media/foreign_numbers.h"
#include "support/alloc_guard.h"

namespace parley::media {
namespace {

class Foreign : public testing::Test {
 protected:
  Foreign() : Foreign(MediaKind::Video) {}
  explicit Foreign(MediaKind kind)
      : environment_{
            random_, pool_, nullLog(), WallClock{Timestamp(), 1'700'000'000'000'000'000}, {}} {
    ours_.add(rtp::ExtensionKind::AbsSendTime, 2);
    ours_.add(rtp::ExtensionKind::TransportSequenceNumber, 3);
    ours_.add(rtp::ExtensionKind::Mid, 4);
    ours_.add(rtp::ExtensionKind::VideoOrientation, 13);
    ours_.add(rtp::ExtensionKind::AudioLevel, 1);
    theirs_.add(rtp::ExtensionKind::VideoOrientation, 5);
    theirs_.add(rtp::ExtensionKind::AudioLevel, 6);
    theirs_.add(rtp::ExtensionKind::AbsSendTime, 7);
    RtpSessionConfig config;
    config.cname = "bridge";
    config.rates.start = config.rates.min = DataRate::kbps(3000);
    config.rates.max = DataRate::kbps(5000);
    session_ = std::make_unique<RtpSession>(environment_, config);
    stream_.kind = kind;
    stream_.mid = "m";
    stream_.ssrc = kSsrc;
    stream_.payloadType = 96;
    stream_.rtxPayloadType = 97;
    stream_.rtxSsrc = kRtxSsrc;
    stream_.codec = kind == MediaKind::Video ? "H264" : "opus";
    stream_.clockRate = kind == MediaKind::Video ? 90'000 : 48'000;
    if (kind == MediaKind::Audio) stream_.eventPayloadType = 110;
    stream_.extensions = ours_;
    stream_.nack = true;
    stream_.maxBitrate = DataRate::kbps(5000);
    id_ = session_->addSendStream(stream_, now_).value();
    session_->setNetworkAvailable(true, now_);
  }
  ~Foreign() override {
    session_.reset();
    EXPECT_EQ(pool_.inUse(), 0u);
  }

  struct Source {
    uint32_t ssrc = 0x77;
    uint8_t payloadType = 33;
    uint32_t firstTimestamp = 0;
    size_t payload = 500;
  };
  Result<void> send(uint16_t sequence, Source source, bool event = false) {
    PacketBuf made = pool_.allocate();
    const uint32_t csrcs[] = {0xabcd};
    rtp::PacketWriter writer(
        made,
        {source.payloadType, true, sequence, source.firstTimestamp + 3000u * sequence, source.ssrc},
        csrcs);
    writer.add<rtp::VideoOrientation>(theirs_, {90, false, false});
    writer.add<rtp::AudioLevel>(theirs_, {true, 30});
    writer.add<rtp::AbsSendTime>(theirs_, 0x123456);
    const MutableByteSpan room = writer.beginPayload();
    std::fill_n(room.begin(), source.payload, static_cast<uint8_t>(sequence));
    writer.finish(source.payload);
    ForeignPacket packet;
    packet.packet = *rtp::PacketView::parse(made.span());
    packet.extensions = &theirs_;
    packet.telephoneEvent = event;
    return session_->sendForeign(id_, packet, now_);
  }
  Result<void> send(uint16_t sequence) { return send(sequence, Source{}); }
  /// All media that leaves within `d`, probes and padding aside.
  std::vector<PacketBuf> take(Duration d = Duration::millis(100)) {
    std::vector<PacketBuf> out;
    const Timestamp end = now_ + d;
    while (now_ < end) {
      now_ += Duration::millis(5);
      session_->advance(now_);
      OutgoingPacket packet;
      while (session_->pollTransmit(packet)) {
        if (packet.isRtcp) continue;
        const auto view = rtp::PacketView::parse(packet.data.span());
        EXPECT_TRUE(view);
        if (view->paddingSize() == 0) out.push_back(std::move(packet.data));
      }
    }
    return out;
  }
  static rtp::PacketView view(const PacketBuf& p) { return *rtp::PacketView::parse(p.span()); }
  std::vector<uint16_t> numbersOf(const std::vector<PacketBuf>& packets, uint32_t ssrc = kSsrc) {
    std::vector<uint16_t> out;
    for (const PacketBuf& packet : packets) {
      if (view(packet).ssrc() == ssrc) out.push_back(view(packet).sequenceNumber());
    }
    return out;
  }
  void nack(std::vector<uint16_t> sequences) {
    Bytes bytes(200);
    ByteWriter w(bytes);
    rtp::rtcp::Nack::write(w, 1, kSsrc, sequences, bytes.size());
    session_->handleRtcp(ByteSpan(bytes).first(w.size()), now_);
  }

  static constexpr uint32_t kSsrc = 0x1234;
  static constexpr uint32_t kRtxSsrc = 0x5678;
  SeededRandom random_{1};
  PacketPool pool_;
  Environment environment_;
  rtp::ExtensionMap ours_, theirs_;
  Timestamp now_ = Timestamp::seconds(7);
  std::unique_ptr<RtpSession> session_;
  SendStreamConfig stream_;
  SendStreamId id_;
};

TEST_F(Foreign, APacketLeavesAsOneOfTheStream) {
  ASSERT_TRUE(send(7));
  const auto packets = take();
  ASSERT_EQ(numbersOf(packets).size(), 1u);
  const auto p = view(packets[0]);  // probes repeat it
  EXPECT_EQ(p.ssrc(), kSsrc);
  EXPECT_EQ(p.payloadType(), 96);
  EXPECT_TRUE(p.marker());
  ASSERT_EQ(p.csrcCount(), 1u);
  EXPECT_EQ(p.csrc(0), 0xabcdu);
  EXPECT_EQ(p.payload().size(), 500u);
  EXPECT_EQ(p.payload()[0], 7);
  EXPECT_EQ(rtp::getExtension<rtp::Mid>(p, ours_), "m");
  EXPECT_EQ(rtp::getExtension<rtp::VideoOrientation>(p, ours_)->rotation, 90);
  EXPECT_EQ(rtp::getExtension<rtp::AudioLevel>(p, ours_)->level, 30);
  const auto sendTime = rtp::getExtension<rtp::AbsSendTime>(p, ours_);
  ASSERT_TRUE(sendTime);
  EXPECT_NE(*sendTime, 0x123456u) << "the time of this way, not of the one before";
  EXPECT_TRUE(rtp::getExtension<rtp::TransportSequenceNumber>(p, ours_));
}

TEST_F(Foreign, GapsStayAndLatePacketsTakeTheirPlaces) {
  for (const uint16_t s : std::initializer_list<uint16_t>{100, 101, 104, 103, 105})
    ASSERT_TRUE(send(s));
  const auto numbers = numbersOf(take());
  ASSERT_EQ(numbers.size(), 5u);
  const uint16_t first = numbers[0];
  const int expected[] = {0, 1, 4, 3, 5};
  for (size_t i = 0; i < 5; ++i)
    EXPECT_EQ(static_cast<uint16_t>(numbers[i] - first), expected[i]) << i;
}

TEST_F(Foreign, NoNumberIsUsedTwice) {
  for (const uint16_t s : std::initializer_list<uint16_t>{1, 2, 2, 3, 1, 3}) ASSERT_TRUE(send(s));
  EXPECT_EQ(numbersOf(take()).size(), 3u);
  EXPECT_EQ(session_->drops().foreign, 3u);
}

TEST_F(Foreign, WhatThePeerMissesIsRepeated) {
  for (const uint16_t s : std::initializer_list<uint16_t>{1, 3, 2, 4}) ASSERT_TRUE(send(s));
  const auto numbers = numbersOf(take());
  ASSERT_EQ(numbers.size(), 4u);
  nack({numbers[1], numbers[2]});
  std::set<uint16_t> repeated;
  for (const PacketBuf& packet : take()) {
    const auto p = view(packet);
    if (p.ssrc() != kRtxSsrc) continue;
    EXPECT_EQ(p.payloadType(), 97);
    repeated.insert(loadU16(p.payload().data()));
    EXPECT_EQ(p.payload().size(), 502u);
  }
  EXPECT_TRUE(repeated.contains(numbers[1]));
  EXPECT_TRUE(repeated.contains(numbers[2])) << "one that came out of order is kept too";
}

TEST_F(Foreign, AnotherSourceGoesOnWhereTheStreamIs) {
  for (uint16_t s = 0; s < 5; ++s) {
    ASSERT_TRUE(send(s));
    take(Duration::millis(30));
  }
  const auto before = session_->sentPosition(id_, now_).value();
  Source other;
  other.ssrc = 0x99;
  other.firstTimestamp = 0xf0000000;
  ASSERT_TRUE(send(60'000, other));
  const auto packets = take();
  ASSERT_EQ(numbersOf(packets), (std::vector<uint16_t>{uint16_t(before.sequence + 1)}));
  EXPECT_LE(view(packets[0]).timestamp() - before.timestamp, 90'000u / 20);
  ASSERT_TRUE(send(60'001, other));
  const auto next = take();
  EXPECT_EQ(view(next.at(0)).timestamp() - view(packets[0]).timestamp(), 3000u);
}

TEST_F(Foreign, AJumpBeyondAnyLossIsNoGap) {
  ASSERT_TRUE(send(10));
  ASSERT_TRUE(send(20'000));
  ASSERT_TRUE(send(9));
  const auto numbers = numbersOf(take());
  ASSERT_EQ(numbers.size(), 3u);
  EXPECT_EQ(static_cast<uint16_t>(numbers[1] - numbers[0]), 1);
  EXPECT_EQ(static_cast<uint16_t>(numbers[2] - numbers[0]), 2);
}

TEST_F(Foreign, FramesAndPacketsShareTheNumbersOfAStream) {
  ASSERT_TRUE(send(1));
  codec::EncodedVideoFrame frame;
  frame.data = Bytes{0, 0, 0, 1, 0x65, 0x88, 1, 2, 3};
  frame.keyFrame = true;
  ASSERT_TRUE(session_->sendVideo(id_, frame, now_));
  ASSERT_TRUE(send(2));
  const auto numbers = numbersOf(take());
  ASSERT_EQ(numbers.size(), 3u);
  EXPECT_EQ(static_cast<uint16_t>(numbers[2] - numbers[0]), 2);
}

TEST_F(Foreign, WhatCannotBeSentIsRefused) {
  Source large;
  large.payload = 1440;
  EXPECT_EQ(send(1, large).error().code, ErrorCode::Range);
  large.payload = 1380;
  EXPECT_TRUE(send(1, large)) << "as cameras fill them";
  EXPECT_EQ(send(2, Source{}, true).error().code, ErrorCode::NotSupported);
  EXPECT_EQ(session_->sendForeign(SendStreamId{99}, {}, now_).error().code, ErrorCode::NotFound);
  stream_.active = false;
  ASSERT_TRUE(session_->updateSendStream(id_, stream_, now_));
  EXPECT_EQ(send(3).error().code, ErrorCode::InvalidState);
  stream_.active = true;
  ASSERT_TRUE(session_->updateSendStream(id_, stream_, now_));
  session_->setNetworkAvailable(false, now_);
  EXPECT_EQ(send(4).error().code, ErrorCode::InvalidState);
}

TEST_F(Foreign, TooMuchAtOnceIsDroppedAndAKeyFrameAskedFor) {
  ErrorCode last{};
  uint16_t s = 0;
  for (; s < 20'000; ++s) {
    const auto result = send(s);
    if (result) continue;
    last = result.error().code;
    break;
  }
  EXPECT_EQ(last, ErrorCode::ResourceExhausted) << s;
  RtpEvent event;
  bool asked = false;
  while (session_->pollEvent(event)) asked |= std::holds_alternative<KeyFrameRequested>(event);
  EXPECT_TRUE(asked);
}

TEST_F(Foreign, SteadyPacketsDoNotAllocate) {
  uint16_t s = 0;
  const auto round = [&] {
    (void)send(s++);
    now_ += Duration::millis(3);
    session_->advance(now_);
    OutgoingPacket packet;
    while (session_->pollTransmit(packet)) packet.data.reset();
    RtpEvent event;
    while (session_->pollEvent(event)) {
    }
  };
  for (int i = 0; i < 4000; ++i) round();
  const test::AllocGuard guard;
  for (int i = 0; i < 500; ++i) round();
  EXPECT_EQ(guard.count(), 0u);
}

class ForeignSound : public Foreign {
 protected:
  ForeignSound() : Foreign(MediaKind::Audio) {}
};

TEST_F(ForeignSound, TelephoneEventsGoUnderTheirPayloadType) {
  ASSERT_TRUE(send(1));
  ASSERT_TRUE(send(2, Source{}, true));
  const auto packets = take();
  ASSERT_EQ(packets.size(), 2u);
  EXPECT_EQ(view(packets[0]).payloadType(), 96);
  EXPECT_EQ(view(packets[1]).payloadType(), 110);
  EXPECT_EQ(view(packets[1]).timestamp() - view(packets[0]).timestamp(), 3000u);
}

/// Whatever comes, in whatever order: numbers above the floor, none twice, none below what others
/// have sent.
TEST(ForeignNumbers, AreNeverGivenTwice) {
  SeededRandom random(3);
  ForeignNumbers numbers;
  std::set<int64_t> given;
  int64_t next = 1000;
  uint32_t lastTimestamp = 0;
  uint16_t sequence = 0;
  for (int i = 0; i < 20'000; ++i) {
    const auto dice = static_cast<uint32_t>(random.below(100));
    if (dice < 2) given.insert(next++);  // padding
    if (dice == 3) sequence = static_cast<uint16_t>(random.u32());
    const auto back = static_cast<uint16_t>(dice < 30 ? random.below(40) : 0);
    const uint16_t s = static_cast<uint16_t>(sequence++ - back);
    const auto mapped = numbers.map(dice == 4 ? static_cast<uint32_t>(random.below(3)) : 7, s,
                                    s * 100u, next, lastTimestamp, lastTimestamp + 500);
    lastTimestamp = numbers.newestTimestamp();
    if (!mapped) continue;
    ASSERT_TRUE(given.insert(mapped->sequence).second) << i << ": " << mapped->sequence;
    ASSERT_LE(mapped->sequence, next + 3001);
    next = std::max(next, mapped->sequence + 1);
  }
  EXPECT_GT(given.size(), 10'000u);
}

}  // namespace
}  // namespace parley::media
