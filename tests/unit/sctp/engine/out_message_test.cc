#include "sctp/engine/out_message.h"

#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace parley::sctp {
namespace {

TEST(MessagePool, AQueueOfSmallMessagesIsFilledAgainFromWhatItWasMadeOf) {
  MessagePool pool;
  std::set<const void*> known;
  std::vector<OutMessage*> messages;
  std::vector<Piece*> pieces;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 10'000; ++i) {
      messages.push_back(pool.takeMessage());
      pieces.push_back(pool.takePiece());
      pieces.back()->data.assign(32, 1);
      if (round == 0) {
        known.insert({messages.back(), pieces.back()});
      } else {
        ASSERT_TRUE(known.count(messages.back()) == 1 && known.count(pieces.back()) == 1);
      }
    }
    for (OutMessage* message : messages) pool.release(message);
    for (Piece* piece : pieces) pool.release(piece);
    messages.clear();
    pieces.clear();
  }
  EXPECT_LE(pool.spareBytes(), 512u * 1024);
  pool.trim();
  EXPECT_LE(pool.spareBytes(), 4u * 1024);
}

TEST(MessagePool, LargePiecesAreKeptInSmallNumberOnly) {
  MessagePool pool;
  std::vector<Piece*> pieces;
  for (int i = 0; i < 100; ++i) {
    pieces.push_back(pool.takePiece());
    pieces.back()->data.assign(64 * 1024, 1);
  }
  for (Piece* piece : pieces) pool.release(piece);
  EXPECT_LE(pool.spareBytes(), 512u * 1024);
}

}  // namespace
}  // namespace parley::sctp
