#include "parley/forwarding/forwarder.h"

#include <algorithm>

#include "parley/base/driven.h"
#include "parley/base/ring_queue.h"
#include "parley/forwarding/dominant_speaker.h"
#include "parley/forwarding/layer_allocator.h"
#include "parley/rtp/extensions/audio_level.h"

#include "forwarding/subscription.h"

namespace parley::forwarding {
namespace {

/// How often rates are measured and divided anew while packets come.
constexpr Duration kRound = Duration::millis(100);
constexpr Duration kIdle = Duration::seconds(3);
/// Who had too little is not raised for so long.
constexpr Duration kHoldAfterLowering = Duration::seconds(3);
constexpr size_t kMaxWishes = 1024;

}  // namespace

class Forwarder::Impl {
 public:
  explicit Impl(const Environment& environment)
      : environment_(environment),
        maxWaiting_(environment.limits.maxQueuedTransmits),
        events_(environment.limits.maxQueuedEvents) {}

  struct Peer {
    PeerId id{};
    std::optional<DataRate> estimate;
    Duration rtt;
    std::optional<DataRate> maxRate{};
  };
  struct Track {
    std::unique_ptr<Publication> publication;
    std::vector<Subscription*> subscriptions;
  };

  Track* track(PublicationId id) {
    for (Track& track : tracks_) {
      if (track.publication->id() == id) return &track;
    }
    return nullptr;
  }
  Peer* peer(PeerId id) {
    for (Peer& peer : peers_) {
      if (peer.id == id) return &peer;
    }
    return nullptr;
  }
  Subscription* subscription(SubscriptionId id) const {
    for (const auto& subscription : subscriptions_) {
      if (subscription->id() == id) return subscription.get();
    }
    return nullptr;
  }

  void drop(const Subscription* subscription);
  void forgetOutput(const Subscription& subscription);
  void push(Subscription& subscription, media::PreparedPacket packet);
  void handlePacket(PublicationId id, std::string_view rid, PacketBuf packet, Timestamp now);
  void handleMissing(SubscriptionId id, std::span<const uint16_t> sequences, Timestamp now);
  void advance(Timestamp now);
  void divide(Peer& peer, Timestamp now);
  void apply(Subscription& subscription, Publication& publication, const LayerDemand& demand,
             Timestamp now);
  void announce(Subscription& subscription);
  void wishForKeyFrame(Subscription& subscription, Publication& publication, Timestamp now);
  void sendWishes(Publication& publication, Timestamp now);
  void noteLevel(const Publication& publication, const rtp::PacketView& view, Timestamp now);

