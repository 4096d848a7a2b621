// RFC 3550 section 8.2: the peer uses an SSRC of ours.

#include <algorithm>

#include "media/rtp_session_impl.h"

namespace parley::media {

namespace rtcp = rtp::rtcp;

namespace {

/// Two that draw at random meet once in years. Whoever meets us more often than that in one session
/// wants us to flee from one SSRC to the next, and each time costs a key frame and a place among
/// the sources of SRTP.
constexpr size_t kMaxSsrcChanges = 32;

}  // namespace

SendStream* RtpSession::Impl::ownerOf(uint32_t ssrc) const {
  for (const auto& stream : streams_) {
    const SendStreamConfig& c = stream->config();
    if (c.ssrc == ssrc || c.rtxSsrc == ssrc || (c.fec && c.fec->ssrc == ssrc)) return stream.get();
  }
  return nullptr;
}

uint32_t RtpSession::Impl::freshSsrc() {
  for (;;) {
    const uint32_t ssrc = environment_.random.u32();
    // Never one that was ours before: under the same keys its numbers must not begin again
    // (RFC 3711 section 9.1).
    const bool retired =
        std::find(retiredSsrcs_.begin(), retiredSsrcs_.end(), ssrc) != retiredSsrcs_.end();
    if (ssrc != 0 && ssrc != ownSsrc_ && !retired && !ssrcInUse(ssrc) && !hub_.receiverOf(ssrc))
      return ssrc;
  }
}

/// RFC 3711 section 9.1: "the SSRC, the packet index, or both" have to be others for each packet of
/// a key, and the keys outlive the stream: one that comes back under its SSRCs, as a layer of
/// simulcast does that a provisional answer had left out, has to go on where they stood.
void RtpSession::Impl::retire(const SendStream& stream) {
  if (!stream.everSent()) return;
  const SendStreamConfig& config = stream.config();
  const auto retireSsrc = [this](uint32_t ssrc) {
    if (std::find(retiredSsrcs_.begin(), retiredSsrcs_.end(), ssrc) == retiredSsrcs_.end())
      retiredSsrcs_.push_back(ssrc);
  };
  retireSsrc(config.ssrc);
  if (config.rtxSsrc) retireSsrc(*config.rtxSsrc);
  if (config.fec) retireSsrc(config.fec->ssrc);
  const auto known = std::find_if(formerSources_.begin(), formerSources_.end(),
                                  [&](const FormerSource& f) { return f.ssrc == config.ssrc; });
  if (known != formerSources_.end()) {
    known->next = stream.numbers();
  } else {
    formerSources_.push_back({config.ssrc, stream.numbers()});
  }
}

/// The section tells loops from collisions by transport addresses, of which there is one here. A
/// loop is known by its packets: they are those that we have just sent. Under SRTP only the peer
/// itself can do either, and a server that sends us back what we sent is no reason to flee.
bool RtpSession::Impl::isCollision(const rtp::PacketView& packet, Timestamp now) {
  if (SendStream* const own = ownerOf(packet.ssrc()))
    return !own->hasSentLately(packet) && changeSsrc(*own, now);
  changeOwnSsrc(now);
  return true;
}

/// Reports name their source by its CNAME: under ours it is a loop. Mixers describe other sources
/// too, so it counts for those that report themselves.
void RtpSession::Impl::checkReporter(const rtcp::SourceDescription& sdes, Timestamp now) {
  for (const auto& chunk : sdes.chunks) {
    const bool reports =
        std::find(reporters_.begin(), reporters_.end(), chunk.ssrc) != reporters_.end();
    if (!reports || chunk.cname.empty() || chunk.cname == config_.cname) continue;
    if (SendStream* const own = ownerOf(chunk.ssrc)) {
      changeSsrc(*own, now);
    } else if (chunk.ssrc == ownSsrc_) {
      changeOwnSsrc(now);
    }
  }
}

bool RtpSession::Impl::changeSsrc(SendStream& stream, Timestamp now) {
  if (drops_.ssrcCollisions == kMaxSsrcChanges || !stream.ssrcPatience.take(now)) return false;
  ++drops_.ssrcCollisions;
  const SendStreamConfig& config = stream.config();
  InlineVector<uint32_t, 3> former;
  former.push_back(config.ssrc);
  if (config.rtxSsrc) former.push_back(*config.rtxSsrc);
  if (config.fec) former.push_back(config.fec->ssrc);
  // "send an RTCP BYE packet with the old identifier and choose a new one": of a source that the
  // peer has heard.
  if (stream.everSent()) sendBye({former.data(), former.size()});
  retire(stream);
  // What waits carries the old one, and the pictures that it belongs to begin anew.
  pacer_.removeStream(stream.id().value);
  std::erase_if(lossStates_, [&](const LossState& s) { return s.ssrc == config.ssrc; });
  const uint32_t ssrc = freshSsrc();
  stream.begin(ssrc, freshSsrc(), freshSsrc());
  stream.ssrcChanged = true;
  if (config.kind == MediaKind::Video) events_.push(KeyFrameRequested{stream.id()});
  describeStreams(now);
  return true;
}

/// Nothing but reports goes out under it, and those only while there is no stream.
void RtpSession::Impl::changeOwnSsrc(Timestamp now) {
  if (drops_.ssrcCollisions == kMaxSsrcChanges || !ownSsrcPatience_.take(now)) return;
  ++drops_.ssrcCollisions;
  if (streams_.empty()) sendBye({&ownSsrc_, 1});
  retiredSsrcs_.push_back(ownSsrc_);
  ownSsrc_ = freshSsrc();
}

}  // namespace parley::media
