// RFC 3711 (AES in counter mode with HMAC-SHA1) and RFC 7714 (AES-GCM) written out on top of
// OpenSSL's ciphers. Debian's libsrtp works on NSS, which costs several times as much per packet;
// besides, nothing has to be loaded before the first packet.

#include <algorithm>
#include <array>
#include <bit>
#include <memory>
#include <optional>
#include <vector>

#include "parley/crypto/const_time.h"
#include "parley/crypto/packet_cipher.h"

#include "srtp/header_protection.h"
#include "srtp/key_derivation.h"
#include "srtp/packet_index.h"
#include "srtp/transform.h"

namespace parley::srtp {
namespace {

using crypto::AesCounter;
using crypto::AesGcm;

// RFC 3711 section 4.3.2.
enum Label : uint8_t { kRtpKey = 0, kRtpAuth = 1, kRtpSalt = 2, kRtcpOffset = 3 };
constexpr size_t kAuthKeySize = 20;
constexpr uint32_t kEncryptedFlag = 0x80000000;
/// Of SRTCP: a handful of reports a second.
constexpr size_t kReportWindow = 128;
/// Of the sources that sent last: as many as a session has at once, 256 streams with RTX and FEC.
/// Those before them keep little more than their index, which must never be forgotten.
constexpr size_t kSealedWindows = 768;

/// What was sealed under the last indexes, by the tags of it. "Any fixed keystream output,
/// generated from the same key and index MUST only be used to encrypt once" (RFC 3711 section 9.1),
/// and with AES-GCM a second packet under a nonce gives the key of the tags away (RFC 7714 section
/// 11); the same packet, to the byte, tells nothing new.
class SealedWindow {
 public:
  /// `highest`: of those sealed before this one, if any.
  bool allows(uint64_t index, std::optional<uint64_t> highest, const uint8_t* tag) const {
    if (!highest || index > *highest) return true;
    if (tags_.empty()) return false;
    const uint32_t before = tags_[index & (tags_.size() - 1)];
    return before == kNone || before == shortened(tag);
  }
  void commit(uint64_t index, std::optional<uint64_t> highest, const uint8_t* tag, size_t window) {
    if (tags_.empty()) tags_.assign(std::bit_ceil(window), highest ? kUnknown : kNone);
    // Those left out may still come.
    if (highest && index > *highest) {
      const uint64_t skipped = std::min<uint64_t>(index - *highest - 1, tags_.size());
      for (uint64_t i = 1; i <= skipped; ++i) tags_[(index - i) & (tags_.size() - 1)] = kNone;
    }
    tags_[index & (tags_.size() - 1)] = shortened(tag);
  }

  /// Gives the memory back. From now on no index up to the highest is sealed again.
  void drop() { std::vector<uint32_t>().swap(tags_); }

 private:
  static constexpr uint32_t kNone = 0;
  static constexpr uint32_t kUnknown = 0xffffffff;
  static uint32_t shortened(const uint8_t* tag) {
    return std::clamp(loadU32(tag), kNone + 1, kUnknown - 1);
  }

  std::vector<uint32_t> tags_;
};

/// The session keys of one kind of packets, ready for use.
class SessionCipher {
 public:
  SessionCipher(const TransformConfig& config, Kind kind)
      : tagSize_(srtp::tagSize(config.profile, kind)) {
    AesCounter master(config.key.span());
    const uint8_t offset = kind == Kind::Rtcp ? kRtcpOffset : 0;
    std::array<uint8_t, crypto::Secret::kMaxSize> key;
    const MutableByteSpan used = MutableByteSpan(key).first(config.key.size());
    derive(master, config.salt.span(), kRtpKey + offset, used);
    derive(master, config.salt.span(), kRtpSalt + offset,
           MutableByteSpan(salt_).first(config.salt.size()));
    if (isGcm(config.profile)) {
      gcm_.emplace(config.outbound ? AesGcm::Use::Seal : AesGcm::Use::Open, used);
    } else {
      counter_.emplace(used);
      const MutableByteSpan auth = MutableByteSpan(key).first(kAuthKeySize);
      derive(master, config.salt.span(), kRtpAuth + offset, auth);
      hmac_.emplace(auth);
    }
    crypto::wipe(key);
  }
  ~SessionCipher() { crypto::wipe(salt_); }

