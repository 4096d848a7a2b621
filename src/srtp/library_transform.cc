// libsrtp as a transform: what the library's own is held against, and what it leaves undone.

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include <srtp2/srtp.h>

#include "parley/crypto/const_time.h"

#include "srtp/transform.h"

namespace parley::srtp {
namespace {

srtp_profile_t libraryProfile(crypto::SrtpProfile profile) {
  switch (profile) {
    case crypto::SrtpProfile::Aes128CmHmacSha1_80:
      return srtp_profile_aes128_cm_sha1_80;
    case crypto::SrtpProfile::Aes128CmHmacSha1_32:
      return srtp_profile_aes128_cm_sha1_32;
    case crypto::SrtpProfile::AeadAes128Gcm:
      return srtp_profile_aead_aes_128_gcm;
    case crypto::SrtpProfile::AeadAes256Gcm:
      return srtp_profile_aead_aes_256_gcm;
  }
  return srtp_profile_reserved;
}

Status statusOf(srtp_err_status_t status) {
  switch (status) {
    case srtp_err_status_ok:
      return Status::Ok;
    case srtp_err_status_auth_fail:
      return Status::AuthFailed;
    case srtp_err_status_replay_fail:
    case srtp_err_status_replay_old:
    case srtp_err_status_pkt_idx_old:
      return Status::Replayed;
    case srtp_err_status_bad_param:
    case srtp_err_status_parse_err:
    case srtp_err_status_no_ctx:
    case srtp_err_status_bad_mki:
    case srtp_err_status_cant_check:
      return Status::Malformed;
    case srtp_err_status_key_expired:
      return Status::KeyExpired;
    default:
      return Status::Failed;
  }
}

srtp_err_status_t makeContext(crypto::SrtpProfile profile, const crypto::Secret& key,
                              const crypto::Secret& salt, srtp_ssrc_type_t direction,
                              size_t replayWindow, const HeaderEncryption& headers, srtp_t* out) {
  std::array<uint8_t, 2 * crypto::Secret::kMaxSize> keyAndSalt{};
  std::copy_n(key.span().begin(), key.size(), keyAndSalt.begin());
  std::copy_n(salt.span().begin(), salt.size(), keyAndSalt.begin() + key.size());

  srtp_policy_t policy{};
  policy.ssrc.type = direction;
  policy.key = keyAndSalt.data();
  policy.window_size = replayWindow;
  // Retransmissions without RTX send the very same packet again, to the byte: media sees to that,
  // as GCM would not survive another one under the same nonce.
  policy.allow_repeat_tx = 1;
  std::vector<int> hidden;
  for (size_t id = 0; id < headers.ids.size(); ++id) {
    if (headers.ids[id]) hidden.push_back(static_cast<int>(id));
  }
  policy.enc_xtn_hdr = hidden.data();
  policy.enc_xtn_hdr_count = static_cast<int>(hidden.size());
  const srtp_profile_t libProfile = libraryProfile(profile);
  srtp_err_status_t status = srtp_crypto_policy_set_from_profile_for_rtp(&policy.rtp, libProfile);
  if (status == srtp_err_status_ok) {
    status = srtp_crypto_policy_set_from_profile_for_rtcp(&policy.rtcp, libProfile);
  }
  srtp_t context = nullptr;
  if (status == srtp_err_status_ok) status = srtp_create(&context, &policy);
  crypto::wipe(keyAndSalt);
  *out = context;
  return status;
}

/// libsrtp keeps a process-wide table of ciphers, filled once and only read afterwards. It is never
/// taken down: other users of libsrtp in the process may still need it.
struct Library {
  srtp_err_status_t status = srtp_init();
  /// With NSS every context opens the library, and the last one to go unloads it: this one stays.
  srtp_t keeper = nullptr;
  Library() {
    if (status != srtp_err_status_ok) return;
    const std::array<uint8_t, 16> key{};
    const crypto::Secret keySecret{ByteSpan(key)};
    const crypto::Secret salt{ByteSpan(key).first(12)};
    // Without GCM in libsrtp there is nothing to keep.
    (void)makeContext(crypto::SrtpProfile::AeadAes128Gcm, keySecret, salt, ssrc_any_inbound, 64, {},
                      &keeper);
  }
};

class LibraryTransform final : public Transform {
 public:
  explicit LibraryTransform(srtp_t context) : context_(context) {}
  ~LibraryTransform() override {
    // It overwrites the session keys.
    srtp_dealloc(context_);
  }
  LibraryTransform(const LibraryTransform&) = delete;
  LibraryTransform& operator=(const LibraryTransform&) = delete;

  Status protect(Kind kind, PacketBuf& packet) override {
    return run(kind == Kind::Rtp ? srtp_protect : srtp_protect_rtcp, packet);
  }
  Status unprotect(Kind kind, PacketBuf& packet) override {
    return run(kind == Kind::Rtp ? srtp_unprotect : srtp_unprotect_rtcp, packet);
  }
  void forget(uint32_t ssrc) override {
    // libsrtp wants the four octets as they stand in the packet.
    uint8_t octets[4];
    storeU32(octets, ssrc);
    unsigned int wire = 0;
    std::memcpy(&wire, octets, sizeof octets);
    srtp_remove_stream(context_, wire);
  }

 private:
  using Function = srtp_err_status_t (*)(srtp_t, void*, int*);
  Status run(Function function, PacketBuf& packet) {
    int size = static_cast<int>(packet.size());
    const srtp_err_status_t status = function(context_, packet.data(), &size);
    if (status == srtp_err_status_ok) packet.resize(static_cast<size_t>(size));
    return statusOf(status);
  }
  srtp_t context_;
};

}  // namespace

bool prepareLibrary() {
  static const Library library;
  return library.status == srtp_err_status_ok;
}

Result<std::unique_ptr<Transform>> makeLibraryTransform(const TransformConfig& config) {
  if (!prepareLibrary()) return fail(ErrorCode::Operation, "libsrtp failed to initialise.");
  if (config.headers.cryptex) return fail(ErrorCode::NotSupported, "libsrtp has no cryptex.");
  srtp_t context = nullptr;
  const srtp_err_status_t status =
      makeContext(config.profile, config.key, config.salt,
                  config.outbound ? ssrc_any_outbound : ssrc_any_inbound, config.replayWindow,
                  config.headers, &context);
  if (status == srtp_err_status_bad_param || status == srtp_err_status_no_such_op)
    return fail(ErrorCode::NotSupported, "libsrtp was built without this SRTP profile.");
  if (status != srtp_err_status_ok)
    return fail(ErrorCode::Operation, "libsrtp could not set up the SRTP keys.");
  return std::unique_ptr<Transform>(std::make_unique<LibraryTransform>(context));
}

}  // namespace parley::srtp
