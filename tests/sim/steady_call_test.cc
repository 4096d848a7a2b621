// What a call costs the allocator once it runs: endpoint, session, transport, SRTP and media
// together, both directions. The network, the codecs and the libraries below (libsrtp, OpenSSL,
// which use malloc) are not counted; our own operator new is.

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "parley/codec/fake.h"
#include "parley/codec/generators.h"
#include "parley/endpoint/endpoint.h"
#include "parley/sdp/writer.h"
#include "parley/sim/world.h"

#include "support/alloc_guard.h"

namespace parley {
namespace {

/// Passes everything on and counts what it allocates meanwhile.
class CountedEndpoint final : public Driven {
 public:
  CountedEndpoint(Random& random, sim::World& world) : endpoint(random, nullLog()) {
    endpoint.setWallClock(world.wallClock());
  }

  template <class F>
  auto counted(F&& call) {
    const test::AllocGuard guard;
    struct Adder {
      CountedEndpoint& self;
      const test::AllocGuard& guard;
      ~Adder() { self.allocations += guard.count(); }
    } adder{*this, guard};
    return call();
  }
  void handle(Input&& input, Timestamp now) override {
    counted([&] { endpoint.handle(std::move(input), now); });
  }
  void advance(Timestamp now) override {
    counted([&] { endpoint.advance(now); });
  }
  size_t pollTransmit(std::span<TxPacket> out) override {
    return counted([&] {
      const size_t n = endpoint.pollTransmit(out);
      sent += n;
      return n;
    });
  }
  bool pollEffect(Effect& out) override {
    return counted([&] { return endpoint.pollEffect(out); });
  }
  Timestamp nextDeadline() const override { return endpoint.nextDeadline(); }
  PacketPool& pool() override { return endpoint.pool(); }