  const Environment& environment_;
  MonotonicGuard clock_;
  std::vector<Track> tracks_;
  std::vector<Peer> peers_;
  std::vector<std::unique_ptr<Subscription>> subscriptions_;
  DominantSpeaker speaker_;
  uint32_t lastId_ = 0;
  Timestamp nextRound_ = Timestamp::never();
  Timestamp lastPacket_;
  // What leaves stands with its subscription, so that it leaves together.
  const size_t maxWaiting_;
  size_t waitingPackets_ = 0;
  std::vector<Subscription*> waiting_;  ///< those that have packets, in no order
  RingQueue<KeyFrameWish> wishes_{kMaxWishes};
  RingQueue<ForwarderEvent> events_;
  ForwarderCounters counters_;
  // Reused, so that steady state does not allocate.
  std::vector<LayerDemand> demands_;
  std::vector<Subscription*> demanding_;
};

void Forwarder::Impl::forgetOutput(const Subscription& subscription) {
  waitingPackets_ -= subscription.output.size() - subscription.outputTaken;
  std::erase(waiting_, &subscription);
}

void Forwarder::Impl::push(Subscription& subscription, media::PreparedPacket packet) {
  if (subscription.output.empty()) waiting_.push_back(&subscription);
  subscription.output.push_back(std::move(packet));
  ++waitingPackets_;
}

void Forwarder::Impl::drop(const Subscription* subscription) {
  forgetOutput(*subscription);
  for (Track& track : tracks_) std::erase(track.subscriptions, subscription);
  std::erase_if(subscriptions_, [&](const auto& s) { return s.get() == subscription; });
}

void Forwarder::Impl::noteLevel(const Publication& publication, const rtp::PacketView& view,
                                Timestamp now) {
  const auto level = rtp::getExtension<rtp::AudioLevel>(view, publication.config().extensions);
  if (!level) return;
  speaker_.handleLevel(publication.id().value, level->level, now);
}

void Forwarder::Impl::handlePacket(PublicationId id, std::string_view rid, PacketBuf packet,
                                   Timestamp now) {
  now = clock_.clamp(now);
  Track* const found = track(id);
  if (found == nullptr) return;
  Publication& publication = *found->publication;
  const auto view = rtp::PacketView::parse(packet.span());
  if (!view) {
    ++counters_.malformedPackets;
    return;
  }
  uint8_t number = 0;
  bool isNew = false;
  Encoding* const encoding = publication.encodingOf(*view, rid, number, isNew, now);
  if (encoding == nullptr) {
    ++counters_.unknownEncodings;
    return;
  }
  if (isNew) {
    for (Subscription* s : found->subscriptions) s->selector().forget(number);
  }
  Arrival arrival{*view, encoding->codec(), number, 0, {}, encoding->structure(), now};
  // Packets of padding alone are probes of the publisher's; our own path is probed by ourselves.
  const bool readable = encoding->read(*view, arrival.layers);
  if (!readable && !view->payload().empty()) ++counters_.malformedPackets;
  arrival.sequence = encoding->note(*view, arrival.layers, publication.isVideo(), now);
  lastPacket_ = now;
  if (nextRound_.isNever()) nextRound_ = now;
  if (!publication.isVideo()) noteLevel(publication, *view, now);
  if (isNew && publication.isVideo()) {
    // So that a first key frame is not missed.
    for (Subscription* s : found->subscriptions) divide(*peer(s->peer()), now);
  }
  for (Subscription* const s : found->subscriptions) {
    if (waitingPackets_ >= maxWaiting_) {
      ++counters_.droppedQueueFull;
      continue;
    }
    media::PreparedPacket out;
    const bool hadCurrent = s->selector().current().has_value();
    switch (readable ? s->forward(arrival, out) : s->leaveOut(arrival)) {
      case Subscription::Outcome::Written:
        push(*s, std::move(out));
        break;
      case Subscription::Outcome::NoBuffer:
        ++counters_.droppedNoBuffer;
        break;
      case Subscription::Outcome::NotOurs:
      case Subscription::Outcome::LeftOut:
        break;
    }
    if (!hadCurrent || arrival.layers.frameStart) announce(*s);
  }
  encoding->cache().add(arrival.sequence, std::move(packet), now);
}

void Forwarder::Impl::announce(Subscription& subscription) {
  if (subscription.announced == subscription.selector().current()) return;
  subscription.announced = subscription.selector().current();
  events_.push(LayersChanged{subscription.id(), subscription.announced});
}

void Forwarder::Impl::handleMissing(SubscriptionId id, std::span<const uint16_t> sequences,
                                    Timestamp now) {
  now = clock_.clamp(now);
  Subscription* const s = subscription(id);
  Track* const source = s != nullptr ? track(s->publication()) : nullptr;
  if (source == nullptr) return;
  const Peer* const asking = peer(s->peer());
  for (const uint16_t sequence : sequences) {
    if (waitingPackets_ >= maxWaiting_) {
      ++counters_.droppedQueueFull;
      return;
    }
    media::PreparedPacket out;
    out.isRepetition = true;
    const auto answer = s->repeat(sequence, *source->publication,
                                  asking != nullptr ? asking->rtt : Duration(), now, out);
    if (answer == Subscription::Answer::Written) push(*s, std::move(out));
    if (answer == Subscription::Answer::Refused) ++counters_.repetitionsRefused;
  }
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
  s->reconfigure(config, impl_->track(s->publication())->publication->config());
  impl_->divide(*impl_->peer(s->peer()), now);
  return ok();
}

void Forwarder::setPaused(SubscriptionId id, bool paused, Timestamp now) {
  now = impl_->clock_.clamp(now);
  Subscription* const s = impl_->subscription(id);
  if (s == nullptr || s->paused == paused) return;
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

bool Forwarder::pollPacket(ForwardedPacket& out) {
  if (impl_->waiting_.empty()) return false;
  Subscription& subscription = *impl_->waiting_.front();
  static_cast<media::PreparedPacket&>(out) =
      std::move(subscription.output[subscription.outputTaken++]);
  out.subscription = subscription.id();
  --impl_->waitingPackets_;
  if (subscription.outputTaken == subscription.output.size()) {
    subscription.output.clear();
    subscription.outputTaken = 0;
    impl_->waiting_.erase(impl_->waiting_.begin());
  }
  return true;
}

bool Forwarder::pollPackets(SubscriptionId& of, std::vector<media::PreparedPacket>& out) {
  out.clear();
  if (impl_->waiting_.empty()) return false;
  Subscription& subscription = *impl_->waiting_.back();
  impl_->waiting_.pop_back();
  of = subscription.id();
  out.swap(subscription.output);
  out.erase(out.begin(), out.begin() + static_cast<ptrdiff_t>(subscription.outputTaken));
  subscription.outputTaken = 0;
  impl_->waitingPackets_ -= out.size();
  return true;
}

bool Forwarder::isCrowded() const {
  return impl_->waitingPackets_ > impl_->maxWaiting_ / 2;
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
