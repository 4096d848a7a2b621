#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "parley/base/export.h"
#include "parley/jsep/capabilities.h"
#include "parley/jsep/format_memory.h"
#include "parley/sdp/description.h"

namespace parley::jsep {

/// The codecs of an offered section: the capabilities, narrowed and ordered by `preferences` if
/// there are any, else with those of `previous` (the section as last described) first. Numbers are
/// those of `previous`, else from `memory`, which learns new ones. rtx stands behind its primary.
PARLEY_EXPORT std::vector<sdp::CodecParams> offerCodecs(
    const std::vector<sdp::CodecParams>& capabilities,
    const std::vector<sdp::CodecParams>& preferences, const std::vector<sdp::CodecParams>& previous,
    FormatMemory& memory);

/// The codecs of an answered section: what both ends have, under the offerer's numbers (RFC 9429
/// section 5.3.1), in the offerer's order unless we have preferences. Feedback is the intersection;
/// format parameters are ours, as they say what we want to receive. `bundle` holds the numbers that
/// earlier sections of this answer use; an offered codec that contradicts one is left out.
/// `takesCcfb`: feedback of RFC 8888 is agreed to although no capability names it.
PARLEY_EXPORT std::vector<sdp::CodecParams> answerCodecs(
    const sdp::MediaDescription& offered, const std::vector<sdp::CodecParams>& capabilities,
    const std::vector<sdp::CodecParams>& preferences, FormatMemory& bundle, bool takesCcfb = false);

/// The codecs of `section` that `other` has as well: numbers and parameters of `section`, common
/// feedback. rtx stays only with its primary.
PARLEY_EXPORT std::vector<sdp::CodecParams> commonCodecs(const sdp::MediaDescription& section,
                                                         const sdp::MediaDescription& other);

/// Whether a list holds more than rtx, FEC, DTMF and comfort noise.
PARLEY_EXPORT bool hasPrimaryCodec(const std::vector<sdp::CodecParams>& codecs);

/// Which extension an `a=extmap` line means, and whether in its encrypted form (RFC 6904).
struct ExtensionName {
  explicit ExtensionName(const sdp::Extmap& extmap)
      : uri(extmap.uri), encrypted(extmap.uri == sdp::kEncryptedExtensionUri) {
    // The inner URI may have attributes of its own behind it.
    if (encrypted) uri = std::string_view(extmap.attributes).substr(0, extmap.attributes.find(' '));
  }
  std::string_view uri;  ///< of the extension itself; borrowed
  bool encrypted = false;
  /// What an id of it stands for in an ExtensionMemory.
  std::string meaning() const {
    if (!encrypted) return std::string(uri);
    return std::string(sdp::kEncryptedExtensionUri) + ' ' + std::string(uri);
  }
  bool operator==(const ExtensionName&) const = default;
};

/// The header extensions of an offered section: the capabilities that are offered, as `choices` has
/// them where it names them, under ids from `memory`, which learns new ones.
PARLEY_EXPORT std::vector<sdp::Extmap> offerExtensions(
    const std::vector<HeaderExtensionCapability>& capabilities,
    const std::vector<HeaderExtensionChoice>& choices, ExtensionMemory& memory);

/// RFC 8285 section 6: same ids, directions from our side, provisional ids (4096 and up)
/// renumbered. What is offered plain and encrypted is taken encrypted. `bundle` as above.
PARLEY_EXPORT std::vector<sdp::Extmap> answerExtensions(
    const std::vector<sdp::Extmap>& offered,
    const std::vector<HeaderExtensionCapability>& capabilities,
    const std::vector<HeaderExtensionChoice>& choices, ExtensionMemory& bundle);

/// What the answer settled, seen from our side.
PARLEY_EXPORT std::vector<NegotiatedExtension> negotiatedExtensions(
    const std::vector<sdp::Extmap>& offer, const std::vector<sdp::Extmap>& answer,
    bool answerIsLocal);

}  // namespace parley::jsep
