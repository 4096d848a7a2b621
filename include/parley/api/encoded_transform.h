#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "parley/base/bytes.h"
#include "parley/base/export.h"
#include "parley/base/result.h"
#include "parley/crypto/sframe.h"
#include "parley/media/types.h"

namespace parley {

/// RTCEncodedVideoFrame and RTCEncodedAudioFrame (webrtc-encoded-transform): a compressed picture,
/// or a packet of sound. All but `data` is there to be read; changes to it change nothing.
struct EncodedFrame {
  Bytes data;
  media::MediaKind kind{};
  bool keyFrame = false;      ///< always true for sound
  uint32_t rtpTimestamp = 0;  ///< as on the wire
  uint32_t ssrc = 0;
  uint8_t payloadType = 0;
  std::string mimeType;  ///< "video/VP8"
  std::string rid{};     ///< which layer of simulcast it is; else empty
  int width = 0;         ///< 0 if unknown, and for sound
  int height = 0;
  uint8_t temporalIndex = 0;
  uint8_t spatialIndex = 0;
};

/// Looks at a frame between encoder and packets, or between packets and decoder, and may change its
/// bytes; false drops it. Called on the media workers' threads, one frame at a time for each sender
/// or receiver: be quick. What forwards and assembles packets reads the start of a frame (VP8: 10
/// bytes of a key frame, 3 of others; Opus: 1 or 2), so leave it as it is. The bytes of H.264 must
/// stay an Annex B stream.
using FrameTransform = std::function<bool(EncodedFrame&)>;

/// Gives the bytes of one frame back, from any thread, once; then the frame goes on. One that is
/// destroyed without having been called has dropped its frame.
using FrameWriter = std::function<void(Bytes)>;

/// As FrameTransform, for an app that answers later and elsewhere: it is handed the frame and how
/// to write it back (webrtc-encoded-transform, `readable` and `writable`). Frames that are written
/// in another order than they were read go on in that order.
using FrameReader = std::function<void(EncodedFrame, FrameWriter)>;

/// Encrypts or decrypts frames end to end by SFrame (RFC 9605), through servers that cannot read
/// them. Each end of a stream has one, of the other role and with the same keys:
///
///     SframeTransform lock(SframeTransform::Role::Encrypt);
///     lock.setKey(1, key);
///     sender.setTransform(lock.transform());
///
/// The start of each frame stays in clear (see FrameTransform) but is authenticated. For VP8, VP9
/// and Opus. Any thread.
class PARLEY_EXPORT SframeTransform {
 public:
  enum class Role : uint8_t { Encrypt, Decrypt };

  explicit SframeTransform(Role role,
                           crypto::SframeSuite suite = crypto::SframeSuite::Aes128GcmSha256_128,
                           crypto::SframeRatchet ratchet = {});

  /// The key to encrypt with from now on, or one more to decrypt with. Errors as
  /// crypto::SframeEncryptor::setKey and crypto::SframeDecryptor::addKey.
  Result<void> setKey(uint64_t keyId, ByteSpan baseKey);
  /// Decrypting: forgets it.
  void removeKey(uint64_t keyId);
  /// Encrypting: the next key of the chain; the other end follows by itself.
  Result<void> ratchet();
  /// Frames dropped because they could not be encrypted, were not authentic, or had an unknown key.
  uint64_t dropped() const;

  /// For setTransform(); lives on its own.
  FrameTransform transform() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace parley
