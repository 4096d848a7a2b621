#include "media/frame_assembler.h"

#include <algorithm>

#include "parley/base/seq_num.h"

#include "unit/media/media_fixture.h"

namespace parley::media {
namespace {

using parley::test::fromHex;
using test::Sender;

class FrameAssemblerTest : public testing::Test {
 protected:
  FrameAssembler::Insert insert(const Bytes& bytes, bool recovered = false) {
    PacketBuf buf = pool_.copyOf(bytes);
    const auto view = rtp::PacketView::parse(buf.span());
    if (view->payload().empty())
      return assembler_.insertEmpty(sequences_.unwrap(view->sequenceNumber()));
    VideoPacket p;
    p.sequence = sequences_.unwrap(view->sequenceNumber());
    p.rtp = timestamps_.unwrap(view->timestamp());
    p.payloadType = view->payloadType();
    p.marker = view->marker();
    p.recovered = recovered;
    p.arrival = Timestamp::millis(arrival_++);
    p.depacketizer = p.payloadType == test::kH264 ? h264_.get()
                     : p.payloadType == kAv1      ? av1_.get()
                                                  : vp8_.get();
    EXPECT_TRUE(p.depacketizer->parse(view->payload(), p.info));
    p.payload = view->payload();
    p.buffer = std::move(buf);
    const auto result = assembler_.insert(std::move(p));
    AssembledFrame frame;
    while (assembler_.poll(frame)) frames_.push_back(std::move(frame));
    return result;
  }
  void insertAll(const std::vector<Bytes>& packets) {
    for (const Bytes& p : packets) insert(p);
  }

