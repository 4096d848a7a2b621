#include "pake.h"

#include <gtest/gtest.h>

#include "common/sha256.h"

namespace sending {
namespace {

using Side = Pake::Side;

Pake::Scalar scalar(const std::string& hex) {
  Pake::Scalar out{};
  for (size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<uint8_t>(std::stoul(hex.substr(2 * i, 2), nullptr, 16));
  return out;
}

TEST(PakeTest, AgreesWithTheVectorOfTheRfc) {
  // RFC 9382 appendix B, the first: A = "server", B = "client".
  const auto w = scalar("2ee57912099d31560b3a44b1184b9b4866e904c49d12ac5042c97dca461b1a5f");
  const auto x = scalar("43dd0fd7215bdcb482879fca3220c6a968e66d70b1356cac18bb26c84a78d729");
  const auto y = scalar("dcb60106f276b02606d8ef0a328c02e4b629f84f89786af5befb0bc75b6e66be");
  Pake a(Side::Guest, w, x, "server", "client");
  Pake b(Side::Host, w, y, "server", "client");
  EXPECT_EQ(
      a.share(),
      "04a56fa807caaa53a4d28dbb9853b9815c61a411118a6fe516a8798434751470f9010153ac33d0d5f2047ff"
      "db1a3e42c9b4e6be662766e1eeb4116988ede5f912c");
  EXPECT_EQ(
      b.share(),
      "0406557e482bd03097ad0cbaa5df82115460d951e3451962f1eaf4367a420676d09857ccbc522686c83d185"
      "2abfa8ed6e4a1155cf8f1543ceca528afb591a1e0b7");
  ASSERT_TRUE(a.finish(b.share()));
  ASSERT_TRUE(b.finish(a.share()));
  constexpr const char* kKeys = "0e0672dc86f8e45565d338b0540abe6915bdf72e2b35b5c9e5663168e960a91b";
  EXPECT_EQ(example::toHex(a.keys()), kKeys);
  EXPECT_EQ(example::toHex(b.keys()), kKeys);
  // The confirmations of both sides, over the transcript alone.
  EXPECT_EQ(a.mac(Side::Guest, ""),
            "58ad4aa88e0b60d5061eb6b5dd93e80d9c4f00d127c65b3b35b1b5281fee38f0");
  EXPECT_EQ(b.mac(Side::Host, ""),
            "d3e2e547f1ae04f2dbdbf0fc4b79f8ecff2dff314b5d32fe9fcef2fb26dc459b");
}

TEST(PakeTest, SidesWithThePhraseBelieveEachOther) {
  Pake guest(Side::Guest, "river-amber-otter-cedar");
  Pake host(Side::Host, "river-amber-otter-cedar");
  ASSERT_TRUE(host.finish(guest.share()));
  ASSERT_TRUE(guest.finish(host.share()));
  EXPECT_TRUE(host.verify("offer", guest.mac(Side::Guest, "offer")));
  EXPECT_TRUE(guest.verify("answer", host.mac(Side::Host, "answer")));
  EXPECT_FALSE(host.verify("another offer", guest.mac(Side::Guest, "offer")));
  EXPECT_FALSE(host.verify("offer", ""));
}

TEST(PakeTest, WhatOneSideSaysCannotBePlayedBackToIt) {
  Pake guest(Side::Guest, "river-amber-otter-cedar");
  Pake host(Side::Host, "river-amber-otter-cedar");
  ASSERT_TRUE(host.finish(guest.share()));
  ASSERT_TRUE(guest.finish(host.share()));
  EXPECT_FALSE(guest.verify("offer", guest.mac(Side::Guest, "offer")));
}

TEST(PakeTest, AnotherPhraseIsNotBelieved) {
  Pake guest(Side::Guest, "river-amber-otter-cedar");
  Pake host(Side::Host, "river-amber-otter-cellar");
  ASSERT_TRUE(host.finish(guest.share()));
  ASSERT_TRUE(guest.finish(host.share()));
  EXPECT_FALSE(host.verify("offer", guest.mac(Side::Guest, "offer")));
}

TEST(PakeTest, SharesThatAreNoPointsAreRefused) {
  Pake guest(Side::Guest, "river-amber-otter-cedar");
  Pake host(Side::Host, "river-amber-otter-cedar");
  std::string beside = guest.share();
  beside.back() = beside.back() == '0' ? '1' : '0';
  EXPECT_FALSE(host.finish(beside));
  EXPECT_FALSE(host.finish(""));
  EXPECT_FALSE(host.finish("00"));
  EXPECT_FALSE(host.finish(std::string(130, '0')));
  EXPECT_FALSE(host.finish(std::string(130, 'x')));
  EXPECT_FALSE(host.finish(guest.share() + "00"));
}

}  // namespace
}  // namespace sending
