// A server that forwards (Forwarder), between people with paths of their own: whole stacks over the
// simulated network.

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "parley/api/forwarder.h"
#include "parley/api/peer_connection.h"
#include "parley/codec/fake.h"
#include "parley/rtp/packet_writer.h"
#include "parley/rtp/payload_format/telephone_event.h"
#include "parley/sim/world.h"

#include "sim/support/sim_case.h"

namespace parley {
namespace {

/// One end with a loop of its own on a host of its own.
struct End {
  End(sim::World& w, sim::Host& host, const std::string& name)
      : world(w), random(w.randomFor(name)) {
    LoopOptions options;
    options.threading = Threading::Unlocked;
    options.mediaThreads = MediaThreads::Inline;
    options.random = &random;
    options.clock = [this] { return world.now(); };
    options.wallClock = [this] { return world.wallClock(); };
    loop = Loop::create(std::move(options));
    node = &world.addNode(host, loop->driven());
  }
  ~End() { world.removeNode(*node); }
  sim::World& world;
  SeededRandom random;
  std::shared_ptr<Loop> loop;
  sim::Node* node = nullptr;
};

/// Who sends or looks, and the server's connection to them.
class Person {
 public:
  Person(End& server, sim::Host& serverHost, const std::string& name,
         const sim::LinkConfig& toPerson, const sim::LinkConfig& fromPerson)
      : world_(server.world), host_(world_.addHost(name)) {
    world_.connect(serverHost, host_, toPerson, fromPerson);
    end_ = std::make_unique<End>(world_, host_, name);
    Configuration configuration;
    configuration.videoEncoders = codec::fakeVideoEncoders();
    configuration.videoDecoders = codec::fakeVideoDecoders();
    pc = PeerConnection::create(end_->loop, configuration).value();
    Configuration serving;
    serving.startBitrate = DataRate::kbps(300);
    atServer = PeerConnection::create(server.loop, serving).value();
    trickle(pc, atServer);
    trickle(atServer, pc);
    pc.onTrack([this](const TrackEvent& event) {
      MediaStreamTrack track = event.track;
      if (track.kind() != MediaKind::Video) return;
      track.setVideoSink([this](const codec::VideoFrame&) {
        const Timestamp now = world_.now();
        if (frames++ > 0) longestGap = std::max(longestGap, now - lastFrame);
        lastFrame = now;
      });
    });
  }
  ~Person() {
    pc.close();
    atServer.close();
  }

  /// One round of offer and answer, offered by the person.
  void negotiate() {
    pc.setLocalDescription([this](Result<void> made) {
      ASSERT_TRUE(made);
      signal([this, offer = pc.localDescription().value()] {
        atServer.setRemoteDescription(offer, [this](Result<void> r) {
          ASSERT_TRUE(r);
          if (beforeAnswer) beforeAnswer();
        });
        atServer.setLocalDescription([this](Result<void> r) {
          ASSERT_TRUE(r);
          signal([this, answer = atServer.localDescription().value()] {
            pc.setRemoteDescription(answer, [](Result<void> last) { ASSERT_TRUE(last); });
          });
        });
      });
    });
  }
  const std::shared_ptr<Loop>& loop() { return end_->loop; }

  PeerConnection pc;
  PeerConnection atServer;
  std::function<void()> beforeAnswer;
  uint64_t frames = 0;
  Timestamp lastFrame;
  Duration longestGap;

 private:
  void signal(std::function<void()> fn) { world_.after(Duration::millis(10), std::move(fn)); }
  void trickle(PeerConnection& from, PeerConnection& to) {
    from.onIceCandidate([this, &to](const std::optional<IceCandidate>& candidate) {
      if (!candidate) return;
      signal([&to, c = *candidate] { to.addIceCandidate(c); });
    });
  }

  sim::World& world_;
  sim::Host& host_;
  std::unique_ptr<End> end_;
};

sim::LinkConfig path(int kbps, double loss = 0) {
  sim::LinkConfig config;
  config.delay = Duration::millis(20);
  config.queue.rate = DataRate::kbps(kbps);
  config.loss = sim::LossModel::bernoulli(loss);
  return config;
}

/// A room with one who sends and some who look.
class Meeting {
 public:
  explicit Meeting(sim::World& world)
      : world_(world), host_(world.addHost("server")), server(world, host_, "server") {
    room = std::make_unique<Forwarder>(server.loop);
  }

