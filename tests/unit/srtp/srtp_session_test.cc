#include "parley/srtp/srtp_session.h"

#include <gtest/gtest.h>

#include "parley/base/random.h"

#include "support/hex.h"
#include "unit/srtp/reference_srtp.h"

namespace parley::srtp {
namespace {

using crypto::SrtpProfile;
using parley::test::fromHex;
using parley::test::toHex;

constexpr SrtpProfile kProfiles[] = {SrtpProfile::Aes128CmHmacSha1_80,
                                     SrtpProfile::Aes128CmHmacSha1_32, SrtpProfile::AeadAes128Gcm,
                                     SrtpProfile::AeadAes256Gcm};

crypto::SrtpKeying keyingOf(SrtpProfile profile, uint64_t seed = 1) {
  SeededRandom random(seed);
  Bytes exported(crypto::srtpExporterLength(profile));
  random.fill(exported);
  return *crypto::SrtpKeying::fromExporter(profile, exported);
}

std::unique_ptr<SrtpSession> makeSession(const crypto::SrtpKeying& keying, bool isClient,
                                         SrtpOptions options = {}) {
  auto session = SrtpSession::create(keying, isClient, options);
  EXPECT_TRUE(session);
  return std::move(*session);
}

Bytes rtpPacket(uint16_t seq, uint32_t ssrc = 0xcafebabe, size_t payload = 16) {
  Bytes out(12 + payload, 0xab);
  out[0] = 0x80;
  out[1] = 0x0f;
  storeU16(&out[2], seq);
  storeU32(&out[4], 0xdecafbad);
  storeU32(&out[8], ssrc);
  return out;
}

Bytes rtcpPacket(uint32_t ssrc = 0xcafebabe) {
  Bytes out = fromHex("81c8000bcafebabeabababababababababababababababab");
  storeU32(&out[4], ssrc);
  return out;
}

class Pair {
 public:
  explicit Pair(SrtpProfile profile, SrtpOptions options = {})
      : keying(keyingOf(profile)),
        client(makeSession(keying, true, options)),
        server(makeSession(keying, false, options)) {}

  PacketBuf packet(ByteSpan bytes) { return pool.copyOf(bytes); }
  Bytes sealed(SrtpSession& from, const Bytes& plain) {
    PacketBuf p = packet(plain);
    EXPECT_EQ(from.protectRtp(p), Status::Ok);
    return toBytes(p.span());
  }
  Status open(SrtpSession& to, ByteSpan bytes) {
    PacketBuf p = packet(bytes);
    return to.unprotectRtp(p);
  }
  Status openRtcp(SrtpSession& to, ByteSpan bytes) {
    PacketBuf p = packet(bytes);
    return to.unprotectRtcp(p);
  }