  size_t tagSize() const { return tagSize_; }
  bool isAead() const { return gcm_.has_value(); }
  AesGcm& gcm() { return *gcm_; }

  /// RFC 7714 sections 8.1 and 9.1; the index of SRTCP has zeros in front.
  AesGcm::Nonce nonce(uint32_t ssrc, uint64_t index) const {
    AesGcm::Nonce out;
    std::copy_n(salt_.begin(), out.size(), out.begin());
    xorU32(&out[2], ssrc);
    xorU16(&out[6], static_cast<uint16_t>(index >> 32));
    xorU32(&out[8], static_cast<uint32_t>(index));
    return out;
  }

  /// RFC 3711 section 4.1.1.
  void crypt(uint32_t ssrc, uint64_t index, MutableByteSpan data) {
    counter_->apply(counterOf(salt_, ssrc, index), data);
  }
  crypto::Sha1Digest authenticate(ByteSpan message, ByteSpan tail) const {
    return hmac_->sum({message, tail});
  }
  bool isAuthentic(ByteSpan message, ByteSpan tail, ByteSpan tag) const {
    const crypto::Sha1Digest digest = authenticate(message, tail);
    return crypto::constantTimeEquals(ByteSpan(digest).first(tag.size()), tag);
  }

 private:
  size_t tagSize_;
  std::array<uint8_t, AesCounter::kBlockSize> salt_{};
  std::optional<AesGcm> gcm_;
  std::optional<AesCounter> counter_;
  std::optional<crypto::HmacSha1> hmac_;
};

class CipherTransform final : public Transform {
 public:
  explicit CipherTransform(const TransformConfig& config)
      : rtp_(config, Kind::Rtp),
        rtcp_(config, Kind::Rtcp),
        header_(config),
        outbound_(config.outbound),
        replayWindow_(config.replayWindow) {}

  Status protect(Kind kind, PacketBuf& packet) override {
    return kind == Kind::Rtp ? protectRtp(packet) : protectRtcp(packet);
  }
  Status unprotect(Kind kind, PacketBuf& packet) override {
    return kind == Kind::Rtp ? unprotectRtp(packet) : unprotectRtcp(packet);
  }
  bool setHeaderEncryption(const HeaderEncryption& settings) override {
    header_.configure(settings);
    return true;
  }
  void forget(uint32_t ssrc) override {
    const auto found = std::find(ssrcs_.begin(), ssrcs_.end(), ssrc);
    if (found == ssrcs_.end()) return;
    sources_.erase(sources_.begin() + (found - ssrcs_.begin()));
    ssrcs_.erase(found);
  }

 private:
  struct Source {
    explicit Source(size_t replayWindow) : seen(replayWindow) {}
    PacketIndex index;
    ReplayWindow seen;
    ReplayWindow reportsSeen{kReportWindow};
    ReportIndex reports;
    SealedWindow sealed;
  };

  // The most recent stand last and are looked at first: what a long call has left behind costs
  // those that send nothing.
  Source* find(uint32_t ssrc) {
    const auto found = std::find(ssrcs_.rbegin(), ssrcs_.rend(), ssrc);
    if (found == ssrcs_.rend()) return nullptr;
    if (found != ssrcs_.rbegin()) {
      const auto at = ssrcs_.rend() - found - 1;
      std::rotate(ssrcs_.begin() + at, ssrcs_.begin() + at + 1, ssrcs_.end());
      std::rotate(sources_.begin() + at, sources_.begin() + at + 1, sources_.end());
      dropEarlier();
    }
    return sources_.back().get();
  }
  Source& add(uint32_t ssrc) {
    ssrcs_.push_back(ssrc);
    // Who seals has no use for what was seen.
    sources_.push_back(std::make_unique<Source>(outbound_ ? 1 : replayWindow_));
    dropEarlier();
    return *sources_.back();
  }
  void dropEarlier() {
    if (sources_.size() > kSealedWindows)
      sources_[sources_.size() - 1 - kSealedWindows]->sealed.drop();
  }

