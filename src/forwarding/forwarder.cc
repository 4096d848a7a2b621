#include "parley/forwarding/forwarder.h"

#include <algorithm>

#include "forwarding/forwarder_impl.h"

namespace parley::forwarding {
namespace {

/// How often rates are measured and divided anew while packets come.
constexpr Duration kRound = Duration::millis(100);
constexpr Duration kIdle = Duration::seconds(3);
/// Who had too little is not raised for so long.
constexpr Duration kHoldAfterLowering = Duration::seconds(3);

}  // namespace

void Forwarder::Impl::forgetOutput(const Subscription& subscription) {
  waitingPackets_ -= subscription.output.size() - subscription.outputTaken;
  std::erase(waiting_, &subscription);
}

void Forwarder::Impl::drop(const Subscription* subscription) {
  settle();
  forgetOutput(*subscription);
  for (Track& track : tracks_) std::erase(track.subscriptions, subscription);
  std::erase_if(subscriptions_, [&](const auto& s) { return s.get() == subscription; });
}

void Forwarder::Impl::announce(Subscription& subscription) {
  if (subscription.announced == subscription.selector().current()) return;
  subscription.announced = subscription.selector().current();
  events_.push(LayersChanged{subscription.id(), subscription.announced});
}

void Forwarder::Impl::wishForKeyFrame(Subscription& subscription, Publication& publication,
                                      Timestamp now) {
  const auto wanted = subscription.selector().wantsKeyFrame();
  if (!wanted || *wanted >= publication.encodings().size()) return;
  publication.encoding(*wanted).wantKeyFrame();
  sendWishes(publication, now);
}

void Forwarder::Impl::sendWishes(Publication& publication, Timestamp now) {
  for (const auto& encoding : publication.encodings()) {
    if (wishes_.full()) return;
    if (encoding->takeKeyFrameWish(now)) wishes_.push({publication.id(), encoding->ssrc()});
  }
}

void Forwarder::Impl::divide(Peer& peer, Timestamp now) {
  settle();
  demanding_.clear();
  DataRate sound;
  for (const auto& s : subscriptions_) {
    if (s->peer() != peer.id) continue;
    Track* const source = track(s->publication());
    if (!source->publication->isVideo()) {
      if (s->paused) continue;
      for (const auto& encoding : source->publication->encodings())
        if (encoding->alive(now)) sound = sound + encoding->rate();
      continue;
    }
    if (demands_.size() <= demanding_.size()) demands_.emplace_back();
    LayerDemand& demand = demands_[demanding_.size()];
    demanding_.push_back(s.get());
    source->publication->options(now, s->maxHeight, demand.options);
    if (s->paused || s->config().ssrc == 0) demand.options.clear();
    demand.priority = s->config().priority;
    demand.mayRise = !s->wasLowered || now - s->loweredAt >= kHoldAfterLowering;
    demand.present.reset();
    for (size_t i = 0; i < demand.options.size(); ++i) {
      if (s->selector().target() == demand.options[i].layers) demand.present = i;
    }
  }
  DataRate rate = peer.estimate.value_or(DataRate::bps(int64_t{1} << 40));
  if (peer.maxRate) rate = std::min(rate, *peer.maxRate);
  allocateLayers(std::max(rate - sound, DataRate::zero()), {demands_.data(), demanding_.size()});
  for (size_t i = 0; i < demanding_.size(); ++i)
    apply(*demanding_[i], *track(demanding_[i]->publication())->publication, demands_[i], now);
}

void Forwarder::Impl::apply(Subscription& subscription, Publication& publication,
                            const LayerDemand& demand, Timestamp now) {
  LayerSelector& selector = subscription.selector();
  if (!demand.given) {
    selector.setTarget(std::nullopt);
  } else {
    const LayerChoice layers = demand.options[*demand.given].layers;
    const std::optional<LayerChoice> before = selector.target();
    if (before != layers) {
      const auto rateOf = [&](const LayerChoice& choice) {
        return choice.encoding < publication.encodings().size()
                   ? publication.encoding(choice.encoding).rateOf(choice.spatial, choice.temporal)
                   : DataRate();
      };
      const auto& current = selector.current();
      const bool up = !current || rateOf(layers) > rateOf(*current);
      if (before && demand.present && *demand.given < *demand.present) {
        subscription.loweredAt = now;
        subscription.wasLowered = true;
      }
      selector.setTarget(layers, up);
    }
  }
  announce(subscription);
  wishForKeyFrame(subscription, publication, now);
}

void Forwarder::Impl::advance(Timestamp now) {
  now = clock_.clamp(now);
  if (speaker_.decide(now))
    events_.push(DominantSpeakerChanged{PublicationId(*speaker_.dominant())});
  if (now < nextRound_) return;
  nextRound_ = now - lastPacket_ < kIdle ? now + kRound : Timestamp::never();
  for (Track& track : tracks_) track.publication->measure(now);
  for (Peer& peer : peers_) divide(peer, now);
  for (Track& track : tracks_) sendWishes(*track.publication, now);
}

Forwarder::Forwarder(const Environment& environment) : impl_(std::make_unique<Impl>(environment)) {}
Forwarder::~Forwarder() = default;

PublicationId Forwarder::addPublication(const PublicationConfig& config) {
  const PublicationId id{++impl_->lastId_};
  impl_->tracks_.push_back({std::make_unique<Publication>(id, config), {}});
  if (config.kind == media::MediaKind::Audio) impl_->speaker_.add(id.value);
  return id;
}

void Forwarder::removePublication(PublicationId id) {
  impl_->settle();
  std::erase_if(impl_->subscriptions_, [&](const auto& s) {
    if (s->publication() != id) return false;
    impl_->forgetOutput(*s);
    return true;
  });
  std::erase_if(impl_->tracks_, [id](const auto& t) { return t.publication->id() == id; });
  const bool spoke = dominantSpeaker() == id;
  impl_->speaker_.remove(id.value);
  if (spoke) impl_->events_.push(DominantSpeakerChanged{});
}

PeerId Forwarder::addPeer() {
  impl_->peers_.push_back({PeerId{++impl_->lastId_}, {}, {}});
  return impl_->peers_.back().id;
}

void Forwarder::removePeer(PeerId id) {
  for (size_t i = impl_->subscriptions_.size(); i-- > 0;) {
    if (impl_->subscriptions_[i]->peer() == id) impl_->drop(impl_->subscriptions_[i].get());
  }
  std::erase_if(impl_->peers_, [id](const Impl::Peer& peer) { return peer.id == id; });
}

Result<SubscriptionId> Forwarder::subscribe(PeerId peer, PublicationId publication,
                                            const SubscriptionConfig& config, Timestamp now) {
  now = impl_->clock_.clamp(now);
  Impl::Track* const track = impl_->track(publication);
  Impl::Peer* const subscriber = impl_->peer(peer);
  if (track == nullptr || subscriber == nullptr)
    return fail(ErrorCode::NotFound, "no such publication or peer");
  impl_->settle();
  const SubscriptionId id{++impl_->lastId_};
  impl_->subscriptions_.push_back(
      std::make_unique<Subscription>(impl_->environment_, id, peer, *track->publication, config));
  track->subscriptions.push_back(impl_->subscriptions_.back().get());
  impl_->divide(*subscriber, now);
  return id;
}

void Forwarder::unsubscribe(SubscriptionId id) {
  if (const Subscription* s = impl_->subscription(id)) impl_->drop(s);
}

Result<void> Forwarder::reconfigure(PublicationId id, const PublicationConfig& config) {
  Impl::Track* const track = impl_->track(id);
  if (track == nullptr) return fail(ErrorCode::NotFound, "no such publication");
  impl_->settle();
  track->publication->reconfigure(config);
  for (Subscription* s : track->subscriptions) s->mapExtensions(config);
  return ok();
}

std::optional<std::string> Forwarder::codecOf(PublicationId id) const {
  const Impl::Track* const track = impl_->track(id);
  const auto* codec = track != nullptr ? track->publication->codec() : nullptr;
  return codec != nullptr ? std::optional(codec->name) : std::nullopt;
}

Result<void> Forwarder::reconfigure(SubscriptionId id, const SubscriptionConfig& config,
                                    Timestamp now) {
  now = impl_->clock_.clamp(now);
  Subscription* const s = impl_->subscription(id);
  if (s == nullptr) return fail(ErrorCode::NotFound, "no such subscription");
  impl_->settle();
  s->reconfigure(config, impl_->track(s->publication())->publication->config());
  impl_->divide(*impl_->peer(s->peer()), now);
  return ok();
}

void Forwarder::setPaused(SubscriptionId id, bool paused, Timestamp now) {
  now = impl_->clock_.clamp(now);
  Subscription* const s = impl_->subscription(id);
  if (s == nullptr || s->paused == paused) return;
  impl_->settle();
  s->paused = paused;
  impl_->divide(*impl_->peer(s->peer()), now);
}

void Forwarder::setMaxHeight(SubscriptionId id, std::optional<uint32_t> height, Timestamp now) {
  now = impl_->clock_.clamp(now);
  Subscription* const s = impl_->subscription(id);
  if (s == nullptr || s->maxHeight == height) return;
  s->maxHeight = height;
  impl_->divide(*impl_->peer(s->peer()), now);
}

void Forwarder::setMaxRate(PeerId id, std::optional<DataRate> rate, Timestamp now) {
  now = impl_->clock_.clamp(now);
  Impl::Peer* const peer = impl_->peer(id);
  if (peer == nullptr || peer->maxRate == rate) return;
  peer->maxRate = rate;
  impl_->divide(*peer, now);
}

void Forwarder::handlePacket(PublicationId publication, std::string_view rid, PacketBuf packet,
                             Timestamp now) {
  impl_->handlePacket(publication, rid, std::move(packet), now);
}

void Forwarder::handleEstimate(PeerId id, DataRate rate, Timestamp now) {
  now = impl_->clock_.clamp(now);
  Impl::Peer* const peer = impl_->peer(id);
  if (peer == nullptr) return;
  const bool fell = peer->estimate && rate < *peer->estimate * 0.95;
  peer->estimate = rate;
  // Down at once; up waits for the next round.
  if (fell) impl_->divide(*peer, now);
}

void Forwarder::handleRoundTrip(PeerId id, Duration rtt) {
  if (Impl::Peer* const peer = impl_->peer(id)) peer->rtt = rtt;
}

void Forwarder::handleMissing(SubscriptionId subscription, std::span<const uint16_t> sequences,
                              Timestamp now) {
  impl_->handleMissing(subscription, sequences, now);
}

void Forwarder::handleKeyFrameRequest(SubscriptionId id, Timestamp now) {
  now = impl_->clock_.clamp(now);
  Subscription* const s = impl_->subscription(id);
  if (s == nullptr || !s->selector().target()) return;
  // What it looks at now; another encoding that it is about to get begins with one anyway.
  const auto& current = s->selector().current();
  const uint8_t number = current ? current->encoding : s->selector().target()->encoding;
  Publication& publication = *impl_->track(s->publication())->publication;
  if (number >= publication.encodings().size()) return;
  publication.encoding(number).wantKeyFrame();
  impl_->sendWishes(publication, now);
}

void Forwarder::advance(Timestamp now) {
  impl_->advance(now);
}

Timestamp Forwarder::nextDeadline() const {
  return earliest(impl_->nextRound_, impl_->speaker_.nextDecision());
}

bool Forwarder::pollKeyFrameWish(KeyFrameWish& out) {
  if (impl_->wishes_.empty()) return false;
  out = impl_->wishes_.pop();
  return true;
}

bool Forwarder::pollEvent(ForwarderEvent& out) {
  if (impl_->events_.empty()) return false;
  out = impl_->events_.pop();
  return true;
}

std::optional<PublicationId> Forwarder::dominantSpeaker() const {
  const auto key = impl_->speaker_.dominant();
  return key ? std::optional(PublicationId(*key)) : std::nullopt;
}

void Forwarder::encodings(PublicationId id, Timestamp now, std::vector<EncodingStats>& out) const {
  out.clear();
  const Impl::Track* const track = impl_->track(id);
  if (track == nullptr) return;
  for (const auto& encoding : track->publication->encodings()) {
    const rtp::VideoSize size = encoding->size();
    out.push_back({encoding->ssrc(), encoding->rid(), size.width, size.height, encoding->rate(),
                   encoding->alive(now)});
  }
}

std::optional<SubscriptionStats> Forwarder::stats(SubscriptionId id) const {
  const Subscription* const s = impl_->subscription(id);
  if (s == nullptr) return std::nullopt;
  SubscriptionStats out = s->stats();
  out.target = s->selector().target();
  out.current = s->selector().current();
  return out;
}

const ForwarderCounters& Forwarder::counters() const {
  return impl_->counters_;
}

}  // namespace parley::forwarding
