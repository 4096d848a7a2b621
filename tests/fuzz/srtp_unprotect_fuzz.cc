#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "parley/base/bytes.h"
#include "parley/base/packet_buffer.h"
#include "parley/srtp/srtp_session.h"

using namespace parley;

namespace {

std::unique_ptr<srtp::SrtpSession> session(crypto::SrtpProfile profile, bool isClient) {
  const Bytes exported(crypto::srtpExporterLength(profile), 0x5a);
  const auto keying = crypto::SrtpKeying::fromExporter(profile, exported);
  return std::move(*srtp::SrtpSession::create(*keying, isClient));
}

}  // namespace

// First octet: profile, RTP or RTCP, and whether the packet comes as it is or is sealed first and
// then damaged at one place. Junk must be refused, and the session must still work after it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr crypto::SrtpProfile kProfiles[] = {
      crypto::SrtpProfile::Aes128CmHmacSha1_80, crypto::SrtpProfile::Aes128CmHmacSha1_32,
      crypto::SrtpProfile::AeadAes128Gcm, crypto::SrtpProfile::AeadAes256Gcm};
  if (size < 4 || size > 1500) return 0;
  const uint8_t mode = data[0];
  const crypto::SrtpProfile profile = kProfiles[mode & 3];
  const auto sender = session(profile, true);
  const auto receiver = session(profile, false);
  PacketPool pool;
  PacketBuf packet = pool.copyOf(ByteSpan(data + 4, size - 4));
  const bool rtcp = (mode & 4) != 0;
  const auto open = [&](PacketBuf& p) {
    return rtcp ? receiver->unprotectRtcp(p) : receiver->unprotectRtp(p);
  };
  const auto seal = [&](PacketBuf& p) {
    return rtcp ? sender->protectRtcp(p) : sender->protectRtp(p);
  };

  if ((mode & 8) == 0) {
    if (open(packet) == srtp::Status::Ok) abort();
  } else if (seal(packet) == srtp::Status::Ok) {
    if (data[3] != 0) {
      packet.data()[loadU16(data + 1) % packet.size()] ^= data[3];
      if (open(packet) == srtp::Status::Ok) abort();
    } else if (open(packet) != srtp::Status::Ok ||
               !std::equal(packet.span().begin(), packet.span().end(), data + 4, data + size)) {
      abort();
    }
  }
  // Another source than the input's, whose index may have moved on.
  Bytes sound(rtcp ? 8 : 12, 0);
  sound[0] = 0x80;
  const size_t ssrcAt = rtcp ? 4 : 8;
  if (size >= 4 + ssrcAt + 4) storeU32(&sound[ssrcAt], ~loadU32(data + 4 + ssrcAt));
  PacketBuf last = pool.copyOf(sound);
  if (seal(last) != srtp::Status::Ok || open(last) != srtp::Status::Ok) abort();
  return 0;
}
