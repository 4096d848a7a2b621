#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "parley/base/bytes.h"
#include "parley/base/export.h"
#include "parley/base/result.h"
#include "parley/base/time.h"
#include "parley/codec/contributor.h"
#include "parley/crypto/sframe.h"
#include "parley/media/types.h"
#include "parley/rtp/extensions/color_space.h"
#include "parley/rtp/extensions/video_timing.h"

namespace parley {

/// RTCEncodedVideoFrame and RTCEncodedAudioFrame (webrtc-encoded-transform), with the members of
/// RTCEncodedVideoFrameMetadata and RTCEncodedAudioFrameMetadata that a native application has a
/// use for: a compressed picture, or a packet of sound. All but `data` is there to be read; changes
/// to it change nothing.
struct EncodedFrame {
  Bytes data;                 ///< what an encoder made and a decoder takes; may be changed
  media::MediaKind kind{};    ///< whether it is sound or a picture
  bool keyFrame = false;      ///< always true for sound
  uint32_t rtpTimestamp = 0;  ///< as on the wire
  uint32_t ssrc = 0;          ///< of its stream
  uint8_t payloadType = 0;    ///< of its packets
  std::string mimeType;       ///< "video/VP8"
  std::string rid{};          ///< which layer of simulcast it is; else empty
  int width = 0;              ///< 0 if unknown, and for sound
  int height = 0;             ///< as `width`
  uint8_t temporalIndex = 0;  ///< its layer in time, 0 the base
  uint8_t spatialIndex = 0;   ///< its layer in size, 0 the smallest
  /// Sound: who is heard in a mix, and how loud (RFC 3550 section 7.1, RFC 6465). Of what is sent.
  codec::Contributors contributors{};
  // Of what is received, as far as the sender tells.
  /// captureTime: when it was captured, by the clock of the system that captured it.
  std::optional<NtpTime> captureTime{};
  /// senderCaptureTimeOffset: how much that clock is ahead of the sender's, by the sender's
  /// estimate.
  std::optional<Duration> senderCaptureTimeOffset{};
  std::optional<Timestamp> receiveTime{};  ///< of its last packet; video only
  /// Of pictures, as told with the last key frame.
  std::optional<rtp::ColorSpaceValue> colorSpace{};
  std::optional<rtp::VideoTimingValue> timing{};  ///< of a few frames (video-timing)
};

/// Looks at a frame between encoder and packets, or between packets and decoder, and may change its
/// bytes; false drops it. Called on the media workers' threads, one frame at a time for each sender
/// or receiver: be quick. Frames that the app itself has compressed come within its `push`. Media
/// that goes or comes as packets (MediaStreamTrack::createRtp, RtpReceiver::setPacketSink,
/// Forwarder) is never shown, nor changed; a sender of such packets takes no transform. What
/// forwards and assembles packets reads the start of a frame (VP8: 10 bytes of a key frame, 3 of
/// others; Opus: 1 or 2), so leave it as it is. The bytes of H.264 must stay an Annex B stream.
using FrameTransform = std::function<bool(EncodedFrame&)>;

/// Gives the bytes of one frame back, from any thread, once; then the frame goes on. One that is
/// destroyed without having been called has dropped its frame, which is then missing: no key frame
/// is asked for (RtpSender::generateKeyFrame, RtpReceiver::requestKeyFrame), no sound concealed.
using FrameWriter = std::function<void(Bytes)>;

/// As FrameTransform, for an app that answers later and elsewhere: it is handed the frame and how
/// to write it back (webrtc-encoded-transform, `readable` and `writable` of RTCRtpScriptTransform).
/// Frames that are written in another order than they were read go on in that order.
using FrameReader = std::function<void(EncodedFrame, FrameWriter)>;

/// Encrypts or decrypts frames end to end by SFrame (RFC 9605), through servers that cannot read
/// them. An end has one to encrypt all that it sends, and one to decrypt what it receives:
///
///     SframeTransform lock(SframeTransform::Role::Encrypt);
///     lock.setKey(myId, key);             // no two ends have the same id
///     sound.setTransform(lock);
///     picture.setTransform(lock);         // the same one for all senders
///
///     SframeTransform unlock(SframeTransform::Role::Decrypt);
///     unlock.setKey(theirId, key);
///     receiver.setTransform(unlock);
///
/// WARNING: a key and its id must be used by one encryptor only, ever. Each counts its frames from
/// zero, and two frames that were encrypted with the same key, id and count give both plaintexts
/// away, with AES-GCM also the power to forge (RFC 9605 section 9.1). So: one transform for all
/// senders of an end, an id of its own for each end, and a new key (or id) whenever a program
/// starts anew. Handed to setTransform() as it is, a transform is refused where this end would
/// break the rule; `transform()` is unchecked, and the other end cannot be seen from here.
///
/// The start of each frame stays in clear (see FrameTransform) but is authenticated. For VP8, VP9
/// and sound; pictures in H.264, H.265 and AV1, which are packetized along their structure, are
/// dropped in both directions rather than sent in clear. A sender with a transform takes no track
/// of packets (MediaStreamTrack::createRtp), nor can a Forwarder send by it, and the other way
/// round. What takes packets out (RtpReceiver::setPacketSink) gets them as they came, encrypted and
/// unchecked. Any thread.
class PARLEY_EXPORT SframeTransform {
 public:
  /// Sending, or receiving.
  enum class Role : uint8_t { Encrypt, Decrypt };

  /// Without a key: drops everything until setKey().
  explicit SframeTransform(Role role,
                           crypto::SframeSuite suite = crypto::SframeSuite::Aes128GcmSha256_128,
                           crypto::SframeRatchet ratchet = {});

  /// The key to encrypt with from now on, or one more to decrypt with. To encrypt with a former key
  /// again goes on with its count. Errors as crypto::SframeEncryptor::setKey and
  /// crypto::SframeDecryptor::addKey; InvalidAccess if another transform on the loop encrypts with
  /// this key and id or has done so, or if both directions of a connection would use it. The former
  /// key remains.
  Result<void> setKey(uint64_t keyId, ByteSpan baseKey);
  /// Decrypting: forgets it. What setKey refuses stays refused: the other end may have used it.
  void removeKey(uint64_t keyId);
  /// Encrypting: the next key of the chain; the other end follows by itself. InvalidState without a
  /// key, or if its id has no room for a step.
  Result<void> ratchet();
  /// Frames dropped because they could not be encrypted, were not authentic, or had an unknown key.
  uint64_t dropped() const;
  /// Why the newest of them was dropped: NotSupported for its codec, else as
  /// crypto::SframeEncryptor::encrypt and crypto::SframeDecryptor::decrypt.
  std::optional<Error> lastError() const;

  /// As a part of a transform of the app's own; lives on by itself. See the warning above.
  FrameTransform transform() const;

  struct State;  ///< the library's own
  /// For the library's own objects.
  const std::shared_ptr<State>& state() const { return state_; }

 private:
  std::shared_ptr<State> state_;
};

}  // namespace parley
