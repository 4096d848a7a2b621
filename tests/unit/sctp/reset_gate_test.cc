#include "sctp/reset_gate.h"

#include <gtest/gtest.h>

#include "support/hex.h"

namespace parley::sctp {
namespace {

using test::fromHex;

constexpr size_t kChunkAt = 12;
constexpr size_t kResponseNumberAt = kChunkAt + 4 + 8;

/// A request to reset stream 7 after TSN `lastTsn`.
Bytes request(uint32_t lastTsn) {
  Bytes packet =
      fromHex("1388138800000001000000008200001600 0d0012aaaaaaaabbbbbbbb0000000000070000");
  storeU32(&packet[kChunkAt + 4 + 12], lastTsn);
  return packet;
}

TEST(ResetGate, LetsRequestsPassWhenAllDataIsThere) {
  ResetGate gate;
  gate.start(10);
  gate.onData(10);
  gate.onData(11);
  Bytes packet = request(11);
  gate.filter(packet);
  EXPECT_EQ(packet[kChunkAt], chunk::kReConfig);
  EXPECT_FALSE(gate.holds());
  EXPECT_NE(loadU32(&packet[kResponseNumberAt]), 0xBBBBBBBBu) << "acknowledges none of ours";
}

TEST(ResetGate, HoldsRequestsUntilTheMissingDataArrives) {
  ResetGate gate;
  gate.start(10);
  gate.onData(11);
  Bytes packet = request(11);
  gate.filter(packet);
  EXPECT_EQ(packet[kChunkAt], chunk::kPad);
  EXPECT_FALSE(gate.release());
  gate.onData(10);
  EXPECT_FALSE(gate.release()) << "only the engine knows about data out of order";
  gate.onSacked(11);
  const auto released = gate.release();
  ASSERT_TRUE(released);
  EXPECT_EQ((*released)[kChunkAt], chunk::kReConfig);
  EXPECT_EQ(released->size(), packet.size());
  EXPECT_FALSE(gate.holds());
}

TEST(ResetGate, TsnsWrap) {
  ResetGate gate;
  gate.start(0xFFFFFFFF);
  Bytes packet = request(0);
  gate.filter(packet);
  EXPECT_TRUE(gate.holds());
  gate.onData(0xFFFFFFFF);
  EXPECT_FALSE(gate.release());
  gate.onData(0);
  EXPECT_TRUE(gate.release());
}

TEST(ResetGate, RepeatedRequestsReplaceTheHeldOne) {
  ResetGate gate;
  gate.start(10);
  for (int i = 0; i < 100; ++i) {
    Bytes packet = request(20);
    gate.filter(packet);
  }
  gate.onSacked(20);
  EXPECT_TRUE(gate.release());
  EXPECT_FALSE(gate.release());
}

TEST(ResetGate, OldAcknowledgementsChangeNothing) {
  ResetGate gate;
  gate.start(10);
  gate.onSacked(30);
  gate.onSacked(5);
  gate.onData(12);
  Bytes packet = request(30);
  gate.filter(packet);
  EXPECT_FALSE(gate.holds());
}

}  // namespace
}  // namespace parley::sctp
