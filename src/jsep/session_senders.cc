// A sender's encodings, each an RTP stream of its own: made and changed as negotiated and as the
// application asks.

#include <algorithm>
#include <utility>

#include "parley/base/text.h"
#include "parley/jsep/session.h"

#include "jsep/media_mapping.h"

namespace parley::jsep {
namespace {

/// Of those that its frames can be in, the application's choice if it is negotiated, else the
/// first.
const sdp::CodecParams* chosenCodec(const std::vector<sdp::CodecParams>& codecs,
                                    const std::vector<std::string>& makes,
                                    const std::optional<sdp::CodecParams>& choice) {
  const sdp::CodecParams* first = nullptr;
  for (const sdp::CodecParams& codec : codecs) {
    const bool makesIt =
        makes.empty() || std::any_of(makes.begin(), makes.end(),
                                     [&](const std::string& name) { return codec.is(name); });
    if (codec.isAuxiliary() || !makesIt) continue;
    if (choice && sdp::sameFormat(codec, *choice)) return &codec;
    if (first == nullptr) first = &codec;
  }
  return first;
}

/// Whether all that RED carries is of this payload type: "111/111".
bool carries(const sdp::CodecParams& red, uint8_t payloadType) {
  if (red.fmtp.empty()) return false;
  std::string_view list = red.fmtp.front().key;
  while (!list.empty()) {
    if (parseNumber<uint8_t>(cutToken(list, '/')) != payloadType) return false;
  }
  return true;
}

/// Telephone events of one clock rate with the sound: they share its time line (RFC 4733 section
/// 2.1).
std::optional<uint8_t> eventsOf(const std::vector<sdp::CodecParams>& codecs, uint32_t clockRate) {
  for (const sdp::CodecParams& codec : codecs) {
    if (codec.is("telephone-event") && codec.clockRate == clockRate) return codec.payloadType;
  }
  return std::nullopt;
}

/// RED that carries this codec (RFC 2198; its fmtp says what it carries). Always used where it is
/// preferred to the codec itself.
std::optional<media::AudioRedConfig> redOf(const std::vector<sdp::CodecParams>& codecs,
                                           const sdp::CodecParams& codec, bool onLoss) {
  bool preferred = true;
  for (const sdp::CodecParams& c : codecs) {
    if (c.payloadType == codec.payloadType) preferred = false;
    if (c.is("red") && c.clockRate == codec.clockRate && carries(c, codec.payloadType)) {
      if (!preferred && !onLoss) return std::nullopt;
      return media::AudioRedConfig{c.payloadType, preferred};
    }
  }
  return std::nullopt;
}

const sdp::CodecParams* named(const std::vector<sdp::CodecParams>& codecs, std::string_view name) {
  const auto it =
      std::find_if(codecs.begin(), codecs.end(), [&](const auto& c) { return c.is(name); });
  return it == codecs.end() ? nullptr : &*it;
}

/// FlexFEC in the peer's order, else ULPFEC; which takes numbers from the media, so that it is for
/// codecs whose pictures tell by themselves whether one is missing (VP8, VP9).
std::optional<media::FecSendConfig> fecOf(const std::vector<sdp::CodecParams>& codecs,
                                          const sdp::CodecParams& codec, uint32_t ssrc) {
  media::FecSendConfig out;
  out.ssrc = ssrc;
  for (const sdp::CodecParams& c : codecs) {
    const auto scheme = rtp::fecSchemeOf(c.name);
    if (!scheme || *scheme == rtp::FecScheme::Ulpfec) continue;
    out.scheme = *scheme;
    out.payloadType = c.payloadType;
    return out;
  }
  const sdp::CodecParams* ulpfec = named(codecs, "ulpfec");
  const sdp::CodecParams* red = named(codecs, "red");
  if (!ulpfec || !red || !(codec.is("VP8") || codec.is("VP9"))) return std::nullopt;
  out.scheme = rtp::FecScheme::Ulpfec;
  out.payloadType = ulpfec->payloadType;
  out.redPayloadType = red->payloadType;
  out.redRtxPayloadType = rtxOf(codecs, red->payloadType);
  return out;
}

/// RFC 8853 section 5.4: without simulcast in the answer a sender of layers sends the first. Layers
/// told by SSRCs only are no matter of negotiation.
bool isSent(const MediaSettings& settings, const SenderState& sender, const Encoding& encoding) {
  if (sender.layersBySsrc) return true;
  if (settings.sendRids.empty()) return encoding.rid == sender.encodings.front().rid;
  return std::find(settings.sendRids.begin(), settings.sendRids.end(), encoding.rid) !=
         settings.sendRids.end();
}

}  // namespace

const Session::Sender::Stream* Session::Sender::find(const std::string& rid) const {
  const auto it =
      std::find_if(streams.begin(), streams.end(), [&](const Stream& s) { return s.rid == rid; });
  return it == streams.end() ? nullptr : &*it;
}

void Session::applySender(const TransceiverState& transceiver, Sender& sender, Timestamp now) {
  const std::vector<Encoding>& encodings = transceiver.sender.encodings;
  // Layers that the peer does not take, and those that a new description has taken away.
  const auto gone = [&](const Sender::Stream& stream) {
    const auto known = std::find_if(encodings.begin(), encodings.end(),
                                    [&](const Encoding& e) { return e.rid == stream.rid; });
    const bool sent =
        known != encodings.end() &&
        (!sender.settings.send || isSent(sender.settings, transceiver.sender, *known));
    if (!sent) sender.lane->rtp->removeSendStream(stream.id, now);
    return !sent;
  };
  std::erase_if(sender.streams, gone);
  SenderConfigured event{transceiver.id.value, kindOf(transceiver), {}};
  for (const Encoding& encoding : encodings) {
    SenderConfigured::Encoding& out = event.encodings.emplace_back();
    out.rid = encoding.rid;
    out.ssrc = encoding.ssrc;
    out.samplesPictures =
        extensionsOf(sender.settings, true).has(rtp::ExtensionKind::CorruptionDetection);
    applyEncoding(transceiver, sender, encoding, out, now);
    if (const Sender::Stream* stream = sender.find(encoding.rid))
      out.timestampOffset = sender.lane->rtp->timestampOffset(stream->id);
  }
  events_.push(std::move(event));
}

void Session::applyEncoding(const TransceiverState& transceiver, Sender& sender,
                            const Encoding& encoding, SenderConfigured::Encoding& out,
                            Timestamp now) {
  const MediaSettings& settings = sender.settings;
  const sdp::CodecParams* codec = nullptr;
  if (settings.send && isSent(settings, transceiver.sender, encoding)) {
    const SenderTuning& tuning = sender.tunings[encoding.rid];
    codec = sender.forwardedCodec ? chosenCodec(settings.sendCodecs, {}, sender.forwardedCodec)
                                  : chosenCodec(settings.sendCodecs, tuning.makes, tuning.codec);
  }
  const auto config = sendConfig(transceiver, sender, encoding, codec);
  if (!config) return;
  if (codec) out.codec = *codec;
  if (const Sender::Stream* stream = sender.find(encoding.rid)) {
    if (!sender.lane->rtp->updateSendStream(stream->id, *config, now)) out.codec.reset();
    return;
  }
  const Result<media::SendStreamId> added = sender.lane->rtp->addSendStream(*config, now);
  if (added) {
    sender.streams.push_back({encoding.rid, *added});
  } else {
    out.codec.reset();  // no payload format for it: nothing can be sent
  }
}

/// Nothing for an encoding that is not sent and never was; the former configuration, but inactive,
/// for one that was.
std::optional<media::SendStreamConfig> Session::sendConfig(const TransceiverState& transceiver,
                                                           const Sender& sender,
                                                           const Encoding& encoding,
                                                           const sdp::CodecParams* codec) const {
  const MediaSettings& settings = sender.settings;
  const Sender::Stream* stream = sender.find(encoding.rid);
  if (!codec && !stream) return std::nullopt;
  const auto tuned = sender.tunings.find(encoding.rid);
  const SenderTuning tuning = tuned == sender.tunings.end() ? SenderTuning{} : tuned->second;
  const MediaKind kind = kindOf(transceiver);
  const bool bySsrc = transceiver.sender.layersBySsrc;
  const std::vector<std::string> told = bySsrc ? std::vector<std::string>{} : settings.sendRids;
  const size_t layers = bySsrc ? transceiver.sender.encodings.size() : told.size();
  media::SendStreamConfig config;
  if (stream) config = *sender.lane->rtp->sendStream(stream->id);
  config.active = codec != nullptr && tuning.active;
  if (codec) {
    config.kind = kind;
    config.mid = settings.mid;
    config.rid = told.empty() ? std::string{} : encoding.rid;
    config.ssrc = encoding.ssrc;
    config.payloadType = codec->payloadType;
    config.rtxPayloadType = rtxOf(settings.sendCodecs, codec->payloadType);
    if (config.rtxPayloadType) config.rtxSsrc = encoding.rtxSsrc;
    config.eventPayloadType =
        kind == MediaKind::Audio ? eventsOf(settings.sendCodecs, codec->clockRate) : std::nullopt;
    config.codec = codec->name;
    config.clockRate = static_cast<int>(codec->clockRate);
    config.payloadFormat.h264PacketizationMode =
        static_cast<int>(codec->fmtpNumber("packetization-mode").value_or(0));
    config.extensions = extensionsOf(settings, true);
    config.mixedForms = settings.extmapAllowMixed;
    config.nack = codec->hasFeedback("nack");
    config.red.reset();
    config.fec.reset();
    if (kind == MediaKind::Audio) {
      config.red = redOf(settings.sendCodecs, *codec, redundantSoundOnLoss_);
    } else if (layers < 2 || !settings.sendRids.empty()) {
      // Each layer of simulcast has its own, known by its repaired-rid (RFC 8853 section 5.5):
      // whoever agreed to it undoes it before he hands packets on.
      config.fec = fecOf(settings.sendCodecs, *codec, encoding.fecSsrc);
    }
    if (kind == MediaKind::Audio) {
      config.minBitrate = DataRate::kbps(16);
      config.maxBitrate = DataRate::kbps(64);
    } else {
      config.maxBitrate = rtpConfig_.rates.max;
    }
    config.layer.reset();
    if (layers > 1) {
      config.layer = media::SimulcastLayer{transceiver.id.value, tuning.scaleDownBy,
                                           tuning.maxBitrate.has_value()};
    }
  }
  if (settings.maxSendBitrate) {
    config.maxBitrate =
        std::min(config.maxBitrate, DataRate::bps(static_cast<int64_t>(*settings.maxSendBitrate)));
  }
  if (tuning.maxBitrate) config.maxBitrate = std::min(config.maxBitrate, *tuning.maxBitrate);
  // A call that stutters is worse than one that blurs.
  config.priority = tuning.priority * (kind == MediaKind::Audio ? 2 : 1);
  config.playoutDelay = tuning.playoutDelay;
  config.dscp = media::dscpOf(kind, tuning.networkPriority);
  config.minBitrate = std::min(config.minBitrate, config.maxBitrate);
  config.takesPackets = takesPackets_.contains(transceiver.id.value);
  if (config.takesPackets) {
    config.red.reset();
    config.fec.reset();
  }
  return config;
}

/// The next description names the new SSRCs; until then the peer knows the source by its mid
/// (RFC 9143 section 9.2).
void Session::onSsrcChanged(Lane& lane, media::SendStreamId stream) {
  const auto of = encodingOf(stream, lane.id);
  const media::SendStreamConfig* const config = lane.rtp->sendStream(stream);
  TransceiverState* const transceiver = of ? state_.find(TransceiverId(of->transceiver)) : nullptr;
  if (!transceiver || !config) return;
  const auto follow = [&](std::vector<Encoding>& encodings) {
    for (Encoding& encoding : encodings) {
      if (encoding.rid != of->rid) continue;
      encoding.ssrc = config->ssrc;
      if (config->rtxSsrc) encoding.rtxSsrc = *config->rtxSsrc;
      if (config->fec) encoding.fecSsrc = config->fec->ssrc;
    }
  };
  follow(transceiver->sender.encodings);
  if (transceiver->encodingsBeforeOffer) follow(*transceiver->encodingsBeforeOffer);
  applySender(*transceiver, senders_[of->transceiver], clock_.last());
}

void Session::tuneSender(uint32_t id, const std::vector<SenderTuning>& tunings, Timestamp now) {
  now = clock_.clamp(now);
  Sender& sender = senders_[id];
  const TransceiverState* transceiver = state_.find(TransceiverId(id));
  if (!transceiver) return;
  const std::vector<Encoding>& encodings = transceiver->sender.encodings;
  std::map<std::string, SenderTuning> next;
  for (size_t i = 0; i < encodings.size() && i < tunings.size(); ++i)
    next[encodings[i].rid] = tunings[i];
  if (std::exchange(sender.tunings, next) == next) return;
  // Also with none: until now there may have been no codec for it.
  if (!sender.streams.empty() || (sender.lane && sender.lane->rtp && sender.settings.send))
    applySender(*transceiver, sender, now);
}

std::optional<media::SendStreamId> Session::sendStream(uint32_t transceiver) const {
  const auto it = senders_.find(transceiver);
  if (it == senders_.end() || it->second.streams.empty()) return std::nullopt;
  return it->second.streams.front().id;
}

std::optional<SenderEncoding> Session::encodingOf(media::SendStreamId stream,
                                                  uint32_t transport) const {
  for (const auto& [id, sender] : senders_) {
    if (sender.lane && sender.lane->id != transport) continue;
    for (const Sender::Stream& s : sender.streams) {
      if (s.id == stream) return SenderEncoding{id, s.rid};
    }
  }
  return std::nullopt;
}

void Session::sendVideo(uint32_t transceiver, const codec::EncodedVideoFrame& frame, Timestamp now,
                        const std::string& rid) {
  now = clock_.clamp(now);
  const auto it = senders_.find(transceiver);
  const Sender::Stream* stream = it == senders_.end() ? nullptr : it->second.find(rid);
  // A refused frame is counted in the stream's statistics and leads to a KeyFrameRequested.
  if (stream && !closed_) (void)it->second.lane->rtp->sendVideo(stream->id, frame, now);
  pumpMedia(now);
}

void Session::sendAudio(uint32_t transceiver, const codec::EncodedAudioFrame& frame,
                        Timestamp now) {
  now = clock_.clamp(now);
  const auto stream = sendStream(transceiver);
  if (stream && !closed_) (void)laneOfMedia(transceiver).rtp->sendAudio(*stream, frame, now);
  pumpMedia(now);
}

}  // namespace parley::jsep
