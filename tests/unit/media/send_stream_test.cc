#include <numeric>

#include <gtest/gtest.h>

#include "parley/rtp/extensions/all.h"
#include "parley/rtp/payload_format/payload_format.h"

#include "media/send_stream_impl.h"

namespace parley::media {
namespace {

class Sending : public testing::Test {
 protected:
  Sending() {
    pacer_.setRates({DataRate::kbps(100'000), DataRate::zero()}, now_);
    config_.codec = "VP8";
    config_.payloadType = 96;
    config_.rtxPayloadType = 97;
    config_.rtxSsrc = 0;
    config_.nack = true;
    config_.mid = "1";
    config_.extensions.add(rtp::ExtensionKind::Mid, 1);
    config_.extensions.add(rtp::ExtensionKind::Rid, 2);
    config_.extensions.add(rtp::ExtensionKind::RepairedRid, 3);
    config_.extensions.add(rtp::ExtensionKind::TransportSequenceNumber, 4);
    config_.extensions.add(rtp::ExtensionKind::AbsSendTime, 5);
    config_.extensions.add(rtp::ExtensionKind::VideoOrientation, 6);
    config_.extensions.add(rtp::ExtensionKind::AudioLevel, 7);
  }
  void open() {
    stream_ = std::make_unique<SendStream>(environment_, SendStreamId{1}, config_, 1200);
  }
  codec::EncodedVideoFrame frame(size_t size, bool key = false) {
    codec::EncodedVideoFrame f;
    f.data.resize(size);
    std::iota(f.data.begin(), f.data.end(), uint8_t{0});
    f.keyFrame = key;
    f.rtpTimestamp = 3000 * ++frames_;
    f.info = codec::Vp8Info{};
    return f;
  }
  /// Everything the pacer lets go, in plaintext; kept in history as the session does.
  std::vector<PacketBuf> drain() {
    std::vector<PacketBuf> packets;
    PacedPacket paced;
    int32_t probe = -1;
    while (pacer_.queuedBytes() > 0) {
      while (pacer_.pop(paced, probe, now_)) {
        PacketBuf wire;
        if (paced.type == PacketType::Retransmission) {
          if (!stream_->buildRetransmission(paced.sequence, wire, now_)) continue;
        } else {
          wire = pool_.copyOf(paced.data.span());
          stream_->remember(paced.sequence, std::move(paced.data), now_);
        }
        stream_->onSent(wire, paced.type, paced.queued, now_);
        packets.push_back(std::move(wire));
      }
      now_ += Duration::millis(1);
    }
    return packets;
  }
  static rtp::PacketView view(const PacketBuf& p) { return *rtp::PacketView::parse(p.span()); }

  SeededRandom random_{1};
  PacketPool pool_;
  Environment environment_{random_, pool_};
  SendStreamConfig config_;
  Pacer pacer_{1000};
  std::unique_ptr<SendStream> stream_;
  Timestamp now_ = Timestamp::seconds(10);
  uint32_t frames_ = 0;
};

TEST_F(Sending, AFrameBecomesPacketsOfEqualSizeThatFit) {
  open();
  const auto f = frame(5000, true);
  ASSERT_EQ(stream_->sendVideo(f, pacer_, now_), SendStream::Accepted::Yes);
  const auto packets = drain();
  ASSERT_EQ(packets.size(), 5u);
  Bytes joined;
  const auto depacketizer = rtp::createDepacketizer("VP8");
  for (size_t i = 0; i < packets.size(); ++i) {
    const auto v = view(packets[i]);
    // Room is left for the two bytes that RTX adds.
    EXPECT_LE(packets[i].size(), 1198u);
    EXPECT_EQ(v.payloadType(), 96);
    EXPECT_EQ(v.ssrc(), stream_->config().ssrc);
    EXPECT_EQ(v.marker(), i == 4);
    EXPECT_EQ(v.sequenceNumber(), static_cast<uint16_t>(view(packets[0]).sequenceNumber() + i));
    EXPECT_EQ(v.timestamp(), view(packets[0]).timestamp());
    EXPECT_EQ(rtp::getExtension<rtp::Mid>(v, config_.extensions), "1");
    EXPECT_EQ(rtp::getExtension<rtp::TransportSequenceNumber>(v, config_.extensions), 0);
    // 3GPP TS 26.114: on the last packet of a key frame only.
    EXPECT_EQ(rtp::getExtension<rtp::VideoOrientation>(v, config_.extensions).has_value(), i == 4);
    if (i > 0 && i < 4) {
      EXPECT_EQ(packets[i].size(), packets[1].size());
    }
    rtp::PayloadInfo info;
    ASSERT_TRUE(depacketizer->parse(v.payload(), info));
    EXPECT_EQ(info.frameStart, i == 0);
    depacketizer->append(v.payload(), joined);
  }
  EXPECT_EQ(joined, f.data);
}

TEST_F(Sending, TimestampsKeepTheirDistanceFromARandomStart) {
  open();
  stream_->sendVideo(frame(100, true), pacer_, now_);
  stream_->sendVideo(frame(100), pacer_, now_);
  const auto packets = drain();
  EXPECT_EQ(view(packets[1]).timestamp() - view(packets[0]).timestamp(), 3000u);
  EXPECT_NE(view(packets[0]).timestamp(), 3000u);
}

TEST_F(Sending, Vp8PictureIdsCountUp) {
  open();
  const auto depacketizer = rtp::createDepacketizer("VP8");
  std::optional<uint16_t> last;
  for (int i = 0; i < 5; ++i) {
    auto f = frame(100, i == 0);
    f.temporalLayers = 2;
    f.temporalId = static_cast<uint8_t>(i % 2);
    stream_->sendVideo(f, pacer_, now_);
    const auto packets = drain();
    rtp::PayloadInfo info;
    ASSERT_TRUE(depacketizer->parse(view(packets[0]).payload(), info));
    const auto& d = std::get<rtp::Vp8Descriptor>(info.codec);
    EXPECT_EQ(d.temporalId, i % 2);
    ASSERT_TRUE(d.tl0PicIdx);
    if (last) {
      EXPECT_EQ(*d.pictureId, (*last + 1) & 0x7fff);
    }
    last = d.pictureId;
  }
}

TEST_F(Sending, ANackIsAnsweredByRtxOncePerRoundTrip) {
  config_.rid = "h";
  open();
  stream_->sendVideo(frame(3000, true), pacer_, now_);
  const auto original = drain();
  now_ += Duration::millis(100);
  const uint16_t missing = view(original[1]).sequenceNumber();
  const uint16_t asked[] = {missing, static_cast<uint16_t>(missing + 500)};
  stream_->onNack(asked, pacer_, Duration::millis(80), now_);
  stream_->onNack(asked, pacer_, Duration::millis(80), now_);
  auto repeated = drain();
  ASSERT_EQ(repeated.size(), 1u);
  const auto v = view(repeated[0]);
  EXPECT_EQ(v.payloadType(), 97);
  EXPECT_EQ(v.ssrc(), *stream_->config().rtxSsrc);
  EXPECT_EQ(loadU16(v.payload().data()), missing);
  EXPECT_TRUE(std::ranges::equal(v.payload().subspan(2), view(original[1]).payload()));
  // RFC 8852: the repair packet carries the repaired rid, the original its rid.
  EXPECT_EQ(rtp::getExtension<rtp::RepairedRid>(v, config_.extensions), "h");
  EXPECT_FALSE(rtp::getExtension<rtp::Rid>(v, config_.extensions));
  EXPECT_EQ(rtp::getExtension<rtp::Rid>(view(original[1]), config_.extensions), "h");
  EXPECT_LE(repeated[0].size(), 1200u + 5u);
  stream_->onNack(asked, pacer_, Duration::millis(80), now_ + Duration::millis(20));
  EXPECT_TRUE(drain().empty());
  now_ += Duration::millis(80);
  stream_->onNack(asked, pacer_, Duration::millis(80), now_);
  EXPECT_EQ(drain().size(), 1u);
  EXPECT_EQ(stream_->stats().retransmittedPacketsSent, 2u);
  EXPECT_EQ(stream_->stats().nackCount, 4u);
}

TEST_F(Sending, TheFirstNackIsAnsweredSoonerThanASmoothedRoundTrip) {
  open();
  stream_->sendVideo(frame(3000, true), pacer_, now_);
  const auto original = drain();
  now_ += Duration::millis(60);
  const uint16_t asked[] = {view(original[1]).sequenceNumber()};
  stream_->onNack(asked, pacer_, Duration::millis(80), now_);
  EXPECT_EQ(drain().size(), 1u);
  now_ += Duration::millis(40);
  stream_->onNack(asked, pacer_, Duration::millis(80), now_);
  EXPECT_TRUE(drain().empty()) << "it may have crossed the repetition";
  now_ += Duration::millis(30);
  stream_->onNack(asked, pacer_, Duration::millis(80), now_);
  EXPECT_EQ(drain().size(), 1u);
}

TEST_F(Sending, WithoutRtxThePacketItselfIsRepeated) {
  config_.rtxPayloadType.reset();
  config_.rtxSsrc.reset();
  open();
  stream_->sendVideo(frame(500, true), pacer_, now_);
  const auto original = drain();
  now_ += Duration::millis(100);
  const uint16_t asked[] = {view(original[0]).sequenceNumber()};
  stream_->onNack(asked, pacer_, Duration::millis(80), now_);
  const auto repeated = drain();
  ASSERT_EQ(repeated.size(), 1u);
  EXPECT_TRUE(std::ranges::equal(repeated[0].span(), original[0].span()));
}

TEST_F(Sending, WhatWasToBeRepeatedWhenTheStreamStoppedIsRepeatedLater) {
  open();
  stream_->sendVideo(frame(5000, true), pacer_, now_);
  std::vector<uint16_t> numbers;
  for (const auto& p : drain()) numbers.push_back(view(p).sequenceNumber());
  stream_->onNack(numbers, pacer_, Duration::millis(40), now_);
  stream_->stop(CircuitBreakerReason::RtcpTimeout, pacer_);
  EXPECT_TRUE(stream_->stopped());
  EXPECT_TRUE(drain().empty());
  stream_->startAgain();
  EXPECT_FALSE(stream_->stopped());
  now_ += Duration::millis(100);
  stream_->onNack(numbers, pacer_, Duration::millis(40), now_);
  EXPECT_EQ(drain().size(), 5u);
}

TEST_F(Sending, ANackStormIsLimitedToAShareOfTheRate) {
  open();
  stream_->setRetransmissionRate(DataRate::kbps(400));
  std::vector<uint16_t> all;
  for (int i = 0; i < 60; ++i) stream_->sendVideo(frame(10'000, i == 0), pacer_, now_);
  for (const auto& p : drain()) all.push_back(view(p).sequenceNumber());
  size_t bytes = 0;
  for (int i = 0; i < 20; ++i) {
    now_ += Duration::millis(50);
    stream_->onNack(all, pacer_, Duration::millis(40), now_);
    for (const auto& p : drain()) bytes += p.size();
  }
  // The bucket (one second at half of 400 kb/s) and about one second of refill.
  EXPECT_LT(bytes, 60'000u);
  EXPECT_GT(bytes, 20'000u);
}

TEST_F(Sending, AnotherSourceRepeatsItsOwnPackets) {
  open();
  stream_->sendVideo(frame(5000, true), pacer_, now_);
  stream_->remember(100'000, std::move(drain()[0]), now_);  // numbers have wrapped since
  stream_->begin(1000, 1001, 1002);
  stream_->sendVideo(frame(5000, true), pacer_, now_);
  std::vector<uint16_t> numbers;
  for (const auto& p : drain()) numbers.push_back(view(p).sequenceNumber());
  ASSERT_EQ(numbers.size(), 5u);
  stream_->onNack(numbers, pacer_, Duration::millis(40), now_);
  EXPECT_EQ(drain().size(), 5u);
  EXPECT_EQ(pool_.inUse(), 5u);
  stream_->cull(now_ + Duration::seconds(10), Duration::millis(40));
  EXPECT_EQ(pool_.inUse(), 0u);
}

TEST_F(Sending, KeyFrameRequestsAreRareAndFirNumbersCount) {
  open();
  EXPECT_TRUE(stream_->onPli(now_));
  EXPECT_FALSE(stream_->onPli(now_ + Duration::millis(200)));
  EXPECT_TRUE(stream_->onFir(5, now_ + Duration::millis(400)));
  EXPECT_FALSE(stream_->onFir(5, now_ + Duration::seconds(2)));
  EXPECT_TRUE(stream_->onFir(6, now_ + Duration::seconds(2)));
  EXPECT_TRUE(stream_->wantKeyFrame(now_ + Duration::seconds(3)));
  EXPECT_EQ(stream_->stats().pliCount, 2u) << "those that came";
  EXPECT_EQ(stream_->stats().firCount, 3u);
}

TEST_F(Sending, AFirThatCameTooSoonIsObeyedWhenItIsRepeated) {
  open();
  EXPECT_TRUE(stream_->onPli(now_));  // its key frame is lost
  EXPECT_FALSE(stream_->onFir(5, now_ + Duration::millis(200)));
  EXPECT_TRUE(stream_->onFir(5, now_ + Duration::millis(400)));
  EXPECT_FALSE(stream_->onFir(5, now_ + Duration::millis(800)));
}

TEST_F(Sending, AfterADroppedFrameOnlyAKeyFrameIsTaken) {
  open();
  Pacer tiny(3);
  EXPECT_EQ(stream_->sendVideo(frame(500, true), tiny, now_), SendStream::Accepted::Yes);
  EXPECT_EQ(stream_->sendVideo(frame(5000), tiny, now_), SendStream::Accepted::NoRoom);
  EXPECT_EQ(stream_->sendVideo(frame(500), tiny, now_), SendStream::Accepted::AwaitingKeyFrame);
  EXPECT_EQ(stream_->sendVideo(frame(500, true), tiny, now_), SendStream::Accepted::Yes);
  EXPECT_EQ(stream_->stats().framesDropped, 2u);
}

TEST_F(Sending, AFrameThatCannotBeCutIsMissedByThoseBehindIt) {
  config_.codec = "H264";
  open();
  const auto h264 = [this](size_t size, bool key) {
    auto f = frame(size, key);
    std::fill(f.data.begin(), f.data.end(), uint8_t{0x77});
    storeU32(f.data.data(), 1);  // a start code
    f.data[4] = key ? 0x65 : 0x41;
    return f;
  };
  EXPECT_EQ(stream_->sendVideo(h264(500, true), pacer_, now_), SendStream::Accepted::Yes);
  // Packetization mode 0 knows no fragments.
  EXPECT_EQ(stream_->sendVideo(h264(5000, false), pacer_, now_), SendStream::Accepted::Unfit);
  EXPECT_EQ(stream_->sendVideo(h264(500, false), pacer_, now_),
            SendStream::Accepted::AwaitingKeyFrame);
  EXPECT_EQ(stream_->sendVideo(h264(500, true), pacer_, now_), SendStream::Accepted::Yes);
  EXPECT_EQ(stream_->stats().framesDropped, 2u);
  EXPECT_EQ(drain().size(), 2u);
}

TEST_F(Sending, MidAndRidEndWhenThePeerReports) {
  config_.rid = "q";
  open();
  stream_->sendVideo(frame(100, true), pacer_, now_);
  EXPECT_TRUE(rtp::getExtension<rtp::Rid>(view(drain()[0]), config_.extensions));
  stream_->onReportBlock({}, Duration::millis(50), now_);
  stream_->sendVideo(frame(100), pacer_, now_);
  const auto packets = drain();
  EXPECT_FALSE(rtp::getExtension<rtp::Rid>(view(packets[0]), config_.extensions));
  EXPECT_FALSE(rtp::getExtension<rtp::Mid>(view(packets[0]), config_.extensions));
  EXPECT_EQ(stream_->stats().remote->roundTripTime, Duration::millis(50));
}

TEST_F(Sending, PaddingRepeatsMediaOrIsPure) {
  open();
  EXPECT_FALSE(stream_->canPad());
  stream_->sendVideo(frame(900, true), pacer_, now_);
  drain();
  ASSERT_TRUE(stream_->canPad());
  PacketBuf out;
  ASSERT_TRUE(stream_->buildPadding(800, out, now_));
  EXPECT_EQ(view(out).ssrc(), *stream_->config().rtxSsrc);
  EXPECT_GT(view(out).payload().size(), 800u);
  ASSERT_TRUE(stream_->buildPadding(200, out, now_));
  EXPECT_EQ(view(out).payload().size(), 0u);
  EXPECT_EQ(view(out).paddingSize(), 200u);
}

TEST_F(Sending, PaddingOnTheMediaSsrcOnlyBetweenFrames) {
  config_.rtxPayloadType.reset();
  config_.rtxSsrc.reset();
  open();
  stream_->sendVideo(frame(100, true), pacer_, now_);
  const auto sent = drain();
  ASSERT_TRUE(stream_->canPad());
  PacketBuf out;
  ASSERT_TRUE(stream_->buildPadding(200, out, now_));
  EXPECT_EQ(view(out).sequenceNumber(), static_cast<uint16_t>(view(sent[0]).sequenceNumber() + 1));
  EXPECT_EQ(view(out).timestamp(), view(sent[0]).timestamp());
}

TEST_F(Sending, SenderReportsTellTheMediaTimeOfNow) {
  environment_.wallClock = {Timestamp::seconds(0), 1'700'000'000'000'000'000};
  open();
  auto f = frame(700, true);
  f.capture = now_;
  stream_->sendVideo(f, pacer_, now_);
  const auto packets = drain();
  const Timestamp later = f.capture + Duration::seconds(1);
  const auto report = stream_->senderReport(environment_.wallClock, later);
  EXPECT_EQ(report.rtpTimestamp, view(packets[0]).timestamp() + 90'000);
  EXPECT_EQ(report.packetCount, 1u);
  EXPECT_EQ(report.octetCount, view(packets[0]).payload().size());
  EXPECT_EQ(report.ntp.seconds(), 1'700'000'011u + 2'208'988'800u);
}

TEST_F(Sending, AudioCarriesItsLevelAndSilenceIsNotSent) {
  config_.kind = MediaKind::Audio;
  config_.codec = "opus";
  config_.clockRate = 48'000;
  config_.nack = false;
  open();
  codec::EncodedAudioFrame f;
  f.data = {1, 2, 3};
  f.rtpTimestamp = 960;
  f.audioLevel = 30;
  f.voice = true;
  ASSERT_EQ(stream_->sendAudio(f, pacer_, now_), SendStream::Accepted::Yes);
  f.dtx = true;
  f.rtpTimestamp += 960;
  ASSERT_EQ(stream_->sendAudio(f, pacer_, now_), SendStream::Accepted::Yes);
  f.dtx = false;
  f.rtpTimestamp += 960;
  ASSERT_EQ(stream_->sendAudio(f, pacer_, now_), SendStream::Accepted::Yes);
  PacedPacket a;
  PacedPacket b;
  int32_t probe = 0;
  ASSERT_TRUE(pacer_.pop(a, probe, now_));
  ASSERT_TRUE(pacer_.pop(b, probe, now_));
  EXPECT_FALSE(pacer_.pop(b, probe, now_));
  const auto level = rtp::getExtension<rtp::AudioLevel>(view(a.data), config_.extensions);
  EXPECT_EQ(level, (rtp::AudioLevelValue{true, 30}));
  EXPECT_EQ(view(b.data).timestamp() - view(a.data).timestamp(), 1920u);
  EXPECT_EQ(view(b.data).sequenceNumber(),
            static_cast<uint16_t>(view(a.data).sequenceNumber() + 1));
  f.data.clear();
  EXPECT_EQ(stream_->sendAudio(f, pacer_, now_), SendStream::Accepted::Unfit);
  EXPECT_EQ(stream_->sendVideo(frame(10), pacer_, now_), SendStream::Accepted::Unfit);
}

TEST_F(Sending, AnExhaustedPoolDropsTheFrameAndRecovers) {
  PacketPool small(4);
  Environment poor{random_, small};
  SendStream stream(poor, SendStreamId{1}, config_, 1200);
  EXPECT_EQ(stream.sendVideo(frame(20'000, true), pacer_, now_), SendStream::Accepted::NoRoom);
  pacer_.removeStream(1);
  EXPECT_EQ(stream.sendVideo(frame(2000, true), pacer_, now_), SendStream::Accepted::Yes);
  pacer_.removeStream(1);
}

}  // namespace
}  // namespace parley::media
