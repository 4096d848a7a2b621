#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "parley/jsep/apply_description.h"
#include "parley/jsep/negotiation_needed.h"
#include "parley/jsep/offer_answer.h"
#include "parley/jsep/transceivers.h"
#include "parley/sdp/parser.h"
#include "parley/sdp/writer.h"

using namespace parley;
using namespace parley::jsep;

namespace {

sdp::CodecParams codec(uint8_t pt, const char* name, uint32_t clock, const char* fmtp,
                       uint8_t channels = 1) {
  sdp::CodecParams c;
  c.payloadType = pt;
  c.name = name;
  c.clockRate = clock;
  c.channels = channels;
  c.fmtp = *sdp::parseFmtp(fmtp);
  return c;
}

LocalCapabilities capabilities() {
  LocalCapabilities c;
  c.audioCodecs = {codec(111, "opus", 48000, "useinbandfec=1", 2),
                   codec(63, "red", 48000, "111/111", 2)};
  c.videoCodecs = {codec(96, "VP8", 90000, ""), codec(97, "rtx", 90000, "apt=96"),
                   codec(102, "H264", 90000, "packetization-mode=1;profile-level-id=42e01f")};
  c.audioExtensions = c.videoExtensions = {{"urn:ietf:params:rtp-hdrext:sdes:mid", 4}};
  c.fingerprints = {{"sha-256", std::vector<uint8_t>(32, 1)}};
  c.freshIce = {"fuzz", "a-password-of-22-chars-x"};
  c.receiveSimulcast = true;
  return c;
}

void must(bool condition) {
  if (!condition) std::abort();
}

/// After a remote offer has been accepted, everything we do ourselves has to work.
void answerIt(SessionState state, const LocalCapabilities& caps) {
  const auto answer = createAnswer(state, caps);
  must(answer.has_value());
  const auto text = sdp::write(*answer);
  must(text.has_value());
  const auto parsed = sdp::parse(*text);
  must(parsed.has_value() && *parsed == *answer);
  const auto done = applyLocal(state, SdpType::Answer, *answer);
  must(done.has_value());
  must(rollback(state).has_value());
  (void)isNegotiationNeeded(done->state);
  const auto offer = createOffer(done->state, caps);
  must(offer.has_value());
  must(applyLocal(done->state, SdpType::Offer, *offer).has_value());
}

}  // namespace

/// The first byte picks a state, the rest is a description from the peer.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1 || size > 32 * 1024) return 0;
  const auto description = sdp::parse({reinterpret_cast<const char*>(data) + 1, size - 1});
  if (!description) return 0;
  const LocalCapabilities caps = capabilities();

  SessionState state;
  addTrack(state, sdp::MediaKind::Audio, "a", {"s"}, Encoding{"", 1, 2});
  TransceiverInit layers;
  layers.encodings = {Encoding{"h", 3, 4}, Encoding{"l", 5, 6}};
  if (data[0] & 1) addTransceiver(state, sdp::MediaKind::Video, layers);
  state.data.wanted = (data[0] & 2) != 0;
  if (data[0] & 4) {  // an offer of ours is out; it meets an answer, or glare
    state = applyLocal(state, SdpType::Offer, *createOffer(state, caps))->state;
    const auto answered =
        applyRemote(state, data[0] & 8 ? SdpType::Pranswer : SdpType::Answer, *description);
    if (answered && answered->state.signaling == SignalingState::Stable) {
      const auto again = createOffer(answered->state, caps);
      must(again.has_value() && applyLocal(answered->state, SdpType::Offer, *again).has_value());
      // The same text as a new offer of the peer.
      const auto renewed = applyRemote(answered->state, SdpType::Offer, *description);
      if (renewed) answerIt(renewed->state, caps);
    }
  }
  const auto offered = applyRemote(state, SdpType::Offer, *description);
  if (offered) answerIt(offered->state, caps);
  return 0;
}
