// The library's own transform and libsrtp must not be told apart: same octets out, same verdicts on
// whatever comes in.

#include <gtest/gtest.h>

#include "parley/base/random.h"
#include "parley/srtp/srtp_session.h"

#include "support/alloc_guard.h"
#include "support/hex.h"

namespace parley::srtp {
namespace {

using crypto::SrtpProfile;
using parley::test::toHex;

constexpr SrtpProfile kProfiles[] = {SrtpProfile::Aes128CmHmacSha1_80,
                                     SrtpProfile::Aes128CmHmacSha1_32, SrtpProfile::AeadAes128Gcm,
                                     SrtpProfile::AeadAes256Gcm};

std::unique_ptr<SrtpSession> makeSession(SrtpProfile profile, bool isClient, SrtpEngine engine,
                                         size_t replayWindow) {
  SeededRandom random(11);
  Bytes exported(crypto::srtpExporterLength(profile));
  random.fill(exported);
  SrtpOptions options;
  options.engine = engine;
  options.replayWindow = replayWindow;
  auto session =
      SrtpSession::create(*crypto::SrtpKeying::fromExporter(profile, exported), isClient, options);
  EXPECT_TRUE(session);
  return std::move(*session);
}

/// Both engines at both ends, with the same keys.
class Engines : public testing::TestWithParam<SrtpProfile> {
 protected:
  static constexpr size_t kWindow = 128;

  Bytes randomRtp(uint16_t sequence, uint32_t ssrc) {
    const size_t csrcs = random.below(4);
    const size_t words = random.below(5);
    const bool extended = random.below(2) == 0;
    Bytes out(12 + 4 * csrcs + (extended ? 4 + 4 * words : 0) + random.below(1200));
    random.fill(out);
    out[0] = static_cast<uint8_t>(0x80 | (extended ? 0x10 : 0) | csrcs);
    storeU16(&out[2], sequence);
    storeU32(&out[8], ssrc);
    if (extended) storeU16(&out[12 + 4 * csrcs + 2], static_cast<uint16_t>(words));
    return out;
  }
  Bytes randomRtcp(uint32_t ssrc) {
    Bytes out(8 + 4 * random.below(100));
    random.fill(out);
    out[0] = 0x80;
    out[1] = 200;
    storeU32(&out[4], ssrc);
    return out;
  }

  /// Protects with both and expects the same.
  Bytes sealed(ByteSpan plain, bool isRtcp) {
    PacketBuf a = pool.copyOf(plain);
    PacketBuf b = pool.copyOf(plain);
    const Status own = isRtcp ? ownClient->protectRtcp(a) : ownClient->protectRtp(a);
    const Status library = isRtcp ? libClient->protectRtcp(b) : libClient->protectRtp(b);
    EXPECT_EQ(own, library);
    EXPECT_EQ(toHex(a.span()), toHex(b.span()));
    return toBytes(a.span());
  }

  /// Unprotects with both and expects the same.
  Status open(ByteSpan packet, bool isRtcp) {
    PacketBuf a = pool.copyOf(packet);
    PacketBuf b = pool.copyOf(packet);
    const Status own = isRtcp ? ownServer->unprotectRtcp(a) : ownServer->unprotectRtp(a);
    const Status library = isRtcp ? libServer->unprotectRtcp(b) : libServer->unprotectRtp(b);
    EXPECT_EQ(own, library) << toString(own) << " and " << toString(library);
    if (own == Status::Ok) {
      EXPECT_EQ(toHex(a.span()), toHex(b.span()));
    }
    return own;
  }