  static constexpr uint8_t kAv1 = 45;
  PacketPool pool_;
  Sender sender_;
  SeqUnwrapper<uint16_t> sequences_;
  SeqUnwrapper<uint32_t> timestamps_;
  std::unique_ptr<rtp::Depacketizer> vp8_ = rtp::createDepacketizer("VP8");
  std::unique_ptr<rtp::Depacketizer> h264_ = rtp::createDepacketizer("H264");
  std::unique_ptr<rtp::Depacketizer> av1_ = rtp::createDepacketizer("AV1");
  int64_t arrival_ = 0;
  FrameAssembler assembler_;
  std::vector<AssembledFrame> frames_;
};

TEST_F(FrameAssemblerTest, JoinsPacketsInAnyOrder) {
  auto packets = sender_.vp8(true, 4);
  std::vector<size_t> order = {0, 1, 2, 3};
  size_t permutations = 0;
  do {
    assembler_.reset();
    frames_.clear();
    for (size_t i : order) insert(packets[i]);
    ASSERT_EQ(frames_.size(), 1u);
    EXPECT_EQ(frames_[0].data.size(), 400u);
    EXPECT_TRUE(frames_[0].keyFrame);
    EXPECT_EQ(frames_[0].size, (rtp::VideoSize{640, 360}));
    EXPECT_EQ(pool_.inUse(), 0u) << "buffers go back as soon as the frame is built";
    ++permutations;
  } while (std::next_permutation(order.begin(), order.end()));
  EXPECT_EQ(permutations, 24u);
}

TEST_F(FrameAssemblerTest, FramesCompleteOutOfOrder) {
  const auto first = sender_.vp8(true, 3);
  const auto second = sender_.vp8(false, 2);
  insert(first[0]);
  insert(first[2]);
  insertAll(second);
  ASSERT_EQ(frames_.size(), 1u);
  EXPECT_FALSE(frames_[0].keyFrame);
  EXPECT_EQ(insert(first[1], true), FrameAssembler::Insert::Ok);
  ASSERT_EQ(frames_.size(), 2u);
  EXPECT_TRUE(frames_[1].recovered);
}

TEST_F(FrameAssemblerTest, SequenceNumbersWrapInsideAFrame) {
  sender_.sequence = 65534;
  insertAll(sender_.vp8(true, 4));
  ASSERT_EQ(frames_.size(), 1u);
  EXPECT_EQ(frames_[0].lastSequence - frames_[0].firstSequence, 3);
}

TEST_F(FrameAssemblerTest, DuplicatesAndOldPacketsAreRefused) {
  const auto packets = sender_.vp8(true, 3);
  insert(packets[0]);
  EXPECT_EQ(insert(packets[0]), FrameAssembler::Insert::Duplicate);
  insert(packets[1]);
  insert(packets[2]);
  EXPECT_EQ(insert(packets[1]), FrameAssembler::Insert::TooOld);
  assembler_.forgetBefore(frames_[0].lastSequence + 5);
  const auto next = sender_.vp8(false, 2);
  EXPECT_EQ(insert(next[0]), FrameAssembler::Insert::TooOld);
  EXPECT_EQ(frames_.size(), 1u);
}

TEST_F(FrameAssemblerTest, AMissingMarkerIsMadeUpByTheNextTimestamp) {
  auto packets = sender_.vp8(true, 2);
  packets[1][1] &= 0x7f;
  insertAll(packets);
  EXPECT_TRUE(frames_.empty());
  insert(sender_.vp8(false, 2)[0]);
  ASSERT_EQ(frames_.size(), 1u);
  EXPECT_EQ(frames_[0].data.size(), 200u);
}

TEST_F(FrameAssemblerTest, H264FindsTheStartBehindThePreviousPicture) {
  insertAll(sender_.h264(true, 300));
  ASSERT_EQ(frames_.size(), 1u);
  EXPECT_TRUE(frames_[0].keyFrame);
  EXPECT_EQ(frames_[0].size, (rtp::VideoSize{640, 360}));
  auto delta = sender_.h264(false, 300);
  ASSERT_GT(delta.size(), 2u);
  std::reverse(delta.begin(), delta.end());
  insertAll(delta);
  ASSERT_EQ(frames_.size(), 2u);
  EXPECT_FALSE(frames_[1].keyFrame);
  EXPECT_EQ(frames_[1].data.size(), 4 + 2 + 300u);
}

TEST_F(FrameAssemblerTest, H264DoesNotTakeAHalfPictureForAWhole) {
  insertAll(sender_.h264(true, 50));
  const auto key = sender_.h264(true, 300);  // STAP-A with parameter sets, then fragments
  const auto delta = sender_.h264(false, 20);
  // The parameter sets are missing: fragments alone must not pass as a picture.
  for (size_t i = 1; i < key.size(); ++i) insert(key[i]);
  EXPECT_EQ(frames_.size(), 1u);
  insert(key[0]);
  EXPECT_EQ(frames_.size(), 2u);
  insertAll(delta);
  EXPECT_EQ(frames_.size(), 3u);
}

TEST_F(FrameAssemblerTest, PaddingClosesGaps) {
  insertAll(sender_.h264(true, 50));
  insert(sender_.padding(test::kH264));
  insert(sender_.padding(test::kH264));
  insertAll(sender_.h264(false, 50));
  ASSERT_EQ(frames_.size(), 2u);
  EXPECT_TRUE(assembler_.isOnlyPadding(frames_[0].lastSequence, frames_[1].firstSequence));
  EXPECT_FALSE(assembler_.isOnlyPadding(frames_[0].lastSequence - 1, frames_[1].firstSequence));
  EXPECT_TRUE(assembler_.isOnlyPadding(5, 6)) << "nothing between neighbours";
}

TEST_F(FrameAssemblerTest, ManyUnfinishedPacketsStayBounded) {
  // Middles of frames only.
  for (int i = 0; i < 1500; ++i) insert(sender_.vp8(false, 3)[1]);
  EXPECT_LE(assembler_.packets(), FrameAssembler::kMaxPackets);
  EXPECT_EQ(pool_.inUse(), assembler_.packets());
  insertAll(sender_.vp8(true, 3));
  EXPECT_EQ(frames_.size(), 1u);
}

TEST_F(FrameAssemblerTest, GrowthKeepsWhatIsThere) {
  const auto first = sender_.vp8(true, 3);
  insert(first[0]);
  insert(first[1]);
  for (int i = 0; i < 300; ++i) insert(sender_.vp8(false, 3)[0]);
  insert(first[2]);
  ASSERT_EQ(frames_.size(), 1u);
  EXPECT_EQ(frames_[0].data.size(), 300u);
}

TEST_F(FrameAssemblerTest, AFrameLongerThanTheRingIsGivenUp) {
  const auto start = sender_.vp8(true, 2);
  insert(start[0]);
  sender_.timestamp -= 3000;
  sender_.sequence--;
  // The middle of a VP8 frame, over and over, and at last its end.
  const Bytes middle = toBytes(rtp::PacketView::parse(start[1])->payload());
  for (size_t i = 0; i < FrameAssembler::kMaxPackets + 10; ++i) {
    insert(sender_.packet(test::kVp8, false, middle));
  }
  EXPECT_TRUE(assembler_.takeGaveUp());
  for (int i = 0; i < 10; ++i) insert(sender_.packet(test::kVp8, true, middle));
  EXPECT_TRUE(frames_.empty());
  EXPECT_LE(pool_.inUse(), FrameAssembler::kMaxPackets);
  sender_.timestamp += 3000;
  insertAll(sender_.vp8(true, 3));
  EXPECT_EQ(frames_.size(), 1u);
}

TEST_F(FrameAssemblerTest, AnH264PictureIsNotWholeIfAPacketComesBeforeItsApparentStart) {
  const auto key = sender_.h264(true, 300);
  ASSERT_GE(key.size(), 3u);
  // Parameter sets look like a start, until a packet of the same picture turns up in front of them.
  auto early = key[1];
  storeU16(&early[2], static_cast<uint16_t>(loadU16(&key[0][2]) - 1));
  insert(key[0]);
  for (size_t i = 1; i + 1 < key.size(); ++i) insert(key[i]);
  insert(early);
  insert(key.back());
  EXPECT_TRUE(frames_.empty());
  insertAll(sender_.h264(false, 20));
  EXPECT_EQ(frames_.size(), 1u);
}

TEST_F(FrameAssemblerTest, AFrameIsOfOneCodec) {
  const Bytes first = sender_.packet(kAv1, false, fromHex("1830aabb"));  // begins a sequence
  // With the frame's timestamp: the middle of a VP8 frame, which as AV1 would be an endless unit.
  const Bytes last = sender_.packet(test::kVp8, true, fromHex("000fffffff30ccdd"));
  insert(first);
  insert(last);
  ASSERT_EQ(frames_.size(), 1u) << "what is of another codec is of another frame";
  EXPECT_EQ(frames_[0].payloadType, kAv1);
  EXPECT_EQ(frames_[0].data, fromHex("3202aabb"));
  assembler_.reset();
  frames_.clear();
  insert(last);
  insert(first);
  ASSERT_EQ(frames_.size(), 1u) << "whatever comes first";
  EXPECT_EQ(frames_[0].data, fromHex("3202aabb"));
}

TEST_F(FrameAssemblerTest, APictureWithoutMarksBeginsBehindAnotherCodec) {
  insert(sender_.packet(test::kH264, false, fromHex("67010203")));
  insert(sender_.packet(kAv1, false, fromHex("1830aabb")));
  insert(sender_.packet(kAv1, true, fromHex("1030cc")));
  insertAll(sender_.vp8(true, 2));
  ASSERT_EQ(frames_.size(), 3u);
  EXPECT_EQ(frames_[0].data, fromHex("0000000167010203"));
  EXPECT_EQ(frames_[1].data, fromHex("3202aabb3201cc"));
  EXPECT_EQ(frames_[2].data.size(), 200u);
}

TEST_F(FrameAssemblerTest, PacketsOfDeadFramesAreLetGo) {
  const auto first = sender_.vp8(true, 3);
  insert(first[0]);
  insert(first[2]);
  const auto second = sender_.vp8(false, 3);
  insert(second[0]);
  EXPECT_EQ(assembler_.dropOlderThan(Timestamp::millis(2)), 2u);
  EXPECT_EQ(assembler_.oldestArrival(), Timestamp::millis(2));
  EXPECT_EQ(pool_.inUse(), 1u);
  insert(first[1]);
  EXPECT_TRUE(frames_.empty()) << "its other parts are gone";
  insert(second[1]);
  insert(second[2]);
  EXPECT_EQ(frames_.size(), 1u);
}

}  // namespace
}  // namespace parley::media
