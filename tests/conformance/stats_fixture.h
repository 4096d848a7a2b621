#pragma once

#include <set>
#include <string>
#include <string_view>

#include "peers.h"

namespace parley::conformance {

/// A call whose statistics are looked at.
class StatsTest : public Peers {
 protected:
  using Peers::Peers;
  StatsReport stats(PeerConnection& pc, const MediaStreamTrack& track = {}) {
    return await<StatsReport>(
               [&](Completion<StatsReport> done) { pc.getStats(track, std::move(done)); })
        .value();
  }
  template <class Of>
  StatsReport statsOf(const Of& of) {
    return await<StatsReport>([&](Completion<StatsReport> done) { of.getStats(std::move(done)); })
        .value();
  }
  static const Stats& only(const StatsReport& report, std::string_view type,
                           std::string_view kind = {}) {
    const Stats* found = nullptr;
    for (const Stats* stats : report.ofType(type)) {
      if (!kind.empty() && stats->text("kind") != kind) continue;
      EXPECT_EQ(found, nullptr) << "two of type " << type;
      found = stats;
    }
    static const Stats kNothing{};
    EXPECT_NE(found, nullptr) << "none of type " << type;
    return found ? *found : kNothing;
  }
  static std::set<std::string> typesOf(const StatsReport& report) {
    std::set<std::string> out;
    for (const Stats& stats : report.all()) out.insert(stats.type);
    return out;
  }
  /// Trickles both ways, and has A send sound and pictures, and both a data channel.
  void call() {
    connectCandidates(a, b);
    connectCandidates(b, a);
    b.onTrack([this](const TrackEvent& event) {
      MediaStreamTrack track = event.track;
      track.setVideoSink([this](const codec::VideoFrame&) { ++pictures_; });
      track.setAudioSink([this](const codec::AudioFrame&) { ++pieces_; });
      (event.track.kind() == MediaKind::Audio ? heard_ : seen_) = track;
    });
    sound_ = MediaStreamTrack::createAudio(pair.loopA(), createToneSource(440, 0.5));
    picture_ = MediaStreamTrack::createVideo(pair.loopA(), createTestPatternSource(320, 240, 20));
    audioSender_ = a.addTrack(sound_, {"stream"}).value();
    videoSender_ = a.addTrack(picture_, {"stream"}).value();
    channel_ = a.createDataChannel("chat").value();
    negotiate(a, b);
    ASSERT_TRUE(runUntil(
        [&] { return a.connectionState() == PeerConnectionState::Connected && pictures_ > 0; }));
  }
  static void connectCandidates(PeerConnection& from, PeerConnection to) {
    from.onIceCandidate([to](const std::optional<IceCandidate>& candidate) mutable {
      if (candidate) to.addIceCandidate(*candidate);
    });
  }

  MediaStreamTrack sound_, picture_, heard_, seen_;
  RtpSender audioSender_, videoSender_;
  DataChannel channel_;
  uint64_t pictures_ = 0;
  uint64_t pieces_ = 0;
};

/// Every id that a member names is there, and no id twice.
inline void expectReferencesResolve(const StatsReport& report) {
  std::set<std::string> ids;
  for (const Stats& stats : report.all()) EXPECT_TRUE(ids.insert(stats.id).second) << stats.id;
  for (const Stats& stats : report.all()) {
    for (const auto& [name, value] : stats.members) {
      const auto* text = std::get_if<std::string>(&value);
      if (!text || !name.ends_with("Id")) continue;
      EXPECT_TRUE(report.find(*text)) << stats.type << '.' << name << " = " << *text;
    }
  }
}

}  // namespace parley::conformance