  SeededRandom random{7};
  PacketPool pool;
  std::unique_ptr<SrtpSession> ownClient =
      makeSession(GetParam(), true, SrtpEngine::Ciphers, kWindow);
  std::unique_ptr<SrtpSession> libClient =
      makeSession(GetParam(), true, SrtpEngine::Library, kWindow);
  std::unique_ptr<SrtpSession> ownServer =
      makeSession(GetParam(), false, SrtpEngine::Ciphers, kWindow);
  std::unique_ptr<SrtpSession> libServer =
      makeSession(GetParam(), false, SrtpEngine::Library, kWindow);
};
INSTANTIATE_TEST_SUITE_P(Profiles, Engines, testing::ValuesIn(kProfiles));

TEST_P(Engines, GiveTheSameOctetsAndVerdictsOverRollovers) {
  // Three sources; their packets are lost, late, doubled and damaged, across several rollovers.
  struct Flight {
    Bytes packet;
    bool isRtcp;
  };
  std::vector<Flight> inFlight;
  uint64_t sequence[3] = {65000, 30, 33000};
  for (int step = 0; step < 3000; ++step) {
    const size_t which = random.below(3);
    const auto ssrc = static_cast<uint32_t>(0x10 + which);
    const bool isRtcp = random.below(10) == 0;
    if (isRtcp) {
      inFlight.push_back({sealed(randomRtcp(ssrc), true), true});
    } else {
      // Jumps as they come with switched layers and pauses: up to half the space less the window.
      sequence[which] += random.below(20) == 0 ? random.below(0x7e00) : 1;
      inFlight.push_back(
          {sealed(randomRtp(static_cast<uint16_t>(sequence[which]), ssrc), false), false});
    }
    while (inFlight.size() > 5 && random.below(3) != 0) {
      const size_t at = random.below(static_cast<uint32_t>(inFlight.size()));
      Flight flight = inFlight[at];
      if (random.below(8) != 0) inFlight.erase(inFlight.begin() + static_cast<ptrdiff_t>(at));
      if (random.below(10) == 0) {
        flight.packet[random.below(static_cast<uint32_t>(flight.packet.size()))] ^= 0x40;
      } else if (random.below(20) == 0) {
        flight.packet.resize(random.below(static_cast<uint32_t>(flight.packet.size())));
      }
      open(flight.packet, flight.isRtcp);
    }
  }
  EXPECT_EQ(ownServer->counters().unprotectRtp, libServer->counters().unprotectRtp);
  EXPECT_EQ(ownServer->counters().unprotectRtcp, libServer->counters().unprotectRtcp);
  EXPECT_GT(ownServer->counters().unprotectRtp[static_cast<size_t>(Status::Ok)], 500u);
  EXPECT_GT(ownServer->counters().unprotectRtp[static_cast<size_t>(Status::AuthFailed)], 50u);
  EXPECT_GT(ownServer->counters().unprotectRtp[static_cast<size_t>(Status::Replayed)], 50u);
}

TEST_P(Engines, AgreeOnEveryLengthAndOnJunk) {
  const Bytes whole = sealed(randomRtp(5, 1), false);
  const Bytes report = sealed(randomRtcp(1), true);
  for (size_t size = 0; size < std::min<size_t>(whole.size(), 80); ++size)
    open(ByteSpan(whole).first(size), false);
  for (size_t size = 0; size < std::min<size_t>(report.size(), 80); ++size)
    open(ByteSpan(report).first(size), true);
  for (int i = 0; i < 500; ++i) {
    Bytes junk(random.below(100));
    random.fill(junk);
    if (!junk.empty() && i % 2 == 0) junk[0] = 0x80;
    open(junk, i % 3 == 0);
  }
  EXPECT_EQ(open(whole, false), Status::Ok);
  EXPECT_EQ(open(report, true), Status::Ok);
}

TEST_P(Engines, TalkToEachOther) {
  for (uint16_t sequence = 65500; sequence != 40; ++sequence) {
    const Bytes plain = randomRtp(sequence, 9);
    PacketBuf toLibrary = pool.copyOf(plain);
    ASSERT_EQ(ownClient->protectRtp(toLibrary), Status::Ok);
    ASSERT_EQ(libServer->unprotectRtp(toLibrary), Status::Ok);
    EXPECT_EQ(toBytes(toLibrary.span()), plain);
    PacketBuf toOwn = pool.copyOf(plain);
    ASSERT_EQ(libClient->protectRtp(toOwn), Status::Ok);
    ASSERT_EQ(ownServer->unprotectRtp(toOwn), Status::Ok);
    EXPECT_EQ(toBytes(toOwn.span()), plain);
  }
}

TEST_P(Engines, UnencryptedReportsAreNotTaken) {
  Bytes report = sealed(randomRtcp(1), true);
  const bool gcm =
      GetParam() == SrtpProfile::AeadAes128Gcm || GetParam() == SrtpProfile::AeadAes256Gcm;
  report[report.size() - (gcm ? 4 : 14)] &= 0x7f;
  EXPECT_NE(open(report, true), Status::Ok);
}

TEST_P(Engines, APacketCostsNoAllocation) {
  PacketBuf packet = pool.copyOf(randomRtp(1, 3));
  ASSERT_EQ(ownClient->protectRtp(packet), Status::Ok);
  ASSERT_EQ(ownServer->unprotectRtp(packet), Status::Ok);
  const size_t size = packet.size();
  const parley::test::AllocGuard guard;
  for (uint16_t sequence = 2; sequence < 300; ++sequence) {
    packet.resize(size);
    storeU16(packet.data() + 2, sequence);
    ASSERT_EQ(ownClient->protectRtp(packet), Status::Ok);
    ASSERT_EQ(ownServer->unprotectRtp(packet), Status::Ok);
  }
  EXPECT_EQ(guard.count(), 0u);
}

}  // namespace
}  // namespace parley::srtp
