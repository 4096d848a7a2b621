// The way of packets: read once, given to one subscription after the other.

#include <algorithm>
#include <utility>

#include "parley/rtp/extensions/audio_level.h"

#include "forwarding/forwarder_impl.h"

namespace parley::forwarding {

void Forwarder::Impl::push(Subscription& subscription, media::PreparedPacket packet) {
  if (waitingPackets_ >= maxWaiting_) {
    ++counters_.droppedQueueFull;
    return;
  }
  if (subscription.output.empty()) waiting_.push_back(&subscription);
  subscription.output.push_back(std::move(packet));
  ++waitingPackets_;
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
  const auto view = rtp::PacketView::parse(packet.span());
  if (!view) {
    ++counters_.malformedPackets;
    return;
  }
  if (isNews(*found, *view)) settle(*found);
  uint8_t number = 0;
  bool isNew = false;
  Encoding* const encoding = found->publication->encodingOf(*view, rid, number, isNew, now);
  if (encoding == nullptr) {
    ++counters_.unknownEncodings;
    return;
  }
  lastPacket_ = now;
  if (nextRound_.isNever()) nextRound_ = now;
  Arrival arrival;
  arrival.packet = std::move(packet);
  arrival.view = *view;
  arrival.source = encoding;
  arrival.encoding = number;
  arrival.time = now;
  read(*found, arrival);
  if (isNew) introduce(*found, number, now);
  add(*found, std::move(arrival));
}

/// It changes what those that wait are to be taken for.
bool Forwarder::Impl::isNews(const Track& track, const rtp::PacketView& view) const {
  if (track.arrivals.empty()) return false;
  const Encoding* const encoding = track.publication->find(view);
  return track.served > 0 || encoding == nullptr || encoding->bringsStructure(view);
}

/// What the packet is, for all who get it.
void Forwarder::Impl::read(const Track& track, Arrival& arrival) {
  Publication& publication = *track.publication;
  Encoding& encoding = *arrival.source;
  const auto reading = encoding.read(arrival.view, arrival.layers);
  arrival.isReadable = reading == LayerReader::Reading::Read;
  // Packets of padding alone are probes of the publisher's; our own path is probed by ourselves.
  if (reading == LayerReader::Reading::Malformed && !arrival.view.payload().empty())
    ++counters_.malformedPackets;
  if (arrival.layers.badDescriptor) ++counters_.badDescriptors;
  arrival.sequence =
      encoding.note(arrival.view, arrival.layers, publication.isVideo(), arrival.time);
  if (!publication.isVideo()) noteLevel(publication, arrival.view, arrival.time);
  if (encoding.takeStructureMissing() && isTarget(track, arrival.encoding)) {
    encoding.wantKeyFrame();
    sendWishes(publication, arrival.time);
  }
}

bool Forwarder::Impl::isTarget(const Track& track, uint8_t encoding) {
  return std::any_of(track.subscriptions.begin(), track.subscriptions.end(),
                     [encoding](const Subscription* s) {
                       const auto& target = s->selector().target();
                       return target && target->encoding == encoding;
                     });
}

void Forwarder::Impl::introduce(const Track& track, uint8_t encoding, Timestamp now) {
  for (Subscription* s : track.subscriptions) s->forget(encoding);
  if (!track.publication->isVideo()) return;
  // So that a first key frame is not missed.
  for (Subscription* s : track.subscriptions) divide(*peer(s->peer()), now);
}

void Forwarder::Impl::add(Track& track, Arrival arrival) {
  const size_t most = track.subscriptions.size();
  const auto isFull = [&] { return waitingPackets_ + pendingPackets_ + most > maxWaiting_; };
  if (isFull()) settle();
  track.arrivals.push_back(std::move(arrival));
  pendingPackets_ += most;
  if (most == 0 || isFull()) settle(track);
}

void Forwarder::Impl::give(Subscription& subscription, Arrival& arrival,
                           std::vector<media::PreparedPacket>& out) {
  media::PreparedPacket packet;
  const bool hadCurrent = subscription.selector().current().has_value();
  switch (arrival.isReadable ? subscription.forward(arrival, packet)
                             : subscription.leaveOut(arrival)) {
    case Subscription::Outcome::Written:
      out.push_back(std::move(packet));
      break;
    case Subscription::Outcome::NoBuffer:
      ++counters_.droppedNoBuffer;
      break;
    case Subscription::Outcome::NotOurs:
    case Subscription::Outcome::LeftOut:
      break;
  }
  if (!hadCurrent || arrival.layers.frameStart) announce(subscription);
}

/// One more subscription has its packets; false if all have.
bool Forwarder::Impl::serveNext(Track& track, std::vector<media::PreparedPacket>& out) {
  if (track.served == track.subscriptions.size()) return false;
  Subscription& subscription = *track.subscriptions[track.served++];
  for (Arrival& arrival : track.arrivals) give(subscription, arrival, out);
  pendingPackets_ -= track.arrivals.size();
  if (track.served == track.subscriptions.size()) release(track);
  return true;
}

bool Forwarder::Impl::serveNext(SubscriptionId& of, std::vector<media::PreparedPacket>& out) {
  if (pendingPackets_ == 0) return false;
  for (Track& track : tracks_) {
    while (!track.arrivals.empty()) {
      of = track.subscriptions[track.served]->id();
      serveNext(track, out);
      if (!out.empty()) return true;
    }
  }
  return false;
}

void Forwarder::Impl::release(Track& track) {
  for (Arrival& arrival : track.arrivals)
    arrival.source->cache().add(arrival.sequence, std::move(arrival.packet), arrival.time);
  track.arrivals.clear();
  track.served = 0;
}

/// Everybody has what came so far; it waits to be polled.
void Forwarder::Impl::settle(Track& track) {
  if (track.arrivals.empty()) return;
  const size_t count = track.subscriptions.size();
  if (count == 0) release(track);
  for (size_t i = track.served; i < count; ++i) {
    served_.clear();
    serveNext(track, served_);
    for (media::PreparedPacket& packet : served_) push(*track.subscriptions[i], std::move(packet));
  }
  served_.clear();
}

void Forwarder::Impl::settle() {
  if (pendingPackets_ == 0) return;
  for (Track& track : tracks_) settle(track);
}

void Forwarder::Impl::handleMissing(SubscriptionId id, std::span<const uint16_t> sequences,
                                    Timestamp now) {
  now = clock_.clamp(now);
  settle();
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

bool Forwarder::pollPacket(ForwardedPacket& out) {
  Impl& impl = *impl_;
  SubscriptionId of;
  if (impl.waiting_.empty() && impl.serveNext(of, impl.served_)) {
    Subscription& subscription = *impl.subscription(of);
    for (media::PreparedPacket& packet : impl.served_) impl.push(subscription, std::move(packet));
    impl.served_.clear();
  }
  if (impl.waiting_.empty()) return false;
  Subscription& subscription = *impl.waiting_.front();
  static_cast<media::PreparedPacket&>(out) =
      std::move(subscription.output[subscription.outputTaken++]);
  out.subscription = subscription.id();
  --impl.waitingPackets_;
  if (subscription.outputTaken == subscription.output.size()) {
    subscription.output.clear();
    subscription.outputTaken = 0;
    impl.waiting_.erase(impl.waiting_.begin());
  }
  return true;
}

bool Forwarder::pollPackets(SubscriptionId& of, std::vector<media::PreparedPacket>& out) {
  out.clear();
  if (impl_->waiting_.empty()) return impl_->serveNext(of, out);
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
  return impl_->waitingPackets_ + impl_->pendingPackets_ > impl_->maxWaiting_ / 2;
}

}  // namespace parley::forwarding
