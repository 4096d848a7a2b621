#include "sdp/attribute_parser.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "sdp/grammar.h"

namespace parley::sdp {
namespace {

struct Line {
  SessionDescription& session;
  MediaDescription* media;  // null at session level
  std::string_view name;
  std::string_view value;

  TransportAttributes& transport() const { return media ? media->transport : session.transport; }
};

using Handler = const char* (*)(const Line&);

constexpr const char* kFine = nullptr;

/// Several fmtp lines of one payload type become one, which must again fit a line.
constexpr size_t kMaxFmtpBytes = Bounds::kLineBytes - 32;

// --- transport -----------------------------------------------------------------------------------

const char* iceUfrag(const Line& l) {
  if (!isIceChars(l.value, 4, 256)) return "ice-ufrag is not 4 to 256 ice-chars";
  l.transport().iceUfrag = l.value;
  return kFine;
}

const char* icePwd(const Line& l) {
  if (!isIceChars(l.value, 22, 256)) return "ice-pwd is not 22 to 256 ice-chars";
  l.transport().icePwd = l.value;
  return kFine;
}

const char* iceOptions(const Line& l) {
  // RFC 8839 section 5.6 separates by spaces; libdatachannel by commas.
  std::string text(l.value);
  std::replace(text.begin(), text.end(), ',', ' ');
  std::string_view rest = text;
  std::vector<std::string> options;
  while (!rest.empty()) {
    const std::string_view option = cutWord(rest);
    if (option.empty()) continue;
    if (!isToken(option)) return "ice-options holds something that is no token";
    if (options.size() == Bounds::kListItems) return "too many ice-options";
    options.emplace_back(option);
  }
  l.transport().iceOptions = std::move(options);
  return kFine;
}

const char* fingerprint(const Line& l) {
  std::string_view rest = l.value;
  Fingerprint out;
  out.algorithm = toLower(cutWord(rest));
  if (!isToken(out.algorithm)) return "fingerprint without hash function";
  while (!rest.empty()) {
    const std::string_view pair = cutToken(rest, ':');
    uint8_t byte = 0;
    const auto [stop, error] = std::from_chars(pair.data(), pair.data() + pair.size(), byte, 16);
    if (pair.size() != 2 || error != std::errc{} || stop != pair.data() + 2) {
      return "fingerprint is not hexadecimal pairs";
    }
    if (out.bytes.size() == 128) return "fingerprint is too long";
    out.bytes.push_back(byte);
  }
  if (out.bytes.empty()) return "fingerprint is empty";
  if (l.transport().fingerprints.size() == Bounds::kListItems) return "too many fingerprints";
  l.transport().fingerprints.push_back(std::move(out));
  return kFine;
}

const char* setup(const Line& l) {
  for (auto role :
       {SetupRole::Active, SetupRole::Passive, SetupRole::ActPass, SetupRole::HoldConn}) {
    if (equalsIgnoreCase(l.value, toString(role))) {
      l.transport().setup = role;
      return kFine;
    }
  }
  return "setup is none of active, passive, actpass, holdconn";
}

const char* tlsId(const Line& l) {
  if (!isNonWhitespace(l.value)) return "tls-id is malformed";
  l.transport().tlsId = l.value;
  return kFine;
}

const char* candidate(const Line& l) {
  // RFC 8839 section 5.1: a candidate that cannot be understood is ignored, not an error.
  auto parsed = parseCandidate(std::string("candidate:").append(l.value));
  if (!parsed) return kFine;
  if (l.media->candidates.size() == Bounds::kCandidatesPerSection) return "too many candidates";
  l.media->candidates.push_back(*std::move(parsed));
  return kFine;
}

const char* endOfCandidates(const Line& l) {
  (l.media ? l.media->endOfCandidates : l.session.endOfCandidates) = true;
  return kFine;
}

// --- session and section flags -------------------------------------------------------------------

const char* group(const Line& l) {
  std::string_view rest = l.value;
  Group out;
  out.semantics = cutWord(rest);
  if (!isToken(out.semantics)) return "group without semantics";
  while (!rest.empty()) {
    const std::string_view mid = cutWord(rest);
    if (!isToken(mid)) return "group holds something that is no mid";
    if (out.mids.size() == Bounds::kMediaSections) return "group is too long";
    out.mids.emplace_back(mid);
  }
  if (l.session.groups.size() == Bounds::kListItems) return "too many groups";
  l.session.groups.push_back(std::move(out));
  return kFine;
}

const char* iceLite(const Line& l) {
  l.session.iceLite = true;
  return kFine;
}

const char* extmapAllowMixed(const Line& l) {
  (l.media ? l.media->extmapAllowMixed : l.session.extmapAllowMixed) = true;
  return kFine;
}

const char* cryptex(const Line& l) {
  (l.media ? l.media->cryptex : l.session.cryptex) = true;
  return kFine;
}

const char* direction(const Line& l) {
  for (auto d :
       {Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive}) {
    if (l.name == toString(d)) (l.media ? l.media->direction : l.session.direction) = d;
  }
  return kFine;
}

const char* mid(const Line& l) {
  if (!isToken(l.value)) return "mid is no token";
  if (l.media->mid) return "section has two mids";
  l.media->mid = l.value;
  return kFine;
}

const char* bundleOnly(const Line& l) {
  return l.media->bundleOnly = true, kFine;
}
const char* rtcpMux(const Line& l) {
  return l.media->rtcpMux = true, kFine;
}
const char* rtcpMuxOnly(const Line& l) {
  return l.media->rtcpMuxOnly = true, kFine;
}
const char* rtcpRsize(const Line& l) {
  return l.media->rtcpReducedSize = true, kFine;
}

const char* ptime(const Line& l) {
  const auto value = parseNumber<uint32_t>(trimmed(l.value));
  if (!value || *value == 0)
    return kFine;  // a wish at most: 8866 allows fractions that no peer sends
  (l.name == "ptime" ? l.media->ptime : l.media->maxPtime) = value;
  return kFine;
}

// --- codecs --------------------------------------------------------------------------------------

/// Splits off the payload type that opens rtpmap, fmtp and rtcp-fb. Sets `codec` to null when the
/// m= line does not list it: Firefox leaves such lines behind when codecs are removed.
const char* cutPayloadType(const Line& l, std::string_view& rest, CodecParams*& codec) {
  rest = l.value;
  const auto pt = parseNumber<uint32_t>(cutWord(rest));
  if (!pt || *pt > 127) return "payload type is not 0 to 127";
  codec = l.media->codec(static_cast<uint8_t>(*pt));
  return kFine;
}

const char* rtpmap(const Line& l) {
  std::string_view rest;
  CodecParams* codec = nullptr;
  if (const char* problem = cutPayloadType(l, rest, codec)) return problem;
  const std::string_view name = cutToken(rest, '/');
  const auto clock = parseNumber<uint32_t>(trimmed(cutToken(rest, '/')));
  const std::string_view channelText = trimmed(rest);
  const auto channels =
      channelText.empty() ? std::optional<uint8_t>(uint8_t{1}) : parseNumber<uint8_t>(channelText);
  if (!isToken(name)) return "rtpmap without encoding name";
  if (!clock || *clock == 0) return "rtpmap with an impossible clock rate";
  if (!channels || *channels == 0) return "rtpmap with an impossible channel count";
  if (codec == nullptr) return kFine;
  codec->name = name;
  codec->clockRate = *clock;
  codec->channels = *channels;
  return kFine;
}

const char* fmtp(const Line& l) {
  std::string_view rest;
  CodecParams* codec = nullptr;
  if (const char* problem = cutPayloadType(l, rest, codec)) return problem;
  if (codec == nullptr) return kFine;
  auto parameters = parseFmtp(rest);
  if (!parameters || parameters->size() + codec->fmtp.size() > Bounds::kFmtpParameters) {
    return "too many format parameters";
  }
  codec->fmtp.insert(codec->fmtp.end(), std::make_move_iterator(parameters->begin()),
                     std::make_move_iterator(parameters->end()));
  if (writeFmtp(codec->fmtp).size() > kMaxFmtpBytes) return "format parameters are too long";
  return kFine;
}

const char* rtcpFb(const Line& l) {
  std::vector<RtcpFeedback>* list = nullptr;
  std::string_view rest = l.value;
  if (trimmed(rest).starts_with('*')) {
    cutWord(rest);
    list = &l.media->wildcardFeedback;
  } else {
    CodecParams* codec = nullptr;
    if (const char* problem = cutPayloadType(l, rest, codec)) return problem;
    if (codec == nullptr) return kFine;
    list = &codec->feedback;
  }
  RtcpFeedback out;
  out.type = cutWord(rest);
  if (!isToken(out.type)) return "rtcp-fb without type";
  out.parameter = rest;
  if (std::find(list->begin(), list->end(), out) != list->end()) return kFine;
  if (list->size() == Bounds::kFeedbackPerCodec) return "too many rtcp-fb lines";
  list->push_back(std::move(out));
  return kFine;
}

// --- RTP sources and extensions ------------------------------------------------------------------

const char* extmap(const Line& l) {
  std::string_view rest = l.value;
  std::string_view head = cutWord(rest);
  Extmap out;
  const auto id = parseNumber<uint16_t>(cutToken(head, '/'));
  // RFC 8285 section 6: 1-14 or 1-255 on the wire, 4096-4351 as provisional numbers of an offer.
  if (!id || *id == 0 || (*id > 255 && *id < 4096) || *id > 4351) return "extmap id out of range";
  out.id = *id;
  if (!head.empty()) {
    for (auto d :
         {Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive}) {
      if (head == toString(d)) out.direction = d;
    }
    if (!out.direction) return "extmap with an unknown direction";
  }
  out.uri = cutWord(rest);
  if (!isNonWhitespace(out.uri)) return "extmap without URI";
  out.attributes = rest;
  std::vector<Extmap>& list = l.media ? l.media->extmaps : l.session.extmaps;
  for (const Extmap& other : list) {
    if (other.id != out.id) continue;
    // Said twice is harmless; with two meanings nothing could be made of it (RFC 8285 section 7).
    return other.uri == out.uri ? kFine : "extmap id used twice in one section";
  }
  if (list.size() == Bounds::kExtmapsPerSection) return "too many header extensions";
  list.push_back(std::move(out));
  return kFine;
}

const char* msid(const Line& l) {
  std::string_view rest = l.value;
  Msid out;
  out.stream = cutWord(rest);
  if (!isNonWhitespace(out.stream)) return "msid without identifier";
  if (!rest.empty()) {
    out.track = std::string(cutWord(rest));
    if (!isNonWhitespace(*out.track)) return "msid with a malformed track";
  }
  if (l.media->msids.size() == Bounds::kListItems) return "too many msid lines";
  l.media->msids.push_back(std::move(out));
  return kFine;
}

const char* ssrc(const Line& l) {
  std::string_view rest = l.value;
  const auto number = parseNumber<uint32_t>(cutWord(rest));
  if (!number) return "ssrc is no 32-bit number";
  const bool hasValue = rest.find(':') != std::string_view::npos;
  const std::string_view name = cutToken(rest, ':');
  if (!isToken(name)) return "ssrc line without attribute";
  Attribute attribute{std::string(name),
                      hasValue ? std::optional<std::string>(rest) : std::nullopt};

  auto& list = l.media->ssrcs;
  auto it =
      std::find_if(list.begin(), list.end(), [&](const auto& s) { return s.ssrc == *number; });
  if (it == list.end()) {
    if (list.size() == Bounds::kSsrcsPerSection) return "too many SSRCs";
    it = list.insert(list.end(), SsrcDescription{*number, {}});
  }
  if (it->attributes.size() == Bounds::kListItems) return "too many attributes for one SSRC";
  it->attributes.push_back(std::move(attribute));
  return kFine;
}

const char* ssrcGroup(const Line& l) {
  std::string_view rest = l.value;
  SsrcGroup out;
  out.semantics = cutWord(rest);
  if (!isToken(out.semantics)) return "ssrc-group without semantics";
  while (!rest.empty()) {
    const auto number = parseNumber<uint32_t>(cutWord(rest));
    if (!number) return "ssrc-group holds something that is no SSRC";
    if (out.ssrcs.size() == Bounds::kSsrcsPerSection) return "ssrc-group is too long";
    out.ssrcs.push_back(*number);
  }
  if (l.media->ssrcGroups.size() == Bounds::kListItems) return "too many ssrc-groups";
  l.media->ssrcGroups.push_back(std::move(out));
  return kFine;
}

// --- simulcast -----------------------------------------------------------------------------------

const char* rid(const Line& l) {
  std::string_view rest = l.value;
  Rid out;
  out.id = cutWord(rest);
  const std::string_view way = cutWord(rest);
  // RFC 8851 section 6.4: a line that does not follow the grammar is skipped.
  if (!isRidId(out.id) || (way != "send" && way != "recv")) return kFine;
  out.send = way == "send";
  auto restrictions = parseFmtp(rest);
  if (!restrictions) return "rid with too many restrictions";
  for (FmtpParameter& r : *restrictions) {
    if (r.key != "pt" || !r.value) {
      out.restrictions.push_back(std::move(r));
      continue;
    }
    std::string_view list = *r.value;
    while (!list.empty()) {
      const auto pt = parseNumber<uint32_t>(cutToken(list, ','));
      if (!pt || *pt > 127 || out.payloadTypes.size() == 128) return kFine;
      out.payloadTypes.push_back(static_cast<uint8_t>(*pt));
    }
  }
  for (const Rid& other : l.media->rids) {
    if (other.id == out.id) return kFine;  // the first one counts (RFC 8851 section 5)
  }
  if (l.media->rids.size() == Bounds::kRidsPerSection) return "too many rids";
  l.media->rids.push_back(std::move(out));
  return kFine;
}

/// Fills `streams` from "h;~m,x;l". False if the list is malformed.
bool parseSimulcastList(std::string_view text, std::vector<std::vector<SimulcastRid>>& streams) {
  while (!text.empty()) {
    std::string_view alternatives = cutToken(text, ';');
    std::vector<SimulcastRid> stream;
    while (!alternatives.empty()) {
      std::string_view id = cutToken(alternatives, ',');
      SimulcastRid out;
      out.paused = id.starts_with('~');
      if (out.paused) id.remove_prefix(1);
      if (!isRidId(id) || stream.size() == Bounds::kRidsPerSection) return false;
      out.id = id;
      stream.push_back(std::move(out));
    }
    if (stream.empty() || streams.size() == Bounds::kRidsPerSection) return false;
    streams.push_back(std::move(stream));
  }
  return !streams.empty();
}

const char* simulcast(const Line& l) {
  Simulcast out;
  std::string_view rest = l.value;
  while (!rest.empty()) {
    const std::string_view way = cutWord(rest);
    const std::string_view list = cutWord(rest);
    auto& streams = way == "send" ? out.send : out.recv;
    // RFC 8853 section 5.1: at most one list per direction. A malformed line is as good as none.
    if ((way != "send" && way != "recv") || !streams.empty() ||
        !parseSimulcastList(list, streams)) {
      return kFine;
    }
  }
  for (auto* streams : {&out.send, &out.recv}) {
    if (streams->size() > Bounds::kSimulcastStreams) return "too many simulcast streams";
    // A rid that is named again counts where it was named first (webrtc-pc section 4.4.1.5).
    std::vector<std::string> seen;
    for (auto& stream : *streams) {
      std::erase_if(stream, [&](const SimulcastRid& r) {
        const bool again = std::find(seen.begin(), seen.end(), r.id) != seen.end();
        if (!again) seen.push_back(r.id);
        return again;
      });
    }
    std::erase_if(*streams, [](const auto& stream) { return stream.empty(); });
  }
  if (out.send.empty() && out.recv.empty()) return kFine;
  l.media->simulcast = std::move(out);
  return kFine;
}

// --- SCTP ----------------------------------------------------------------------------------------

const char* sctpPort(const Line& l) {
  const auto port = parseNumber<uint16_t>(trimmed(l.value));
  if (!port) return "sctp-port is no 16-bit number";
  l.media->sctpPort = port;
  return kFine;
}

const char* maxMessageSize(const Line& l) {
  const auto size = parseClamped(trimmed(l.value));
  if (!size) return "max-message-size is no number";
  l.media->maxMessageSize = size;
  return kFine;
}

const char* sctpmap(const Line& l) {
  std::string_view rest = l.value;
  SctpMap out;
  const auto port = parseNumber<uint16_t>(cutWord(rest));
  out.protocol = cutWord(rest);
  if (!port || !isToken(out.protocol)) return "sctpmap is malformed";
  out.port = *port;
  if (!rest.empty()) out.streams = parseNumber<uint32_t>(cutWord(rest));
  l.media->sctpMap = std::move(out);
  return kFine;
}

// --- dispatch ------------------------------------------------------------------------------------

enum Level : uint8_t { kSession = 1, kMedia = 2, kBoth = 3 };

struct Entry {
  std::string_view name;
  Level level;
  Handler handler;
  bool rtpOnly = false;
};

constexpr Entry kEntries[] = {
    {"bundle-only", kMedia, bundleOnly},
    {"candidate", kMedia, candidate},
    {"cryptex", kBoth, cryptex},
    {"end-of-candidates", kBoth, endOfCandidates},
    {"extmap", kBoth, extmap},
    {"extmap-allow-mixed", kBoth, extmapAllowMixed},
    {"fingerprint", kBoth, fingerprint},
    {"fmtp", kMedia, fmtp, true},
    {"group", kSession, group},
    {"ice-lite", kSession, iceLite},
    {"ice-options", kBoth, iceOptions},
    {"ice-pwd", kBoth, icePwd},
    {"ice-ufrag", kBoth, iceUfrag},
    {"inactive", kBoth, direction},
    {"max-message-size", kMedia, maxMessageSize},
    {"maxptime", kMedia, ptime},
    {"mid", kMedia, mid},
    {"msid", kMedia, msid},
    {"ptime", kMedia, ptime},
    {"recvonly", kBoth, direction},
    {"rid", kMedia, rid},
    {"rtcp-fb", kMedia, rtcpFb, true},
    {"rtcp-mux", kMedia, rtcpMux},
    {"rtcp-mux-only", kMedia, rtcpMuxOnly},
    {"rtcp-rsize", kMedia, rtcpRsize},
    {"rtpmap", kMedia, rtpmap, true},
    {"sctp-port", kMedia, sctpPort},
    {"sctpmap", kMedia, sctpmap},
    {"sendonly", kBoth, direction},
    {"sendrecv", kBoth, direction},
    {"setup", kBoth, setup},
    {"simulcast", kMedia, simulcast},
    {"ssrc", kMedia, ssrc},
    {"ssrc-group", kMedia, ssrcGroup},
    {"tls-id", kBoth, tlsId},
};

const Entry* findEntry(std::string_view name) {
  const auto it = std::lower_bound(std::begin(kEntries), std::end(kEntries), name,
                                   [](const Entry& e, std::string_view n) { return e.name < n; });
  return it != std::end(kEntries) && it->name == name ? it : nullptr;
}

}  // namespace

const char* applyAttribute(SessionDescription& session, MediaDescription* media,
                           std::string_view text) {
  const size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  const bool hasValue = colon != std::string_view::npos;
  const std::string_view value = hasValue ? text.substr(colon + 1) : std::string_view{};
  if (name.empty()) return "attribute without a name";
  // RFC 8866 section 5.13: attributes that mean nothing to the reader are ignored. One that is not
  // even named by a token could not be written again.
  if (!isToken(name)) return kFine;

  const Entry* entry = findEntry(name);
  const Level here = media ? kMedia : kSession;
  if (entry != nullptr && (entry->level & here) != 0 && (!entry->rtpOnly || media->isRtp())) {
    return entry->handler(Line{session, media, name, value});
  }
  auto& others = media ? media->otherAttributes : session.otherAttributes;
  others.push_back(
      {std::string(name), hasValue ? std::optional<std::string>(value) : std::nullopt});
  return kFine;
}

}  // namespace parley::sdp
