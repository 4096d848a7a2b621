#include "parley/api/forwarder.h"

#include <utility>

#include "parley/api/loop.h"
#include "parley/api/peer_connection.h"

#include "api/forwarding_runtime.h"
#include "api/loop_core.h"
#include "api/media_runtime.h"
#include "api/peer_connection_core.h"

namespace parley {

using api_internal::LoopCore;

namespace {

Failure noLoop() {
  return fail(ErrorCode::Type, "a Forwarder needs a loop: Loop::create() makes one");
}

}  // namespace

Forwarder::Forwarder(const std::shared_ptr<Loop>& loop) {
  if (!loop) return;
  loop_ = loop->core().shared_from_this();
  const LoopCore::Lock lock(*loop_);
  core_ = loop_->forwarding().makeRoom();
}

Result<PublicationId> Forwarder::publish(const RtpReceiver& receiver) {
  if (!core_) return noLoop();
  if (!receiver) return fail(ErrorCode::Type, "publish needs a receiver");
  const LoopCore::Lock lock(*loop_);
  return loop_->forwarding().publish(core_, *receiver.core(), receiver.transceiverId());
}

void Forwarder::unpublish(PublicationId id) {
  if (!core_) return;
  const LoopCore::Lock lock(*loop_);
  loop_->forwarding().unpublish(*core_, id);
}

Result<SubscriptionId> Forwarder::subscribe(PublicationId publication, const RtpSender& sender) {
  if (!core_) return noLoop();
  if (!sender) return fail(ErrorCode::Type, "subscribe needs a sender");
  const LoopCore::Lock lock(*loop_);
  Result<void> fits = loop_->media().checkSenderOfPackets(*sender.core(), sender.transceiverId());
  if (!fits) return fail(std::move(fits).error());
  return loop_->forwarding().subscribe(core_, publication, *sender.core(), sender.transceiverId());
}

void Forwarder::unsubscribe(SubscriptionId id) {
  if (!core_) return;
  const LoopCore::Lock lock(*loop_);
  loop_->forwarding().unsubscribe(*core_, id);
}

void Forwarder::setPaused(SubscriptionId id, bool paused) {
  if (!core_) return;
  const LoopCore::Lock lock(*loop_);
  const Timestamp now = loop_->now();
  core_->forwarder.setPaused(id, paused, now);
  loop_->forwarding().drain(*core_, now);
}

void Forwarder::setMaxHeight(SubscriptionId id, std::optional<uint32_t> height) {
  if (!core_) return;
  const LoopCore::Lock lock(*loop_);
  const Timestamp now = loop_->now();
  core_->forwarder.setMaxHeight(id, height, now);
  loop_->forwarding().drain(*core_, now);
}

void Forwarder::setMaxBitrate(const PeerConnection& subscriber, std::optional<DataRate> rate) {
  if (!core_ || !subscriber) return;
  const LoopCore::Lock lock(*loop_);
  const Timestamp now = loop_->now();
  for (const auto& peer : core_->peers) {
    if (peer.pc == subscriber.core().get()) core_->forwarder.setMaxRate(peer.id, rate, now);
  }
  loop_->forwarding().drain(*core_, now);
}

void Forwarder::onDominantSpeaker(std::function<void(std::optional<PublicationId>)> callback) {
  if (!core_) return;
  const LoopCore::Lock lock(*loop_);
  core_->dominantSpeaker.swap(callback);
}

void Forwarder::onLayersChanged(
    std::function<void(SubscriptionId, std::optional<forwarding::LayerChoice>)> callback) {
  if (!core_) return;
  const LoopCore::Lock lock(*loop_);
  core_->layersChanged.swap(callback);
}

std::vector<forwarding::EncodingStats> Forwarder::encodings(PublicationId id) const {
  if (!core_) return {};
  const LoopCore::Lock lock(*loop_);
  std::vector<forwarding::EncodingStats> out;
  core_->forwarder.encodings(id, loop_->now(), out);
  return out;
}

std::optional<forwarding::SubscriptionStats> Forwarder::stats(SubscriptionId id) const {
  if (!core_) return std::nullopt;
  const LoopCore::Lock lock(*loop_);
  return core_->forwarder.stats(id);
}

forwarding::ForwarderCounters Forwarder::counters() const {
  if (!core_) return {};
  const LoopCore::Lock lock(*loop_);
  return core_->forwarder.counters();
}

}  // namespace parley
