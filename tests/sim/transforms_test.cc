// What may be combined with a sender's transform: nothing that would pass by it.

#include <optional>
#include <utility>

#include <gtest/gtest.h>

#include "parley/api/forwarder.h"
#include "parley/parley.h"
#include "parley/testing/pair.h"

namespace parley {
namespace {

class TransformsTest : public ::testing::Test {
 protected:
  MediaStreamTrack packets(MediaKind kind) {
    RtpTrackInit init;
    init.kind = kind;
    init.codec = kind == MediaKind::Video ? "VP8" : "PCMU";
    return MediaStreamTrack::createRtp(pair_.loopA(), init);
  }
  Result<void> replace(RtpSender& sender, const MediaStreamTrack& track) {
    std::optional<Result<void>> result;
    sender.replaceTrack(track, [&](Result<void> r) { result.emplace(std::move(r)); });
    pair_.run(Duration::millis(5));
    if (!result) return fail(ErrorCode::Abort, "never completed");
    return *result;
  }
  template <class T>
  static void expectError(const Result<T>& result, ErrorCode code) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, code) << result.error().message;
  }
  static SframeTransform encryptor(const Bytes& key) {
    SframeTransform out(SframeTransform::Role::Encrypt);
    EXPECT_TRUE(out.setKey(7, key));
    return out;
  }

  testing::Pair pair_;
  const FrameTransform keep_ = [](EncodedFrame&) { return true; };
  const Bytes key_ = Bytes(16, 3);
};

TEST_F(TransformsTest, ASenderOfPacketsTakesNone) {
  for (const MediaKind kind : {MediaKind::Audio, MediaKind::Video}) {
    RtpSender sender = pair_.a().addTrack(packets(kind)).value();
    expectError(sender.setTransform(keep_), ErrorCode::InvalidState);
    expectError(sender.setReader([](EncodedFrame, const FrameWriter&) {}), ErrorCode::InvalidState);
    expectError(sender.setTransform(encryptor(key_)), ErrorCode::InvalidState);
    EXPECT_TRUE(sender.setTransform(FrameTransform())) << "there is none to remove";
    ASSERT_TRUE(replace(sender, {}));
    EXPECT_TRUE(sender.setTransform(keep_));
  }
  RtpSender other = pair_.a().addTrack(MediaStreamTrack::createVideo(pair_.loopA())).value();
  EXPECT_TRUE(other.setTransform(encryptor(key_))) << "what was refused has not used the key";
}

TEST_F(TransformsTest, ASenderWithOneTakesNoPackets) {
  for (const MediaKind kind : {MediaKind::Audio, MediaKind::Video}) {
    RtpTransceiver transceiver = pair_.a().addTransceiver(kind).value();
    RtpSender sender = transceiver.sender();
    ASSERT_TRUE(sender.setTransform(keep_));
    const size_t senders = pair_.a().getSenders().size();
    expectError(pair_.a().addTrack(packets(kind)), ErrorCode::InvalidState);
    EXPECT_EQ(pair_.a().getSenders().size(), senders);
    expectError(replace(sender, packets(kind)), ErrorCode::InvalidState);
    EXPECT_FALSE(sender.track());
    ASSERT_TRUE(sender.setTransform(FrameTransform()));
    EXPECT_TRUE(replace(sender, packets(kind)));
  }
}

TEST_F(TransformsTest, PacketsThatWaitForTheirTurnAreRefusedAfterATransform) {
  RtpSender sender = pair_.a().addTransceiver(MediaKind::Video).value().sender();
  std::optional<Result<void>> replaced;
  sender.replaceTrack(packets(MediaKind::Video),
                      [&](Result<void> result) { replaced.emplace(std::move(result)); });
  ASSERT_TRUE(sender.setTransform(keep_));
  pair_.run(Duration::millis(5));
  ASSERT_TRUE(replaced);
  expectError(*replaced, ErrorCode::InvalidState);
  EXPECT_FALSE(sender.track());
}

TEST_F(TransformsTest, AForwarderSendsByNone) {
  Forwarder room(pair_.loopA());
  const RtpReceiver receiver = pair_.a().addTransceiver(MediaKind::Video).value().receiver();
  RtpSender sender = pair_.a().addTransceiver(MediaKind::Video).value().sender();
  const PublicationId publication = room.publish(receiver).value();
  ASSERT_TRUE(sender.setTransform(keep_));
  expectError(room.subscribe(publication, sender), ErrorCode::InvalidState);
  ASSERT_TRUE(sender.setTransform(FrameTransform()));
  const SubscriptionId subscription = room.subscribe(publication, sender).value();
  expectError(sender.setTransform(keep_), ErrorCode::InvalidState);
  expectError(sender.setTransform(encryptor(key_)), ErrorCode::InvalidState);
  room.unsubscribe(subscription);
  EXPECT_TRUE(sender.setTransform(keep_));
}

TEST_F(TransformsTest, AKeyThatWasRefusedIsFreeForAnother) {
  RtpSender first = pair_.a().addTransceiver(MediaKind::Video).value().sender();
  RtpSender second = pair_.a().addTransceiver(MediaKind::Audio).value().sender();
  SframeTransform refuses(SframeTransform::Role::Encrypt, crypto::SframeSuite::Aes128GcmSha256_128,
                          {9});
  ASSERT_TRUE(first.setTransform(refuses));
  expectError(refuses.setKey(7, key_), ErrorCode::Range);
  EXPECT_TRUE(second.setTransform(encryptor(key_)));
}

TEST_F(TransformsTest, AKeyInUseStaysListedWhenItIsRefusedAnew) {
  RtpReceiver receiver = pair_.a().addTransceiver(MediaKind::Video).value().receiver();
  RtpSender sender = pair_.a().addTransceiver(MediaKind::Video).value().sender();
  SframeTransform unlock(SframeTransform::Role::Decrypt);
  ASSERT_TRUE(receiver.setTransform(unlock));
  ASSERT_TRUE(unlock.setKey(7, key_));
  for (uint64_t id = 1000; id < 1255; ++id) ASSERT_TRUE(unlock.setKey(id, key_));
  expectError(unlock.setKey(7, key_), ErrorCode::ResourceExhausted);
  expectError(sender.setTransform(encryptor(key_)), ErrorCode::InvalidAccess);
  unlock.removeKey(7);
  expectError(sender.setTransform(encryptor(key_)), ErrorCode::InvalidAccess);
}

TEST_F(TransformsTest, AStoppingSenderHasNoPlayoutDelay) {
  RtpTransceiver transceiver = pair_.a().addTransceiver(MediaKind::Video).value();
  const PlayoutDelay delay{Duration::zero(), Duration::millis(200)};
  EXPECT_TRUE(transceiver.sender().setPlayoutDelay(delay));
  ASSERT_TRUE(transceiver.stop());
  expectError(transceiver.sender().setPlayoutDelay(delay), ErrorCode::InvalidState);
}

}  // namespace
}  // namespace parley