  Status protectRtp(PacketBuf& packet) {
    if (!header_.makeHideable(packet, rtp_.tagSize())) return Status::NoRoom;
    uint8_t* const data = packet.data();
    const size_t size = packet.size();
    const uint32_t ssrc = loadU32(data + 8);
    Source* source = find(ssrc);
    if (source == nullptr) source = &add(ssrc);
    const uint64_t index = source->index.guess(loadU16(data + 2));
    if (index >= PacketIndex::kLimit) return Status::KeyExpired;
    // One that had been sent before may be sent again, to the byte; the peer takes none that old.
    const std::optional<uint64_t> highest = source->index.highest();
    if (highest && index + replayWindow_ <= *highest) return Status::Replayed;
    const HeaderProtection::Cut cut = header_.hide(packet.mutableSpan(), ssrc, index);
    const MutableByteSpan payload(data + cut.clear, size - cut.clear);
    if (rtp_.isAead()) {
      rtp_.gcm().seal(rtp_.nonce(ssrc, index), {ByteSpan(data, cut.clear)}, payload, data + size);
      HeaderProtection::joinBack(data, cut);
    } else {
      rtp_.crypt(ssrc, index, payload);
      HeaderProtection::joinBack(data, cut);
      std::array<uint8_t, 4> rollovers;
      storeU32(rollovers.data(), static_cast<uint32_t>(index >> 16));
      const auto digest = rtp_.authenticate({data, size}, rollovers);
      std::copy_n(digest.begin(), rtp_.tagSize(), data + size);
    }
    const uint8_t* const tag = data + size;
    if (!source->sealed.allows(index, highest, tag)) return Status::Replayed;
    source->sealed.commit(index, highest, tag, replayWindow_);
    source->index.commit(index);
    packet.resize(size + rtp_.tagSize());
    return Status::Ok;
  }

  Status unprotectRtp(PacketBuf& packet) {
    uint8_t* const data = packet.data();
    const size_t size = packet.size() - rtp_.tagSize();
    const uint32_t ssrc = loadU32(data + 8);
    Source* source = find(ssrc);
    const uint16_t sequence = loadU16(data + 2);
    const uint64_t index = source != nullptr ? source->index.guess(sequence) : sequence;
    if (index >= PacketIndex::kLimit) return Status::KeyExpired;
    if (source != nullptr && !source->seen.isNew(index)) return Status::Replayed;
    const std::optional<HeaderProtection::Cut> cut = header_.cutOf(packet.span());
    if (!cut) return Status::Malformed;
    const MutableByteSpan payload(data + cut->clear, size - cut->clear);
    if (rtp_.isAead()) {
      HeaderProtection::split(data, *cut);
      if (!rtp_.gcm().open(rtp_.nonce(ssrc, index), {ByteSpan(data, cut->clear)}, payload,
                           data + size))
        return Status::AuthFailed;
    } else {
      std::array<uint8_t, 4> rollovers;
      storeU32(rollovers.data(), static_cast<uint32_t>(index >> 16));
      if (!rtp_.isAuthentic({data, size}, rollovers, {data + size, rtp_.tagSize()}))
        return Status::AuthFailed;
      HeaderProtection::split(data, *cut);
      rtp_.crypt(ssrc, index, payload);
    }
    header_.reveal(MutableByteSpan(data, size), *cut, ssrc, index);
    if (source == nullptr) source = &add(ssrc);
    source->index.commit(index);
    source->seen.commit(index);
    packet.resize(size);
    return Status::Ok;
  }

