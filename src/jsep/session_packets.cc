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

void Session::handOnPackets(uint32_t id, std::optional<media::PacketRepair> repair, Timestamp now) {
  now = clock_.clamp(now);
  const auto known = handsOnPackets_.find(id);
  const bool isKnown = known != handsOnPackets_.end();
  if (repair ? isKnown && known->second == *repair : !isKnown) return;
  if (repair) {
    handsOnPackets_[id] = *repair;
  } else {
    handsOnPackets_.erase(known);
  }
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

void Session::sendForeign(uint32_t transceiver, const media::ForeignPacket& packet, Timestamp now,
                          const std::string& rid) {
  now = clock_.clamp(now);
  const auto it = senders_.find(transceiver);
  const Sender::Stream* stream = it == senders_.end() ? nullptr : it->second.find(rid);
  // A refused packet of video leads to a KeyFrameRequested.
  if (stream && !closed_) (void)it->second.lane->rtp->sendForeign(stream->id, packet, now);
  pumpMedia(now);
}

void Session::sendPackets(uint32_t transceiver, std::span<media::PreparedPacket> packets,
                          Timestamp now) {
  now = clock_.clamp(now);
  const auto stream = sendStream(transceiver);
  if (!stream || closed_) return;
  Lane& lane = laneOfMedia(transceiver);
  lane.rtp->sendPackets(*stream, packets, now);
  // Hundreds of times a second for each peer: what else the session has to look at waits for its
  // next turn.
  media::OutgoingPacket out;
  while (!lane.ending && lane.rtp->pollTransmit(out))
    lane.transport.sendRtp(std::move(out.data), out.isRtcp, out.txClass, out.dscp, out.ecn);
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
  // What accompanies a codec is none to turn to.
  const auto codec = std::find_if(codecs.begin(), codecs.end(), [name](const auto& entry) {
    return entry.is(name) && !entry.isAuxiliary();
  });
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