  endpoint::Endpoint endpoint;
  size_t allocations = 0;
  size_t sent = 0;
};

sdp::CodecParams codecOf(uint8_t payloadType, const char* name, uint32_t clockRate) {
  sdp::CodecParams codec;
  codec.payloadType = payloadType;
  codec.name = name;
  codec.clockRate = clockRate;
  codec.channels = 1;
  return codec;
}

jsep::SessionConfig configuration(Random& random, const WallClock& clock) {
  jsep::SessionConfig config;
  config.transport.certificate =
      std::move(*dtls::Certificate::generate(random, clock.unixNanosAt(Timestamp{})));
  sdp::CodecParams vp8 = codecOf(96, "VP8", 90'000);
  vp8.feedback = {{"transport-cc", ""}, {"ccm", "fir"}, {"nack", ""}, {"nack", "pli"}};
  sdp::CodecParams rtx = codecOf(97, "rtx", 90'000);
  rtx.setFmtp("apt", "96");
  config.capabilities.videoCodecs = {vp8, rtx};
  sdp::CodecParams pcmu = codecOf(0, "PCMU", 8'000);
  pcmu.feedback = {{"transport-cc", ""}};
  config.capabilities.audioCodecs = {pcmu};
  const std::vector<jsep::HeaderExtensionCapability> extensions = {
      {"http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01", 3},
      {"urn:ietf:params:rtp-hdrext:sdes:mid", 4},
      {"http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time", 5}};
  config.capabilities.audioExtensions = config.capabilities.videoExtensions = extensions;
  config.rates.max = DataRate::kbps(2000);
  return config;
}

/// One end of the call: what an application would do with a session.
class Caller {
 public:
  Caller(sim::World& world, sim::Host& host, const char* name)
      : world_(world), random_(world.randomFor(name)), node(random_, world) {
    simNode_ = &world.addNode(host, node);
    id_ = node.endpoint.createSession(configuration(random_, world.wallClock()), world.now());
    video_ = *session().addTrack(media::MediaKind::Video, "v", {"s"}, world.now());
    audio_ = *session().addTrack(media::MediaKind::Audio, "a", {"s"}, world.now());
    codec::VideoEncoderSettings settings;
    settings.width = settings.height = 16;
    settings.startBitrate = DataRate::kbps(800);
    settings.maxBitrate = DataRate::kbps(800);
    encoder_ = codec::fakeVideoEncoders()->create({"VP8", {}, {}}, settings).value();
    sound_.data.assign(80, 0x55);
    sound_.samples = 80;
  }
  ~Caller() { world_.removeNode(*simNode_); }
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;

  jsep::Session& session() { return *node.endpoint.session(id_); }

  void touch() {
    node.counted([&] { node.endpoint.touch(id_, world_.now()); });
    simNode_->pump();
  }

  /// Candidates go to the other side at once; frames are looked at and given up.
  void serve(Caller& other) {
    node.counted([&] {
      endpoint::SessionId ready;
      while (node.endpoint.pollReady(ready)) {
      }
      while (session().pollFrame(frame_)) ++frames;
      while (session().pollAudio(unit_)) ++units;
    });
    for (;;) {
      const bool more = node.counted([&] { return session().pollEvent(event_); });
      if (!more) break;
      if (const auto* found = std::get_if<jsep::LocalCandidate>(&event_)) {
        if (found->candidate.empty()) continue;
        EXPECT_TRUE(other.session().addIceCandidate(found->candidate, found->mid, {}, found->ufrag,
                                                    world_.now()));
        other.touch();
      } else if (std::holds_alternative<jsep::KeyFrameRequested>(event_)) {
        wantsKey_ = true;
      }
    }
  }

  void setPriority(media::NetworkPriority priority) {
    for (const uint32_t sender : {video_, audio_})
      session().tuneSender(sender, {.networkPriority = priority}, world_.now());
  }

  /// Ten milliseconds of sound; every third time a picture.
  void produce(int tick) {
    if (tick % 3 == 0 && encoder_->encode(pattern_.next(world_.now()), wantsKey_)) {
      wantsKey_ = false;
      codec::EncodedVideoFrame encoded;
      while (encoder_->poll(encoded))
        node.counted([&] { session().sendVideo(video_, encoded, world_.now()); });
    }
    sound_.capture = world_.now();
    sound_.rtpTimestamp = static_cast<uint32_t>(tick) * 80;
    node.counted([&] { session().sendAudio(audio_, sound_, world_.now()); });
    touch();
  }

  size_t frames = 0;
  size_t units = 0;

 private:
  sim::World& world_;
  SeededRandom random_;

 public:
  CountedEndpoint node;

 private:
  sim::Node* simNode_ = nullptr;
  endpoint::SessionId id_{};
  uint32_t video_ = 0;
  uint32_t audio_ = 0;
  bool wantsKey_ = true;
  std::unique_ptr<codec::VideoEncoder> encoder_;
  codec::TestPattern pattern_{16, 16};
  codec::EncodedAudioFrame sound_;
  media::ReceivedFrame frame_;
  media::AudioPlayoutUnit unit_;
  jsep::SessionEvent event_;
};

class SteadyCall : public ::testing::Test {
 protected:
  static sim::LinkConfig link(double loss) {
    sim::LinkConfig out;
    out.delay = Duration::millis(20);
    out.loss = sim::LossModel::bernoulli(loss);
    return out;
  }

  void connect() {
    world.run(Duration::millis(1));
    using jsep::SdpType;
    const Timestamp now = world.now();
    ASSERT_TRUE(a.session().setLocalDescription({}, "", now));
    ASSERT_TRUE(b.session().setRemoteDescription(
        SdpType::Offer, *sdp::write(a.session().state().pendingLocal->sdp), now));
    ASSERT_TRUE(b.session().setLocalDescription({}, "", now));
    ASSERT_TRUE(a.session().setRemoteDescription(
        SdpType::Answer, *sdp::write(b.session().state().currentLocal->sdp), now));
    a.touch();
    b.touch();
  }

  void run(int ticks) {
    for (int i = 0; i < ticks; ++i, ++tick_) {
      a.produce(tick_);
      b.produce(tick_);
      for (int part = 0; part < 5; ++part) {
        world.run(Duration::millis(2));
        a.serve(b);
        b.serve(a);
      }
    }
  }

  sim::World world{5};
  sim::Host& left = world.addHost("left");
  sim::Host& right = world.addHost("right");
  sim::Segment& cable = world.connect(left, right, link(0.05));
  Caller a{world, left, "a"};
  Caller b{world, right, "b"};

 private:
  int tick_ = 0;
};

TEST_F(SteadyCall, NoMediaPacketAllocatesOnItsWholeWayInEitherDirection) {
  if (!test::AllocGuard::isActive()) GTEST_SKIP() << "allocations are not counted in this build";
  connect();
  // Rates settle and every table reaches its working size, at more loss than later.
  run(1500);
  left.port(0).up.setConfig(link(0.01));
  run(300);
  for (Caller* caller : {&a, &b}) {
    ASSERT_EQ(caller->session().transport().dtls().state(), dtls::State::Connected);
    caller->node.allocations = caller->node.sent = caller->frames = caller->units = 0;
  }
  run(300);
  for (const Caller* caller : {&a, &b}) {
    EXPECT_EQ(caller->node.allocations, 0u);
    EXPECT_GT(caller->node.sent, 400u) << "packets in three seconds";
    EXPECT_GT(caller->frames, 80u);
    EXPECT_GT(caller->units, 250u);
  }
}

// RFC 8837 section 5. What the other end sends, and what is not a stream's, stays unmarked.
TEST_F(SteadyCall, PacketsAreMarkedAsTheirStreamsPriorityAsks) {
  connect();
  run(100);
  ASSERT_TRUE(a.session().transport().readyForMedia());
  std::map<std::pair<int, int>, int> marked;  // payload type, DSCP
  int others = 0;
  world.onDatagram([&](const sim::DatagramEvent& event) {
    const sim::Packet& packet = event.packet;
    if (&event.host == &right && packet.dscp != 0) ++others;
    const ByteSpan bytes = packet.data.span();
    if (&event.host != &left) return;
    const bool isRtp =
        bytes.size() > 12 && bytes[0] >> 6 == 2 && (bytes[1] < 192 || bytes[1] > 223);
    if (isRtp) {
      ++marked[{bytes[1] & 0x7f, packet.dscp}];
    } else if (packet.dscp != 0) {
      ++others;
    }
  });
  a.setPriority(media::NetworkPriority::High);
  run(50);
  EXPECT_EQ(others, 0);
  EXPECT_GT((marked[{96, 34}]), 10) << "video: AF41";
  EXPECT_GT((marked[{0, 46}]), 40) << "audio: EF";
  EXPECT_EQ((marked[{96, 0}]), 0);
  EXPECT_EQ((marked[{0, 0}]), 0);
}

}  // namespace
}  // namespace parley
