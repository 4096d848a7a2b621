// Cryptex (RFC 9335) and encryption of single header extensions (RFC 6904).

#include <gtest/gtest.h>

#include "parley/base/random.h"
#include "parley/srtp/srtp_session.h"

#include "support/hex.h"

namespace parley::srtp {
namespace {

using crypto::SrtpProfile;
using parley::test::fromHex;
using parley::test::toHex;

crypto::SrtpKeying keyingOf(SrtpProfile profile, ByteSpan key, ByteSpan salt) {
  crypto::SrtpKeying out;
  out.profile = profile;
  out.clientKey = out.serverKey = crypto::Secret(key);
  out.clientSalt = out.serverSalt = crypto::Secret(salt);
  return out;
}

// The keys of RFC 9335 appendix A.
crypto::SrtpKeying appendixKeying(SrtpProfile profile) {
  return profile == SrtpProfile::AeadAes128Gcm
             ? keyingOf(profile, fromHex("000102030405060708090a0b0c0d0e0f"),
                        fromHex("a0a1a2a3a4a5a6a7a8a9aaab"))
             : keyingOf(profile, fromHex("e1f97a0d3e018be0d64fa32c06de4139"),
                        fromHex("0ec675ad498afeebb6960b3aabe6"));
}

std::unique_ptr<SrtpSession> make(const crypto::SrtpKeying& keying, bool isClient,
                                  const HeaderEncryption& headers,
                                  SrtpEngine engine = SrtpEngine::Ciphers) {
  SrtpOptions options;
  options.engine = engine;
  options.outboundHeaders = options.inboundHeaders = headers;
  auto session = SrtpSession::create(keying, isClient, options);
  EXPECT_TRUE(session);
  return std::move(*session);
}

struct Example {
  SrtpProfile profile;
  const char* name;
  const char* plain;
  const char* sealed;
};

// RFC 9335 appendix A.1 and A.2.
constexpr Example kExamples[] = {
    {SrtpProfile::Aes128CmHmacSha1_80, "RTP Packet with 1-byte header extension",
     "900f1235decafbadcafebabebede000151000200abababababababababababababababab",
     "900f1235decafbadcafebabec0de0001eb92365251c3e036f8de27e9c27ee3e0b4651d9fbc42"
     "18a70244522f34a5"},
    {SrtpProfile::Aes128CmHmacSha1_80, "RTP Packet with 2-byte header extension",
     "900f1236decafbadcafebabe1000000105020002abababababababababababababababab",
     "900f1236decafbadcafebabec2de00014ed9cc4e6a712b3096c5ca77339d4204ce0d77396cab"
     "69585fbce38194a5"},
    {SrtpProfile::Aes128CmHmacSha1_80, "RTP Packet with 1-byte header extension and CSRC fields",
     "920f1238decafbadcafebabe0001e2400000b26ebede000151000200abababababababababab"
     "abababababab",
     "920f1238decafbadcafebabe8bb6e12b5cff16ddc0de000192838c8c09e58393e1de3a9a7473"
     "4d6745671338c3acf11da2df8423bee0"},
    {SrtpProfile::Aes128CmHmacSha1_80, "RTP Packet with 2-byte header extension and CSRC fields",
     "920f1239decafbadcafebabe0001e2400000b26e1000000105020002abababababababababab"
     "abababababab",
     "920f1239decafbadcafebabef70e513eb90b9b25c2de0001bbed4848faa644665f3d7f341259"
     "14e9f4d0ae923c6f479b95a0f7b53133"},
    {SrtpProfile::Aes128CmHmacSha1_80,
     "RTP Packet with empty 1-byte header extension and CSRC fields",
     "920f123adecafbadcafebabe0001e2400000b26ebede0000abababababababababababababab"
     "abab",
     "920f123adecafbadcafebabe7130b6abfe2ab0e3c0de0000e3d9f64b25c9e74cb4cf8e43fb92"
     "e3781c2c0ceab6b3a499a14c"},
    {SrtpProfile::Aes128CmHmacSha1_80,
     "RTP Packet with empty 2-byte header extension and CSRC fields",
     "920f123bdecafbadcafebabe0001e2400000b26e10000000abababababababababababababab"
     "abab",
     "920f123bdecafbadcafebabecbf24c124330e1c8c2de0000599dd45bc9d687b603e8b59d771f"
     "d38e88b170e0cd31e125eabe"},
    {SrtpProfile::AeadAes128Gcm, "RTP Packet with 1-byte header extension",
     "900f1235decafbadcafebabebede000151000200abababababababababababababababab",
     "900f1235decafbadcafebabec0de000139972dc9572c4d99e8fc355de743fb2e94f9d8ff54e7"
     "2f4193bbc5c74ffab0fa9fa0fbeb"},
    {SrtpProfile::AeadAes128Gcm, "RTP Packet with 2-byte header extension",
     "900f1236decafbadcafebabe1000000105020002abababababababababababababababab",
     "900f1236decafbadcafebabec2de0001bb75a4c545cd1f413bdb7daa2b1e3263de313667c963"
     "249081b35a65f5cb6c88b394235f"},
    {SrtpProfile::AeadAes128Gcm, "RTP Packet with 1-byte header extension and CSRC fields",
     "920f1238decafbadcafebabe0001e2400000b26ebede000151000200abababababababababab"
     "abababababab",
     "920f1238decafbadcafebabe63bbccc4a7f695c4c0de00018ad7c71fac70a80c92866b4c6ba9"
     "8546ef913586e95ffaaffe956885bb0647a8bc094ac8"},
    {SrtpProfile::AeadAes128Gcm, "RTP Packet with 2-byte header extension and CSRC fields",
     "920f1239decafbadcafebabe0001e2400000b26e1000000105020002abababababababababab"
     "abababababab",
     "920f1239decafbadcafebabe3680524f8d312b00c2de0001c78d120038422bc111a7187a1824"
     "6f980c059cc6bc9df8b626394eca344e4b05d80fea83"},
    {SrtpProfile::AeadAes128Gcm, "RTP Packet with empty 1-byte header extension and CSRC fields",
     "920f123adecafbadcafebabe0001e2400000b26ebede0000abababababababababababababab"
     "abab",
     "920f123adecafbadcafebabe15b6bb4337906fffc0de0000b7b964537a2b03ab7ba5389ce933"
     "17126b5d974df30c6884dcb651c5e120c1da"},
    {SrtpProfile::AeadAes128Gcm, "RTP Packet with empty 2-byte header extension and CSRC fields",
     "920f123bdecafbadcafebabe0001e2400000b26e10000000abababababababababababababab"
     "abab",
     "920f123bdecafbadcafebabedcb38c9e48bf95f4c2de000061ee432cf920317076613258d3ce"
     "4236c06ac429681ad08413512dc98b5207d8"},
};

HeaderEncryption cryptex(bool required = false) {
  HeaderEncryption out;
  out.cryptex = true;
  out.required = required;
  return out;
}

TEST(Cryptex, ExamplesOfTheRfc) {
  PacketPool pool;
  for (const Example& example : kExamples) {
    const crypto::SrtpKeying keying = appendixKeying(example.profile);
    const auto client = make(keying, true, cryptex());
    const auto server = make(keying, false, cryptex(true));
    PacketBuf packet = pool.copyOf(fromHex(example.plain));
    ASSERT_EQ(client->protectRtp(packet), Status::Ok) << example.name;
    EXPECT_EQ(toHex(packet.span()), example.sealed) << example.name;
    ASSERT_EQ(server->unprotectRtp(packet), Status::Ok) << example.name;
    EXPECT_EQ(toHex(packet.span()), example.plain) << example.name;
  }
}

TEST(Cryptex, WhatIsShownIsRefusedWhereItIsRequired) {
  PacketPool pool;
  for (const SrtpProfile profile : {SrtpProfile::AeadAes128Gcm, SrtpProfile::Aes128CmHmacSha1_80}) {
    const crypto::SrtpKeying keying = appendixKeying(profile);
    const auto open = make(keying, true, {});
    const auto strict = make(keying, false, cryptex(true));
    const auto lenient = make(keying, false, cryptex());
    struct Case {
      const char* packet;
      bool shows;
    };
    for (const Case& c : {Case{"900f1235decafbadcafebabebede000151000200abab", true},
                          Case{"920f1236decafbadcafebabe0001e2400000b26e10000000ab", true},
                          Case{"810f1237decafbadcafebabe0001e240abab", true},
                          Case{"800f1238decafbadcafebabeabab", false}}) {
      PacketBuf packet = pool.copyOf(fromHex(c.packet));
      ASSERT_EQ(open->protectRtp(packet), Status::Ok);
      PacketBuf again = pool.copyOf(packet.span());
      EXPECT_EQ(strict->unprotectRtp(packet), c.shows ? Status::Malformed : Status::Ok);
      EXPECT_EQ(lenient->unprotectRtp(again), Status::Ok);
      EXPECT_EQ(toHex(again.span()), c.packet);
    }
  }
}

TEST(Cryptex, DamageIsNoticedWhereverItIs) {
  PacketPool pool;
  for (const Example& example : kExamples) {
    const crypto::SrtpKeying keying = appendixKeying(example.profile);
    const auto server = make(keying, false, cryptex());
    const Bytes sealed = fromHex(example.sealed);
    for (size_t at = 2; at < sealed.size(); ++at) {
      Bytes damaged = sealed;
      damaged[at] ^= 0x10;
      PacketBuf packet = pool.copyOf(damaged);
      EXPECT_NE(server->unprotectRtp(packet), Status::Ok) << example.name << " " << at;
      PacketBuf cut = pool.copyOf(ByteSpan(sealed).first(at));
      EXPECT_NE(server->unprotectRtp(cut), Status::Ok);
    }
  }
}

TEST(Cryptex, OtherHeadersStayInClear) {
  PacketPool pool;
  const crypto::SrtpKeying keying = appendixKeying(SrtpProfile::AeadAes128Gcm);
  const auto client = make(keying, true, cryptex());
  const auto server = make(keying, false, cryptex());
  // A profile of neither form, and application bits, which cryptex could not carry.
  for (const char* plain :
       {"900f1235decafbadcafebabe1234000151000200abab",
        "900f1236decafbadcafebabe1005000151000200abab", "800f1237decafbadcafebabeabab"}) {
    PacketBuf packet = pool.copyOf(fromHex(plain));
    ASSERT_EQ(client->protectRtp(packet), Status::Ok);
    EXPECT_EQ(toHex(packet.span().first(12)), std::string(plain).substr(0, 24));
    EXPECT_EQ(toHex(packet.span().subspan(12, 2)), plain[1] == '0' && plain[0] == '9'
                                                       ? std::string(plain).substr(24, 4)
                                                       : toHex(packet.span().subspan(12, 2)));
    ASSERT_EQ(server->unprotectRtp(packet), Status::Ok);
    EXPECT_EQ(toHex(packet.span()), plain);
  }
}

TEST(Cryptex, SourcesWithoutExtensionsAreHiddenBehindAnEmptyOne) {
  PacketPool pool;
  const crypto::SrtpKeying keying = appendixKeying(SrtpProfile::Aes128CmHmacSha1_80);
  const auto client = make(keying, true, cryptex());
  const auto server = make(keying, false, cryptex(true));
  PacketBuf packet = pool.copyOf(fromHex("820f123adecafbadcafebabe0001e2400000b26eabab"));
  ASSERT_EQ(client->protectRtp(packet), Status::Ok);
  EXPECT_NE(toHex(packet.span().subspan(12, 8)), "0001e2400000b26e");
  EXPECT_EQ(toHex(packet.span().subspan(20, 4)), "c0de0000");
  ASSERT_EQ(server->unprotectRtp(packet), Status::Ok);
  EXPECT_EQ(toHex(packet.span()), "920f123adecafbadcafebabe0001e2400000b26ebede0000abab");
}

TEST(Cryptex, AnyPacketComesBackAsItWas) {
  PacketPool pool;
  SeededRandom random(3);
  for (const SrtpProfile profile :
       {SrtpProfile::Aes128CmHmacSha1_80, SrtpProfile::Aes128CmHmacSha1_32,
        SrtpProfile::AeadAes128Gcm, SrtpProfile::AeadAes256Gcm}) {
    Bytes exported(crypto::srtpExporterLength(profile));
    random.fill(exported);
    const auto keying = *crypto::SrtpKeying::fromExporter(profile, exported);
    const auto client = make(keying, true, cryptex());
    const auto server = make(keying, false, cryptex());
    for (uint16_t sequence = 1; sequence < 300; ++sequence) {
      const size_t csrcs = random.below(16);
      const size_t words = random.below(20);
      Bytes plain(12 + 4 * csrcs + 4 + 4 * words + random.below(300));
      random.fill(plain);
      plain[0] = static_cast<uint8_t>(0x90 | csrcs);
      storeU16(&plain[2], sequence);
      storeU32(&plain[8], 7);
      storeU16(&plain[12 + 4 * csrcs], random.below(2) ? 0xbede : 0x1000);
      storeU16(&plain[14 + 4 * csrcs], static_cast<uint16_t>(words));
      PacketBuf packet = pool.copyOf(plain);
      ASSERT_EQ(client->protectRtp(packet), Status::Ok);
      ASSERT_EQ(server->unprotectRtp(packet), Status::Ok);
      ASSERT_EQ(toHex(packet.span()), toHex(plain));
    }
  }
}

// libsrtp is the oracle, but not for padding between elements: RFC 6904 section 4.1 lets the
// keystream run over it, libsrtp 2.5 does not. Nobody sends such.
TEST(HiddenExtensions, AreTheSameAsOfLibsrtp) {
  PacketPool pool;
  SeededRandom random(5);
  HeaderEncryption headers;
  for (const size_t id : {1, 4, 7, 12, 200}) headers.ids.set(id);
  for (const SrtpProfile profile :
       {SrtpProfile::Aes128CmHmacSha1_80, SrtpProfile::Aes128CmHmacSha1_32,
        SrtpProfile::AeadAes128Gcm, SrtpProfile::AeadAes256Gcm}) {
    Bytes exported(crypto::srtpExporterLength(profile));
    random.fill(exported);
    const auto keying = *crypto::SrtpKeying::fromExporter(profile, exported);
    const auto own = make(keying, true, headers);
    const auto library = make(keying, true, headers, SrtpEngine::Library);
    const auto server = make(keying, false, headers);
    for (uint16_t sequence = 1; sequence < 200; ++sequence) {
      const bool twoByte = random.below(2) != 0;
      Bytes block;
      for (size_t n = random.below(6); n > 0; --n) {
        const auto id =
            static_cast<uint8_t>(twoByte ? 1 + random.below(255) : 1 + random.below(14));
        const size_t size = twoByte ? random.below(40) : 1 + random.below(16);
        if (twoByte) {
          block.insert(block.end(), {id, static_cast<uint8_t>(size)});
        } else {
          block.push_back(static_cast<uint8_t>(id << 4 | (size - 1)));
        }
        for (size_t i = 0; i < size; ++i) block.push_back(static_cast<uint8_t>(random.below(256)));
      }
      while (block.size() % 4 != 0) block.push_back(0);
      Bytes plain = fromHex("900f0000decafbadcafebabe");
      storeU16(&plain[2], sequence);
      plain.resize(16);
      storeU16(&plain[12], twoByte ? 0x1000 : 0xbede);
      storeU16(&plain[14], static_cast<uint16_t>(block.size() / 4));
      plain.insert(plain.end(), block.begin(), block.end());
      plain.resize(plain.size() + random.below(100), 0x55);
      PacketBuf a = pool.copyOf(plain);
      PacketBuf b = pool.copyOf(plain);
      ASSERT_EQ(own->protectRtp(a), Status::Ok);
      ASSERT_EQ(library->protectRtp(b), Status::Ok);
      ASSERT_EQ(toHex(a.span()), toHex(b.span())) << toHex(plain);
      ASSERT_EQ(server->unprotectRtp(a), Status::Ok);
      ASSERT_EQ(toHex(a.span()), toHex(plain));
    }
  }
}

TEST(HiddenExtensions, CanBeAgreedUponLater) {
  PacketPool pool;
  const crypto::SrtpKeying keying = appendixKeying(SrtpProfile::AeadAes128Gcm);
  const auto client = make(keying, true, {});
  const auto server = make(keying, false, {});
  HeaderEncryption headers;
  headers.ids.set(5);
  ASSERT_TRUE(client->setHeaderEncryption(headers, {}));
  ASSERT_TRUE(server->setHeaderEncryption({}, headers));
  const std::string plain = "900f1235decafbadcafebabebede000151000200abab";
  PacketBuf packet = pool.copyOf(fromHex(plain));
  ASSERT_EQ(client->protectRtp(packet), Status::Ok);
  EXPECT_EQ(toHex(packet.span().first(17)), plain.substr(0, 34)) << "id and length are in clear";
  EXPECT_NE(toHex(packet.span().subspan(17, 2)), "0002");
  EXPECT_EQ(toHex(packet.span().subspan(19, 1)), "00") << "padding is not encrypted";
  ASSERT_EQ(server->unprotectRtp(packet), Status::Ok);
  EXPECT_EQ(toHex(packet.span()), plain);
  const auto library = make(keying, true, headers, SrtpEngine::Library);
  EXPECT_FALSE(library->setHeaderEncryption({}, {}));
}

}  // namespace
}  // namespace parley::srtp
