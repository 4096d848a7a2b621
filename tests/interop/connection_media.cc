// Commands about media and statistics.

#include <stdexcept>
#include <utility>

#include "parley/base/text.h"

#include "awaiting.h"
#include "compressed.h"
#include "connection.h"

namespace parley::interop {
namespace {

MediaKind kindOf(const Json& request) {
  return request.value("kind", "video") == "audio" ? MediaKind::Audio : MediaKind::Video;
}

TransceiverDirection directionOf(const std::string& text) {
  for (const auto direction : {TransceiverDirection::SendRecv, TransceiverDirection::SendOnly,
                               TransceiverDirection::RecvOnly, TransceiverDirection::Inactive}) {
    if (text == toString(direction)) return direction;
  }
  throw std::runtime_error("Type: no direction " + text);
}

void change(RtpEncodingParameters& encoding, const Json& given) {
  if (given.contains("rid")) encoding.rid = given["rid"].get<std::string>();
  encoding.active = given.value("active", encoding.active);
  if (const auto rate = optionalMember<int64_t>(given, "maxBitrate"))
    encoding.maxBitrate = DataRate::bps(*rate);
  if (const auto rate = optionalMember<double>(given, "maxFramerate"))
    encoding.maxFramerate = *rate;
  if (const auto scale = optionalMember<double>(given, "scaleResolutionDownBy"))
    encoding.scaleResolutionDownBy = *scale;
  if (given.contains("scalabilityMode"))
    encoding.scalabilityMode = given["scalabilityMode"].get<std::string>();
}

TransceiverInit initOf(const Json& request, const char* direction) {
  TransceiverInit init;
  init.direction = directionOf(request.value("direction", direction));
  for (const Json& given : request.value("sendEncodings", Json::array()))
    change(init.sendEncodings.emplace_back(), given);
  return init;
}

/// Codec names in order of preference, e.g. ["VP9", "rtx"]; all others are left out.
void prefer(const PeerConnection& pc, RtpTransceiver transceiver, const Json& names) {
  const std::vector<RtpCodec> all = pc.capabilities(transceiver.kind()).codecs;
  std::vector<RtpCodec> chosen;
  for (const Json& name : names) {
    for (const RtpCodec& codec : all) {
      const std::string_view type = codec.mimeType;
      if (equalsIgnoreCase(type.substr(type.find('/') + 1), name.get<std::string>()))
        chosen.push_back(codec);
    }
  }
  need(transceiver.setCodecPreferences(std::move(chosen)));
}

Json candidateJson(const Stats* candidate) {
  if (!candidate) return nullptr;
  return {{"type", candidate->text("candidateType")},
          {"address", candidate->text("address")},
          {"port", candidate->number("port")},
          {"protocol", candidate->text("protocol")}};
}

}  // namespace

Connection::Source Connection::makeSource(MediaKind kind, const Json& request) {
  Source out;
  if (kind == MediaKind::Audio) {
    out.track = MediaStreamTrack::createAudio(shared_.loop,
                                              createToneSource(request.value("frequency", 440.0)));
    return out;
  }
  const bool film = request.value("source", "pattern") == "clip";
  if (film && shared_.clip.empty()) throw std::runtime_error("there is no clip");
  out.video = std::make_shared<NumberedSource>(request, film ? shared_.clip : "");
  if (ownCodecs_) {
    const Json codecs = request.value("codecs", Json::array({"H264"}));
    out.track = makeCompressedTrack(shared_.loop, out.video, codecs.at(0).get<std::string>());
  } else {
    out.track = MediaStreamTrack::createVideo(shared_.loop, out.video);
  }
  return out;
}

Json Connection::addTrack(const Json& request) {
  const MediaKind kind = kindOf(request);
  const Source source = makeSource(kind, request);
  {
    const std::lock_guard lock(mutex_);
    sources_[kind] = source;
  }
  TransceiverInit init = initOf(request, "sendrecv");
  init.streams = {"stream-" + source.track.id()};
  RtpTransceiver chosen;
  for (const RtpTransceiver& transceiver : pc_.getTransceivers()) {
    if (transceiver.kind() != kind || transceiver.stopped() || transceiver.sender().track())
      continue;
    chosen = transceiver;
    break;
  }
  if (chosen) {
    await<void>([&](auto done) { chosen.sender().replaceTrack(source.track, std::move(done)); });
    need(chosen.setDirection(init.direction));
    (void)chosen.sender().setStreams(init.streams);
  } else {
    chosen = need(pc_.addTransceiver(source.track, init));
  }
  if (request.contains("codecs")) prefer(pc_, chosen, request["codecs"]);
  return {{"trackId", source.track.id()}};
}

void Connection::removeTrack(const Json& request) {
  for (const RtpSender& sender : pc_.getSenders()) {
    MediaStreamTrack track = sender.track();
    if (!track || track.kind() != kindOf(request)) continue;
    track.stop();
    return need(pc_.removeTrack(sender));
  }
  throw std::runtime_error("nothing of that kind is sent");
}

RtpTransceiver Connection::transceiverOf(MediaKind kind) const {
  for (const RtpTransceiver& transceiver : pc_.getTransceivers()) {
    if (transceiver.kind() == kind && !transceiver.stopped()) return transceiver;
  }
  throw std::runtime_error("no transceiver of that kind");
}

void Connection::stopTransceiver(const Json& request) {
  need(transceiverOf(kindOf(request)).stop());
}

void Connection::addTransceiver(const Json& request) {
  const RtpTransceiver made =
      need(pc_.addTransceiver(kindOf(request), initOf(request, "recvonly")));
  if (request.contains("codecs")) prefer(pc_, made, request["codecs"]);
}

void Connection::setCodecs(const Json& request) {
  prefer(pc_, transceiverOf(kindOf(request)), request.at("codecs"));
}

void Connection::setSender(const Json& request) {
  for (RtpSender sender : pc_.getSenders()) {
    const MediaStreamTrack track = sender.track();
    if (!track || track.kind() != kindOf(request)) continue;
    RtpSendParameters parameters = sender.getParameters();
    change(parameters.encodings.at(request.value("encoding", size_t{0})), request);
    if (request.contains("degradationPreference")) {
      parameters.degradationPreference =
          fromString<DegradationPreference>(request["degradationPreference"].get<std::string>());
    }
    await<void>([&](auto done) { sender.setParameters(parameters, std::move(done)); });
    return;
  }
  throw std::runtime_error("nothing of that kind is sent");
}

Json Connection::transceivers() const {
  Json out = Json::array();
  for (const RtpTransceiver& transceiver : pc_.getTransceivers()) {
    const auto current = transceiver.currentDirection();
    out.push_back({{"mid", orNull(transceiver.mid())},
                   {"kind", toString(transceiver.kind())},
                   {"direction", toString(transceiver.direction())},
                   {"currentDirection", current ? Json(toString(*current)) : Json()}});
  }
  return out;
}

StatsReport Connection::statsReport() {
  return await<StatsReport>([&](auto done) { pc_.getStats(std::move(done)); });
}

Json Connection::stats(const Json& request) {
  Json out = Json::array();
  const Json all = Json::parse(statsReport().toJson());
  for (const Json& entry : all) {
    bool wanted = !request.contains("types");
    for (const Json& type : request.value("types", Json::array()))
      wanted = wanted || entry["type"] == type;
    if (wanted) out.push_back(entry);
  }
  return out;
}

Json Connection::selected() {
  const StatsReport all = statsReport();
  Json out;
  for (const Stats* transport : all.ofType("transport")) {
    out["tls"] = transport->text("tlsVersion");
    out["dtlsCipher"] = transport->text("dtlsCipher");
    out["dtlsRole"] = transport->text("dtlsRole");
    out["srtp"] = transport->text("srtpCipher");
    const Stats* pair = all.find(transport->text("selectedCandidatePairId"));
    if (!pair) continue;
    out["rtt_s"] = pair->number("currentRoundTripTime");
    out["local"] = candidateJson(all.find(pair->text("localCandidateId")));
    out["remote"] = candidateJson(all.find(pair->text("remoteCandidateId")));
  }
  out["codecs"] = Json::array();
  for (const Stats* stream : all.ofType("inbound-rtp")) {
    const Stats* codec = all.find(stream->text("codecId"));
    out["codecs"].push_back({{"kind", stream->text("kind")},
                             {"mime", codec ? codec->text("mimeType") : ""},
                             {"frames", stream->number("framesDecoded")},
                             {"lost", stream->number("packetsLost")},
                             {"nack", stream->number("nackCount")},
                             {"pli", stream->number("pliCount")}});
  }
  return out;
}

Json Connection::media() {
  std::map<std::string, std::shared_ptr<MediaMeter>> meters;
  {
    const std::lock_guard lock(mutex_);
    meters = meters_;
  }
  Json out = Json::array();
  for (const auto& [mid, meter] : meters) out.push_back(meter->measure());
  return out;
}

Json Connection::frame(const Json& request) {
  std::shared_ptr<MediaMeter> found;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [mid, meter] : meters_) {
      if (meter->kind() == MediaKind::Video && request.value("mid", mid) == mid) found = meter;
    }
  }
  if (!found) throw std::runtime_error("no video received");
  return found->frame();
}

Json Connection::sourceFrame(const Json& request) {
  std::shared_ptr<NumberedSource> source;
  {
    const std::lock_guard lock(mutex_);
    source = sources_[MediaKind::Video].video;
  }
  if (!source) throw std::runtime_error("no video sent");
  return source->frame(request.at("number").get<uint32_t>());
}

}  // namespace parley::interop
