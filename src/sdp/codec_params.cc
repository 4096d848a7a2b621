#include "parley/sdp/codec_params.h"

#include <algorithm>
#include <array>

#include "parley/sdp/description.h"

#include "sdp/grammar.h"

namespace parley::sdp {
namespace {

struct StaticType {
  uint8_t payloadType;
  const char* name;
  uint32_t clockRate;
  uint8_t channels;
};

// RFC 3551 section 6, tables 4 and 5.
constexpr StaticType kStaticTypes[] = {
    {0, "PCMU", 8000, 1},   {3, "GSM", 8000, 1},    {4, "G723", 8000, 1},   {5, "DVI4", 8000, 1},
    {6, "DVI4", 16000, 1},  {7, "LPC", 8000, 1},    {8, "PCMA", 8000, 1},   {9, "G722", 8000, 1},
    {10, "L16", 44100, 2},  {11, "L16", 44100, 1},  {12, "QCELP", 8000, 1}, {13, "CN", 8000, 1},
    {14, "MPA", 90000, 1},  {15, "G728", 8000, 1},  {16, "DVI4", 11025, 1}, {17, "DVI4", 22050, 1},
    {18, "G729", 8000, 1},  {25, "CelB", 90000, 1}, {26, "JPEG", 90000, 1}, {28, "nv", 90000, 1},
    {31, "H261", 90000, 1}, {32, "MPV", 90000, 1},  {33, "MP2T", 90000, 1}, {34, "H263", 90000, 1},
};

std::optional<uint8_t> hexByte(std::string_view two) {
  uint8_t value = 0;
  const auto [stop, error] = std::from_chars(two.data(), two.data() + two.size(), value, 16);
  if (error != std::errc{} || stop != two.data() + two.size()) return std::nullopt;
  return value;
}

struct ProfilePattern {
  uint8_t profileIdc;
  uint8_t mask;  // bits of profile-iop that must be as in `bits`
  uint8_t bits;
  H264Profile profile;
};

// RFC 6184 section 8.1, table 5; first match wins. The two High rows with set flags are H.264
// section A.2.4.2. The low four bits of profile-iop are reserved_zero in the RFC except for
// constraint_set4 and 5.
constexpr ProfilePattern kProfilePatterns[] = {
    {0x42, 0x4F, 0x40, H264Profile::ConstrainedBaseline},
    {0x4D, 0x8F, 0x80, H264Profile::ConstrainedBaseline},
    {0x58, 0xCF, 0xC0, H264Profile::ConstrainedBaseline},
    {0x42, 0x4F, 0x00, H264Profile::Baseline},
    {0x58, 0xCF, 0x80, H264Profile::Baseline},
    {0x4D, 0xAF, 0x00, H264Profile::Main},
    {0x58, 0xCF, 0x00, H264Profile::Extended},
    {0x64, 0xFF, 0x0C, H264Profile::ConstrainedHigh},
    {0x64, 0xFF, 0x00, H264Profile::High},
    {0x6E, 0xFF, 0x00, H264Profile::High10},
    {0x7A, 0xFF, 0x00, H264Profile::High422},
    {0xF4, 0xFF, 0x00, H264Profile::High444Predictive},
};

/// The first four hexadecimal digits that say `profile` in an answer.
const char* canonicalProfileDigits(H264Profile profile) {
  switch (profile) {
    case H264Profile::ConstrainedBaseline:
      return "42e0";
    case H264Profile::Baseline:
      return "4200";
    case H264Profile::Extended:
      return "5800";
    case H264Profile::Main:
      return "4d00";
    case H264Profile::ConstrainedHigh:
      return "640c";
    case H264Profile::High:
      return "6400";
    case H264Profile::High10:
      return "6e00";
    case H264Profile::High422:
      return "7a00";
    case H264Profile::High444Predictive:
      return "f400";
  }
  return "42e0";
}

std::string writeProfileLevelId(const H264ProfileLevel& value) {
  std::string digits = canonicalProfileDigits(value.profile);
  uint8_t level = value.level;
  if (value.levelIs1b) {
    // Level 1b is level_idc 11 with constraint_set3 where that flag is free, else level_idc 9.
    const bool usesFlag = digits[0] == '4' || digits[0] == '5';
    level = usesFlag ? 11 : 9;
    if (usesFlag) digits[2] = digits[2] == 'e' ? 'f' : '1';
  }
  constexpr char kHex[] = "0123456789abcdef";
  return digits + kHex[level >> 4] + kHex[level & 15];
}

uint32_t numberOr(const CodecParams& codec, std::string_view key, uint32_t fallback) {
  return codec.fmtpNumber(key).value_or(fallback);
}

bool sameH264(const CodecParams& a, const CodecParams& b) {
  const auto pa = h264ProfileLevel(a);
  const auto pb = h264ProfileLevel(b);
  return pa && pb && pa->profile == pb->profile &&
         numberOr(a, "packetization-mode", 0) == numberOr(b, "packetization-mode", 0);
}

}  // namespace

bool CodecParams::is(std::string_view encodingName) const {
  return equalsIgnoreCase(name, encodingName);
}

std::optional<std::string_view> CodecParams::fmtpValue(std::string_view key) const {
  for (const FmtpParameter& p : fmtp) {
    if (equalsIgnoreCase(p.key, key))
      return p.value ? std::string_view(*p.value) : std::string_view{};
  }
  return std::nullopt;
}

std::optional<uint32_t> CodecParams::fmtpNumber(std::string_view key) const {
  const auto value = fmtpValue(key);
  return value ? parseNumber<uint32_t>(*value) : std::nullopt;
}

void CodecParams::setFmtp(std::string_view key, std::string_view value) {
  for (FmtpParameter& p : fmtp) {
    if (equalsIgnoreCase(p.key, key)) {
      p.value = std::string(value);
      return;
    }
  }
  fmtp.push_back({std::string(key), std::string(value)});
}

bool CodecParams::hasFeedback(std::string_view type, std::string_view parameter) const {
  return std::any_of(feedback.begin(), feedback.end(), [&](const RtcpFeedback& f) {
    return equalsIgnoreCase(f.type, type) && equalsIgnoreCase(f.parameter, parameter);
  });
}

std::optional<uint8_t> CodecParams::associatedPayloadType() const {
  if (!is("rtx")) return std::nullopt;
  const auto apt = fmtpNumber("apt");
  if (!apt || *apt > 127) return std::nullopt;
  return static_cast<uint8_t>(*apt);
}

bool CodecParams::isAuxiliary() const {
  constexpr std::array kNames = {"rtx", "red", "ulpfec", "flexfec", "flexfec-03", "telephone-event",
                                 "CN"};
  return std::any_of(kNames.begin(), kNames.end(), [&](const char* n) { return is(n); });
}

std::optional<std::vector<FmtpParameter>> parseFmtp(std::string_view text) {
  std::vector<FmtpParameter> out;
  while (!text.empty()) {
    const std::string_view item = trimmed(cutToken(text, ';'));
    if (item.empty()) continue;
    if (out.size() == Bounds::kFmtpParameters) return std::nullopt;
    const size_t equals = item.find('=');
    FmtpParameter parameter{std::string(trimmed(item.substr(0, equals))), std::nullopt};
    if (parameter.key.empty()) continue;
    if (equals != std::string_view::npos)
      parameter.value = std::string(trimmed(item.substr(equals + 1)));
    out.push_back(std::move(parameter));
  }
  return out;
}

std::string writeFmtp(const std::vector<FmtpParameter>& parameters) {
  std::string out;
  for (const FmtpParameter& p : parameters) {
    if (!out.empty()) out += ';';
    out += p.key;
    if (p.value) out += '=' + *p.value;
  }
  return out;
}

std::optional<CodecParams> staticPayloadType(uint8_t payloadType) {
  for (const StaticType& t : kStaticTypes) {
    if (t.payloadType == payloadType) {
      CodecParams codec;
      codec.payloadType = payloadType;
      codec.name = t.name;
      codec.clockRate = t.clockRate;
      codec.channels = t.channels;
      return codec;
    }
  }
  return std::nullopt;
}

bool sameFormat(const CodecParams& a, const CodecParams& b) {
  if (a.name.empty() || !a.is(b.name) || a.clockRate != b.clockRate || a.channels != b.channels)
    return false;
  if (a.is("H264")) return sameH264(a, b);
  if (a.is("VP9")) return numberOr(a, "profile-id", 0) == numberOr(b, "profile-id", 0);
  if (a.is("AV1")) return numberOr(a, "profile", 0) == numberOr(b, "profile", 0);
  // RFC 7798 section 7.1: profile-id 1 (Main), tier-flag 0 and tx-mode SRST are inferred.
  if (a.is("H265")) {
    return numberOr(a, "profile-id", 1) == numberOr(b, "profile-id", 1) &&
           numberOr(a, "tier-flag", 0) == numberOr(b, "tier-flag", 0) &&
           equalsIgnoreCase(a.fmtpValue("tx-mode").value_or("SRST"),
                            b.fmtpValue("tx-mode").value_or("SRST"));
  }
  return true;
}

std::optional<H264ProfileLevel> parseH264ProfileLevelId(std::string_view text) {
  if (text.size() != 6) return std::nullopt;
  const auto idc = hexByte(text.substr(0, 2));
  const auto iop = hexByte(text.substr(2, 2));
  const auto level = hexByte(text.substr(4, 2));
  if (!idc || !iop || !level || *level == 0) return std::nullopt;
  for (const ProfilePattern& p : kProfilePatterns) {
    if (p.profileIdc != *idc || (*iop & p.mask) != p.bits) continue;
    H264ProfileLevel out{p.profile, *level, false};
    const bool flagSays1b = *level == 11 && (*iop & 0x10) != 0 && *idc < 0x60;
    if (flagSays1b || *level == 9) {
      out.level = 11;
      out.levelIs1b = true;
    }
    return out;
  }
  return std::nullopt;
}

bool h264LevelLess(const H264ProfileLevel& a, const H264ProfileLevel& b) {
  if (a.level != b.level) return a.level < b.level;
  return a.levelIs1b && !b.levelIs1b;
}

std::optional<H264ProfileLevel> h264ProfileLevel(const CodecParams& codec) {
  const auto text = codec.fmtpValue("profile-level-id");
  if (!text) return H264ProfileLevel{};
  return parseH264ProfileLevelId(*text);
}

std::optional<std::string> negotiatedH264ProfileLevelId(const CodecParams& local,
                                                        const CodecParams& remote) {
  const auto ours = h264ProfileLevel(local);
  const auto theirs = h264ProfileLevel(remote);
  if (!ours || !theirs || ours->profile != theirs->profile) return std::nullopt;
  const bool asymmetric = numberOr(local, "level-asymmetry-allowed", 0) == 1 &&
                          numberOr(remote, "level-asymmetry-allowed", 0) == 1;
  return writeProfileLevelId(!asymmetric && h264LevelLess(*theirs, *ours) ? *theirs : *ours);
}

OpusParameters opusParameters(const CodecParams& codec) {
  OpusParameters out;
  const auto flag = [&](std::string_view key) { return numberOr(codec, key, 0) == 1; };
  out.maxPlaybackRate = std::clamp(numberOr(codec, "maxplaybackrate", 48'000), 8'000u, 48'000u);
  if (const auto rate = codec.fmtpNumber("maxaveragebitrate")) {
    out.maxAverageBitrate = std::clamp(*rate, 6'000u, 510'000u);
  }
  out.minPtime = std::clamp(numberOr(codec, "minptime", 3), 3u, 120u);
  out.stereo = flag("stereo");
  out.spropStereo = flag("sprop-stereo");
  out.cbr = flag("cbr");
  out.useInbandFec = flag("useinbandfec");
  out.useDtx = flag("usedtx");
  return out;
}

}  // namespace parley::sdp