  // RFC 3711 section 3.4 and, with the tag in front of the index, RFC 7714 section 9.
  Status protectRtcp(PacketBuf& packet) {
    uint8_t* const data = packet.data();
    const size_t size = packet.size();
    const uint32_t ssrc = loadU32(data + 4);
    Source* source = find(ssrc);
    if (source == nullptr) source = &add(ssrc);
    const std::optional<uint32_t> index = source->reports.take();
    if (!index) return Status::KeyExpired;
    const MutableByteSpan payload(data + kRtcpHeaderSize, size - kRtcpHeaderSize);
    std::array<uint8_t, kSrtcpIndexSize> trailer;
    storeU32(trailer.data(), kEncryptedFlag | *index);
    if (rtcp_.isAead()) {
      rtcp_.gcm().seal(rtcp_.nonce(ssrc, *index), {ByteSpan(data, kRtcpHeaderSize), trailer},
                       payload, data + size);
      std::copy(trailer.begin(), trailer.end(), data + size + rtcp_.tagSize());
    } else {
      rtcp_.crypt(ssrc, *index, payload);
      std::copy(trailer.begin(), trailer.end(), data + size);
      const auto digest = rtcp_.authenticate({data, size + trailer.size()}, {});
      std::copy_n(digest.begin(), rtcp_.tagSize(), data + size + trailer.size());
    }
    packet.resize(size + trailer.size() + rtcp_.tagSize());
    return Status::Ok;
  }

  Status unprotectRtcp(PacketBuf& packet) {
    uint8_t* const data = packet.data();
    const size_t size = packet.size() - rtcp_.tagSize() - kSrtcpIndexSize;
    const uint32_t ssrc = loadU32(data + 4);
    const uint8_t* const trailer = data + size + (rtcp_.isAead() ? rtcp_.tagSize() : 0);
    const uint32_t word = loadU32(trailer);
    // RFC 3711 section 3.4: "E" says whether the packet is encrypted. The profiles of DTLS-SRTP
    // encrypt; RFC 7714 section 9.3 says how one that is not would be read, and libsrtp reads it.
    const bool encrypted = (word & kEncryptedFlag) != 0;
    if (!encrypted && !rtcp_.isAead()) return Status::Malformed;
    const uint32_t index = word & ~kEncryptedFlag;
    Source* source = find(ssrc);
    if (source != nullptr && !source->reportsSeen.isNew(index)) return Status::Replayed;
    const size_t clear = encrypted ? kRtcpHeaderSize : size;
    const MutableByteSpan payload(data + clear, size - clear);
    if (rtcp_.isAead()) {
      if (!rtcp_.gcm().open(rtcp_.nonce(ssrc, index),
                            {ByteSpan(data, clear), ByteSpan(trailer, kSrtcpIndexSize)}, payload,
                            data + size))
        return Status::AuthFailed;
    } else {
      const ByteSpan signedPart(data, size + kSrtcpIndexSize);
      if (!rtcp_.isAuthentic(signedPart, {}, {data + signedPart.size(), rtcp_.tagSize()}))
        return Status::AuthFailed;
      rtcp_.crypt(ssrc, index, payload);
    }
    if (source == nullptr) source = &add(ssrc);
    source->reportsSeen.commit(index);
    packet.resize(size);
    return Status::Ok;
  }

  SessionCipher rtp_;
  SessionCipher rtcp_;
  HeaderProtection header_;
  const bool outbound_;
  const size_t replayWindow_;
  // In step. The numbers by themselves, for they are searched.
  std::vector<uint32_t> ssrcs_;
  std::vector<std::unique_ptr<Source>> sources_;
};

}  // namespace

std::unique_ptr<Transform> makeCipherTransform(const TransformConfig& config) {
  return std::make_unique<CipherTransform>(config);
}

}  // namespace parley::srtp
