#include "parley/jsep/codec_negotiation.h"

#include <algorithm>
#include <utility>

#include "parley/base/text.h"

namespace parley::jsep {
namespace {

using sdp::CodecParams;

const CodecParams* byPayloadType(const std::vector<CodecParams>& list, uint8_t payloadType) {
  const auto it = std::find_if(list.begin(), list.end(),
                               [&](const CodecParams& c) { return c.payloadType == payloadType; });
  return it == list.end() ? nullptr : &*it;
}

/// Position of the first entry of the same format; list.size() if none.
size_t rank(const std::vector<CodecParams>& list, const CodecParams& codec) {
  const auto it = std::find_if(list.begin(), list.end(),
                               [&](const CodecParams& c) { return sdp::sameFormat(c, codec); });
  return static_cast<size_t>(it - list.begin());
}

bool contains(const std::vector<CodecParams>& list, const CodecParams& codec) {
  return rank(list, codec) < list.size();
}

/// The codec an rtx entry repairs, in the same list. nullptr for others and for a dangling or
/// self-referring apt.
const CodecParams* primaryOf(const std::vector<CodecParams>& list, const CodecParams& rtx) {
  const auto apt = rtx.associatedPayloadType();
  if (!apt || *apt == rtx.payloadType) return nullptr;
  const CodecParams* primary = byPayloadType(list, *apt);
  return primary != nullptr && !primary->is("rtx") ? primary : nullptr;
}

const CodecParams* rtxOf(const std::vector<CodecParams>& list, const CodecParams& primary) {
  const auto it = std::find_if(list.begin(), list.end(), [&](const CodecParams& c) {
    return c.payloadType != primary.payloadType && c.associatedPayloadType() == primary.payloadType;
  });
  return it == list.end() ? nullptr : &*it;
}

/// Capabilities without rtx, as the application's preferences leave them, in preference order.
std::vector<CodecParams> preferredCapabilities(const std::vector<CodecParams>& capabilities,
                                               const std::vector<CodecParams>& preferences) {
  std::vector<CodecParams> out;
  for (const CodecParams& c : capabilities) {
    if (!c.is("rtx") && (preferences.empty() || contains(preferences, c))) out.push_back(c);
  }
  if (!preferences.empty()) {
    std::stable_sort(out.begin(), out.end(), [&](const CodecParams& a, const CodecParams& b) {
      return rank(preferences, a) < rank(preferences, b);
    });
  }
  return out;
}

bool rtxAllowed(const std::vector<CodecParams>& preferences) {
  return preferences.empty() || std::any_of(preferences.begin(), preferences.end(),
                                            [](const CodecParams& c) { return c.is("rtx"); });
}

/// The payload types in the fmtp of audio red: "111/111" (RFC 2198 section 5). Empty if it has
/// none.
std::vector<uint8_t> redPayloadTypes(const CodecParams& codec) {
  std::vector<uint8_t> out;
  if (!codec.is("red") || codec.fmtp.empty()) return out;
  std::string_view list = codec.fmtp.front().key;
  while (!list.empty()) {
    const auto pt = parseNumber<uint8_t>(cutToken(list, '/'));
    if (!pt) return {};
    out.push_back(*pt);
  }
  return out;
}

/// Capability numbers inside red's fmtp become those assigned in this session.
void renumberRed(CodecParams& red, const std::vector<CodecParams>& capabilities,
                 const std::vector<CodecParams>& assigned) {
  const auto numbers = redPayloadTypes(red);
  if (numbers.empty()) return;
  std::string list;
  for (const uint8_t pt : numbers) {
    const CodecParams* capability = byPayloadType(capabilities, pt);
    const size_t at = capability ? rank(assigned, *capability) : assigned.size();
    if (at == assigned.size()) continue;
    if (!list.empty()) list += '/';
    list += std::to_string(assigned[at].payloadType);
  }
  red.fmtp = {sdp::FmtpParameter{list, std::nullopt}};
  if (list.empty()) red.fmtp.clear();
}

std::vector<sdp::RtcpFeedback> commonFeedback(const std::vector<sdp::RtcpFeedback>& ours,
                                              const CodecParams& theirs,
                                              const std::vector<sdp::RtcpFeedback>& theirWildcard) {
  std::vector<sdp::RtcpFeedback> out;
  for (const sdp::RtcpFeedback& f : ours) {
    const bool wild =
        std::find(theirWildcard.begin(), theirWildcard.end(), f) != theirWildcard.end();
    if (wild || theirs.hasFeedback(f.type, f.parameter)) out.push_back(f);
  }
  return out;
}

sdp::RtcpFeedback ccfb() {
  return {"ack", "ccfb"};
}

CodecParams answered(const CodecParams& offered, const CodecParams& ours,
                     const std::vector<sdp::RtcpFeedback>& wildcard, bool takesCcfb) {
  CodecParams out = ours;
  out.payloadType = offered.payloadType;
  std::vector<sdp::RtcpFeedback> known = ours.feedback;
  // A codec without feedback of any kind (RTX, FEC) goes with one that has.
  const bool named = std::find(known.begin(), known.end(), ccfb()) != known.end();
  if (takesCcfb && !known.empty() && !named) known.push_back(ccfb());
  out.feedback = commonFeedback(known, offered, wildcard);
  if (out.is("H264")) {
    if (const auto id = sdp::negotiatedH264ProfileLevelId(ours, offered))
      out.setFmtp("profile-level-id", *id);
  }
  // RFC 7798 section 7.2.2: both directions keep to the lower level; 3.1 is inferred.
  if (out.is("H265")) {
    const uint32_t level = std::min(ours.fmtpNumber("level-id").value_or(93),
                                    offered.fmtpNumber("level-id").value_or(93));
    out.setFmtp("level-id", std::to_string(level));
  }
  // What red carries is said in the offerer's numbers.
  if (out.is("red")) out.fmtp = offered.fmtp;
  return out;
}

/// RFC 5761 section 4.
bool collidesWithRtcp(uint8_t payloadType) {
  return payloadType >= 64 && payloadType <= 95;
}

sdp::Direction choiceFor(const HeaderExtensionCapability& capability,
                         const std::vector<HeaderExtensionChoice>& choices, bool& stopped) {
  for (const HeaderExtensionChoice& c : choices) {
    if (c.uri != capability.uri) continue;
    stopped = !c.direction;
    return c.direction ? sdp::intersection(*c.direction, capability.direction)
                       : capability.direction;
  }
  stopped = !capability.offered;
  return capability.direction;
}

/// RFC 3264 section 8.3.2: a section keeps its own numbers, also where another one of the bundle
/// has the same format under a different number.
std::optional<uint8_t> numberFor(const CodecParams& codec, const std::vector<CodecParams>& previous,
                                 FormatMemory& memory) {
  for (const CodecParams& own : previous) {
    if (!sameBinding(own, codec) || !memory.agrees(own)) continue;
    memory.bind(own);
    return own.payloadType;
  }
  return memory.assign(codec);
}

}  // namespace

std::vector<CodecParams> offerCodecs(const std::vector<CodecParams>& capabilities,
                                     const std::vector<CodecParams>& preferences,
                                     const std::vector<CodecParams>& previous,
                                     FormatMemory& memory) {
  std::vector<CodecParams> wanted = preferredCapabilities(capabilities, preferences);
  if (preferences.empty()) {
    std::stable_sort(wanted.begin(), wanted.end(), [&](const CodecParams& a, const CodecParams& b) {
      return rank(previous, a) < rank(previous, b);
    });
  }
  std::vector<CodecParams> out;
  for (const CodecParams& capability : wanted) {
    CodecParams codec = capability;
    const auto number = numberFor(codec, previous, memory);
    if (!number) continue;
    codec.payloadType = *number;
    // What a peer's offer has brought stays in ours.
    const size_t before = rank(previous, capability);
    if (before < previous.size() && previous[before].hasFeedback("ack", "ccfb") &&
        !codec.hasFeedback("ack", "ccfb"))
      codec.feedback.push_back(ccfb());
    out.push_back(codec);
    const CodecParams* rtx = rtxAllowed(preferences) ? rtxOf(capabilities, capability) : nullptr;
    if (rtx == nullptr) continue;
    CodecParams repair = *rtx;
    repair.setFmtp("apt", std::to_string(*number));
    const auto repairNumber = numberFor(repair, previous, memory);
    if (!repairNumber) continue;
    repair.payloadType = *repairNumber;
    out.push_back(std::move(repair));
  }
  for (CodecParams& codec : out) {
    if (codec.is("red")) renumberRed(codec, capabilities, out);
  }
  return out;
}

std::vector<CodecParams> answerCodecs(const sdp::MediaDescription& offered,
                                      const std::vector<CodecParams>& capabilities,
                                      const std::vector<CodecParams>& preferences,
                                      FormatMemory& bundle, bool takesCcfb) {
  const std::vector<CodecParams> allowed = preferredCapabilities(capabilities, preferences);
  std::vector<CodecParams> accepted;
  for (const CodecParams& o : offered.codecs) {
    if (o.is("rtx") || collidesWithRtcp(o.payloadType) || !bundle.agrees(o)) continue;
    const size_t at = rank(allowed, o);
    if (at < allowed.size())
      accepted.push_back(answered(o, allowed[at], offered.wildcardFeedback, takesCcfb));
  }
  std::erase_if(accepted, [&](const CodecParams& c) {
    const auto carried = redPayloadTypes(c);
    return std::any_of(carried.begin(), carried.end(),
                       [&](uint8_t pt) { return byPayloadType(accepted, pt) == nullptr; });
  });
  if (!preferences.empty()) {
    std::stable_sort(accepted.begin(), accepted.end(),
                     [&](const CodecParams& a, const CodecParams& b) {
                       return rank(preferences, a) < rank(preferences, b);
                     });
  }

  std::vector<CodecParams> out;
  for (CodecParams& codec : accepted) {
    bundle.bind(codec);
    const CodecParams* theirRtx = rtxOf(offered.codecs, codec);
    const size_t at = rank(capabilities, codec);
    const CodecParams* ourRtx =
        at < capabilities.size() ? rtxOf(capabilities, capabilities[at]) : nullptr;
    out.push_back(codec);
    if (theirRtx == nullptr || ourRtx == nullptr || !rtxAllowed(preferences) ||
        collidesWithRtcp(theirRtx->payloadType) || !bundle.agrees(*theirRtx) ||
        !sdp::sameFormat(*theirRtx, *ourRtx)) {
      continue;
    }
    CodecParams repair = answered(*theirRtx, *ourRtx, offered.wildcardFeedback, false);
    repair.setFmtp("apt", std::to_string(codec.payloadType));
    bundle.bind(repair);
    out.push_back(std::move(repair));
  }
  return out;
}

std::vector<CodecParams> commonCodecs(const sdp::MediaDescription& section,
                                      const sdp::MediaDescription& other) {
  const auto inOther = [&](const CodecParams& codec) -> const CodecParams* {
    // The same number first: H.264 may appear several times in one format.
    const CodecParams* same = other.codec(codec.payloadType);
    if (same != nullptr && sdp::sameFormat(*same, codec)) return same;
    const size_t at = rank(other.codecs, codec);
    return at < other.codecs.size() ? &other.codecs[at] : nullptr;
  };
  std::vector<CodecParams> out;
  for (const CodecParams& codec : section.codecs) {
    const CodecParams* match = nullptr;
    if (codec.is("rtx")) {
      const CodecParams* primary = primaryOf(section.codecs, codec);
      const CodecParams* theirs = primary ? inOther(*primary) : nullptr;
      match = theirs ? rtxOf(other.codecs, *theirs) : nullptr;
    } else {
      match = inOther(codec);
    }
    if (match == nullptr || collidesWithRtcp(codec.payloadType)) continue;
    CodecParams common = codec;
    common.feedback = codec.feedback;
    for (const sdp::RtcpFeedback& f : section.wildcardFeedback) {
      if (!common.hasFeedback(f.type, f.parameter)) common.feedback.push_back(f);
    }
    common.feedback = commonFeedback(common.feedback, *match, other.wildcardFeedback);
    out.push_back(std::move(common));
  }
  return out;
}

bool hasPrimaryCodec(const std::vector<CodecParams>& codecs) {
  return std::any_of(codecs.begin(), codecs.end(),
                     [](const CodecParams& c) { return !c.isAuxiliary(); });
}

std::vector<sdp::Extmap> offerExtensions(const std::vector<HeaderExtensionCapability>& capabilities,
                                         const std::vector<HeaderExtensionChoice>& choices,
                                         ExtensionMemory& memory) {
  std::vector<sdp::Extmap> out;
  for (const HeaderExtensionCapability& capability : capabilities) {
    bool stopped = false;
    const sdp::Direction direction = choiceFor(capability, choices, stopped);
    if (stopped) continue;
    sdp::Extmap extmap;
    extmap.uri = capability.uri;
    if (direction != sdp::Direction::SendRecv) extmap.direction = direction;
    if (const auto id = memory.assign(capability.uri, capability.preferredId)) {
      extmap.id = *id;
      out.push_back(extmap);
    }
    if (!capability.encrypted) continue;
    extmap.attributes = std::exchange(extmap.uri, std::string(sdp::kEncryptedExtensionUri));
    const auto id = memory.assign(ExtensionName(extmap).meaning(), 0);
    if (!id) continue;
    extmap.id = *id;
    out.push_back(std::move(extmap));
  }
  return out;
}

std::vector<sdp::Extmap> answerExtensions(
    const std::vector<sdp::Extmap>& offered,
    const std::vector<HeaderExtensionCapability>& capabilities,
    const std::vector<HeaderExtensionChoice>& choices, ExtensionMemory& bundle) {
  std::vector<sdp::Extmap> out;
  for (const sdp::Extmap& o : offered) {
    const ExtensionName name(o);
    const auto capability =
        std::find_if(capabilities.begin(), capabilities.end(),
                     [&](const HeaderExtensionCapability& c) { return c.uri == name.uri; });
    if (capability == capabilities.end()) continue;
    const auto sameAs = [&](const sdp::Extmap& e) { return ExtensionName(e).uri == name.uri; };
    if (std::any_of(out.begin(), out.end(), sameAs)) continue;
    const bool betterComes =
        !name.encrypted && std::any_of(offered.begin(), offered.end(), [&](const sdp::Extmap& e) {
          return sameAs(e) && ExtensionName(e).encrypted;
        });
    if (betterComes) continue;
    bool stopped = false;
    sdp::Direction ours = choiceFor(*capability, choices, stopped);
    // What we would not offer by ourselves we still accept, unless the application said no.
    const bool refused = std::any_of(
        choices.begin(), choices.end(),
        [&](const HeaderExtensionChoice& c) { return c.uri == name.uri && !c.direction; });
    const bool asked = std::any_of(
        choices.begin(), choices.end(),
        [&](const HeaderExtensionChoice& c) { return c.uri == name.uri && c.direction; });
    if (refused || (!capability->accepted && !asked)) continue;
    ours = sdp::intersection(ours, sdp::reversed(o.direction.value_or(sdp::Direction::SendRecv)));
    if (ours == sdp::Direction::Inactive) continue;

    sdp::Extmap answer;
    const std::string meaning = name.meaning();
    answer.uri = o.uri;
    if (name.encrypted) answer.attributes = name.uri;
    answer.id = o.id;
    if (o.id >= 4096) {
      const auto id = bundle.assign(meaning, 0);
      if (!id) continue;
      answer.id = *id;
    } else if (const std::string* bound = bundle.at(o.id); bound != nullptr && *bound != meaning) {
      continue;  // aiortc 1.4 gives one id two meanings across its sections
    }
    bundle.bind(answer.id, meaning);
    if (o.direction || ours != sdp::Direction::SendRecv) answer.direction = ours;
    out.push_back(std::move(answer));
  }
  return out;
}

std::vector<NegotiatedExtension> negotiatedExtensions(const std::vector<sdp::Extmap>& offer,
                                                      const std::vector<sdp::Extmap>& answer,
                                                      bool answerIsLocal) {
  std::vector<NegotiatedExtension> out;
  for (const sdp::Extmap& a : answer) {
    const auto o = std::find_if(offer.begin(), offer.end(), [&](const sdp::Extmap& e) {
      return ExtensionName(e) == ExtensionName(a);
    });
    if (o == offer.end()) continue;
    const sdp::Direction said = a.direction.value_or(sdp::Direction::SendRecv);
    const sdp::Direction offered = sdp::reversed(o->direction.value_or(sdp::Direction::SendRecv));
    const sdp::Direction agreed = sdp::intersection(said, offered);
    const sdp::Direction ours = answerIsLocal ? agreed : sdp::reversed(agreed);
    const ExtensionName name(a);
    out.push_back(
        {a.id, std::string(name.uri), sdp::sends(ours), sdp::receives(ours), name.encrypted});
  }
  return out;
}

}  // namespace parley::jsep
