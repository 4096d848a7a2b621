#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "parley/base/shared_list.h"
#include "parley/jsep/state.h"

namespace parley::jsep {

/// RTCRtpHeaderEncryptionPolicy (webrtc-extensions): whether header extensions and contributing
/// sources are encrypted with the payload (cryptex, RFC 9335).
enum class HeaderEncryptionPolicy : uint8_t {
  Disable,    ///< never
  Negotiate,  ///< if the peer can do it too
  Require,    ///< descriptions of media without it are refused, and so are packets
};

/// One header extension, and what becomes of it unless the application says otherwise.
struct HeaderExtensionCapability {
  std::string uri;           ///< says which
  uint16_t preferredId = 0;  ///< 0: no preference
  sdp::Direction direction = sdp::Direction::SendRecv;
  bool offered = true;  ///< false: only on request of the application
  /// False: not even accepted from the peer without that request.
  bool accepted = true;
  /// Offer it encrypted as well (RFC 6904), under another id. Such offers are always accepted.
  bool encrypted = false;
  bool operator==(const HeaderExtensionCapability&) const = default;
};

/// What this end can do, as of now. Everything random or measured comes in here, so that creating a
/// description stays a function of its arguments.
struct LocalCapabilities {
  /// In order of preference. `payloadType` is the number to offer when nothing is agreed yet; rtx
  /// refers to it by `apt`, audio red by its fmtp.
  SharedList<sdp::CodecParams> audioCodecs{};
  SharedList<sdp::CodecParams> videoCodecs{};
  SharedList<HeaderExtensionCapability> audioExtensions{};
  SharedList<HeaderExtensionCapability> videoExtensions{};

  std::vector<sdp::Fingerprint> fingerprints{};  ///< of our certificate
  IceCredentials
      freshIce{};  ///< never used before; taken for a first description and for ICE restarts
  std::vector<std::string> iceOptions{"trickle"};
  bool iceLite = false;

  HeaderEncryptionPolicy headerEncryption = HeaderEncryptionPolicy::Disable;
  uint16_t sctpPort = 5000;
  uint64_t maxMessageSize = 262'144;  ///< bytes
  bool receiveSimulcast =
      false;  ///< accept several rids in one section (an SFU does, browsers do not)
};

}  // namespace parley::jsep
