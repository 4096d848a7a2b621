#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "parley/base/environment.h"
#include "parley/base/random.h"
#include "parley/codec/factories.h"
#include "parley/codec/fake.h"
#include "parley/codec/generators.h"
#include "parley/media/rtp_session.h"

namespace parley::media {

/// Two sessions with a link between them, in virtual time. `a` sends video from an encoder that
/// obeys its events; `b` decodes and asks for key frames when it must. Machine rule M4 is checked
/// at every step.
class SessionPair {
 public:
  struct Link {
    Duration delay = Duration::millis(25);  ///< one way
    double loss = 0;
    DataRate rate = DataRate::infinite();
    Duration queue = Duration::millis(300);
  };
  struct Options {
    bool realCodec = false;
    bool rtx = true;
    bool transportFeedback = true;
    bool rateReports = false;  ///< REMB
    bool sendTimes = true;     ///< abs-send-time
    bool sendOffsets = false;  ///< RFC 5450
    bool reducedSize = true;
    bool receiverReferenceTime = false;
    bool synchronized = false;            ///< sound and picture are of one stream
    bool congestionFeedback = false;      ///< RFC 8888 in place of the transport-wide
    std::optional<rtp::FecScheme> fec{};  ///< of video
    bool redundantSound = false;          ///< RED, and Opus in place of PCMU
    DataRate maxBitrate = DataRate::kbps(2000);
    DataRate startBitrate = DataRate::kbps(300);
    uint64_t seed = 1;
  };

  Link link;      ///< from a to b
  Link backLink;  ///< from b to a
  /// Sees every packet that enters the link, before loss; false drops it.
  std::function<bool(bool fromA, const OutgoingPacket&)> filter;

  /// Sees every event of a.
  std::function<void(const RtpEvent&)> onEvent;

  explicit SessionPair(const Options& options)
      : options_(options),
        random_(options.seed),
        lossRandom_(98 + options.seed),
        environment_{
            random_, pool_, nullLog(), WallClock{Timestamp(), 1'700'000'000'000'000'000}, {}},
        pattern_(options.realCodec ? 160 : 16, options.realCodec ? 120 : 16) {
    RtpSessionConfig config;
    config.cname = "cname-of-a";
    config.rates.start = options.startBitrate;
    config.rates.max = options.maxBitrate;
    config.reducedSizeRtcp = options.reducedSize;
    config.receiverReferenceTime = options.receiverReferenceTime;
    config.arrivalFeedback = ArrivalFeedback::None;
    config.peerReportsRfc8888 = options.congestionFeedback;
    a = std::make_unique<RtpSession>(environment_, config);
    config.cname = "cname-of-b";
    config.peerReportsRfc8888 = false;
    if (options.transportFeedback) config.arrivalFeedback = ArrivalFeedback::TransportWide;
    if (options.congestionFeedback) config.arrivalFeedback = ArrivalFeedback::Rfc8888;
    b = std::make_unique<RtpSession>(environment_, config);
  }

  ~SessionPair() {
    // Buffers go home before their pool ends.
    flying_.clear();
    a.reset();
    b.reset();
  }
  SessionPair(const SessionPair&) = delete;
  SessionPair& operator=(const SessionPair&) = delete;

  static rtp::ExtensionMap extensions(bool transportFeedback, bool sendTimes = true) {
    rtp::ExtensionMap map;
    map.add(rtp::ExtensionKind::Mid, 1);
    if (sendTimes) map.add(rtp::ExtensionKind::AbsSendTime, 2);
    if (transportFeedback) map.add(rtp::ExtensionKind::TransportSequenceNumber, 3);
    map.add(rtp::ExtensionKind::VideoOrientation, 4);
    map.add(rtp::ExtensionKind::AudioLevel, 5);
    return map;
  }