  PacketPool pool;
  crypto::SrtpKeying keying;
  std::unique_ptr<SrtpSession> client;
  std::unique_ptr<SrtpSession> server;
};

class EveryProfile : public testing::TestWithParam<SrtpProfile> {};
INSTANTIATE_TEST_SUITE_P(Profiles, EveryProfile, testing::ValuesIn(kProfiles));

TEST_P(EveryProfile, RoundTripsInBothRoles) {
  Pair pair(GetParam());
  EXPECT_EQ(pair.client->profile(), GetParam());
  for (bool fromClient : {true, false}) {
    SrtpSession& from = fromClient ? *pair.client : *pair.server;
    SrtpSession& to = fromClient ? *pair.server : *pair.client;
    for (uint16_t seq = 1; seq < 20; ++seq) {
      const Bytes plain = rtpPacket(seq, 7, seq * 50u);
      PacketBuf packet = pair.packet(plain);
      ASSERT_EQ(from.protectRtp(packet), Status::Ok);
      EXPECT_GT(packet.size(), plain.size());
      ASSERT_EQ(to.unprotectRtp(packet), Status::Ok);
      EXPECT_EQ(toBytes(packet.span()), plain);

      PacketBuf report = pair.packet(rtcpPacket(7));
      ASSERT_EQ(from.protectRtcp(report), Status::Ok);
      ASSERT_EQ(to.unprotectRtcp(report), Status::Ok);
      EXPECT_EQ(toBytes(report.span()), rtcpPacket(7));
    }
  }
}

TEST_P(EveryProfile, AgreesWithTheReferenceOctetForOctet) {
  Pair pair(GetParam());
  const test::Reference client(GetParam(), pair.keying.clientKey.span(),
                               pair.keying.clientSalt.span());
  SeededRandom random(3);
  for (uint32_t i = 0; i < 64; ++i) {
    // CSRCs and an extension of varying length, and sequence numbers across a wrap.
    const uint8_t csrcs = static_cast<uint8_t>(random.below(4));
    const uint16_t words = static_cast<uint16_t>(random.below(4));
    const bool extended = random.below(2) == 0;
    const uint32_t extended32 = 65500 + i;
    Bytes plain = rtpPacket(static_cast<uint16_t>(extended32), 42, 200);
    random.fill(MutableByteSpan(plain).subspan(12));
    plain[0] = static_cast<uint8_t>(0x80 | (extended ? 0x10 : 0) | csrcs);
    if (extended) storeU16(&plain[12 + 4u * csrcs + 2], words);

    PacketBuf packet = pair.packet(plain);
    ASSERT_EQ(pair.client->protectRtp(packet), Status::Ok);
    EXPECT_EQ(toHex(packet.span()), toHex(client.rtp(plain, extended32 >> 16)));
    EXPECT_EQ(pair.server->unprotectRtp(packet), Status::Ok);

    PacketBuf report = pair.packet(rtcpPacket(42));
    ASSERT_EQ(pair.client->protectRtcp(report), Status::Ok);
    EXPECT_EQ(toHex(report.span()), toHex(client.rtcp(rtcpPacket(42), i + 1)));
  }
}

// Master key and salt of RFC 3711 appendix B.3, packets derived from the RFC's text.
TEST(SrtpSession, PublishedKeysGiveTheDerivedPackets) {
  crypto::SrtpKeying keying;
  keying.profile = SrtpProfile::Aes128CmHmacSha1_32;
  keying.clientKey = keying.serverKey = crypto::Secret(fromHex("e1f97a0d3e018be0d64fa32c06de4139"));
  keying.clientSalt = keying.serverSalt = crypto::Secret(fromHex("0ec675ad498afeebb6960b3aabe6"));
  PacketPool pool;
  auto session = makeSession(keying, true);
  PacketBuf packet = pool.copyOf(rtpPacket(0x1234));
  ASSERT_EQ(session->protectRtp(packet), Status::Ok);
  EXPECT_EQ(toHex(packet.span()),
            "800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc");
  // RFC 5764 section 4.1.2: the tag of SRTCP keeps its 80 bits.
  PacketBuf report = pool.copyOf(rtcpPacket());
  ASSERT_EQ(session->protectRtcp(report), Status::Ok);
  EXPECT_EQ(toHex(report.span()),
            "81c8000bcafebabe7128035be487b9bdbef89041f977a5a880000001993e08cd54d6c1230798");

  // The rollover counter at 1, reached the way a sender reaches it.
  keying.profile = SrtpProfile::Aes128CmHmacSha1_80;
  session = makeSession(keying, true);
  packet = pool.copyOf(rtpPacket(0xffff));
  ASSERT_EQ(session->protectRtp(packet), Status::Ok);
  packet = pool.copyOf(rtpPacket(1));
  ASSERT_EQ(session->protectRtp(packet), Status::Ok);
  EXPECT_EQ(toHex(packet.span()),
            "800f0001decafbadcafebabeb6f1f0a458a238ac3d2f55ac6566b25c051f89495037505c44c7");
}

TEST_P(EveryProfile, EveryDamagedBitIsFoundAndChangesNothing) {
  Pair pair(GetParam());
  const Bytes sealed = pair.sealed(*pair.client, rtpPacket(100));
  PacketBuf report = pair.packet(rtcpPacket());
  ASSERT_EQ(pair.client->protectRtcp(report), Status::Ok);
  for (size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    Bytes damaged = sealed;
    damaged[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    EXPECT_NE(pair.open(*pair.server, damaged), Status::Ok) << bit;
  }
  for (size_t bit = 0; bit < report.size() * 8; ++bit) {
    Bytes damaged = toBytes(report.span());
    damaged[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    EXPECT_NE(pair.openRtcp(*pair.server, damaged), Status::Ok) << bit;
  }
  for (size_t size = 0; size < sealed.size(); ++size) {
    EXPECT_NE(pair.open(*pair.server, ByteSpan(sealed).first(size)), Status::Ok) << size;
  }
  for (size_t size = 0; size < report.size(); ++size) {
    EXPECT_NE(pair.openRtcp(*pair.server, report.span().first(size)), Status::Ok) << size;
  }
  EXPECT_EQ(pair.open(*pair.server, sealed), Status::Ok);
  EXPECT_EQ(pair.openRtcp(*pair.server, report.span()), Status::Ok);
}

TEST_P(EveryProfile, AnotherKeyOrTheWrongDirectionFails) {
  Pair pair(GetParam());
  const Bytes sealed = pair.sealed(*pair.client, rtpPacket(1));
  auto stranger = makeSession(keyingOf(GetParam(), 2), false);
  EXPECT_EQ(pair.open(*stranger, sealed), Status::AuthFailed);
  EXPECT_EQ(pair.open(*pair.client, sealed), Status::AuthFailed);
  EXPECT_EQ(pair.open(*pair.server, sealed), Status::Ok);
}

TEST_P(EveryProfile, ReplaysAreRefused) {
  Pair pair(GetParam());
  const Bytes sealed = pair.sealed(*pair.client, rtpPacket(1));
  PacketBuf report = pair.packet(rtcpPacket());
  ASSERT_EQ(pair.client->protectRtcp(report), Status::Ok);
  EXPECT_EQ(pair.open(*pair.server, sealed), Status::Ok);
  EXPECT_EQ(pair.open(*pair.server, sealed), Status::Replayed);
  EXPECT_EQ(pair.openRtcp(*pair.server, report.span()), Status::Ok);
  EXPECT_EQ(pair.openRtcp(*pair.server, report.span()), Status::Replayed);
  EXPECT_EQ(pair.server->counters().unprotectRtp[static_cast<size_t>(Status::Replayed)], 1u);
  EXPECT_EQ(pair.server->counters().unprotectRtcp[static_cast<size_t>(Status::Ok)], 1u);
}

TEST(SrtpSession, AWindowOf1024TakesLatePackets) {
  Pair pair(SrtpProfile::AeadAes128Gcm);
  std::vector<Bytes> sealed;
  for (uint16_t seq = 0; seq < 1100; ++seq) {
    sealed.push_back(pair.sealed(*pair.client, rtpPacket(seq)));
  }
  EXPECT_EQ(pair.open(*pair.server, sealed[0]), Status::Ok);
  EXPECT_EQ(pair.open(*pair.server, sealed[1099]), Status::Ok);
  EXPECT_EQ(pair.open(*pair.server, sealed[80]), Status::Ok);
  EXPECT_EQ(pair.open(*pair.server, sealed[80]), Status::Replayed);
  EXPECT_EQ(pair.open(*pair.server, sealed[40]), Status::Replayed);  // too old to tell
}

struct IndexRow {
  uint16_t seq;
  uint32_t roc;
  bool accept;
};
struct IndexCase {
  const char* name;
  std::vector<IndexRow> packets;
};

// RFC 3711 section 3.3.1, 3.3.2 and appendix A, with a window of 64.
TEST_P(EveryProfile, GuessesIndexesAndKeepsTheWindow) {
  const IndexCase cases[] = {
      {"in-order wrap",
       {{65533, 0, true},
        {65534, 0, true},
        {65535, 0, true},
        {0, 1, true},
        {1, 1, true},
        {2, 1, true}}},
      {"late packet from before the wrap",
       {{65534, 0, true}, {65535, 0, true}, {0, 1, true}, {1, 1, true}, {65533, 0, true}}},
      {"duplicate around wrap", {{65535, 0, true}, {0, 1, true}, {65535, 0, false}, {0, 1, false}}},
      {"new epoch first", {{65534, 0, true}, {1, 1, true}, {65535, 0, true}, {0, 1, true}}},
      {"a jump of 32767 is forward", {{10, 0, true}, {32777, 0, true}}},
      {"window edge",
       {{100, 0, true}, {163, 0, true}, {99, 0, false}, {100, 0, false}, {101, 0, true}}},
      {"double wrap",
       {{65000, 0, true},
        {30000, 1, true},
        {60000, 1, true},
        {30000, 1, false},
        {59000, 1, false},
        {20000, 2, true}}},
  };
  for (const IndexCase& c : cases) {
    SCOPED_TRACE(c.name);
    Pair pair(GetParam(), {64, 64});
    const test::Reference client(GetParam(), pair.keying.clientKey.span(),
                                 pair.keying.clientSalt.span());
    for (const IndexRow& row : c.packets) {
      const Bytes plain = rtpPacket(row.seq);
      EXPECT_EQ(pair.open(*pair.server, client.rtp(plain, row.roc)) == Status::Ok, row.accept)
          << row.seq;
    }
  }
}

TEST(SrtpSession, ForgedSequenceNumbersDoNotMoveTheIndex) {
  Pair pair(SrtpProfile::Aes128CmHmacSha1_80);
  EXPECT_EQ(pair.open(*pair.server, pair.sealed(*pair.client, rtpPacket(1000))), Status::Ok);
  for (uint32_t seq = 0; seq < 65536; seq += 1021) {
    Bytes forged = rtpPacket(static_cast<uint16_t>(seq), 0xcafebabe, 30);
    EXPECT_NE(pair.open(*pair.server, forged), Status::Ok);
  }
  EXPECT_EQ(pair.open(*pair.server, pair.sealed(*pair.client, rtpPacket(1001))), Status::Ok);
}

TEST(SrtpSession, TheSamePacketMayBeProtectedAgain) {
  for (SrtpProfile profile : kProfiles) {
    Pair pair(profile);
    const Bytes first = pair.sealed(*pair.client, rtpPacket(5));
    pair.sealed(*pair.client, rtpPacket(6));
    EXPECT_EQ(pair.sealed(*pair.client, rtpPacket(5)), first);
  }
}

// A count of bad packets must never end a call.
TEST(SrtpSession, B30AMillionJunkPacketsKeepItAlive) {
  constexpr size_t kPackets = 1'000'000;
  Pair pair(SrtpProfile::AeadAes128Gcm);
  SeededRandom random(1);
  Bytes junk(4096);
  random.fill(junk);
  PacketBuf packet = pair.pool.allocate();
  size_t accepted = 0;
  for (size_t i = 0; i < kPackets; ++i) {
    packet.assign(ByteSpan(junk).subspan(i % 4000, i % 64));
    if (i % 8 == 0 && !packet.empty()) packet.data()[0] = 0x80;  // the rest is RTP at no layer
    const bool rtcp = i % 3 == 0;
    accepted += (rtcp ? pair.server->unprotectRtcp(packet) : pair.server->unprotectRtp(packet)) ==
                Status::Ok;
  }
  EXPECT_EQ(accepted, 0u);
  uint64_t counted = 0;
  for (uint64_t n : pair.server->counters().unprotectRtp) counted += n;
  for (uint64_t n : pair.server->counters().unprotectRtcp) counted += n;
  EXPECT_EQ(counted, kPackets);
  EXPECT_EQ(pair.open(*pair.server, pair.sealed(*pair.client, rtpPacket(1))), Status::Ok);
}

TEST(SrtpSession, MalformedHeadersNeverReachTheCipher) {
  Pair pair(SrtpProfile::AeadAes128Gcm);
  Bytes lies = rtpPacket(1);
  lies[0] = 0x8f;  // 15 CSRCs that are not there
  EXPECT_EQ(pair.open(*pair.server, lies), Status::Malformed);
  PacketBuf packet = pair.packet(lies);
  EXPECT_EQ(pair.client->protectRtp(packet), Status::Malformed);
  lies = rtpPacket(1);
  lies[0] = 0x90;
  storeU16(&lies[14], 0xffff);  // an extension of 256 KiB
  EXPECT_EQ(pair.open(*pair.server, lies), Status::Malformed);
  lies = rtpPacket(1);
  lies[0] = 0x40;  // version 1
  EXPECT_EQ(pair.open(*pair.server, lies), Status::Malformed);
  EXPECT_EQ(pair.open(*pair.server, {}), Status::Malformed);
  EXPECT_EQ(pair.openRtcp(*pair.server, Bytes(11, 0x80)), Status::Malformed);
  // Header and tag but nothing between: legal, and here merely not authentic.
  EXPECT_EQ(pair.open(*pair.server, rtpPacket(1, 1, 16)), Status::AuthFailed);
}

TEST(SrtpSession, NoRoomForTheTagIsToldBeforeAnythingIsTouched) {
  Pair pair(SrtpProfile::AeadAes128Gcm);
  PacketBuf packet = pair.pool.allocate();
  const size_t room = packet.writable().size();
  packet.assign(rtpPacket(1, 1, room - 12 - 15));
  EXPECT_EQ(pair.client->protectRtp(packet), Status::NoRoom);
  EXPECT_EQ(packet.size(), room - 15);
  EXPECT_EQ(packet.data()[20], 0xab);
  packet.assign(rtpPacket(1, 1, room - 12 - 16));
  EXPECT_EQ(pair.client->protectRtp(packet), Status::Ok);
  EXPECT_EQ(packet.size(), room);
}

TEST(SrtpSession, SourcesAreBoundedAndGiveTheirPlaceBack) {
  Pair pair(SrtpProfile::AeadAes128Gcm, {1024, 4, 4});
  auto sender = makeSession(pair.keying, true);  // without that bound
  for (uint32_t ssrc = 1; ssrc <= 4; ++ssrc) {
    EXPECT_EQ(pair.open(*pair.server, pair.sealed(*sender, rtpPacket(1, ssrc))), Status::Ok);
  }
  const Bytes fifth = pair.sealed(*sender, rtpPacket(1, 5));
  EXPECT_EQ(pair.open(*pair.server, fifth), Status::TooManySources);
  EXPECT_EQ(pair.open(*pair.server, pair.sealed(*sender, rtpPacket(2, 3))), Status::Ok);
  pair.server->removeInbound(99);
  pair.server->removeInbound(2);
  EXPECT_EQ(pair.open(*pair.server, fifth), Status::Ok);
  EXPECT_EQ(pair.open(*pair.server, pair.sealed(*sender, rtpPacket(2, 2))), Status::TooManySources);

  PacketBuf packet;
  for (uint32_t ssrc = 1; ssrc <= 5; ++ssrc) {
    packet = pair.packet(rtpPacket(1, ssrc));
    EXPECT_EQ(pair.client->protectRtp(packet), ssrc <= 4 ? Status::Ok : Status::TooManySources);
  }
  pair.client->removeOutbound(1);
  packet = pair.packet(rtpPacket(1, 5));
  EXPECT_EQ(pair.client->protectRtp(packet), Status::Ok);
}

TEST_P(EveryProfile, NoIndexIsUsedForTwoPackets) {
  Pair pair(GetParam());
  const Bytes first = pair.sealed(*pair.client, rtpPacket(100));
  const Bytes third = pair.sealed(*pair.client, rtpPacket(102));
  EXPECT_EQ(pair.sealed(*pair.client, rtpPacket(100)), first) << "the same one, to the byte";
  EXPECT_EQ(pair.sealed(*pair.client, rtpPacket(102)), third);
  Bytes other = rtpPacket(100);
  other.back() ^= 1;
  PacketBuf packet = pair.packet(other);
  EXPECT_EQ(pair.client->protectRtp(packet), Status::Replayed);
  // What was left out may come, once.
  Bytes late = rtpPacket(101);
  (void)pair.sealed(*pair.client, late);
  late.back() ^= 1;
  packet = pair.packet(late);
  EXPECT_EQ(pair.client->protectRtp(packet), Status::Replayed);
  // Places of the window that others had before.
  (void)pair.sealed(*pair.client, rtpPacket(101 + 1024));
  (void)pair.sealed(*pair.client, rtpPacket(103));
}

TEST_P(EveryProfile, SourcesOfLongAgoGoOnWhereTheyStood) {
  Pair pair(GetParam(), {1024, 64, 2000});
  (void)pair.sealed(*pair.client, rtpPacket(100, 1));
  for (uint32_t ssrc = 2; ssrc <= 2000; ++ssrc)
    (void)pair.sealed(*pair.client, rtpPacket(100, ssrc));
  const auto refuses = [&](const Bytes& plain) {
    PacketBuf packet = pair.packet(plain);
    return pair.client->protectRtp(packet) == Status::Replayed;
  };
  // What it sealed is no longer known, only that nothing of it may be sealed again.
  EXPECT_TRUE(refuses(rtpPacket(100, 1, 17)));
  EXPECT_TRUE(refuses(rtpPacket(99, 1)));
  (void)pair.sealed(*pair.client, rtpPacket(102, 1));
  EXPECT_TRUE(refuses(rtpPacket(100, 1, 17)));
  EXPECT_TRUE(refuses(rtpPacket(99, 1)));
  (void)pair.sealed(*pair.client, rtpPacket(101, 1));
  EXPECT_TRUE(refuses(rtpPacket(101, 1, 17)));
  // The latest keep theirs.
  EXPECT_TRUE(refuses(rtpPacket(100, 2000, 17)));
  (void)pair.sealed(*pair.client, rtpPacket(100, 2000));
}

TEST(SrtpSession, AReleasedSourceKeepsItsWindowUntilItsPlaceIsNeeded) {
  Pair pair(SrtpProfile::AeadAes128Gcm, {1024, 2});
  auto sender = makeSession(pair.keying, true);
  const Bytes first = pair.sealed(*sender, rtpPacket(1, 1));
  EXPECT_EQ(pair.open(*pair.server, first), Status::Ok);
  EXPECT_EQ(pair.open(*pair.server, pair.sealed(*sender, rtpPacket(1, 2))), Status::Ok);
  pair.server->releaseInbound(1);
  pair.server->releaseInbound(1);
  pair.server->releaseInbound(99);
  EXPECT_EQ(pair.open(*pair.server, first), Status::Replayed);
  // Heard again, it is no longer to be had.
  EXPECT_EQ(pair.open(*pair.server, pair.sealed(*sender, rtpPacket(2, 1))), Status::Ok);
  const Bytes third = pair.sealed(*sender, rtpPacket(1, 3));
  EXPECT_EQ(pair.open(*pair.server, third), Status::TooManySources);
  pair.server->releaseInbound(2);
  EXPECT_EQ(pair.open(*pair.server, third), Status::Ok);
  EXPECT_EQ(pair.open(*pair.server, pair.sealed(*sender, rtpPacket(2, 2))), Status::TooManySources);
  EXPECT_EQ(pair.open(*pair.server, pair.sealed(*sender, rtpPacket(3, 1))), Status::Ok);
}

TEST(SrtpSession, ForgedPacketsCostAReleasedSourceNothing) {
  Pair pair(SrtpProfile::AeadAes128Gcm, {1024, 1});
  auto sender = makeSession(pair.keying, true);
  const Bytes first = pair.sealed(*sender, rtpPacket(1, 1));
  EXPECT_EQ(pair.open(*pair.server, first), Status::Ok);
  pair.server->releaseInbound(1);
  Bytes forged = pair.sealed(*sender, rtpPacket(1, 2));
  forged.back() ^= 1;
  EXPECT_EQ(pair.open(*pair.server, forged), Status::AuthFailed);
  EXPECT_EQ(pair.open(*pair.server, first), Status::Replayed);
}

TEST(SrtpSession, JunkCannotFillTheSourceTable) {
  Pair pair(SrtpProfile::AeadAes128Gcm, {1024, 2});
  for (uint32_t ssrc = 1; ssrc < 1000; ++ssrc) {
    EXPECT_EQ(pair.open(*pair.server, rtpPacket(1, ssrc, 40)), Status::AuthFailed);
  }
  EXPECT_EQ(pair.open(*pair.server, pair.sealed(*pair.client, rtpPacket(1))), Status::Ok);
}

TEST(SrtpSession, ARemovedSourceStartsAnew) {
  Pair pair(SrtpProfile::AeadAes128Gcm);
  EXPECT_EQ(pair.open(*pair.server, pair.sealed(*pair.client, rtpPacket(65535))), Status::Ok);
  EXPECT_EQ(pair.open(*pair.server, pair.sealed(*pair.client, rtpPacket(0))), Status::Ok);
  pair.server->removeInbound(0xcafebabe);
  // The rollover counter is gone with the rest: the sender's stands at 1.
  EXPECT_EQ(pair.open(*pair.server, pair.sealed(*pair.client, rtpPacket(1))), Status::AuthFailed);
}

TEST(SrtpSession, TheLibraryMayBePreparedBeforehandAndAgain) {
  EXPECT_TRUE(prepareLibrary());
  EXPECT_TRUE(prepareLibrary());
}

TEST(SrtpSession, KeysOfAWrongLengthAreRefused) {
  crypto::SrtpKeying keying = keyingOf(SrtpProfile::AeadAes128Gcm);
  keying.serverSalt = crypto::Secret(Bytes(14));
  const auto result = SrtpSession::create(keying, true);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::Range);
}

}  // namespace
}  // namespace parley::srtp
