// Commands that change a running call without negotiation: another track, tones, encryption end to
// end.

#include <stdexcept>
#include <utility>

#include "awaiting.h"
#include "connection.h"

namespace parley::interop {

void Connection::replaceTrack(const Json& request) {
  const MediaKind kind =
      request.value("kind", "video") == "audio" ? MediaKind::Audio : MediaKind::Video;
  for (RtpSender sender : pc_.getSenders()) {
    MediaStreamTrack former = sender.track();
    if (!former || former.kind() != kind) continue;
    const Source source = makeSource(kind, request);
    {
      const std::lock_guard lock(mutex_);
      sources_[kind] = source;
    }
    await<void>([&](auto done) { sender.replaceTrack(source.track, std::move(done)); });
    former.stop();
    return;
  }
  throw std::runtime_error("nothing of that kind is sent");
}

void Connection::dtmf(const Json& request) {
  for (const RtpSender& sender : pc_.getSenders()) {
    DtmfSender tones = sender.dtmf();
    if (!tones) continue;
    return need(tones.insertDtmf(request.at("tones").get<std::string>(),
                                 Duration::millis(request.value("duration", 100)),
                                 Duration::millis(request.value("gap", 70))));
  }
  throw std::runtime_error("no sound is sent");
}

Json Connection::keys() {
  Json out = Json::array();
  const std::lock_guard lock(mutex_);
  for (const TelephoneEvent& event : keys_)
    out.push_back({{"key", std::string(1, event.tone)}, {"ms", event.duration.millis()}});
  return out;
}

void Connection::sframe(const Json& request) {
  const auto key = request.at("key").get<std::vector<uint8_t>>();
  // One for all that is sent, under an id that the other end does not have.
  SframeTransform lock(SframeTransform::Role::Encrypt);
  SframeTransform unlock(SframeTransform::Role::Decrypt);
  need(lock.setKey(request.at("sendKeyId").get<uint64_t>(), key));
  need(unlock.setKey(request.at("receiveKeyId").get<uint64_t>(), key));
  for (const RtpTransceiver& transceiver : pc_.getTransceivers()) {
    need(transceiver.sender().setTransform(lock));
    need(transceiver.receiver().setTransform(unlock));
  }
}

}  // namespace parley::interop