  void addVideo() {
    SendStreamConfig s;
    s.kind = MediaKind::Video;
    s.mid = "v";
    s.codec = "VP8";
    s.payloadType = 96;
    if (options_.rtx) {
      s.rtxPayloadType = 97;
      s.rtxSsrc = 0;
    }
    s.nack = true;
    s.maxBitrate = options_.maxBitrate;
    s.extensions = extensions(options_.transportFeedback, options_.sendTimes);
    if (options_.sendOffsets) s.extensions.add(rtp::ExtensionKind::TransmissionOffset, 6);
    if (options_.fec == rtp::FecScheme::Ulpfec) {
      s.fec = FecSendConfig{*options_.fec, 120, 0, 118, uint8_t{119}};
    } else if (options_.fec) {
      s.fec = FecSendConfig{*options_.fec, 49, 0, 0, {}};
    }
    video = a->addSendStream(s, now_).value();
    ReceiveConfig r;
    r.id = ReceiverId{1};
    r.mid = "v";
    r.kind = MediaKind::Video;
    ReceiveCodec codec;
    codec.payloadType = 96;
    codec.name = "VP8";
    if (options_.rtx) codec.rtxPayloadType = 97;
    codec.nack = codec.pli = codec.fir = true;
    r.codecs.push_back(codec);
    if (options_.fec) {
      r.codecs.push_back({118, "red", 90'000, 1, uint8_t{119}, false, false, false});
      r.codecs.push_back({120, "ulpfec", 90'000, 1, {}, false, false, false});
      const bool draft = options_.fec == rtp::FecScheme::Flexfec03;
      r.codecs.push_back(
          {49, draft ? "flexfec-03" : "flexfec", 90'000, 1, {}, false, false, false});
    }
    r.extensions = s.extensions;
    r.reportsRate = options_.rateReports;
    if (options_.synchronized) r.syncGroup = "s";
    b->setReceiver(r, now_);
    makeCodecs();
  }

  void addAudio() {
    SendStreamConfig s;
    s.kind = MediaKind::Audio;
    s.mid = "a";
    s.codec = "PCMU";
    s.payloadType = 0;
    s.clockRate = 8000;
    s.minBitrate = s.maxBitrate = DataRate::kbps(64);
    if (options_.redundantSound) {
      s.codec = "opus";
      s.payloadType = 111;
      s.clockRate = 48'000;
      s.red = AudioRedConfig{63, false};
      s.minBitrate = s.maxBitrate = DataRate::kbps(24);
    }
    s.extensions = extensions(options_.transportFeedback);
    audio = a->addSendStream(s, now_).value();
    ReceiveConfig r;
    r.id = ReceiverId{2};
    r.mid = "a";
    r.kind = MediaKind::Audio;
    ReceiveCodec codec;
    codec.payloadType = 0;
    codec.name = "PCMU";
    codec.clockRate = 8000;
    r.codecs.push_back(codec);
    r.codecs.push_back({111, "opus", 48'000, 2, {}, false, false, false});
    r.codecs.push_back({63, "red", 48'000, 2, {}, false, false, false});
    r.extensions = s.extensions;
    if (options_.synchronized) r.syncGroup = "s";
    b->setReceiver(r, now_);
    nextAudio_ = now_;
    if (options_.redundantSound) return;
    audioEncoder_ = codec::builtinAudioEncoders()->create({"PCMU", 8000, 1, {}}, {}).value();
    nextAudio_ = now_;
  }

  void connect() {
    a->setNetworkAvailable(true, now_);
    b->setNetworkAvailable(true, now_);
    step();
  }

  void run(Duration duration) {
    const Timestamp end = now_ + duration;
    if (encoder_) nextFrame_ = std::max(nextFrame_, now_);
    if (!nextAudio_.isNever()) nextAudio_ = std::max(nextAudio_, now_);
    decodedInRun = 0;
    longestGap = Duration::zero();
    lastDecoded_ = now_;
    bytesToB = 0;
    wakeUps = 0;
    while (true) {
      Timestamp next = earliest(a->nextDeadline(), b->nextDeadline(), nextArrival());
      if (sending) next = earliest(next, nextFrame_, nextAudio_);
      if (next > end) break;
      now_ = std::max(now_, next);
      step();
      ++wakeUps;
    }
    longestGap = std::max(longestGap, end - lastDecoded_);
    now_ = end;
  }

  Timestamp now() const { return now_; }
  Environment& environment() { return environment_; }
  PacketPool& pool() { return pool_; }
  SendStreamStats sent() const {
    std::vector<SendStreamStats> all;
    a->sendStats(all);
    return all.at(0);
  }
  InboundStats received() const {
    std::vector<InboundStats> all;
    b->receiveStats(all);
    return all.at(0);
  }

  std::unique_ptr<RtpSession> a;
  std::unique_ptr<RtpSession> b;
  SendStreamId video;
  SendStreamId audio;
  bool sending = true;
  bool obeyTarget = true;
  // What happened.
  int decoded = 0;
  int decodedInRun = 0;
  int decodeErrors = 0;
  int keyFrameRequests = 0;
  int audioUnits = 0;
  int audioPackets = 0;
  int framesOfSound = 0;
  int framesOfVideo = 0;
  int targetEvents = 0;
  int64_t bytesToB = 0;
  int wakeUps = 0;
  Duration longestGap;
  DataRate target;
  std::optional<uint32_t> lastNumber;
  std::vector<SourceEvent> sources;

 private:
  struct Flying {
    Timestamp arrival;
    uint64_t order;
    bool toB;
    OutgoingPacket packet;
  };

  void makeCodecs() {
    codec::VideoEncoderSettings settings;
    settings.width = options_.realCodec ? 160 : 16;
    settings.height = options_.realCodec ? 120 : 16;
    settings.startBitrate = options_.startBitrate;
    settings.maxBitrate = options_.maxBitrate;
    const codec::SdpVideoFormat vp8{"VP8", {}, {}};
    const auto encoders =
        options_.realCodec ? codec::builtinVideoEncoders() : codec::fakeVideoEncoders();
    const auto decoders =
        options_.realCodec ? codec::builtinVideoDecoders() : codec::fakeVideoDecoders();
    encoder_ = encoders->create(vp8, settings).value();
    decoder_ = decoders->create(vp8, {}).value();
    nextFrame_ = now_;
  }

  Timestamp nextArrival() const {
    return flying_.empty() ? Timestamp::never() : flying_.front().arrival;
  }

  void step() {
    deliver();
    capture();
    if (a->nextDeadline() <= now_) a->advance(now_);
    if (b->nextDeadline() <= now_) b->advance(now_);
    // Machine rule M4.
    ASSERT_GT(a->nextDeadline(), now_);
    ASSERT_GT(b->nextDeadline(), now_);
    takeEvents();
    takeFrames();
    send(*a, true);
    send(*b, false);
  }

  void capture() {
    if (!sending) return;
    while (encoder_ && nextFrame_ <= now_) {
      nextFrame_ += Duration::micros(33'333);
      if (!encoder_->encode(pattern_.next(now_), keyFrameWanted_)) continue;
      keyFrameWanted_ = false;
      ++framesOfVideo;
      while (encoder_->poll(encoded_))
        static_cast<void>(a->sendVideo(video, encoded_, now_).has_value());
    }
    while (audioEncoder_ && nextAudio_ <= now_) {
      nextAudio_ += Duration::millis(10);
      if (audioEncoder_->encode(tone_.next(now_), encodedAudio_))
        static_cast<void>(a->sendAudio(audio, encodedAudio_, now_).has_value());
    }
    while (options_.redundantSound && nextAudio_ <= now_) {
      // 20 ms of SILK; the number of the frame tells copies from the frame itself.
      nextAudio_ += Duration::millis(20);
      encodedAudio_.data.assign(60, 0);
      encodedAudio_.data[0] = 0x08;
      storeU32(&encodedAudio_.data[4], static_cast<uint32_t>(framesOfSound));
      encodedAudio_.samples = 960;
      encodedAudio_.capture = now_;
      encodedAudio_.rtpTimestamp = static_cast<uint32_t>(framesOfSound++) * 960;
      static_cast<void>(a->sendAudio(audio, encodedAudio_, now_).has_value());
    }
  }

  void takeEvents() {
    RtpEvent event;
    while (a->pollEvent(event)) {
      if (onEvent) onEvent(event);
      if (std::get_if<KeyFrameRequested>(&event) != nullptr) {
        keyFrameWanted_ = true;
        ++keyFrameRequests;
      } else if (const auto* change = std::get_if<TargetBitrateChanged>(&event)) {
        if (change->stream != video) continue;
        ++targetEvents;
        target = change->rate;
        if (encoder_ && obeyTarget && !change->rate.isZero()) encoder_->setRates(change->rate, 30);
      }
    }
    while (b->pollEvent(event)) {
      if (const auto* source = std::get_if<SourceEvent>(&event)) sources.push_back(*source);
    }
  }

  void takeFrames() {
    while (b->pollFrame(frame_)) {
      codec::EncodedVideoView view;
      view.data = frame_.payload;
      view.keyFrame = frame_.keyFrame;
      view.rtpTimestamp = frame_.rtpTimestamp;
      const auto status = decoder_->decode(view, shown_);
      if (status == codec::DecodeStatus::Ok) {
        ++decoded;
        ++decodedInRun;
        longestGap = std::max(longestGap, now_ - lastDecoded_);
        lastDecoded_ = now_;
        if (options_.realCodec) lastNumber = codec::TestPattern::readFrameNumber(*shown_.buffer);
      } else {
        ++decodeErrors;
        b->decoderLostState(frame_.receiver, now_);
      }
    }
    while (b->pollAudio(unit_)) {
      ++audioUnits;
      if (unit_.kind == AudioPlayoutUnit::Kind::Packet) ++audioPackets;
    }
  }

  void send(RtpSession& from, bool fromA) {
    OutgoingPacket packet;
    const Link& l = fromA ? link : backLink;
    Timestamp& free = fromA ? freeToB_ : freeToA_;
    while (from.pollTransmit(packet)) {
      if (filter && !filter(fromA, packet)) continue;
      if (lossRandom_.unit() < l.loss) continue;
      Timestamp leaves = now_;
      if (!l.rate.isInfinite()) {
        if (free - now_ > l.queue) continue;
        free = std::max(free, now_) + l.rate.timeFor(static_cast<int64_t>(packet.data.size()));
        leaves = free;
      }
      flying_.push_back({leaves + l.delay, order_++, fromA, std::move(packet)});
      std::push_heap(flying_.begin(), flying_.end(), later);
    }
  }
  static bool later(const Flying& x, const Flying& y) {
    return x.arrival != y.arrival ? x.arrival > y.arrival : x.order > y.order;
  }

  void deliver() {
    while (!flying_.empty() && flying_.front().arrival <= now_) {
      std::pop_heap(flying_.begin(), flying_.end(), later);
      Flying f = std::move(flying_.back());
      flying_.pop_back();
      RtpSession& to = f.toB ? *b : *a;
      if (f.toB) bytesToB += static_cast<int64_t>(f.packet.data.size());
      if (f.packet.isRtcp) {
        to.handleRtcp(f.packet.data.span(), now_);
      } else {
        to.handleRtp(std::move(f.packet.data), now_);
      }
    }
  }

  Options options_;
  SeededRandom random_;
  SeededRandom lossRandom_;
  PacketPool pool_;
  Environment environment_;
  Timestamp now_ = Timestamp::seconds(1000);
  std::unique_ptr<codec::VideoEncoder> encoder_;
  std::unique_ptr<codec::VideoDecoder> decoder_;
  std::unique_ptr<codec::AudioEncoder> audioEncoder_;
  codec::TestPattern pattern_;
  codec::ToneSource tone_{440, 0.5, 8000};
  codec::EncodedVideoFrame encoded_;
  codec::EncodedAudioFrame encodedAudio_;
  codec::VideoFrame shown_;
  ReceivedFrame frame_;
  AudioPlayoutUnit unit_;
  bool keyFrameWanted_ = false;
  Timestamp nextFrame_ = Timestamp::never();
  Timestamp nextAudio_ = Timestamp::never();
  Timestamp lastDecoded_;
  Timestamp freeToA_;
  Timestamp freeToB_;
  std::vector<Flying> flying_;
  uint64_t order_ = 0;
};

}  // namespace parley::media
