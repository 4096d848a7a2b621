#pragma once

#include <algorithm>
#include <array>

#include "parley/rtp/payload_format/red.h"

#include "media/audio_jitter_buffer.h"
#include "media/receive_stream.h"
#include "media/tone_receiver.h"

namespace parley::media {

/// Packets of one audio source in, what to play out, at the pace of playout.
class AudioReceiveStream final : public ReceiveStream {
 public:
  AudioReceiveStream(const Environment& environment, const ReceiveConfig& config, uint32_t ssrc,
                     uint32_t clockRate, HeldTotals& held);

  bool pollAudio(AudioPlayoutUnit& out) { return ready_.pop(out); }
  bool pollTone(ToneEvent& out);
  void advance(Timestamp now) override;
  Timestamp nextDeadline() const override;
  void setMinimumDelay(Duration delay) override { buffer_.setMinimumDelay(delay); }
  void setSyncDelay(Duration delay) override { buffer_.setSyncDelay(delay); }
  std::optional<Duration> captureToPlayout() const override;
  void shed(Timestamp now) override;

 protected:
  void receive(PacketBuf packet, const rtp::PacketView& view, const ReceiveConfig& config,
               const ReceiveCodec& codec, int64_t sequence, int64_t rtp, Arrival arrival,
               Timestamp now) override;
  void restart() override {
    buffer_.reset();
    tones_.reset();
    forgetHeard();
  }
  void fillKindStats(InboundStats& out) const override { buffer_.fillStats(out); }

 private:
  struct Format {
    uint8_t payloadType = 0;
    std::string name;
    uint32_t clockRate = 48'000;
    uint8_t channels = 1;
  };
  void remember(const ReceiveCodec& codec);
  void noteHeard(int64_t rtp) { heard_[nextHeard_++ % heard_.size()] = rtp; }
  bool wasHeard(int64_t rtp) const {
    return std::find(heard_.begin(), heard_.end(), rtp) != heard_.end();
  }
  void forgetHeard() {
    firstRtp_.reset();
    lastRtp_.reset();
    heard_.fill(-1);
  }
  /// False if the payload is malformed.
  bool insert(PacketBuf buffer, ByteSpan payload, const ReceiveCodec& codec, int64_t rtp,
              bool redundant, std::optional<NtpTime> captureTime, Timestamp now);
  bool insertRed(PacketBuf packet, ByteSpan payload, const ReceiveConfig& config, int64_t rtp,
                 std::optional<NtpTime> captureTime, Timestamp now);

  std::vector<Format> formats_;
  AudioJitterBuffer buffer_;
  uint32_t clockRate_;
  RecyclingQueue<AudioPlayoutUnit> ready_{64};
  AudioPlayoutUnit unit_;  // kept for its memory
  rtp::RedPayload red_;
  ToneReceiver tones_;
  std::optional<int64_t> firstRtp_;
  std::optional<int64_t> lastRtp_;
  /// The latest packets that came, so that a copy of one that was played is no news.
  std::array<int64_t, 64> heard_{};
  size_t nextHeard_ = 0;
};

}  // namespace parley::media
