#include "api/peer_connection_core.h"

#include <utility>

#include "api/forwarding_runtime.h"
#include "api/media_runtime.h"
#include "api/packet_tap.h"
#include "api/stats_builder.h"

namespace parley::api_internal {

PeerConnectionCore::PeerConnectionCore(std::shared_ptr<LoopCore> loop, Configuration configuration)
    : loop_(std::move(loop)), configuration_(std::move(configuration)) {}

PeerConnectionCore::~PeerConnectionCore() = default;

// --- delivery ------------------------------------------------------------------------------------

void PeerConnectionCore::queueTask(std::function<void()> task) {
  if (closed_) return;
  tasks_.push_back(std::move(task));
  loop_->markReady(shared_from_this());
}

void PeerConnectionCore::queueUrgent(std::function<void()> task) {
  urgent_.push_back(std::move(task));
  loop_->markReady(shared_from_this());
  loop_->wake();
}

bool PeerConnectionCore::takeUrgent(std::function<void()>& out) {
  if (urgent_.empty()) return false;
  out = std::move(urgent_.front());
  urgent_.pop_front();
  return true;
}

bool PeerConnectionCore::takeTask(std::function<void()>& out, bool& urgent) {
  urgent = takeUrgent(out);
  if (urgent) return true;
  // The gate: after close() nothing more is taken.
  if (closed_ || tasks_.empty()) return false;
  out = std::move(tasks_.front());
  tasks_.pop_front();
  return true;
}

void PeerConnectionCore::queueStep(std::function<void(Step&)> body) {
  queueTask([self = shared_from_this(), body = std::move(body)] { self->runStep(body); });
}

// Without the lock.
void PeerConnectionCore::runStep(const std::function<void(Step&)>& body) {
  Step step;
  {
    const LoopCore::Lock lock(*loop_);
    if (closed_) return;
    body(step);
  }
  fire(step.take());
  // A step may queue others, e.g. the next operation; an app's executor is not the loop's thread.
  if (loop_->options().executor) loop_->wake();
}

// Without the lock.
void PeerConnectionCore::fire(std::vector<Step::Pick> picks) {
  for (Step::Pick& pick : picks) {
    Step::Call call;
    {
      const LoopCore::Lock lock(*loop_);
      // A callback of this very step may have closed the connection.
      if (closed_) return;
      call = pick(*this);
    }
    if (call) call();
  }
}

void PeerConnectionCore::afterCall(Timestamp now) {
  if (!closed_) {
    // What the call put into a machine goes on its way now, not at that machine's next deadline.
    if (jsep::Session* session = this->session()) session->pump(now);
    loop_->endpoint().touch(session_, now);
    collect();
  }
  loop_->wake();
}

void PeerConnectionCore::afterSend() {
  if (closed_) return;
  if (!std::exchange(queuedForPump_, true)) {
    loop_->endpoint().expectTransmits(session_, loop_->now());
    loop_->pumpAfterSending(shared_from_this());
  }
  loop_->flushAfterwards();
}

void PeerConnectionCore::pump(Timestamp now) {
  queuedForPump_ = false;
  jsep::Session* session = this->session();
  if (closed_ || !session) return;
  session->pump(now);
  loop_->endpoint().touch(session_, now);
  collect();
}

void PeerConnectionCore::collect() {
  jsep::Session* session = this->session();
  if (!session || closed_) return;
  jsep::SessionEvent event;
  while (session->pollEvent(event)) onEvent(std::move(event), nullptr);
  collectChannels(*session);
  loop_->media().collect(*this, *session);
  loop_->forwarding().collect(*this, *session);
}

void PeerConnectionCore::inStep(Step& step,
                                const std::function<void(jsep::Session&, Timestamp)>& change) {
  jsep::Session* session = this->session();
  if (!session || closed_) return;
  const Timestamp now = loop_->now();
  collect();  // what happened before the change is no part of it
  change(*session, now);
  jsep::SessionEvent event;
  while (session->pollEvent(event)) onEvent(std::move(event), &step);
  syncEncodings();
  assignChannelIds();
  syncSctp();
  afterCall(now);
}

// --- operations and negotiation-needed -----------------------------------------------------------

void PeerConnectionCore::operationEnded() {
  operations_.finished();
  if (operations_.takeNegotiationCheck()) updateNegotiationNeeded();
}

void PeerConnectionCore::updateNegotiationNeeded() {
  if (closed_ || !operations_.requestNegotiationCheck()) return;
  queueStep([](Step& step) {
    step.then([](PeerConnectionCore& c) -> Step::Call {
      jsep::Session* session = c.session();
      if (!session || !c.operations_.requestNegotiationCheck()) return {};
      if (session->state().signaling != SignalingState::Stable) return {};
      if (!session->isNegotiationNeeded()) {
        c.negotiationNeeded_ = false;
        return {};
      }
      if (std::exchange(c.negotiationNeeded_, true)) return {};
      return bindCallback(c.callbacks.negotiationNeeded);
    });
  });
}

void PeerConnectionCore::onStable() {
  negotiationNeeded_ = false;
  updateNegotiationNeeded();
}

// --- tracks --------------------------------------------------------------------------------------

std::shared_ptr<TransceiverSlots> PeerConnectionCore::slots(uint32_t transceiver) {
  if (const auto it = slots_.find(transceiver); it != slots_.end()) return it->second;
  const auto former = former_.find(transceiver);
  if (auto found = former == former_.end() ? nullptr : former->second.slots.lock()) return found;
  auto none = std::make_shared<TransceiverSlots>();
  none->id = transceiver;
  return none;
}

std::shared_ptr<TrackCore> PeerConnectionCore::senderTrack(uint32_t transceiver) {
  const auto it = slots_.find(transceiver);
  return it == slots_.end() ? nullptr : it->second->senderTrack;
}

std::shared_ptr<TrackCore> PeerConnectionCore::receiverTrack(uint32_t transceiver) {
  const auto it = slots_.find(transceiver);
  return it == slots_.end() ? nullptr : it->second->receiverTrack;
}

void PeerConnectionCore::setSenderTrack(uint32_t transceiver, std::shared_ptr<TrackCore> track) {
  loop_->media().attachTrack(*this, transceiver, track);
  if (track) ensureReceiver(transceiver, track->kind);
  const std::shared_ptr<TransceiverSlots> slots = this->slots(transceiver);
  const bool wasEncoded = slots->senderTrack && !slots->senderTrack->encodedCodec.empty();
  slots->senderTrack = std::move(track);
  const auto& now = slots->senderTrack;
  if (!now) return;
  // Its frames may have to go out in another codec.
  if (wasEncoded || !now->encodedCodec.empty() || !configuration_.encodedVideoFormats.empty() ||
      !configuration_.encodedAudioFormats.empty())
    tuneSender(transceiver);
}

std::vector<std::shared_ptr<TrackCore>> PeerConnectionCore::receiverTracks() {
  const LoopCore::Lock lock(*loop_);
  std::vector<std::shared_ptr<TrackCore>> out;
  for (const auto& [id, slots] : slots_) out.push_back(slots->receiverTrack);
  for (const auto& [id, former] : former_) {
    if (auto track = former.receiverTrack.lock()) out.push_back(std::move(track));
  }
  return out;
}

void PeerConnectionCore::ensureReceiver(uint32_t transceiver, MediaKind kind) {
  auto& slots = slots_[transceiver];
  if (slots) return;
  slots = std::make_shared<TransceiverSlots>();
  slots->id = transceiver;
  slots->kind = kind;
  slots->receiverTrack =
      TrackCore::createRemote(loop_, kind, loop_->endpoint().environment().random.uuid());
}

void PeerConnectionCore::forgetTransceiver(uint32_t transceiver) {
  std::erase_if(former_, [](const auto& former) {
    return former.second.slots.expired() && former.second.receiverTrack.expired();
  });
  const auto buried = [](auto node) { return std::make_shared<decltype(node)>(std::move(node)); };
  loop_->bury([tap = buried(taps_.extract(transceiver)),
               keys = buried(callbacks.telephoneEvents.extract(transceiver))] {});
  const auto it = slots_.find(transceiver);
  if (it == slots_.end()) return;
  former_[transceiver] = {it->second, it->second->receiverTrack};
  // What the app's callbacks own is destroyed outside the lock.
  loop_->bury([slots = std::move(it->second)] {});
  slots_.erase(it);
}

void PeerConnectionCore::endReceiverTrack(uint32_t transceiver) {
  // W3C 5.4: a task ends it, and says so.
  if (const auto track = receiverTrack(transceiver)) {
    queueTask([track] {
      if (track->markSourceEnded()) track->fireSourceEnded();
    });
  }
}

// --- the end -------------------------------------------------------------------------------------

void PeerConnectionCore::close(Ending ending) {
  const bool silent = ending != Ending::Told;
  if (silent) loop_->bury([urgent = std::exchange(urgent_, {})] {});
  if (closed_) return;
  const Timestamp now = loop_->now();
  if (ending != Ending::Abandoned) keepLastSeen();
  // The association ends now, and its object says so by a task; nothing else of the connection
  // does.
  const bool tellSctp = !silent && visible.hasSctp && visible.sctp != SctpTransportState::Closed;
  showClosed();
  if (ending != Ending::Abandoned) finalStats_ = buildStats(*this, now);
  keepTransceivers();
  // Calls that are settled but not yet told stay untold (W3C 4.4.1.2: never after close).
  loop_->bury([urgent = std::exchange(urgent_, {})] {});
  loop_->bury([waiting = operations_.close()] {});
  for (auto& [id, channel] : channels_) channel->finalBufferedAmount = bufferedAmount(*channel);
  if (jsep::Session* session = this->session()) session->close(now);
  endTracks();
  closed_ = true;
  closeChannels(silent);
  if (tellSctp && callbacks.sctpState)
    queueUrgent(bindCallback(callbacks.sctpState, SctpTransportState::Closed));
  loop_->media().forget(*this);
  loop_->forwarding().forget(*this);
  loop_->endpoint().touch(session_, now);
  letGo();
  loop_->closing(session_);
  loop_->wake();
}

void PeerConnectionCore::showClosed() {
  visible.signaling = SignalingState::Closed;
  visible.iceConnection = IceConnectionState::Closed;
  visible.connection = PeerConnectionState::Closed;
  visible.iceTransport = IceTransportState::Closed;
  visible.dtls = DtlsTransportState::Closed;
  visible.sctp = SctpTransportState::Closed;
  visible.selectedPair.reset();
  for (auto& [id, side] : visible.sides) {
    side.iceTransport = IceTransportState::Closed;
    side.dtls = DtlsTransportState::Closed;
    side.selectedPair.reset();
  }
}

/// To close a connection (W3C 4.4.3) leaves [[Mid]] and [[SenderTransport]] as they are.
void PeerConnectionCore::keepTransceivers() {
  for (auto& [id, slots] : slots_) {
    const jsep::TransceiverState* state = transceiver(id);
    if (!state) continue;
    slots->mid = state->negotiated.mid;
    slots->hadTransport = hasTransport(*state);
    if (slots->hadTransport) slots->transportOwnOf = ownTransport(*state->negotiated.mLineIndex);
  }
}

void PeerConnectionCore::endTracks() {
  const auto silence = [this](TransceiverSlots& slots) {
    loop_->bury([tones = std::exchange(slots.tones, {})] {});
  };
  for (auto& [id, former] : former_) {
    if (const auto track = former.receiverTrack.lock()) loop_->bury(track->takeFamilyCallbacks());
    if (const std::shared_ptr<TransceiverSlots> slots = former.slots.lock()) silence(*slots);
  }
  for (auto& [id, slots] : slots_) {
    loop_->bury(slots->receiverTrack->takeFamilyCallbacks());
    silence(*slots);
    slots->receiverTrack->markSourceEnded();
  }
}

void PeerConnectionCore::closeChannels(bool silent) {
  for (auto& [id, channel] : channels_) {
    const bool wasClosed =
        std::exchange(channel->visibleState, DataChannelState::Closed) == DataChannelState::Closed;
    // W3C 6.2: a channel learns by a task of its own that its transport is gone.
    if (!silent && !wasClosed && channel->onClose)
      queueUrgent([call = channel->onClose] { call(); });
    loop_->bury(channel->takeCallbacks());
  }
}

/// What the app's callbacks own is destroyed outside the lock: a destructor of theirs may call us.
void PeerConnectionCore::letGo() {
  loop_->bury([tasks = std::move(tasks_), callbacks = std::move(callbacks),
               channels = std::move(channels_),
               taps = std::make_shared<std::map<uint32_t, PacketTap>>(std::move(taps_))] {});
  taps_.clear();
  tasks_.clear();
  channels_.clear();
  heldEnds_.clear();
  callbacks = {};
}

uint64_t PeerConnectionCore::bufferedAmount(const DataChannelCore& channel) {
  sctp::DataChannels* channels = session() ? session()->dataChannels() : nullptr;
  if (!channels || channel.visibleState == DataChannelState::Closed)
    return channel.finalBufferedAmount;
  const uint64_t now = channels->bufferedAmount(channel.id);
  const bool sameTurn = loop_->inTurn() && channel.sentIn == loop_->turn();
  return sameTurn ? std::max(now, channel.shownAmount) : now;
}

std::shared_ptr<DataChannelCore> PeerConnectionCore::channel(sctp::ChannelId id) {
  const auto it = channels_.find(id);
  return it == channels_.end() ? nullptr : it->second;
}

std::shared_ptr<DataChannelCore> PeerConnectionCore::adoptChannel(sctp::ChannelId id,
                                                                  const sctp::ChannelInit& init) {
  auto core = std::make_shared<DataChannelCore>(weak_from_this(), id, init);
  if (session() && session()->dataChannels())
    core->streamId = session()->dataChannels()->streamId(id);
  channels_[id] = core;
  return core;
}

}  // namespace parley::api_internal
