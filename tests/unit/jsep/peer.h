#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "parley/jsep/apply_description.h"
#include "parley/jsep/negotiation_needed.h"
#include "parley/jsep/offer_answer.h"
#include "parley/jsep/remote_candidates.h"
#include "parley/jsep/transceivers.h"
#include "parley/sdp/parser.h"
#include "parley/sdp/writer.h"

namespace parley::jsep::test {

inline sdp::CodecParams codec(int pt, std::string name, uint32_t clock, std::string_view fmtp = {},
                              int channels = 1) {
  sdp::CodecParams c;
  c.payloadType = static_cast<uint8_t>(pt);
  c.name = std::move(name);
  c.clockRate = clock;
  c.channels = static_cast<uint8_t>(channels);
  c.fmtp = *sdp::parseFmtp(fmtp);
  return c;
}

inline sdp::CodecParams video(int pt, std::string name, std::string_view fmtp = {}) {
  sdp::CodecParams c = codec(pt, std::move(name), 90000, fmtp);
  c.feedback = {
      {"goog-remb", ""}, {"transport-cc", ""}, {"ccm", "fir"}, {"nack", ""}, {"nack", "pli"}};
  return c;
}

constexpr const char* kMidUri = "urn:ietf:params:rtp-hdrext:sdes:mid";
constexpr const char* kRidUri = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";
constexpr const char* kLevelUri = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
constexpr const char* kTwccUri =
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";

inline LocalCapabilities capabilities(const std::string& who) {
  LocalCapabilities c;
  sdp::CodecParams opus = codec(111, "opus", 48000, "minptime=10;useinbandfec=1", 2);
  opus.feedback = {{"transport-cc", ""}};
  c.audioCodecs = {opus, codec(63, "red", 48000, "111/111", 2), codec(0, "PCMU", 8000),
                   codec(8, "PCMA", 8000), codec(110, "telephone-event", 48000, "0-15")};
  c.videoCodecs = {
      video(96, "VP8"),
      codec(97, "rtx", 90000, "apt=96"),
      video(98, "VP9", "profile-id=0"),
      codec(99, "rtx", 90000, "apt=98"),
      video(102, "H264", "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"),
      codec(103, "rtx", 90000, "apt=102")};
  c.audioExtensions = {{kLevelUri, 1}, {kTwccUri, 3}, {kMidUri, 4}};
  c.videoExtensions = {{kTwccUri, 3}, {kMidUri, 4}, {kRidUri, 10}};
  c.fingerprints = {{"sha-256", std::vector<uint8_t>(32, static_cast<uint8_t>(who[0]))}};
  c.freshIce = {who + "ufrag1", who + "-password-of-at-least-22-1"};
  return c;
}

/// Two of these and their descriptions as text between them make a session.
struct Peer {
  explicit Peer(std::string id, uint64_t sessionId = 1)
      : name(std::move(id)), caps(capabilities(name)) {
    state.sessionId = sessionId;
    state.cname = name + "-cname";
  }

  std::string name;
  LocalCapabilities caps;
  SessionState state;
  Delta last;
  uint32_t nextSsrc = 1000;
  int generation = 1;

  Encoding encoding(std::string rid = {}) {
    Encoding e{std::move(rid), nextSsrc, nextSsrc + 1};
    nextSsrc += 2;
    return e;
  }
  TransceiverId add(sdp::MediaKind kind, sdp::Direction direction = sdp::Direction::SendRecv) {
    TransceiverInit init;
    init.direction = direction;
    init.trackId = name + "-track-" + std::to_string(state.nextTransceiverId);
    init.streams = {name + "-stream"};
    init.hasTrack = sdp::sends(direction);
    init.encodings = {encoding()};
    return addTransceiver(state, kind, init);
  }
  TransceiverId track(sdp::MediaKind kind) {
    return addTrack(state, kind, name + "-track-" + std::to_string(state.nextTransceiverId),
                    {name + "-stream"}, encoding())
        .transceiver;
  }
  const TransceiverState& at(size_t i) const { return state.transceivers.at(i); }

