#include "api/peer_connection_core.h"

#include <algorithm>
#include <utility>

#include "api/media_runtime.h"
#include "api/steps.h"

namespace parley::api_internal {
namespace {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

std::optional<SessionDescription> toApi(const std::optional<jsep::DescriptionText>& text) {
  if (!text) return std::nullopt;
  return SessionDescription{text->type, text->sdp};
}

IceGatheringState toApi(transport::GatheringState state) {
  switch (state) {
    case transport::GatheringState::New:
      return IceGatheringState::New;
    case transport::GatheringState::Gathering:
      return IceGatheringState::Gathering;
    case transport::GatheringState::Complete:
      return IceGatheringState::Complete;
  }
  return IceGatheringState::New;
}

IceConnectionState toApi(ice::IceConnectionState state) {
  switch (state) {
    case ice::IceConnectionState::New:
      return IceConnectionState::New;
    case ice::IceConnectionState::Checking:
      return IceConnectionState::Checking;
    case ice::IceConnectionState::Connected:
      return IceConnectionState::Connected;
    case ice::IceConnectionState::Completed:
      return IceConnectionState::Completed;
    case ice::IceConnectionState::Disconnected:
      return IceConnectionState::Disconnected;
    case ice::IceConnectionState::Failed:
      return IceConnectionState::Failed;
    case ice::IceConnectionState::Closed:
      return IceConnectionState::Closed;
  }
  return IceConnectionState::New;
}

// W3C webrtc-pc section 4.3.3, for the one transport that a bundled connection has.
PeerConnectionState aggregate(ice::IceConnectionState ice, dtls::State dtls) {
  if (ice == ice::IceConnectionState::Failed || dtls == dtls::State::Failed)
    return PeerConnectionState::Failed;
  if (ice == ice::IceConnectionState::Disconnected) return PeerConnectionState::Disconnected;
  if (dtls == dtls::State::Closed && ice != ice::IceConnectionState::New)
    return PeerConnectionState::Connected;
  const bool iceUp =
      ice == ice::IceConnectionState::Connected || ice == ice::IceConnectionState::Completed;
  if (iceUp && dtls == dtls::State::Connected) return PeerConnectionState::Connected;
  if (ice == ice::IceConnectionState::Checking || dtls == dtls::State::Connecting || iceUp)
    return PeerConnectionState::Connecting;
  return PeerConnectionState::New;
}

}  // namespace

PeerConnectionCore::PeerConnectionCore(std::shared_ptr<LoopCore> loop, Configuration configuration)
    : loop_(std::move(loop)), configuration_(std::move(configuration)) {}

PeerConnectionCore::~PeerConnectionCore() = default;

void PeerConnectionCore::queueTask(std::function<void()> task) {
  if (closed_) return;
  tasks_.push_back(std::move(task));
  loop_->markReady(shared_from_this());
}

bool PeerConnectionCore::takeTask(std::function<void()>& out) {
  // The gate: after close() nothing more is taken.
  if (closed_ || tasks_.empty()) return false;
  out = std::move(tasks_.front());
  tasks_.pop_front();
  return true;
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

void PeerConnectionCore::collect() {
  jsep::Session* session = this->session();
  if (!session || closed_) return;
  jsep::SessionEvent event;
  while (session->pollEvent(event)) onEvent(std::move(event));
  collectMessages();
  loop_->media().collect(*this, *session);
}

void PeerConnectionCore::onEvent(jsep::SessionEvent&& event) {
  using Core = PeerConnectionCore;
  std::visit(
      Overloaded{
          [](std::monostate) {},
          [&](jsep::SignalingStateChanged& e) {
            queueStep([](Core&) {},
                      [s = e.state](Core& c) {
                        c.visible.signaling = s;
                        return bindCallback(c.callbacks.signalingState, s);
                      });
          },
          [&](jsep::DescriptionsChanged& e) { onDescriptions(e); },
          [&](jsep::NegotiationNeeded) {
            // W3C 4.7.3: the flag may have been cleared between queuing and delivery.
            queueStep([](Core&) {},
                      [](Core& c) -> std::function<void()> {
                        if (!c.session() || !c.session()->confirmNegotiationNeeded()) return {};
                        return bindCallback(c.callbacks.negotiationNeeded);
                      });
          },
          [&](jsep::LocalCandidate& e) {
            std::optional<IceCandidate> candidate =
                IceCandidate{e.candidate, e.mid, e.mLineIndex, e.ufrag};
            queueStep(
                [](Core&) {},
                [candidate](Core& c) { return bindCallback(c.callbacks.iceCandidate, candidate); });
          },
          [&](jsep::GatheringStateChanged& e) { onGathering(toApi(e.state)); },
          [&](jsep::LocalCandidateError& e) {
            queueStep([](Core&) {},
                      [error = IceCandidateError{e.url, e.code, e.text}](Core& c) {
                        return bindCallback(c.callbacks.iceCandidateError, error);
                      });
          },
          [&](jsep::IceStateChanged& e) {
            ice_ = e.state;
            onTransportState();
          },
          [&](jsep::DtlsStateChanged& e) {
            dtls_ = e.event.state;
            onTransportState();
          },
          [&](jsep::TrackAdded& e) { onTrackAdded(e); },
          [&](jsep::TrackRemoved& e) { muteTrack(e.transceiver, true, false); },
          [&](jsep::TrackUnmuted& e) { muteTrack(e.transceiver, false, false); },
          [&](jsep::TransceiverStopped& e) {
            loop_->media().stopSender(*this, e.transceiver);
            loop_->media().stopReceiver(*this, e.transceiver);
            muteTrack(e.transceiver, true, true);
          },
          [&](jsep::TransceiversRemoved& e) {
            for (uint32_t id : e.transceivers) {
              loop_->media().stopSender(*this, id);
              loop_->media().stopReceiver(*this, id);
              muteTrack(id, true, true);
            }
          },
          [&](jsep::SenderConfigured& e) { loop_->media().configureSender(*this, e); },
          [&](jsep::ReceiverConfigured& e) { loop_->media().configureReceiver(*this, e); },
          [&](jsep::KeyFrameRequested& e) { loop_->media().requestKeyFrame(*this, e.transceiver); },
          [&](jsep::TargetBitrate& e) { loop_->media().setTargetBitrate(*this, e); },
          [&](sctp::ChannelEvent& e) { onChannelEvent(e); },
      },
      event);
}

void PeerConnectionCore::onDescriptions(const jsep::DescriptionsChanged& event) {
  queueStep(
      [event](PeerConnectionCore& c) {
        c.visible.currentLocal = toApi(event.currentLocal);
        c.visible.pendingLocal = toApi(event.pendingLocal);
        c.visible.currentRemote = toApi(event.currentRemote);
        c.visible.pendingRemote = toApi(event.pendingRemote);
      },
      [](PeerConnectionCore&) { return std::function<void()>{}; });
}

void PeerConnectionCore::onGathering(IceGatheringState state) {
  queueStep(
      [state](PeerConnectionCore& c) { c.visible.gathering = state; },
      [state](PeerConnectionCore& c) { return bindCallback(c.callbacks.gatheringState, state); });
  if (state == IceGatheringState::Complete) {
    queueStep([](PeerConnectionCore&) {},
              [](PeerConnectionCore& c) {
                return bindCallback(c.callbacks.iceCandidate, std::optional<IceCandidate>{});
              });
  }
}

void PeerConnectionCore::onTransportState() {
  const IceConnectionState ice = toApi(ice_);
  const PeerConnectionState all = aggregate(ice_, dtls_);
  if (ice != queuedIce_) {
    queuedIce_ = ice;
    queueStep(
        [ice](PeerConnectionCore& c) { c.visible.iceConnection = ice; },
        [ice](PeerConnectionCore& c) { return bindCallback(c.callbacks.iceConnectionState, ice); });
  }
  if (all != queuedConnection_) {
    queuedConnection_ = all;
    queueStep(
        [all](PeerConnectionCore& c) { c.visible.connection = all; },
        [all](PeerConnectionCore& c) { return bindCallback(c.callbacks.connectionState, all); });
  }
}

void PeerConnectionCore::onTrackAdded(const jsep::TrackAdded& event) {
  ensureReceiver(event.transceiver, event.kind);
  queueStep([](PeerConnectionCore&) {},
            [event](PeerConnectionCore& c) {
              const auto self = c.shared_from_this();
              TrackEvent track{RtpReceiver(self, event.transceiver),
                               MediaStreamTrack(c.receiverTrack(event.transceiver)), event.streams,
                               RtpTransceiver(self, event.transceiver)};
              return bindCallback(c.callbacks.track, std::move(track));
            });
}

void PeerConnectionCore::muteTrack(uint32_t transceiver, bool muted, bool ended) {
  queueStep([](PeerConnectionCore&) {},
            [=](PeerConnectionCore& c) -> std::function<void()> {
              const auto track = c.receiverTrack(transceiver);
              if (!track) return {};
              return [track, muted, ended] {
                track->setMuted(muted);
                if (ended) track->end();
              };
            });
}

std::shared_ptr<TrackCore> PeerConnectionCore::senderTrack(uint32_t transceiver) {
  const auto it = senderTracks_.find(transceiver);
  return it == senderTracks_.end() ? nullptr : it->second;
}

std::shared_ptr<TrackCore> PeerConnectionCore::receiverTrack(uint32_t transceiver) {
  const auto it = receiverTracks_.find(transceiver);
  return it == receiverTracks_.end() ? nullptr : it->second;
}

void PeerConnectionCore::setSenderTrack(uint32_t transceiver, std::shared_ptr<TrackCore> track) {
  loop_->media().attachTrack(*this, transceiver, track);
  senderTracks_[transceiver] = std::move(track);
}

std::vector<std::shared_ptr<TrackCore>> PeerConnectionCore::receiverTracks() {
  const LoopCore::Lock lock(*loop_);
  std::vector<std::shared_ptr<TrackCore>> out;
  for (const auto& [id, track] : receiverTracks_) out.push_back(track);
  return out;
}

void PeerConnectionCore::ensureReceiver(uint32_t transceiver, MediaKind kind) {
  auto& track = receiverTracks_[transceiver];
  if (track) return;
  track = TrackCore::createRemote(loop_, kind, loop_->endpoint().environment().random.uuid());
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

void PeerConnectionCore::close() {
  if (closed_) return;
  const Timestamp now = loop_->now();
  visible.signaling = SignalingState::Closed;
  visible.iceConnection = IceConnectionState::Closed;
  visible.connection = PeerConnectionState::Closed;
  if (jsep::Session* session = this->session()) session->close(now);
  for (auto& [id, track] : receiverTracks_) {
    track->markEnded();
    loop_->bury(track->takeCallbacks());
  }
  for (auto& [id, channel] : channels_) {
    channel->visibleState = DataChannelState::Closed;
    loop_->bury(channel->takeCallbacks());
  }
  loop_->media().forget(*this);
  loop_->endpoint().touch(session_, now);
  closed_ = true;
  // What the app's callbacks own is destroyed outside the lock: a destructor of theirs may call us.
  loop_->bury([tasks = std::move(tasks_), callbacks = std::move(callbacks),
               channels = std::move(channels_)] {});
  tasks_.clear();
  channels_.clear();
  heldEnds_.clear();
  callbacks = {};
  loop_->closing(session_);
  loop_->wake();
}

}  // namespace parley::api_internal
