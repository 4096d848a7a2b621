// Packets in place of frames: what a server that forwards needs of a session.

#include <algorithm>
#include <utility>

#include "parley/jsep/session.h"

#include "jsep/media_mapping.h"

namespace parley::jsep {
namespace {

/// True if that changes something.
bool setMember(std::set<uint32_t>& set, uint32_t value, bool member) {
  return member ? set.insert(value).second : set.erase(value) > 0;
}

}  // namespace

void Session::handOnPackets(uint32_t id, bool on, Timestamp now) {
  now = clock_.clamp(now);
  if (!setMember(handsOnPackets_, id, on)) return;
  const TransceiverState* transceiver = state_.find(TransceiverId(id));
  const auto sender = senders_.find(id);
  if (!transceiver || sender == senders_.end() || !sender->second.settings.receive) return;
  Lane& lane = laneOfMedia(id);
  if (lane.rtp) applyReceiver(*transceiver, lane, sender->second.settings, now);
}

void Session::takePackets(uint32_t id, bool on, Timestamp now) {
  now = clock_.clamp(now);
  if (!setMember(takesPackets_, id, on)) return;
  const TransceiverState* transceiver = state_.find(TransceiverId(id));
  const auto sender = senders_.find(id);
  if (sender == senders_.end()) return;
  sender->second.forwardedCodec.reset();
  if (transceiver && !sender->second.streams.empty())
    applySender(*transceiver, sender->second, now);
}

void Session::sendPackets(uint32_t transceiver, std::span<media::PreparedPacket> packets,
                          Timestamp now) {
  now = clock_.clamp(now);
  const auto stream = sendStream(transceiver);
  if (!stream || closed_) return;
  laneOfMedia(transceiver).rtp->sendPackets(*stream, packets, now);
  pumpMedia(now);
}

bool Session::mediaAvailable() const {
  return first_.mediaAvailable || std::any_of(sides_.begin(), sides_.end(), [](const auto& side) {
           return side->mediaAvailable;
         });
}

bool Session::pollPacket(media::ReceivedPacket& out) {
  if (std::exchange(packetWaits_, false)) {
    std::swap(out, nextPacket_);
    nextPacket_.data.reset();
    return true;
  }
  if (first_.rtp && first_.rtp->pollPacket(out)) return true;
  return std::any_of(sides_.begin(), sides_.end(),
                     [&](const auto& side) { return side->rtp && side->rtp->pollPacket(out); });
}

bool Session::pollMissing(uint32_t& transceiver, uint16_t& sequence) {
  media::MissingPacket missing;
  uint32_t from = 0;
  if (std::exchange(missingWaits_, false)) {
    missing = nextMissing_;
    from = missingLane_;
  } else {
    const Lane* with = nullptr;
    eachLane([&](Lane& each) {
      if (!with && each.rtp && each.rtp->pollMissing(missing)) with = &each;
    });
    if (!with) return false;
    from = with->id;
  }
  // A stream that has just been removed is nobody's.
  transceiver = encodingOf(missing.stream, from).value_or(SenderEncoding{}).transceiver;
  sequence = missing.sequence;
  return true;
}

const media::ReceiveConfig* Session::receiveConfig(uint32_t transceiver) const {
  const auto& rtp = laneOfMedia(transceiver).rtp;
  return rtp ? rtp->receiver(media::ReceiverId(transceiver)) : nullptr;
}

void Session::chooseSendCodec(uint32_t id, std::string_view name, Timestamp now) {
  now = clock_.clamp(now);
  const auto it = senders_.find(id);
  const TransceiverState* transceiver = state_.find(TransceiverId(id));
  if (it == senders_.end() || !transceiver) return;
  Sender& sender = it->second;
  const auto& codecs = sender.settings.sendCodecs;
  const auto codec = std::find_if(codecs.begin(), codecs.end(),
                                  [name](const auto& entry) { return entry.is(name); });
  if (codec == codecs.end()) return;
  if (sender.forwardedCodec && sdp::sameFormat(*codec, *sender.forwardedCodec)) return;
  sender.forwardedCodec = *codec;
  if (!sender.streams.empty()) applySender(*transceiver, sender, now);
}

void Session::requestKeyFrameOf(uint32_t ssrc, Timestamp now) {
  now = clock_.clamp(now);
  if (closed_) return;
  // A transport that has no such source does nothing.
  eachLane([&](Lane& each) {
    if (each.rtp) each.rtp->requestKeyFrameOf(ssrc, now);
  });
  pumpMedia(now);
}

}  // namespace parley::jsep
