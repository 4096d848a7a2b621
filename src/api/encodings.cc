// The rules of webrtc-pc for RTCRtpEncodingParameters: sections 5.1 (addTransceiver) and 5.2
// (setParameters).

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "parley/base/text.h"

#include "api/configuration_check.h"

namespace parley::api_internal {
namespace {

constexpr size_t kMaxRidLength = 16;

bool isRid(const std::string& rid) {
  const auto alphanumeric = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return !rid.empty() && rid.size() <= kMaxRidLength &&
         std::all_of(rid.begin(), rid.end(), alphanumeric);
}

Result<void> checkRids(const std::vector<RtpEncodingParameters>& encodings) {
  size_t named = 0;
  for (size_t i = 0; i < encodings.size(); ++i) {
    const auto& rid = encodings[i].rid;
    if (!rid) continue;
    ++named;
    if (!isRid(*rid)) {
      return fail(ErrorCode::Type, "a rid consists of 1 to 16 letters and digits");
    }
    for (size_t j = 0; j < i; ++j) {
      if (encodings[j].rid == rid) return fail(ErrorCode::Type, "two encodings have the same rid");
    }
  }
  if (named > 0 && named != encodings.size()) {
    return fail(ErrorCode::Type, "either all encodings have a rid, or none has");
  }
  return ok();
}

// 4, 2, 1 for three layers: each half as wide as the next.
void setSteppedScale(std::vector<RtpEncodingParameters>& encodings) {
  for (size_t i = 0; i < encodings.size(); ++i)
    encodings[i].scaleResolutionDownBy =
        std::ldexp(1.0, static_cast<int>(encodings.size() - 1 - i));
}

}  // namespace

Result<void> checkReceiveRids(MediaKind kind, const std::vector<std::string>& rids,
                              const std::vector<RtpEncodingParameters>& encodings) {
  if (rids.empty()) return ok();
  if (kind != MediaKind::Video || rids.size() > jsep::kMaxSimulcastLayers)
    return fail(ErrorCode::Type, "up to three layers of video can be asked for");
  for (size_t i = 0; i < rids.size(); ++i) {
    if (!isRid(rids[i]))
      return fail(ErrorCode::Type, "a rid consists of 1 to 16 letters and digits");
    const bool repeated =
        std::count(rids.begin(), rids.end(), rids[i]) > 1 ||
        std::any_of(encodings.begin(), encodings.end(),
                    [&](const RtpEncodingParameters& e) { return e.rid == rids[i]; });
    // RFC 8851 section 4: one name for one stream, whichever way it goes.
    if (repeated) return fail(ErrorCode::Type, "a rid is used twice");
  }
  return ok();
}

// webrtc-extensions, "scaleResolutionDownTo".
Result<void> checkRestrictions(ErrorCode code,
                               const std::vector<RtpEncodingParameters>& encodings) {
  size_t active = 0, restricted = 0;
  for (const RtpEncodingParameters& encoding : encodings) {
    const auto& to = encoding.scaleResolutionDownTo;
    if (to && (to->maxWidth == 0 || to->maxHeight == 0))
      return fail(code, "scaleResolutionDownTo needs a width and a height above zero");
    if (!encoding.active) continue;
    ++active;
    if (to) ++restricted;
  }
  if (restricted == 0 || restricted == active) return ok();
  return fail(code, "scaleResolutionDownTo is given for all active encodings, or for none");
}

bool sameCodec(const RtpCodec& a, const RtpCodec& b) {
  return equalsIgnoreCase(a.mimeType, b.mimeType) && a.clockRate == b.clockRate &&
         a.channels == b.channels && a.sdpFmtpLine.value_or("") == b.sdpFmtpLine.value_or("");
}

bool hasScalabilityMode(const std::vector<RtpCapabilities::Scalability>& known,
                        const std::optional<RtpCodec>& codec, const std::string& mode) {
  return std::any_of(known.begin(), known.end(), [&](const RtpCapabilities::Scalability& entry) {
    return (!codec || equalsIgnoreCase(entry.mimeType, codec->mimeType)) &&
           std::find(entry.modes.begin(), entry.modes.end(), mode) != entry.modes.end();
  });
}

Result<void> checkEncodingValues(MediaKind kind, std::vector<RtpEncodingParameters>& encodings,
                                 const std::vector<RtpCapabilities::Scalability>& scalability) {
  for (RtpEncodingParameters& encoding : encodings) {
    if (kind == MediaKind::Audio) {
      encoding.scaleResolutionDownBy.reset();
      encoding.scaleResolutionDownTo.reset();
      encoding.maxFramerate.reset();
      encoding.scalabilityMode.reset();
    }
    if (encoding.scaleResolutionDownBy && !(*encoding.scaleResolutionDownBy >= 1.0)) {
      return fail(ErrorCode::Range, "scaleResolutionDownBy must be at least 1");
    }
    if (encoding.maxFramerate && !(*encoding.maxFramerate >= 0)) {
      return fail(ErrorCode::Range, "maxFramerate must not be negative");
    }
    if (encoding.scalabilityMode &&
        !hasScalabilityMode(scalability, encoding.codec, *encoding.scalabilityMode)) {
      return fail(ErrorCode::Operation,
                  "scalability mode \"" + *encoding.scalabilityMode + "\" is not supported");
    }
  }
  return ok();
}

std::vector<RtpEncodingParameters> defaultEncodings(MediaKind kind,
                                                    const std::vector<std::string>& rids) {
  std::vector<RtpEncodingParameters> out(std::max<size_t>(rids.size(), 1));
  for (size_t i = 0; i < rids.size(); ++i) {
    if (!rids[i].empty()) out[i].rid = rids[i];
  }
  if (kind == MediaKind::Video) setSteppedScale(out);
  return out;
}

Result<std::vector<RtpEncodingParameters>> validateSendEncodings(
    MediaKind kind, std::vector<RtpEncodingParameters> encodings,
    const std::vector<RtpCodec>& capabilities,
    const std::vector<RtpCapabilities::Scalability>& scalability) {
  if (encodings.empty()) return defaultEncodings(kind, {});
  if (Result<void> rids = checkRids(encodings); !rids) return fail(rids.error());
  for (const RtpEncodingParameters& encoding : encodings) {
    if (!encoding.codec) continue;
    // What accompanies a codec (rtx, red, FEC, events) cannot be what an encoder makes.
    const bool known =
        !toPreferences({*encoding.codec}).front().isAuxiliary() &&
        std::any_of(capabilities.begin(), capabilities.end(),
                    [&](const RtpCodec& codec) { return sameCodec(codec, *encoding.codec); });
    if (!known) {
      return fail(ErrorCode::Operation,
                  "codec " + encoding.codec->mimeType + " cannot be sent: see getCapabilities()");
    }
  }
  if (Result<void> values = checkEncodingValues(kind, encodings, scalability); !values)
    return fail(values.error());
  if (Result<void> sizes = checkRestrictions(ErrorCode::Operation, encodings); !sizes)
    return fail(sizes.error());
  // Sound has no layers.
  const size_t most = kind == MediaKind::Video ? jsep::kMaxSimulcastLayers : 1;
  if (encodings.size() > most) encodings.resize(most);
  if (encodings.size() == 1) encodings.front().rid.reset();
  // Layers are told apart by their rids (RFC 8853), so those without get some.
  for (size_t i = 0; encodings.size() > 1 && i < encodings.size(); ++i) {
    if (!encodings[i].rid) encodings[i].rid = std::to_string(i);
  }
  if (kind != MediaKind::Video) return encodings;
  const bool scaled = std::any_of(encodings.begin(), encodings.end(), [](const auto& encoding) {
    return encoding.scaleResolutionDownBy.has_value();
  });
  if (!scaled) {
    setSteppedScale(encodings);
  } else {
    for (RtpEncodingParameters& encoding : encodings)
      encoding.scaleResolutionDownBy = encoding.scaleResolutionDownBy.value_or(1.0);
  }
  return encodings;
}

}  // namespace parley::api_internal

namespace parley {

const char* toString(PriorityType priority) {
  constexpr const char* kNames[] = {"very-low", "low", "medium", "high"};
  return kNames[static_cast<int>(priority)];
}
const char* toString(DegradationPreference preference) {
  constexpr const char* kNames[] = {"maintain-framerate", "maintain-resolution", "balanced",
                                    "maintain-framerate-and-resolution"};
  return kNames[static_cast<int>(preference)];
}

}  // namespace parley
