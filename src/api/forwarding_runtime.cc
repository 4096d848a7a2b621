#include "api/forwarding_runtime.h"

#include <algorithm>

#include "parley/base/text.h"
#include "parley/sdp/codec_params.h"

#include "api/loop_core.h"
#include "api/peer_connection_core.h"

namespace parley::api_internal {
namespace {

constexpr Duration kRound = Duration::millis(25);

/// Keeps the rooms going while packets come.
class RoomClock final : public TimedSource {
 public:
  explicit RoomClock(LoopCore& loop) : loop_(loop) {}
  Timestamp run(Timestamp now) override {
    const LoopCore::Lock lock(loop_);
    return loop_.forwarding().run(now);
  }

 private:
  LoopCore& loop_;
};

Failure unusable() {
  return fail(ErrorCode::InvalidState, "the connection is closed or on another loop");
}

/// The peer's description may have removed it a moment ago.
Failure removed() {
  return fail(ErrorCode::InvalidState, "the transceiver has been removed from the connection");
}

/// Until a packet says more; the order of a description may begin with RED or telephone events.
std::string firstOf(const std::vector<media::ReceiveCodec>& codecs) {
  const auto first =
      std::find_if(codecs.begin(), codecs.end(), [](const media::ReceiveCodec& codec) {
        return !sdp::CodecParams{codec.payloadType, codec.name}.isAuxiliary();
      });
  return first == codecs.end() ? std::string() : first->name;
}

}  // namespace

ForwarderCore::Source* ForwarderCore::source(PublicationId id) {
  const auto it = std::find_if(sources.begin(), sources.end(),
                               [id](const Source& source) { return source.id == id; });
  return it == sources.end() ? nullptr : &*it;
}

ForwarderCore::Sink* ForwarderCore::sink(SubscriptionId id) {
  // Numbers only grow, and so does the list.
  const auto it = std::lower_bound(
      sinks.begin(), sinks.end(), id,
      [](const Sink& sink, SubscriptionId wanted) { return sink.id.value < wanted.value; });
  return it == sinks.end() || it->id != id ? nullptr : &*it;
}

std::shared_ptr<ForwarderCore> ForwardingRuntime::makeRoom() {
  auto room = std::make_shared<ForwarderCore>(loop_.endpoint().environment());
  std::erase_if(rooms_, [](const auto& weak) { return weak.expired(); });
  rooms_.push_back(room);
  return room;
}

Result<PublicationId> ForwardingRuntime::publish(const std::shared_ptr<ForwarderCore>& room,
                                                 PeerConnectionCore& pc, uint32_t transceiver) {
  jsep::Session* const session = pc.session();
  if (session == nullptr || pc.closed() || &pc.loop() != &loop_) return unusable();
  if (sources_.contains({&pc, transceiver}))
    return fail(ErrorCode::InvalidState, "the receiver is published already");
  if (pc.isTapped(transceiver))
    return fail(ErrorCode::InvalidState, "the receiver has a packet sink");
  const auto track = pc.receiverTrack(transceiver);
  if (track == nullptr) return removed();
  const Timestamp now = loop_.now();
  ForwarderCore::Source source;
  source.pc = &pc;
  source.transceiver = transceiver;
  source.kind = track->kind;
  forwarding::PublicationConfig config;
  config.kind = source.kind;
  source.id = room->forwarder.addPublication(config);
  session->handOnPackets(transceiver, media::PacketRepair::Requests, now);
  room->sources.push_back(source);
  sources_[{&pc, transceiver}] = {room, source.id.value};
  syncSource(*room, room->sources.back());
  pc.afterCall(now);
  return source.id;
}

void ForwardingRuntime::unpublish(ForwarderCore& room, PublicationId id) {
  ForwarderCore::Source* const found = room.source(id);
  if (found == nullptr) return;
  for (size_t i = room.sinks.size(); i-- > 0;) {
    if (room.sinks[i].publication == id) unsubscribe(room, room.sinks[i].id);
  }
  const ForwarderCore::Source source = *found;
  room.forwarder.removePublication(id);
  std::erase_if(room.sources, [id](const auto& s) { return s.id == id; });
  if (jsep::Session* session = source.pc->session(); session && !source.pc->closed()) {
    session->handOnPackets(source.transceiver, std::nullopt, loop_.now());
    source.pc->afterCall(loop_.now());
  }
  sources_.erase({source.pc, source.transceiver});  // may end the room
}

Result<SubscriptionId> ForwardingRuntime::subscribe(const std::shared_ptr<ForwarderCore>& room,
                                                    PublicationId publication,
                                                    PeerConnectionCore& pc, uint32_t transceiver) {
  jsep::Session* const session = pc.session();
  if (session == nullptr || pc.closed() || &pc.loop() != &loop_) return unusable();
  if (sinks_.contains({&pc, transceiver}))
    return fail(ErrorCode::InvalidState, "the sender is subscribed already");
  const ForwarderCore::Source* const source = room->source(publication);
  if (source == nullptr) return fail(ErrorCode::NotFound, "there is no such publication");
  const auto track = pc.receiverTrack(transceiver);
  if (track == nullptr) return removed();
  if (source->kind != track->kind)
    return fail(ErrorCode::Type, "the publication is of the other kind");
  const Timestamp now = loop_.now();
  session->takePackets(transceiver, true, now);
  ForwarderCore::Sink sink;
  sink.publication = publication;
  sink.pc = &pc;
  sink.transceiver = transceiver;
  // Until it is negotiated it has no SSRC, and gets nothing.
  sink.id = room->forwarder.subscribe(peerOf(*room, pc), publication, {}, now).value();
  room->sinks.push_back(sink);
  ++unconnected_;
  sinks_[{&pc, transceiver}] = {room, sink.id.value};
  syncSink(*room, room->sinks.back());
  pc.afterCall(now);
  return sink.id;
}

void ForwardingRuntime::unsubscribe(ForwarderCore& room, SubscriptionId id) {
  const ForwarderCore::Sink* const found = room.sink(id);
  if (found == nullptr) return;
  const ForwarderCore::Sink sink = *found;
  if (!sink.connected) --unconnected_;
  room.forwarder.unsubscribe(id);
  std::erase_if(room.sinks, [id](const auto& s) { return s.id == id; });
  if (jsep::Session* session = sink.pc->session(); session && !sink.pc->closed()) {
    session->takePackets(sink.transceiver, false, loop_.now());
    sink.pc->afterCall(loop_.now());
  }
  sinks_.erase({sink.pc, sink.transceiver});
}

forwarding::PeerId ForwardingRuntime::peerOf(ForwarderCore& room, PeerConnectionCore& pc) {
  for (const ForwarderCore::Peer& peer : room.peers) {
    if (peer.pc == &pc) return peer.id;
  }
  room.peers.push_back({&pc, room.forwarder.addPeer()});
  return room.peers.back().id;
}

void ForwardingRuntime::syncSource(ForwarderCore& room, ForwarderCore::Source& source) {
  jsep::Session* const session = source.pc->session();
  const auto received = session ? session->receiveConfig(source.transceiver) : nullptr;
  if (received == nullptr || received->codecs.empty()) return;
  forwarding::PublicationConfig config;
  config.kind = source.kind;
  config.extensions = received->extensions;
  for (const media::ReceiveCodec& codec : received->codecs)
    config.codecs.push_back({codec.payloadType, codec.name, codec.clockRate});
  (void)room.forwarder.reconfigure(source.id, config);
  source.codec = firstOf(received->codecs);
  for (ForwarderCore::Sink& sink : room.sinks) {
    if (sink.publication == source.id) syncSink(room, sink);
  }
}

void ForwardingRuntime::syncSink(ForwarderCore& room, ForwarderCore::Sink& sink) {
  jsep::Session* const session = sink.pc->session();
  const ForwarderCore::Source* const source = room.source(sink.publication);
  if (session == nullptr || source == nullptr || source->codec.empty()) return;
  const Timestamp now = loop_.now();
  const std::string codec = room.forwarder.codecOf(source->id).value_or(source->codec);
  session->chooseSendCodec(sink.transceiver, codec, now);
  const auto stream = session->sendStream(sink.transceiver);
  const media::RtpSession* const rtp = session->rtpOf(sink.transceiver);
  const media::SendStreamConfig* const sent = stream && rtp ? rtp->sendStream(*stream) : nullptr;
  forwarding::SubscriptionConfig config;
  if (!sink.connected && session->mediaAvailable()) {
    sink.connected = true;
    --unconnected_;
  }
  if (sent != nullptr && sent->active && sink.connected) {
    config.codec = sent->codec;
    config.payloadType = sent->payloadType;
    config.ssrc = sent->ssrc;
    config.extensions = sent->extensions;
    config.mid = sent->mid;
    config.after = rtp->sentPosition(*stream, now);
  }
  (void)room.forwarder.reconfigure(sink.id, config, now);
}

void ForwardingRuntime::receiverConfigured(PeerConnectionCore& pc, uint32_t transceiver) {
  const auto it = sources_.find({&pc, transceiver});
  if (it == sources_.end()) return;
  if (auto* source = it->second.room->source(PublicationId(it->second.id)))
    syncSource(*it->second.room, *source);
}

void ForwardingRuntime::senderConfigured(PeerConnectionCore& pc, uint32_t transceiver) {
  const auto it = sinks_.find({&pc, transceiver});
  if (it == sinks_.end()) return;
  if (auto* sink = it->second.room->sink(SubscriptionId(it->second.id)))
    syncSink(*it->second.room, *sink);
}

bool ForwardingRuntime::requestKeyFrame(PeerConnectionCore& pc, uint32_t transceiver) {
  const auto it = sinks_.find({&pc, transceiver});
  if (it == sinks_.end()) return false;
  const Timestamp now = loop_.now();
  it->second.room->forwarder.handleKeyFrameRequest(SubscriptionId(it->second.id), now);
  drain(*it->second.room, now);
  return true;
}

void ForwardingRuntime::collect(PeerConnectionCore& pc, jsep::Session& session) {
  if (sources_.empty() && sinks_.empty() && !pc.hasTaps()) return;
  if (unconnected_ > 0 && session.mediaAvailable()) noteConnected(pc);
  const Timestamp now = loop_.now();
  const auto touch = [this](const std::shared_ptr<ForwarderCore>& room) {
    if (std::find(touched_.begin(), touched_.end(), room) == touched_.end())
      touched_.push_back(room);
  };
  auto place = sources_.end();
  while (session.pollPacket(packet_)) {
    const Key key{&pc, packet_.receiver.value};
    if (place == sources_.end() || place->first != key) place = sources_.find(key);
    if (place == sources_.end()) {
      pc.takePacket(std::move(packet_));
      continue;
    }
    ForwarderCore& room = *place->second.room;
    room.forwarder.handlePacket(PublicationId(place->second.id), packet_.rid,
                                std::move(packet_.data), now);
    touch(place->second.room);
    if (room.forwarder.isCrowded()) drain(room, now);
  }
  uint32_t transceiver = 0;
  uint16_t sequence = 0;
  while (session.pollMissing(transceiver, sequence)) {
    const auto sink = sinks_.find({&pc, transceiver});
    if (sink == sinks_.end()) continue;
    sink->second.room->forwarder.handleMissing(SubscriptionId(sink->second.id), {&sequence, 1},
                                               now);
    touch(sink->second.room);
  }
  if (touched_.empty()) return;
  for (const auto& room : touched_) {
    drainNews(*room, now);
    if (!std::exchange(room->loaded, true)) loaded_.push_back(room);
  }
  touched_.clear();
  // The packets themselves: see `feed`.
  loop_.flushAfterwards();
  wakeUp(now);
}

bool ForwardingRuntime::feed(size_t packets, Timestamp now) {
  size_t fed = 0;
  while (!loaded_.empty() && fed < packets) {
    const std::shared_ptr<ForwarderCore> room = loaded_.back();
    const size_t more = feedNext(*room, now);
    fed += more;
    if (more > 0) continue;
    room->loaded = false;
    loaded_.pop_back();
    drainNews(*room, now);
  }
  return fed > 0;
}

/// What one subscription has; nothing if no subscription has anything.
size_t ForwardingRuntime::feedNext(ForwarderCore& room, Timestamp now) {
  SubscriptionId subscription;
  if (!room.forwarder.pollPackets(subscription, packets_)) return 0;
  const size_t count = packets_.size();
  const ForwarderCore::Sink* const sink = room.sink(subscription);
  jsep::Session* const session = sink != nullptr ? sink->pc->session() : nullptr;
  if (session != nullptr) {
    session->sendPackets(sink->transceiver, packets_, now);
    loop_.endpoint().touch(sink->pc->sessionId(), now);
  }
  packets_.clear();
  return std::max<size_t>(count, 1);
}

void ForwardingRuntime::noteConnected(PeerConnectionCore& pc) {
  for (auto place = sinks_.lower_bound({&pc, 0});
       place != sinks_.end() && place->first.first == &pc; ++place) {
    ForwarderCore& room = *place->second.room;
    ForwarderCore::Sink* const sink = room.sink(SubscriptionId(place->second.id));
    if (sink == nullptr || sink->connected) continue;
    syncSink(room, *sink);
    drain(room, loop_.now());
  }
}

void ForwardingRuntime::wakeUp(Timestamp now) {
  if (std::exchange(running_, true)) return;
  loop_.addSource(std::make_shared<RoomClock>(loop_), now + kRound);
}

void ForwardingRuntime::markDirty(PeerConnectionCore& pc) {
  if (!dirty_.empty() && dirty_.back() == &pc) return;
  if (std::find(dirty_.begin(), dirty_.end(), &pc) == dirty_.end()) dirty_.push_back(&pc);
}

void ForwardingRuntime::drain(ForwarderCore& room, Timestamp now) {
  size_t fed = 0;
  while (const size_t more = feedNext(room, now)) fed += more;
  if (fed > 0) loop_.flushAfterwards();
  drainNews(room, now);
}

void ForwardingRuntime::drainNews(ForwarderCore& room, Timestamp now) {
  forwarding::KeyFrameWish wish;
  while (room.forwarder.pollKeyFrameWish(wish)) {
    const ForwarderCore::Source* const source = room.source(wish.publication);
    jsep::Session* const session = source != nullptr ? source->pc->session() : nullptr;
    if (session == nullptr) continue;
    session->requestKeyFrameOf(wish.ssrc, now);
    markDirty(*source->pc);
  }
  forwarding::ForwarderEvent event;
  while (room.forwarder.pollEvent(event)) tell(room.shared_from_this(), event);
  flushDirty(now);
}

void ForwardingRuntime::flushDirty(Timestamp now) {
  for (PeerConnectionCore* const pc : dirty_) {
    jsep::Session* const session = pc->session();
    if (session == nullptr) continue;
    loop_.endpoint().touch(pc->sessionId(), now);
  }
  if (!dirty_.empty()) loop_.flushAfterwards();
  dirty_.clear();
}

void ForwardingRuntime::tell(const std::shared_ptr<ForwarderCore>& room,
                             const forwarding::ForwarderEvent& event) {
  if (const auto* speaker = std::get_if<forwarding::DominantSpeakerChanged>(&event)) {
    if (!room->dominantSpeaker) return;
    loop_.post([callback = room->dominantSpeaker, who = speaker->publication] { callback(who); });
  } else if (const auto* layers = std::get_if<forwarding::LayersChanged>(&event)) {
    if (!room->layersChanged) return;
    loop_.post([callback = room->layersChanged, change = *layers] {
      callback(change.subscription, change.layers);
    });
  }
}

void ForwardingRuntime::forget(PeerConnectionCore& pc) {
  for (const auto& weak : rooms_) {
    const std::shared_ptr<ForwarderCore> room = weak.lock();
    if (!room) continue;
    for (size_t i = room->sources.size(); i-- > 0;) {
      if (room->sources[i].pc == &pc) unpublish(*room, room->sources[i].id);
    }
    for (size_t i = room->sinks.size(); i-- > 0;) {
      if (room->sinks[i].pc == &pc) unsubscribe(*room, room->sinks[i].id);
    }
    for (const ForwarderCore::Peer& peer : room->peers) {
      if (peer.pc == &pc) room->forwarder.removePeer(peer.id);
    }
    std::erase_if(room->peers, [&](const auto& peer) { return peer.pc == &pc; });
  }
  std::erase(dirty_, &pc);
}

Timestamp ForwardingRuntime::run(Timestamp now) {
  Timestamp next = Timestamp::never();
  for (const auto& weak : rooms_) {
    const std::shared_ptr<ForwarderCore> room = weak.lock();
    if (!room) continue;
    for (const ForwarderCore::Peer& peer : room->peers) {
      jsep::Session* const session = peer.pc->session();
      if (session == nullptr || session->rtp() == nullptr) continue;
      const media::BandwidthStats bandwidth = session->rtp()->bandwidth();
      if (!bandwidth.target.isZero())
        room->forwarder.handleEstimate(peer.id, bandwidth.target, now);
      if (bandwidth.roundTripTime)
        room->forwarder.handleRoundTrip(peer.id, *bandwidth.roundTripTime);
    }
    room->forwarder.advance(now);
    for (ForwarderCore::Source& source : room->sources) {
      // The sender has turned to another of the codecs.
      const auto codec = room->forwarder.codecOf(source.id);
      if (!codec || equalsIgnoreCase(*codec, source.codec)) continue;
      source.codec = *codec;
      for (ForwarderCore::Sink& sink : room->sinks) {
        if (sink.publication == source.id) syncSink(*room, sink);
      }
    }
    drain(*room, now);
    if (!room->forwarder.nextDeadline().isNever()) next = now + kRound;
  }
  running_ = !next.isNever();
  return next;
}

}  // namespace parley::api_internal
