// RTP packets of the app's own, into a call and out of it; and the keys of telephones.

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "parley/api/forwarder.h"
#include "parley/codec/fake.h"
#include "parley/codec/formats.h"
#include "parley/codec/generators.h"
#include "parley/rtp/extensions/all.h"
#include "parley/rtp/packet_writer.h"
#include "parley/rtp/payload_format/payload_format.h"
#include "parley/rtp/payload_format/telephone_event.h"
#include "parley/testing/pair.h"

namespace parley {
namespace {

/// A program that sends RTP: pictures of a fake encoder, cut into packets.
class Camera {
 public:
  explicit Camera(uint32_t ssrc = 0x1111) : ssrc_(ssrc) {
    codec::VideoEncoderSettings settings;
    settings.width = 64;
    settings.height = 48;
    settings.startBitrate = DataRate::kbps(400);
    encoder_ = codec::fakeVideoEncoders()->create({"VP8", {}, {}}, settings).value();
    extensions.add(rtp::VideoOrientation::kUri, 9);
  }
  std::vector<Bytes> picture(bool keyFrame) {
    codec::VideoFrame raw = pattern_.next(Timestamp::millis(33 * number_));
    EXPECT_TRUE(encoder_->encode(raw, keyFrame));
    codec::EncodedVideoFrame frame;
    EXPECT_TRUE(encoder_->poll(frame));
    rtp::FrameDescription description;
    description.keyFrame = frame.keyFrame;
    rtp::Vp8Descriptor vp8;
    vp8.pictureId = static_cast<uint16_t>(number_ & 0x7fff);
    description.codec = vp8;
    const size_t count = packetizer_->begin(frame.data, description, 500);
    std::vector<Bytes> out;
    for (size_t i = 0; i < count; ++i) {
      PacketBuf buffer = pool_.allocate();
      rtp::PacketWriter writer(buffer,
                               {35, i + 1 == count, sequence_++, 3000u * number_ + 17, ssrc_});
      if (i + 1 == count) writer.add<rtp::VideoOrientation>(extensions, {180, false, false});
      writer.finish(packetizer_->next(writer.beginPayload()));
      out.push_back(Bytes(buffer.span().begin(), buffer.span().end()));
    }
    ++number_;
    return out;
  }

  rtp::ExtensionMap extensions;

 private:
  uint32_t ssrc_;
  uint16_t sequence_ = 65'500;
  uint32_t number_ = 0;
  PacketPool pool_;
  codec::TestPattern pattern_{64, 48};
  std::unique_ptr<codec::VideoEncoder> encoder_;
  std::unique_ptr<rtp::Packetizer> packetizer_ = rtp::createPacketizer("VP8");
};

testing::PairOptions options(double loss = 0) {
  testing::PairOptions out;
  out.aToB.delay = Duration::millis(20);
  out.aToB.loss = sim::LossModel::bernoulli(loss);
  for (Configuration* configuration : {&out.configurationA, &out.configurationB}) {
    configuration->videoEncoders = codec::fakeVideoEncoders();
    configuration->videoDecoders = codec::fakeVideoDecoders();
  }
  return out;
}

struct Bridge {
  explicit Bridge(testing::PairOptions o = options()) : pair(std::move(o)) {
    RtpTrackInit init;
    init.codec = "VP8";
    init.payloadType = 35;
    init.headerExtensions = camera.extensions;
    track = MediaStreamTrack::createRtp(pair.loopA(), init);
    track.onKeyFrameNeeded([this] {
      ++keyFramesNeeded;
      key = true;
    });
    track.onTargetBitrate([this](DataRate rate) { rates.push_back(rate); });
    EXPECT_TRUE(pair.a().addTrack(track));
    pair.b().onTrack([this](const TrackEvent& event) { receiver = event.receiver; });
  }
  void send(int pictures) {
    for (int i = 0; i < pictures; ++i) {
      for (const Bytes& packet : camera.picture(std::exchange(key, false))) {
        EXPECT_TRUE(track.pushRtp(packet));
        sent.push_back(packet);
      }
      pair.run(Duration::millis(33));
    }
  }

