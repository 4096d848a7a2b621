#include "jsep/media_settings.h"

#include <algorithm>

#include "parley/jsep/codec_negotiation.h"

namespace parley::jsep {
namespace {

constexpr uint64_t kHighest = 100'000'000'000;  ///< bit/s; a description has room for more

/// RFC 8866 section 5.8: AS counts kbit/s with headers below RTP, TIAS bit/s without; close enough
/// for a ceiling. TIAS is the better one to believe if both are there.
std::optional<uint64_t> bitrateLimit(const sdp::MediaDescription& section) {
  std::optional<uint64_t> limit;
  for (const sdp::Bandwidth& b : section.bandwidths) {
    if (b.type == "TIAS") return std::min(b.value, kHighest);
    if (b.type == "AS") limit = std::min(b.value, kHighest / 1000) * 1000;
  }
  return limit;
}

std::vector<std::string> firstRids(const std::vector<std::vector<sdp::SimulcastRid>>& streams) {
  std::vector<std::string> out;
  for (const auto& alternatives : streams) out.push_back(alternatives.front().id);
  return out;
}

std::vector<std::string> agreedSendRids(const Agreement& a, size_t i,
                                        const std::vector<Encoding>& encodings) {
  const auto& answer = a.answer().media[i].simulcast;
  if (!answer || encodings.size() < 2) return {};
  std::vector<std::string> out = firstRids(a.answerIsLocal ? answer->send : answer->recv);
  std::erase_if(out, [&](const std::string& rid) {
    return std::none_of(encodings.begin(), encodings.end(),
                        [&](const Encoding& e) { return e.rid == rid; });
  });
  return out;
}

std::vector<std::string> agreedReceiveRids(const Agreement& a, size_t i) {
  const auto& answer = a.answer().media[i].simulcast;
  if (!answer) return {};
  return firstRids(a.answerIsLocal ? answer->recv : answer->send);
}

}  // namespace

sdp::Direction agreedDirection(const Agreement& a, size_t i) {
  const sdp::Direction local = a.local.directionOf(a.local.media[i]);
  const sdp::Direction remote = sdp::reversed(a.remote.directionOf(a.remote.media[i]));
  return sdp::intersection(local, remote);
}

MediaSettings agreedSettings(const Agreement& a, size_t i, const std::string& mid,
                             const std::vector<Encoding>& encodings) {
  const sdp::MediaDescription& local = a.local.media[i];
  const sdp::MediaDescription& remote = a.remote.media[i];
  const sdp::Direction direction = agreedDirection(a, i);

  MediaSettings out;
  out.mid = mid;
  out.mLineIndex = i;
  out.sendCodecs = commonCodecs(remote, local);
  out.receiveCodecs = commonCodecs(local, remote);
  if (a.answerIsLocal) {
    // The answer's order is what both have seen; its numbers are the offer's.
    const auto place = [&](const sdp::CodecParams& c) {
      const auto it =
          std::find_if(local.codecs.begin(), local.codecs.end(),
                       [&](const sdp::CodecParams& l) { return l.payloadType == c.payloadType; });
      return it - local.codecs.begin();
    };
    std::stable_sort(out.sendCodecs.begin(), out.sendCodecs.end(),
                     [&](const auto& x, const auto& y) { return place(x) < place(y); });
  }
  out.send = sdp::sends(direction) && hasPrimaryCodec(out.sendCodecs);
  out.receive = sdp::receives(direction) && hasPrimaryCodec(out.receiveCodecs);

  const auto& offer = a.answerIsLocal ? a.remote : a.local;
  out.extensions = negotiatedExtensions(offer.extmapsOf(offer.media[i]),
                                        a.answer().extmapsOf(a.answer().media[i]), a.answerIsLocal);
  out.extmapAllowMixed = a.local.extmapAllowMixedIn(local) && a.remote.extmapAllowMixedIn(remote);
  out.sendRids = agreedSendRids(a, i, encodings);
  out.receiveRids = agreedReceiveRids(a, i);
  out.remoteSsrcs = remote.ssrcs;
  out.remoteSsrcGroups = remote.ssrcGroups;
  out.rtcpReducedSize = local.rtcpReducedSize && remote.rtcpReducedSize;
  out.cryptex = a.local.cryptexIn(local) && a.remote.cryptexIn(remote);
  out.maxSendBitrate = bitrateLimit(remote);
  out.ptime = remote.ptime;
  out.maxPtime = remote.maxPtime;
  return out;
}

MediaSettings offeredSettings(const sdp::SessionDescription& offer, size_t i,
                              const std::string& mid, MediaSettings before) {
  const sdp::MediaDescription& section = offer.media[i];
  MediaSettings out = std::move(before);
  out.mid = mid;
  out.mLineIndex = i;
  if (!sdp::receives(offer.directionOf(section))) return out;
  out.receive = true;
  out.receiveCodecs = section.codecs;
  if (out.extensions.empty()) {
    for (const sdp::Extmap& e : offer.extmapsOf(section)) {
      const ExtensionName name(e);
      out.extensions.push_back({e.id, std::string(name.uri), false, true, name.encrypted});
    }
  }
  return out;
}

}  // namespace parley::jsep
