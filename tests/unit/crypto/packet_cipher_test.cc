#include "parley/crypto/packet_cipher.h"

#include <gtest/gtest.h>

#include "parley/base/random.h"
#include "parley/crypto/hmac.h"

#include "crypto/gcm_x86.h"
#include "support/alloc_guard.h"
#include "support/hex.h"

namespace parley::crypto {
namespace {

using parley::test::fromHex;
using parley::test::toHex;

std::array<uint8_t, 16> counterOf(const char* hex) {
  const Bytes bytes = fromHex(hex);
  std::array<uint8_t, 16> out{};
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

// RFC 3711 appendix B.2 and RFC 6188 section 7.1.
TEST(AesCounter, GivesThePublishedKeystreams) {
  AesCounter small(fromHex("2b7e151628aed2a6abf7158809cf4f3c"));
  Bytes data(48);
  small.apply(counterOf("f0f1f2f3f4f5f6f7f8f9fafbfcfd0000"), data);
  EXPECT_EQ(toHex(data),
            "e03ead0935c95e80e166b16dd92b4eb4d23513162b02d0f72a43a2fe4a5f97ab"
            "41e95b3bb0a2e8dd477901e4fca894c0");
  AesCounter large(fromHex("57f82fe3613fd170a85ec93c40b1f0922ec4cb0dc025b58272147cc438944a98"));
  Bytes other(16);
  large.apply(counterOf("f0f1f2f3f4f5f6f7f8f9fafbfcfd0000"), other);
  EXPECT_EQ(toHex(other), "92bdd28a93c3f52511c677d08b5515a4");
  // Back again, with the context used in between.
  small.apply(counterOf("00000000000000000000000000000000"), other);
  small.apply(counterOf("f0f1f2f3f4f5f6f7f8f9fafbfcfd0000"), data);
  EXPECT_EQ(data, Bytes(48));
}

// RFC 7714 section 16.1.1 (AES-128) and 16.2.1 (AES-256).
TEST(AesGcm, SealsAndOpensThePublishedPackets) {
  struct Row {
    const char* key;
    const char* sealed;
  };
  const Row rows[] = {
      {"000102030405060708090a0b0c0d0e0f",
       "f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833"
       "899d7f27beb16a9152cf765ee4390cce"},
      {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
       "32b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b"
       "7aa3db36dfffd6b0f9bb7878d7a76c13"}};
  const Bytes header = fromHex("8040f17b8041f8d35501a0b2");
  const Bytes plain =
      fromHex("47616c6c696120657374206f6d6e69732064697669736120696e207061727465732074726573");
  AesGcm::Nonce nonce;
  const Bytes nonceBytes = fromHex("51753c6580c2726f20718414");
  std::copy(nonceBytes.begin(), nonceBytes.end(), nonce.begin());
  for (size_t i = 0; i < 4; ++i) {
    const Row& row = rows[i / 2];
    const auto engine = i % 2 == 0 ? AesGcm::Engine::Processor : AesGcm::Engine::OpenSsl;
    AesGcm seal(AesGcm::Use::Seal, fromHex(row.key), engine);
    AesGcm open(AesGcm::Use::Open, fromHex(row.key), engine);
    for (int round = 0; round < 3; ++round) {
      Bytes packet = plain;
      packet.resize(plain.size() + AesGcm::kTagSize);
      const MutableByteSpan data = MutableByteSpan(packet).first(plain.size());
      // In two parts as in one.
      seal.seal(nonce, {ByteSpan(header).first(5), ByteSpan(header).subspan(5)}, data,
                packet.data() + plain.size());
      EXPECT_EQ(toHex(packet), row.sealed);
      Bytes damaged = packet;
      damaged[round] ^= 1;
      EXPECT_FALSE(open.open(nonce, {header}, MutableByteSpan(damaged).first(plain.size()),
                             damaged.data() + plain.size()));
      EXPECT_TRUE(open.open(nonce, {header}, data, packet.data() + plain.size()));
      EXPECT_EQ(toBytes(data), plain);
    }
  }
}

// Every size up to that of the longest packet, and associated data of all sizes in parts of all
// sizes: where blocks are full and where they are not.
TEST(AesGcm, BothEnginesDoTheSame) {
  SeededRandom random(7);
  for (size_t size = 0; size < 1500; ++size) {
    Bytes key(size % 3 == 0 ? 32 : 16);
    Bytes plain(size);
    Bytes header(random.below(80));
    AesGcm::Nonce nonce;
    random.fill(key);
    random.fill(plain);
    random.fill(header);
    random.fill(nonce);
    const size_t cut = header.empty() ? 0 : random.below(static_cast<uint32_t>(header.size()));
    const auto associated = {ByteSpan(header).first(cut), ByteSpan(header).subspan(cut)};
    Bytes sealed[2];
    for (const auto engine : {AesGcm::Engine::Processor, AesGcm::Engine::OpenSsl}) {
      Bytes& out = sealed[static_cast<size_t>(engine)];
      out = plain;
      out.resize(size + AesGcm::kTagSize);
      AesGcm seal(AesGcm::Use::Seal, key, engine);
      seal.seal(nonce, associated, MutableByteSpan(out).first(size), out.data() + size);
    }
    ASSERT_EQ(sealed[0], sealed[1]) << size;
    for (const auto engine : {AesGcm::Engine::Processor, AesGcm::Engine::OpenSsl}) {
      Bytes packet = sealed[0];
      AesGcm open(AesGcm::Use::Open, key, engine);
      const MutableByteSpan data = MutableByteSpan(packet).first(size);
      ASSERT_TRUE(open.open(nonce, associated, data, packet.data() + size)) << size;
      ASSERT_TRUE(std::equal(data.begin(), data.end(), plain.begin())) << size;
      packet = sealed[0];
      packet[random.below(static_cast<uint32_t>(packet.size()))] ^=
          static_cast<uint8_t>(1 << size % 8);
      ASSERT_FALSE(open.open(nonce, associated, data, packet.data() + size)) << size;
    }
  }
}

#if defined(__x86_64__)

// A processor that has the wide instructions has the narrow ones too, and nothing else would run
// them there. Each against the other: AesGcm, which takes the widest, is compared with OpenSSL.
TEST(GcmX86, EveryWidthDoesTheSameAndStaysInItsBytes) {
  if (!GcmX86::isSupported(GcmX86::Width::Four)) GTEST_SKIP() << "no VAES and AVX-512 here";
  SeededRandom random(8);
  for (size_t size = 0; size < 1300; ++size) {
    Bytes key(size % 2 == 0 ? 16 : 32);
    Bytes header(random.below(40));
    Bytes plain(size + 2 * GcmX86::kBlock);
    AesGcm::Nonce nonce;
    random.fill(key);
    random.fill(header);
    random.fill(plain);
    random.fill(nonce);
    const GcmX86 narrow(key, GcmX86::Width::One);
    const GcmX86 wide(key, GcmX86::Width::Four);
    Bytes ours = plain;
    Bytes theirs = plain;
    std::array<uint8_t, AesGcm::kTagSize> tag{};
    std::array<uint8_t, AesGcm::kTagSize> same{};
    const auto middle = [size](Bytes& of) {
      return MutableByteSpan(of).subspan(GcmX86::kBlock, size);
    };
    narrow.seal(nonce, {header}, middle(ours), tag.data());
    wide.seal(nonce, {header}, middle(theirs), same.data());
    ASSERT_EQ(ours, theirs) << size;
    ASSERT_EQ(tag, same) << size;
    ASSERT_TRUE(wide.open(nonce, {header}, middle(ours), tag.data())) << size;
    ASSERT_EQ(ours, plain) << size;
    ASSERT_TRUE(narrow.open(nonce, {header}, middle(theirs), tag.data())) << size;
    ASSERT_EQ(theirs, plain) << size;
    tag[size % tag.size()] ^= 1;
    ASSERT_FALSE(wide.open(nonce, {header}, middle(ours), tag.data())) << size;
  }
}

#endif

TEST(AesGcm, AnEmptyMessageHasATagToo) {
  const Bytes key(16);
  AesGcm seal(AesGcm::Use::Seal, key);
  AesGcm open(AesGcm::Use::Open, key);
  uint8_t tag[16] = {};
  seal.seal({}, {}, {}, tag);
  // The first test case of the specification of GCM.
  EXPECT_EQ(toHex(tag), "58e2fccefa7e3061367f1d57a4e7455a");
  EXPECT_TRUE(open.open({}, {}, {}, tag));
  tag[0] ^= 1;
  EXPECT_FALSE(open.open({}, {}, {}, tag));
}

// RFC 2202 section 3.
TEST(HmacSha1, GivesThePublishedSums) {
  EXPECT_EQ(toHex(HmacSha1(Bytes(20, 0x0b)).sum({asBytes("Hi There")})),
            "b617318655057264e28bc0b6fb378c8ef146be00");
  const HmacSha1 jefe(asBytes("Jefe"));
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(toHex(jefe.sum({asBytes("what do ya want "), asBytes("for nothing?")})),
              "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
  }
  EXPECT_EQ(toHex(HmacSha1(Bytes(80, 0xaa))
                      .sum({asBytes("Test Using Larger Than Block-Size Key - Hash Key First")})),
            "aa4ae5e15272d00e95705637ce8a3b55ed402112");
}

TEST(PacketCipher, NothingIsAllocatedPerPacket) {
  AesCounter counter(Bytes(16));
  AesGcm seal(AesGcm::Use::Seal, Bytes(16));
  const HmacSha1 hmac(Bytes(20));
  Bytes data(1200);
  uint8_t tag[16];
  const parley::test::AllocGuard guard;
  for (int i = 0; i < 10; ++i) {
    counter.apply({}, data);
    seal.seal({}, {data}, data, tag);
    (void)hmac.sum({data});
  }
  EXPECT_EQ(guard.count(), 0u);
}

}  // namespace
}  // namespace parley::crypto
