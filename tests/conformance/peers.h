#pragma once

#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "parley/parley.h"
#include "parley/testing/pair.h"

namespace parley::conformance {

template <class T>
void expectError(const Result<T>& result, ErrorCode code) {
  ASSERT_FALSE(result) << "expected " << toString(code);
  EXPECT_EQ(result.error().code, code) << result.error().message;
  EXPECT_GT(result.error().message.size(), 10u);
}

/// What happened, in order.
class Log {
 public:
  void add(std::string what) { lines_.push_back(std::move(what)); }
  std::vector<std::string> take() { return std::exchange(lines_, {}); }
  size_t size() const { return lines_.size(); }

 private:
  std::vector<std::string> lines_;
};

using Lines = std::vector<std::string>;

/// Two connections in virtual time, signalled by hand: nothing passes between them that the test
/// does not pass.
class Peers : public ::testing::Test {
 protected:
  explicit Peers(testing::PairOptions options = manual())
      : pair(std::move(options)), a(pair.a()), b(pair.b()) {}

  static testing::PairOptions manual() {
    testing::PairOptions options;
    options.signalingDelay = Duration::zero();
    return options;
  }

  PeerConnection make(Configuration configuration = {}) {
    return PeerConnection::create(pair.loopA(), std::move(configuration)).value();
  }
  void run(Duration duration = Duration::millis(1)) { pair.run(duration); }
  bool runUntil(const std::function<bool()>& done, Duration limit = Duration::seconds(20)) {
    return pair.runUntil(done, limit);
  }

  template <class T, class Start>
  Result<T> await(Start start) {
    auto result = std::make_shared<std::optional<Result<T>>>();
    start([result](Result<T> r) { result->emplace(std::move(r)); });
    runUntil([&] { return result->has_value(); }, Duration::seconds(5));
    if (!*result) return fail(ErrorCode::Abort, "never completed");
    return std::move(**result);
  }
  Result<SessionDescription> offer(PeerConnection& pc, OfferOptions options = {}) {
    return await<SessionDescription>(
        [&](Completion<SessionDescription> done) { pc.createOffer(options, std::move(done)); });
  }
  Result<SessionDescription> answer(PeerConnection& pc) {
    return await<SessionDescription>(
        [&](Completion<SessionDescription> done) { pc.createAnswer(std::move(done)); });
  }
  Result<void> setLocal(PeerConnection& pc) {
    return await<void>([&](Completion<void> done) { pc.setLocalDescription(std::move(done)); });
  }
  Result<void> setLocal(PeerConnection& pc, SessionDescription d) {
    return await<void>([&](Completion<void> done) { pc.setLocalDescription(d, std::move(done)); });
  }
  Result<void> setRemote(PeerConnection& pc, SessionDescription d) {
    return await<void>([&](Completion<void> done) { pc.setRemoteDescription(d, std::move(done)); });
  }
  Result<void> addCandidate(PeerConnection& pc, IceCandidate c) {
    return await<void>([&](Completion<void> done) { pc.addIceCandidate(c, std::move(done)); });
  }
  /// One whole round of offer and answer.
  void negotiate(PeerConnection& from, PeerConnection& to) {
    ASSERT_TRUE(setLocal(from));
    ASSERT_TRUE(setRemote(to, *from.localDescription()));
    ASSERT_TRUE(setLocal(to));
    ASSERT_TRUE(setRemote(from, *to.localDescription()));
  }
  /// Candidates pass both ways as they come.
  void trickle() {
    for (PeerConnection* pc : {&a, &b}) {
      pc->onIceCandidate([to = pc == &a ? b : a](const std::optional<IceCandidate>& c) mutable {
        if (c) to.addIceCandidate(*c);
      });
    }
  }
  /// Connects what is set up, offered by A.
  void connect() {
    trickle();
    negotiate(a, b);
    ASSERT_TRUE(runUntil([&] {
      return a.connectionState() == PeerConnectionState::Connected &&
             b.connectionState() == PeerConnectionState::Connected;
    }));
  }
  MediaStreamTrack audio() { return MediaStreamTrack::createAudio(pair.loopA()); }
  MediaStreamTrack video() { return MediaStreamTrack::createVideo(pair.loopA()); }

  /// Logs every event of a connection by its W3C name.
  static void listen(PeerConnection& pc, Log& log) {
    pc.onSignalingStateChange(
        [&log](SignalingState s) { log.add(std::string("signalingstatechange ") + toString(s)); });
    pc.onNegotiationNeeded([&log] { log.add("negotiationneeded"); });
    pc.onTrack([&log](const TrackEvent& e) {
      log.add(std::string("track ") + media::toString(e.track.kind()));
    });
    pc.onStreamTrackChange([&log](const StreamTrackEvent& e) {
      log.add((e.added ? "addtrack " : "removetrack ") + e.stream);
    });
    pc.onDataChannel([&log](const DataChannel& c) { log.add("datachannel " + c.label()); });
  }

  testing::Pair pair;
  PeerConnection& a;
  PeerConnection& b;
};

}  // namespace parley::conformance
