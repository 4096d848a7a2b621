#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parley/base/export.h"

namespace parley::sdp {

/// One item of an `a=fmtp` line. `0-15` (telephone-event) and `111/111` (red) are items without a
/// value.
struct FmtpParameter {
  std::string key;
  std::optional<std::string> value{};
  bool operator==(const FmtpParameter&) const = default;
};

/// One RTCP feedback ability (RFC 4585 section 4.2): `nack pli` is {"nack", "pli"}.
struct RtcpFeedback {
  std::string type;
  std::string parameter{};
  bool operator==(const RtcpFeedback&) const = default;
};

/// What one RTP payload type means in one m= section: its rtpmap, fmtp and rtcp-fb lines.
struct PARLEY_EXPORT CodecParams {
  uint8_t payloadType = 0;  ///< 0..127
  std::string name;         ///< encoding name; empty if the description gave none
  uint32_t clockRate = 0;   ///< Hz; 0 only together with an empty name
  uint8_t channels = 1;     ///< 1 for video
  std::vector<FmtpParameter> fmtp{};
  std::vector<RtcpFeedback> feedback{};

  /// Encoding names are case-insensitive (RFC 4855 section 3).
  bool is(std::string_view encodingName) const;
  /// The value of a fmtp parameter (keys are case-insensitive); "" if it stands without value.
  std::optional<std::string_view> fmtpValue(std::string_view key) const;
  /// As fmtpValue, but nullopt too if it is not a decimal number.
  std::optional<uint32_t> fmtpNumber(std::string_view key) const;
  /// Replaces the value of `key`, or appends it.
  void setFmtp(std::string_view key, std::string_view value);
  bool hasFeedback(std::string_view type, std::string_view parameter = {}) const;
  /// The primary payload type of an rtx codec (RFC 4588 section 8.6).
  std::optional<uint8_t> associatedPayloadType() const;
  /// rtx, red, ulpfec, flexfec, telephone-event and CN: formats that carry or accompany another
  /// codec and cannot make a section useful alone.
  bool isAuxiliary() const;

  bool operator==(const CodecParams&) const = default;
};

/// Splits the parameter part of an fmtp line at semicolons. nullopt when there are more than 128.
PARLEY_EXPORT std::optional<std::vector<FmtpParameter>> parseFmtp(std::string_view text);
/// The inverse: "a=1;b=2".
PARLEY_EXPORT std::string writeFmtp(const std::vector<FmtpParameter>& parameters);

/// What RFC 3551 table 4 and 5 assign to a static payload type; nullopt for all others.
PARLEY_EXPORT std::optional<CodecParams> staticPayloadType(uint8_t payloadType);

/// Whether two payload types, possibly numbered differently, mean the same format: same name, clock
/// and channels, and the same value of those parameters that select a bitstream (H.264 profile and
/// packetization mode, VP9, AV1 and H.265 profile). Levels and other wishes do not matter. The
/// payload types that rtx and red refer to are not compared.
PARLEY_EXPORT bool sameFormat(const CodecParams& a, const CodecParams& b);

enum class H264Profile : uint8_t {
  ConstrainedBaseline,
  Baseline,
  Extended,
  Main,
  ConstrainedHigh,
  High,
  High10,
  High422,
  High444Predictive,
};

/// The meaning of `profile-level-id` (RFC 6184 section 8.1, table 5).
struct H264ProfileLevel {
  H264Profile profile = H264Profile::Baseline;
  uint8_t level = 10;      ///< ten times the level: 31 is 3.1
  bool levelIs1b = false;  ///< level 1b; `level` is then 11 and ranks just below 1.1
  bool operator==(const H264ProfileLevel&) const = default;
};

/// Six hexadecimal digits; nullopt for anything else and for reserved combinations.
PARLEY_EXPORT std::optional<H264ProfileLevel> parseH264ProfileLevelId(std::string_view text);
/// Level order: ... 1, 1b, 1.1 ...
PARLEY_EXPORT bool h264LevelLess(const H264ProfileLevel& a, const H264ProfileLevel& b);
/// Of a codec; RFC 6184 infers Baseline level 1 when the parameter is missing.
PARLEY_EXPORT std::optional<H264ProfileLevel> h264ProfileLevel(const CodecParams& codec);
/// The profile-level-id for an answer (RFC 6184 section 8.2.2): our profile, and the lower of both
/// levels unless both sides allow asymmetry. nullopt if the profiles differ.
PARLEY_EXPORT std::optional<std::string> negotiatedH264ProfileLevelId(const CodecParams& local,
                                                                      const CodecParams& remote);

/// RFC 7587 section 6.1. What the describing side wishes to receive, with the RFC's defaults.
struct OpusParameters {
  uint32_t maxPlaybackRate = 48'000;            ///< Hz
  std::optional<uint32_t> maxAverageBitrate{};  ///< bits per second, 6000..510000
  uint32_t minPtime = 3;                        ///< ms
  bool stereo = false;
  bool spropStereo = false;
  bool cbr = false;
  bool useInbandFec = false;
  bool useDtx = false;
};
PARLEY_EXPORT OpusParameters opusParameters(const CodecParams& codec);

}  // namespace parley::sdp