  testing::Pair pair;
  Camera camera;
  MediaStreamTrack track;
  RtpReceiver receiver;
  bool key = true;
  int keyFramesNeeded = 0;
  std::vector<DataRate> rates;
  std::vector<Bytes> sent;
};

TEST(RtpPackets, ACamerasPacketsPlayAtTheOtherEnd) {
  Bridge bridge;
  int pictures = 0;
  codec::VideoRotation rotation{};
  ASSERT_TRUE(bridge.pair.connect());
  bridge.receiver.track().setVideoSink([&](const codec::VideoFrame& frame) {
    ++pictures;
    rotation = frame.rotation;
  });
  bridge.send(150);
  EXPECT_GT(pictures, 120);
  EXPECT_EQ(rotation, static_cast<codec::VideoRotation>(180)) << "the extension came along";
  EXPECT_GE(bridge.keyFramesNeeded, 1) << "once there is a rate";
  ASSERT_FALSE(bridge.rates.empty());
  EXPECT_GT(bridge.rates.back(), DataRate::kbps(300));
  const int before = bridge.keyFramesNeeded;
  bridge.receiver.requestKeyFrame();
  bridge.send(10);
  EXPECT_EQ(bridge.keyFramesNeeded, before + 1);
}

TEST(RtpPackets, ASinkGetsWhatWasPushedWithoutADecoder) {
  Bridge bridge;
  std::vector<Bytes> payloads;
  std::vector<uint16_t> numbers;
  size_t turned = 0;
  int pictures = 0;
  ASSERT_TRUE(bridge.pair.connect());
  bridge.receiver.track().setVideoSink([&](const codec::VideoFrame&) { ++pictures; });
  ASSERT_TRUE(bridge.receiver.setPacketSink([&](const ReceivedRtpPacket& p) {
    EXPECT_EQ(p.codec, "VP8");
    EXPECT_FALSE(p.repaired);
    if (p.packet.payload().empty()) return;  // padding
    payloads.push_back(Bytes(p.packet.payload().begin(), p.packet.payload().end()));
    numbers.push_back(p.packet.sequenceNumber());
    if (const auto orientation = p.extension<rtp::VideoOrientation>()) {
      turned += orientation->rotation == 180;
      EXPECT_TRUE(p.packet.marker());
    }
  }));
  bridge.send(60);
  EXPECT_EQ(pictures, 0);
  EXPECT_GT(turned, 30u);
  ASSERT_GT(payloads.size(), 50u);
  std::vector<Bytes> pushed;
  for (const Bytes& packet : bridge.sent) {
    const auto view = rtp::PacketView::parse(packet);
    pushed.push_back(Bytes(view->payload().begin(), view->payload().end()));
  }
  const auto first = std::find(pushed.begin(), pushed.end(), payloads[0]);
  ASSERT_NE(first, pushed.end());
  ASSERT_LE(payloads.size(), static_cast<size_t>(pushed.end() - first));
  for (size_t i = 0; i < payloads.size(); ++i)
    ASSERT_EQ(payloads[i], first[static_cast<ptrdiff_t>(i)]) << i;
  for (size_t i = 1; i < numbers.size(); ++i)
    EXPECT_EQ(static_cast<uint16_t>(numbers[i] - numbers[i - 1]), 1) << i;
  // And plays again.
  ASSERT_TRUE(bridge.receiver.setPacketSink({}));
  bridge.key = true;
  bridge.send(30);
  EXPECT_GT(pictures, 20);
}

/// What came and what is missing of it, by the sender's numbers.
struct Came {
  std::map<uint16_t, bool> repaired;  ///< by number
  size_t missing() const {
    return static_cast<size_t>(repaired.rbegin()->first - repaired.begin()->first) + 1 -
           repaired.size();
  }
  size_t repairs() const {
    return static_cast<size_t>(
        std::count_if(repaired.begin(), repaired.end(), [](const auto& e) { return e.second; }));
  }
};

Came underLoss(PacketRepair repair) {
  Bridge bridge(options(0.05));
  Came came;
  EXPECT_TRUE(bridge.pair.connect());
  EXPECT_TRUE(bridge.receiver.setPacketSink(
      [&](const ReceivedRtpPacket& p) { came.repaired[p.packet.sequenceNumber()] = p.repaired; },
      repair));
  bridge.send(200);
  bridge.pair.run(Duration::millis(500));
  return came;
}

TEST(RtpPackets, LossesAreRepairedForASinkAsItWants) {
  const Came as = underLoss(PacketRepair::None);
  EXPECT_GT(as.missing(), 5u);
  const Came repaired = underLoss(PacketRepair::Requests);
  EXPECT_LE(repaired.missing(), 2u) << "of the end";
  EXPECT_GT(repaired.repairs(), 5u);
}

TEST(RtpPackets, FecRestoresPacketsForASinkThatWantsIt) {
  // A path so long that repetitions come late; the library's own encoder, for packets of the app's
  // get no FEC.
  testing::PairOptions o = options(0.05);
  o.aToB.delay = Duration::millis(150);
  testing::Pair pair(o);
  ASSERT_TRUE(pair.a().addTrack(
      MediaStreamTrack::createVideo(pair.loopA(), createTestPatternSource(64, 48, 30))));
  size_t restored = 0;
  std::map<uint16_t, Timestamp> first;
  pair.b().onTrack([&](const TrackEvent& event) {
    RtpReceiver receiver = event.receiver;
    ASSERT_TRUE(receiver.setPacketSink([&](const ReceivedRtpPacket& p) {
      EXPECT_NE(p.codec, "red");
      if (!p.repaired || first.empty()) {
        first[p.packet.sequenceNumber()] = p.arrival;
        return;
      }
      // A repetition takes a round trip of 300 ms.
      const auto next = first.upper_bound(p.packet.sequenceNumber());
      if (next != first.end() && p.arrival - next->second < Duration::millis(200)) ++restored;
    }));
  });
  ASSERT_TRUE(pair.connect());
  pair.run(Duration::seconds(20));
  EXPECT_GT(restored, 3u);
}

TEST(RtpPackets, FromOneCallIntoTheNext) {
  Bridge first;
  ASSERT_TRUE(first.pair.connect());
  testing::Pair second(first.pair.world(), options());
  RtpTrackInit init;
  init.codec = "VP8";
  MediaStreamTrack track = MediaStreamTrack::createRtp(second.loopA(), init);
  ASSERT_TRUE(second.a().addTrack(track));
  int pictures = 0;
  second.b().onTrack([&](const TrackEvent& event) {
    MediaStreamTrack in = event.track;
    in.setVideoSink([&](const codec::VideoFrame&) { ++pictures; });
  });
  ASSERT_TRUE(second.connect());
  track.onKeyFrameNeeded([&] { first.receiver.requestKeyFrame(); });
  ASSERT_TRUE(first.receiver.setPacketSink(
      [&](const ReceivedRtpPacket& p) { EXPECT_TRUE(track.pushRtp(p.packet.packet())); }));
  first.send(120);
  EXPECT_GT(pictures, 80);
}

TEST(RtpPackets, PayloadsAloneWillDo) {
  testing::Pair pair;
  RtpTrackInit init;
  init.kind = MediaKind::Audio;
  init.codec = "PCMU";
  MediaStreamTrack track = MediaStreamTrack::createRtp(pair.loopA(), init);
  ASSERT_TRUE(pair.a().addTrack(track));
  int loud = 0;
  pair.b().onTrack([&](const TrackEvent& event) {
    MediaStreamTrack in = event.track;
    in.setAudioSink([&](const codec::AudioFrame& f) { loud += f.samples()[0] != 0; });
  });
  ASSERT_TRUE(pair.connect());
  const Bytes sound(160, 0x10);
  for (uint32_t i = 0; i < 100; ++i) {
    ASSERT_TRUE(track.push(RtpPayload{.data = sound, .timestamp = 160 * i}));
    pair.run(Duration::millis(20));
  }
  EXPECT_GT(loud, 100);
}

TEST(RtpPackets, MisuseIsToldByItsName) {
  Bridge bridge;
  MediaStreamTrack& track = bridge.track;
  const Bytes packet = bridge.camera.picture(true)[0];
  Bytes other = packet;
  other[1] = 36;
  EXPECT_EQ(track.pushRtp(other).error().code, ErrorCode::Type);
  EXPECT_EQ(track.pushRtp(Bytes{1, 2, 3}).error().code, ErrorCode::Type);
  Bytes rtcp(28);
  rtcp[0] = 0x80;
  rtcp[1] = 200;
  EXPECT_EQ(track.pushRtp(rtcp).error().code, ErrorCode::Type);
  Bytes large = packet;
  large.resize(1401);
  EXPECT_EQ(track.pushRtp(large).error().code, ErrorCode::Range);
  EXPECT_EQ(track.push(codec::EncodedVideoFrame{}).error().code, ErrorCode::Type);
  EXPECT_EQ(track.push(codec::VideoFrame{}).error().code, ErrorCode::Type);
  const auto encoded = MediaStreamTrack::createEncodedVideo(bridge.pair.loopA(), "VP8");
  EXPECT_EQ(MediaStreamTrack(encoded).pushRtp(packet).error().code, ErrorCode::Type);
  EXPECT_EQ(MediaStreamTrack(encoded).push(RtpPayload{}).error().code, ErrorCode::Type);
  EXPECT_TRUE(track.pushRtp(packet)) << "before there is a connection it goes nowhere";
  ASSERT_TRUE(bridge.pair.connect());
  Forwarder room(bridge.pair.loopB());
  const PublicationId id = room.publish(bridge.receiver).value();
  EXPECT_EQ(bridge.receiver.setPacketSink([](const auto&) {}).error().code,
            ErrorCode::InvalidState);
  room.unpublish(id);
  EXPECT_TRUE(bridge.receiver.setPacketSink([](const auto&) {}));
  EXPECT_EQ(room.publish(bridge.receiver).error().code, ErrorCode::InvalidState);
  EXPECT_TRUE(bridge.receiver.setPacketSink({}));
  EXPECT_TRUE(room.publish(bridge.receiver));
  track.stop();
  EXPECT_EQ(track.pushRtp(packet).error().code, ErrorCode::InvalidState);
  bridge.pair.b().close();
  EXPECT_EQ(bridge.receiver.setPacketSink([](const auto&) {}).error().code,
            ErrorCode::InvalidState);
}

TEST(RtpPackets, ASinkMayRemoveItselfOrCloseTheConnection) {
  for (const bool closes : {false, true}) {
    Bridge bridge;
    int calls = 0;
    ASSERT_TRUE(bridge.pair.connect());
    ASSERT_TRUE(bridge.receiver.setPacketSink([&](const ReceivedRtpPacket&) {
      ++calls;
      if (closes) {
        bridge.pair.b().close();
      } else {
        EXPECT_TRUE(bridge.receiver.setPacketSink({}));
      }
    }));
    bridge.send(40);
    EXPECT_EQ(calls, 1);
  }
}

TEST(RtpPackets, SinksThatLookAtNothingHoldABoundedNumber) {
  testing::PairOptions o = options();
  std::vector<std::function<void()>> held;
  bool runs = true;
  o.executorB = [&](std::function<void()> task) {
    if (runs) return task();
    held.push_back(std::move(task));
  };
  Bridge bridge(std::move(o));
  size_t packets = 0;
  ASSERT_TRUE(bridge.pair.connect());
  ASSERT_TRUE(bridge.receiver.setPacketSink([&](const ReceivedRtpPacket&) { ++packets; }));
  bridge.send(60);
  runs = false;
  packets = 0;
  bridge.send(900);
  EXPECT_EQ(packets, 0u);
  runs = true;
  for (size_t i = 0; i < held.size(); ++i) held[i]();
  EXPECT_GT(packets, 900u);
  EXPECT_LE(packets, 1024u);
}

// ---- the keys of telephones

struct Keys {
  explicit Keys(double loss) : pair(options(loss)) {
    sender = pair.a()
                 .addTrack(MediaStreamTrack::createAudio(pair.loopA(), createToneSource(440)))
                 .value();
    pair.b().onTrack([this](const TrackEvent& event) {
      RtpReceiver receiver = event.receiver;
      receiver.onTelephoneEvent([this](const TelephoneEvent& e) { events.push_back(e); });
    });
  }
  std::string pressed() const {
    std::string out;
    for (const TelephoneEvent& event : events) {
      if (!event.ended) out += event.tone;
    }
    return out;
  }
  testing::Pair pair;
  RtpSender sender;
  std::vector<TelephoneEvent> events;
};

TEST(TelephoneEvents, AreToldWhenAKeyIsPressedAndWhenItIsLetGo) {
  Keys keys(0);
  ASSERT_TRUE(keys.pair.connect());
  keys.pair.run(Duration::seconds(1));
  const double before =
      static_cast<double>(keys.pair.world().wallClock().unixNanosAt(keys.pair.world().now())) / 1e6;
  ASSERT_TRUE(keys.sender.dtmf().insertDtmf("19*#AD", Duration::millis(120)));
  keys.pair.run(Duration::seconds(3));
  EXPECT_EQ(keys.pressed(), "19*#AD");
  ASSERT_EQ(keys.events.size(), 12u);
  double last = before;
  for (size_t i = 0; i < 12; i += 2) {
    const TelephoneEvent& start = keys.events[i];
    const TelephoneEvent& end = keys.events[i + 1];
    EXPECT_FALSE(start.ended);
    EXPECT_TRUE(end.ended);
    EXPECT_EQ(end.tone, start.tone);
    EXPECT_EQ(end.startMs, start.startMs);
    EXPECT_NEAR(static_cast<double>(end.duration.millis()), 120, 5);
    EXPECT_GE(start.startMs - last, 30);
    EXPECT_LE(start.startMs - last, 230);
    last = start.startMs;
    EXPECT_EQ(end.event, std::string("0123456789*#ABCD").find(end.tone));
  }
}

TEST(TelephoneEvents, AreToldOnceEachWhateverIsLost) {
  Keys keys(0.2);
  ASSERT_TRUE(keys.pair.connect());
  keys.pair.run(Duration::seconds(1));
  const std::string tones = "0123456789*#ABCD0123456789*#ABCD";
  ASSERT_TRUE(keys.sender.dtmf().insertDtmf(tones, Duration::millis(200)));
  keys.pair.run(Duration::seconds(12));
  EXPECT_EQ(keys.pressed(), tones);
  EXPECT_EQ(keys.events.size(), 2 * tones.size());
  for (const TelephoneEvent& event : keys.events) EXPECT_LE(event.duration.millis(), 205);
}

TEST(TelephoneEvents, ComeAlsoWithPacketsOfTheApp) {
  testing::Pair pair;
  RtpTrackInit init;
  init.kind = MediaKind::Audio;
  init.codec = "PCMU";
  init.eventPayloadType = 101;
  MediaStreamTrack track = MediaStreamTrack::createRtp(pair.loopA(), init);
  ASSERT_TRUE(pair.a().addTrack(track));
  std::string pressed;
  pair.b().onTrack([&](const TrackEvent& event) {
    RtpReceiver receiver = event.receiver;
    receiver.onTelephoneEvent([&](const TelephoneEvent& e) {
      if (!e.ended) pressed += e.tone;
    });
  });
  ASSERT_TRUE(pair.connect());
  PacketPool pool;
  for (uint16_t i = 0; i < 50; ++i) {
    const bool event = i >= 30 && i < 35;
    PacketBuf buffer = pool.allocate();
    rtp::PacketWriter writer(
        buffer, {event ? uint8_t{101} : uint8_t{0}, i == 30, i, 160u * (event ? 30u : i), 5});
    const MutableByteSpan room = writer.beginPayload();
    std::fill_n(room.begin(), 160, uint8_t{0x30});
    if (event) {
      ByteWriter w(room);
      rtp::TelephoneEvent{11, i == 34, 10, static_cast<uint16_t>(160 * (i - 29))}.write(w);
    }
    writer.finish(event ? 4 : 160);
    ASSERT_TRUE(track.pushRtp(buffer.span()));
    pair.run(Duration::millis(20));
  }
  EXPECT_EQ(pressed, "#");
}

}  // namespace
}  // namespace parley