  void freshIce() {
    ++generation;
    caps.freshIce = {name + "ufrag" + std::to_string(generation),
                     name + "-password-of-at-least-22-" + std::to_string(generation)};
  }

  void commit(Delta d) {
    last = std::move(d);
    state = last.state;
    // What the owner of the state does for transceivers that the peer made.
    for (const TransceiverId id : last.created) {
      if (TransceiverState* t = state.find(id)) {
        t->sender.encodings.front().ssrc = nextSsrc;
        t->sender.encodings.front().rtxSsrc = nextSsrc + 1;
        nextSsrc += 2;
        t->sender.trackId = name + "-own-" + std::to_string(id.value);
      }
    }
  }

  Result<Delta> tryRemote(SdpType type, const sdp::SessionDescription& d) const {
    return applyRemote(state, type, d);
  }

  bool local(SdpType type, const sdp::SessionDescription& d) {
    auto delta = applyLocal(state, type, d);
    EXPECT_TRUE(delta) << name << ": " << (delta ? "" : delta.error().message);
    if (delta) commit(*std::move(delta));
    return delta.has_value();
  }
  bool remote(SdpType type, const sdp::SessionDescription& d) {
    auto delta = applyRemote(state, type, d);
    EXPECT_TRUE(delta) << name << ": " << (delta ? "" : delta.error().message);
    if (delta) commit(*std::move(delta));
    return delta.has_value();
  }
  void rollBack() {
    auto delta = rollback(state);
    ASSERT_TRUE(delta);
    commit(*std::move(delta));
  }

  /// createOffer, through text, and setLocalDescription.
  sdp::SessionDescription offer(OfferOptions options = {}) {
    sdp::SessionDescription d = peek(options);
    local(SdpType::Offer, d);
    return d;
  }
  sdp::SessionDescription peek(OfferOptions options = {}) const {
    auto d = createOffer(state, caps, options);
    EXPECT_TRUE(d) << (d ? "" : d.error().message);
    return d ? throughText(*d) : sdp::SessionDescription{};
  }
  sdp::SessionDescription peekAnswer() const {
    auto d = createAnswer(state, caps);
    EXPECT_TRUE(d) << (d ? "" : d.error().message);
    return d ? throughText(*d) : sdp::SessionDescription{};
  }
  sdp::SessionDescription answer() {
    sdp::SessionDescription d = peekAnswer();
    local(SdpType::Answer, d);
    return d;
  }

  static sdp::SessionDescription throughText(const sdp::SessionDescription& d) {
    const auto text = sdp::write(d);
    EXPECT_TRUE(text) << (text ? "" : text.error().message);
    if (!text) return d;
    const auto parsed = sdp::parse(*text);
    EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().message) << "\n" << *text;
    EXPECT_EQ(*parsed, d) << *text;
    return *parsed;
  }
};

/// A whole round: `a` offers, `b` answers.
inline void negotiate(Peer& a, Peer& b, OfferOptions options = {}) {
  const auto offer = a.offer(options);
  ASSERT_TRUE(b.remote(SdpType::Offer, offer));
  const auto answer = b.answer();
  ASSERT_TRUE(a.remote(SdpType::Answer, answer));
  EXPECT_EQ(a.state.signaling, SignalingState::Stable);
  EXPECT_EQ(b.state.signaling, SignalingState::Stable);
}

inline std::vector<std::string> names(const std::vector<sdp::CodecParams>& codecs) {
  std::vector<std::string> out;
  for (const auto& c : codecs) out.push_back(c.name);
  return out;
}

inline std::vector<int> numbers(const std::vector<sdp::CodecParams>& codecs) {
  std::vector<int> out;
  for (const auto& c : codecs) out.push_back(c.payloadType);
  return out;
}

}  // namespace parley::jsep::test
