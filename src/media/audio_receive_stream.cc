#include "media/audio_receive_stream.h"

#include "parley/base/text.h"
#include "parley/rtp/extensions/abs_capture_time.h"
#include "parley/rtp/payload_format/opus_packet.h"

namespace parley::media {

namespace {

// Opus: "1-2 octet packets" carry no sound in discontinuous transmission (RFC 6716 section 2.1.9).
constexpr size_t kMaxDtxBytes = 2;
constexpr uint32_t kMaxSeconds = 1;

// How many RTP ticks a payload lasts; 0 if it cannot be.
uint32_t durationOf(const ReceiveCodec& codec, ByteSpan payload) {
  if (equalsIgnoreCase(codec.name, "opus")) {
    const auto info = rtp::OpusPacketInfo::parse(payload);
    return info ? static_cast<uint32_t>(info->duration().micros() * 48 / 1000) : 0;
  }
  const bool g722 = equalsIgnoreCase(codec.name, "G722");
  if (g722 || equalsIgnoreCase(codec.name, "PCMU") || equalsIgnoreCase(codec.name, "PCMA")) {
    // One byte per sample and channel. G.722 packs two samples of 16 kHz in a byte, but its RTP
    // clock runs at 8 kHz (RFC 3551 section 4.5.2).
    const uint32_t samples =
        static_cast<uint32_t>(payload.size() / std::max<size_t>(codec.channels, 1));
    return samples > kMaxSeconds * codec.clockRate ? 0 : samples;
  }
  return codec.clockRate / 50;
}

bool isTone(const ReceiveCodec& codec) {
  return equalsIgnoreCase(codec.name, "telephone-event");
}

// Telephone events are not: the packets around them carry it.
bool isSound(const ReceiveCodec& codec) {
  return !isTone(codec) && !equalsIgnoreCase(codec.name, "red");
}

}  // namespace

AudioReceiveStream::AudioReceiveStream(const Environment& environment, const ReceiveConfig& config,
                                       uint32_t ssrc, uint32_t clockRate, HeldTotals& held)
    : ReceiveStream(environment, config, ssrc, held), buffer_(clockRate), clockRate_(clockRate) {
  forgetHeard();
}

void AudioReceiveStream::receive(PacketBuf packet, const rtp::PacketView& view,
                                 const ReceiveConfig& config, const ReceiveCodec& codec,
                                 int64_t sequence, int64_t rtp, Arrival arrival, Timestamp now) {
  if (codec.nack) nack_.handlePacket(sequence, false, arrival != Arrival::Direct, now);
  const ByteSpan payload = view.payload();
  std::optional<NtpTime> captureTime;
  if (const auto capture = rtp::getExtension<rtp::AbsCaptureTime>(view, config.extensions)) {
    captureTime = capture->captureTime;
  }
  bool good = true;
  if (equalsIgnoreCase(codec.name, "red")) {
    good = insertRed(std::move(packet), payload, config, rtp, captureTime, now);
  } else if (isTone(codec)) {
    good = tones_.receive(payload, view.timestamp(), codec.clockRate, now);
  } else if (!payload.empty() && isSound(codec)) {
    good = insert(std::move(packet), payload, codec, rtp, false, captureTime, now);
  }
  if (!good) ++counters_.malformedPackets;
  advance(now);
}

bool AudioReceiveStream::insertRed(PacketBuf packet, ByteSpan payload, const ReceiveConfig& config,
                                   int64_t rtp, std::optional<NtpTime> captureTime, Timestamp now) {
  if (!rtp::RedPayload::parse(payload, red_)) return false;
  for (size_t i = 0; i + 1 < red_.blocks.size(); ++i) {
    const rtp::RedBlock& block = red_.blocks[i];
    const int64_t at = rtp - block.timestampOffset;
    const ReceiveCodec* inner = config.codecOf(block.payloadType);
    if (!inner || !isSound(*inner) || block.data.empty()) continue;
    ++counters_.fecPacketsReceived;
    counters_.fecBytesReceived += block.data.size();
    // Nothing was played before the first packet, so nothing is missing there.
    const bool known =
        !firstRtp_ || at < *firstRtp_ || inner->clockRate != clockRate_ || wasHeard(at);
    // A copy that came too late says how late copies come.
    if (!known) buffer_.noteCopy(at, now);
    if (known || buffer_.isPast(at)) {
      ++counters_.fecPacketsDiscarded;
      continue;
    }
    PacketBuf copy = environment_.pool.copyOf(block.data);
    if (!copy) continue;
    const ByteSpan data = copy.span();
    insert(std::move(copy), data, *inner, at, true, std::nullopt, now);
  }
  const rtp::RedBlock& primary = red_.primary();
  const ReceiveCodec* inner = config.codecOf(primary.payloadType);
  if (!inner || equalsIgnoreCase(inner->name, "red")) return false;
  if (isTone(*inner))
    return tones_.receive(primary.data, static_cast<uint32_t>(rtp), inner->clockRate, now);
  return insert(std::move(packet), primary.data, *inner, rtp, false, captureTime, now);
}

bool AudioReceiveStream::insert(PacketBuf buffer, ByteSpan payload, const ReceiveCodec& codec,
                                int64_t rtp, bool redundant, std::optional<NtpTime> captureTime,
                                Timestamp now) {
  const bool comfortNoise = equalsIgnoreCase(codec.name, "CN");
  if (codec.clockRate != clockRate_) {
    if (comfortNoise) return true;
    // RFC 7160 section 4.1 asks for a new SSRC with a new clock rate; browsers that change codecs
    // keep the old one.
    clockRate_ = codec.clockRate;
    buffer_.changeClockRate(clockRate_);
    forgetHeard();
  }
  AudioPacket p;
  p.rtp = rtp;
  p.payloadType = codec.payloadType;
  p.arrival = now;
  p.redundant = redundant;
  p.captureTime = captureTime;
  p.samples = comfortNoise ? codec.clockRate / 50 : durationOf(codec, payload);
  if (p.samples == 0) return false;
  p.silence = comfortNoise;
  if (equalsIgnoreCase(codec.name, "opus")) {
    p.dtx = payload.size() <= kMaxDtxBytes;
    const auto info = rtp::OpusPacketInfo::parse(payload);
    p.hasFec = info && info->hasFec;
  }
  p.payload = payload;
  p.buffer = std::move(buffer);
  if (!redundant) lastRtp_ = rtp;
  if (!firstRtp_) firstRtp_ = rtp;
  noteHeard(rtp);
  remember(codec);
  if (buffer_.insert(std::move(p), now) != AudioJitterBuffer::Insert::Ok) {
    ++counters_.packetsDiscarded;
  }
  return true;
}

void AudioReceiveStream::remember(const ReceiveCodec& codec) {
  for (Format& f : formats_) {
    if (f.payloadType != codec.payloadType) continue;
    if (f.name != codec.name) f.name = codec.name;
    f.clockRate = codec.clockRate;
    f.channels = codec.channels;
    return;
  }
  formats_.push_back({codec.payloadType, codec.name, codec.clockRate, codec.channels});
}

bool AudioReceiveStream::pollTone(ToneEvent& out) {
  if (!tones_.poll(out)) return false;
  out.receiver = receiver();
  out.ssrc = ssrc();
  return true;
}

void AudioReceiveStream::advance(Timestamp now) {
  tones_.advance(now);
  while (buffer_.produce(now, unit_)) {
    // Sound that nobody fetched in a second is of no use: the oldest makes room.
    if (ready_.full()) ready_.dropFront();
    unit_.receiver = receiver();
    unit_.ssrc = ssrc();
    for (const Format& f : formats_) {
      if (f.payloadType != unit_.payloadType) continue;
      unit_.codecName = f.name;
      unit_.clockRate = f.clockRate;
      unit_.channels = f.channels;
    }
    const Captured captured = capturedAt(unit_.rtpTimestamp);
    if (!unit_.captureTime) unit_.captureTime = captured.time;
    unit_.captureClockOffset = captured.clockOffset;
    std::swap(ready_.push(), unit_);
  }
  noteHeld(buffer_.packets(), 0);
  // What is not here within the playout delay has been concealed.
  nack_.forgetMissedBefore(now - buffer_.targetDelay());
  collectNacks(now);
  nack_.takeGaveUp();
}

void AudioReceiveStream::shed(Timestamp now) {
  counters_.packetsDiscarded += buffer_.packets();
  buffer_.dropPackets();
  advance(now);
}

Timestamp AudioReceiveStream::nextDeadline() const {
  return earliest(buffer_.nextDeadline(), nackDeadline(), tones_.nextDeadline());
}

std::optional<Duration> AudioReceiveStream::captureToPlayout() const {
  if (!lastRtp_ || buffer_.isLearning()) return std::nullopt;
  const auto capture = captureBySender(static_cast<uint32_t>(*lastRtp_));
  if (!capture) return std::nullopt;
  return buffer_.idealPlayout(*lastRtp_) - *capture;
}

}  // namespace parley::media