  void publish(DataRate rate) {
    publisher = std::make_unique<Person>(server, host_, "publisher", path(20'000), path(20'000));
    RtpEncodingParameters encoding;
    encoding.maxBitrate = rate;
    TransceiverInit init;
    init.direction = TransceiverDirection::SendOnly;
    init.sendEncodings = {encoding};
    ASSERT_TRUE(publisher->pc.addTransceiver(
        MediaStreamTrack::createVideo(publisher->loop(), createTestPatternSource(64, 48, 30)),
        init));
    publisher->atServer.onTrack([this](const TrackEvent& event) {
      auto id = room->publish(event.receiver);
      ASSERT_TRUE(id);
      video = *id;
    });
    publisher->negotiate();
    ASSERT_TRUE(world_.runUntil([this] { return video.has_value(); }, Duration::seconds(10)));
  }

  Person& join(const std::string& name, const sim::LinkConfig& down) {
    Person& person = invite(name, down);
    enter(person);
    return person;
  }
  /// Their path to the server is there.
  Person& invite(const std::string& name, const sim::LinkConfig& down) {
    people.push_back(std::make_unique<Person>(server, host_, name, down, path(20'000)));
    return *people.back();
  }
  void enter(Person& person) {
    TransceiverInit init;
    init.direction = TransceiverDirection::RecvOnly;
    EXPECT_TRUE(person.pc.addTransceiver(MediaKind::Video, init));
    person.beforeAnswer = [this, &person] {
      RtpTransceiver transceiver = person.atServer.getTransceivers().front();
      EXPECT_TRUE(transceiver.setDirection(TransceiverDirection::SendOnly));
      auto id = room->subscribe(*video, transceiver.sender());
      ASSERT_TRUE(id);
      subscriptions.push_back(*id);
    };
    person.negotiate();
  }

 private:
  sim::World& world_;
  sim::Host& host_;

 public:
  End server;
  std::unique_ptr<Forwarder> room;
  std::unique_ptr<Person> publisher;
  std::vector<std::unique_ptr<Person>> people;
  std::optional<PublicationId> video;
  std::vector<SubscriptionId> subscriptions;
};

PARLEY_SIM_TEST(Forwarding, OneSendsAndAllSeeIt) {
  Meeting meeting(world);
  meeting.publish(DataRate::kbps(250));
  for (int i = 0; i < 4; ++i) meeting.join("viewer" + std::to_string(i), path(2000));
  world.run(Duration::seconds(3));
  for (const auto& person : meeting.people) {
    person->longestGap = {};
    person->frames = 0;
  }
  world.run(Duration::seconds(10));
  for (const auto& person : meeting.people) {
    EXPECT_GE(person->frames, 280u);
    EXPECT_LE(person->longestGap, Duration::millis(300));
  }
  EXPECT_EQ(meeting.room->counters().malformedPackets, 0u);
}

PARLEY_SIM_TEST(Forwarding, LossOnOnePathIsRepairedFromTheCacheAndHurtsNobodyElse) {
  Meeting meeting(world);
  meeting.publish(DataRate::kbps(250));
  Person& good = meeting.join("good", path(2000));
  Person& lossy = meeting.join("lossy", path(2000, 0.05));
  world.run(Duration::seconds(3));
  good.frames = lossy.frames = 0;
  good.longestGap = lossy.longestGap = {};
  world.run(Duration::seconds(10));
  EXPECT_GE(good.frames, 280u);
  EXPECT_LE(good.longestGap, Duration::millis(300));
  EXPECT_GE(lossy.frames, 270u);
  EXPECT_LE(lossy.longestGap, Duration::millis(500));
  uint64_t repeated = 0;
  for (const SubscriptionId id : meeting.subscriptions)
    repeated += meeting.room->stats(id)->packetsRepeated;
  EXPECT_GT(repeated, 10u);
}

PARLEY_SIM_TEST(Forwarding, WhoComesLateGetsAKeyFrameAtOnce) {
  Meeting meeting(world);
  meeting.publish(DataRate::kbps(250));
  meeting.join("first", path(2000));
  Person& late = meeting.invite("late", path(2000));
  world.run(Duration::seconds(5));
  meeting.enter(late);
  const Timestamp joined = world.now();
  ASSERT_TRUE(world.runUntil([&] { return late.frames > 0; }, Duration::seconds(3)));
  EXPECT_LE(late.lastFrame - joined, Duration::millis(1500));
}

PARLEY_SIM_TEST(Forwarding, PeopleLeaveInAnyOrder) {
  Meeting meeting(world);
  meeting.publish(DataRate::kbps(250));
  for (int i = 0; i < 3; ++i) meeting.join("viewer" + std::to_string(i), path(2000));
  world.run(Duration::seconds(2));
  meeting.people[1]->atServer.close();
  world.run(Duration::seconds(1));
  EXPECT_EQ(meeting.room->stats(meeting.subscriptions[1]), std::nullopt);
  const uint64_t before = meeting.people[2]->frames;
  world.run(Duration::seconds(1));
  EXPECT_GT(meeting.people[2]->frames, before);
  meeting.publisher->atServer.close();
  world.run(Duration::seconds(1));
  EXPECT_TRUE(meeting.room->encodings(*meeting.video).empty());
  const RtpTransceiver left = meeting.people[0]->atServer.getTransceivers().front();
  EXPECT_FALSE(meeting.room->subscribe(*meeting.video, left.sender()));
}

constexpr uint8_t kTones = 101;

/// A packet of the caller's own: a telephone event, or sound that tells its number.
Bytes soundOrTone(PacketPool& pool, uint16_t number, bool tone) {
  constexpr uint8_t kPcmu = 0;
  PacketBuf buffer = pool.allocate();
  rtp::PacketWriter writer(buffer, {tone ? kTones : kPcmu, false, number, 160u * number, 5});
  const MutableByteSpan room = writer.beginPayload();
  std::fill_n(room.begin(), 160, static_cast<uint8_t>(number));
  if (tone) {
    ByteWriter w(room);
    rtp::TelephoneEvent{11, true, 10, 160}.write(w);
  }
  writer.finish(tone ? 4 : 160);
  return Bytes(buffer.span().begin(), buffer.span().end());
}

// RFC 4733 section 2.1: events come in the midst of the sound, with its numbers.
PARLEY_SIM_TEST(Forwarding, ATelephoneEventLeavesOutNoSound) {
  sim::Host& host = world.addHost("server");
  End server(world, host, "server");
  Forwarder room(server.loop);
  Person caller(server, host, "caller", path(2000), path(2000));
  Person listener(server, host, "listener", path(2000), path(2000));
  RtpTrackInit init;
  init.kind = MediaKind::Audio;
  init.codec = "PCMU";
  init.eventPayloadType = kTones;
  MediaStreamTrack track = MediaStreamTrack::createRtp(caller.loop(), init);
  ASSERT_TRUE(caller.pc.addTrack(track));
  std::optional<PublicationId> sound;
  caller.atServer.onTrack([&](const TrackEvent& event) { sound = *room.publish(event.receiver); });
  caller.negotiate();
  ASSERT_TRUE(world.runUntil([&] { return sound.has_value(); }, Duration::seconds(10)));

  std::vector<uint8_t> heard;
  std::set<std::string> codecs;
  listener.pc.onTrack([&](const TrackEvent& event) {
    RtpReceiver receiver = event.receiver;
    ASSERT_TRUE(receiver.setPacketSink([&](const ReceivedRtpPacket& packet) {
      if (packet.packet.payload().size() == 160) heard.push_back(packet.packet.payload()[0]);
      codecs.emplace(packet.codec);
    }));
  });
  TransceiverInit receiving;
  receiving.direction = TransceiverDirection::RecvOnly;
  ASSERT_TRUE(listener.pc.addTransceiver(MediaKind::Audio, receiving));
  listener.beforeAnswer = [&] {
    RtpTransceiver transceiver = listener.atServer.getTransceivers().front();
    EXPECT_TRUE(transceiver.setDirection(TransceiverDirection::SendOnly));
    EXPECT_TRUE(room.subscribe(*sound, transceiver.sender()));
  };
  listener.negotiate();
  world.run(Duration::seconds(3));

  PacketPool pool;
  constexpr uint16_t kPackets = 240;
  const auto isTone = [](uint16_t i) { return i >= 60 && i % 30 == 0; };
  size_t tones = 0;
  for (uint16_t i = 0; i < kPackets; ++i) {
    tones += isTone(i);
    ASSERT_TRUE(track.pushRtp(soundOrTone(pool, i, isTone(i))));
    world.run(Duration::millis(20));
  }
  world.run(Duration::seconds(1));
  ASSERT_FALSE(heard.empty());
  EXPECT_LT(heard.front(), 20);
  EXPECT_EQ(heard.back(), kPackets - 1);
  EXPECT_EQ(heard.size(), kPackets - tones - heard.front());
  EXPECT_EQ(codecs, std::set<std::string>{"PCMU"});
}

}  // namespace
}  // namespace parley
