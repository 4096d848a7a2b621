#include "media/receive_router.h"

#include <algorithm>

#include "parley/rtp/extensions/stream_id.h"

namespace parley::media {

namespace {

template <class Ext>
std::string_view textOf(const rtp::PacketView& view, uint8_t id) {
  const auto bytes = id ? view.extension(id) : std::nullopt;
  const auto text = bytes ? Ext::parse(*bytes) : std::nullopt;
  return text.value_or(std::string_view{});
}

}  // namespace

void ReceiveRouter::setReceiver(const ReceiveConfig& config) {
  Receiver* existing = receiver(config.id);
  if (!existing) {
    receivers_.push_back(std::make_unique<Receiver>());
    existing = receivers_.back().get();
  }
  existing->config = config;
  for (const auto& stream : streams_) {
    if (stream->receiver() == config.id) stream->setLayer(namesLayer(config, stream->ssrc()));
  }
  findExtensionIds();
  findFlexfec();
}

void ReceiveRouter::removeReceiver(ReceiverId id) {
  for (size_t i = streams_.size(); i-- > 0;) {
    if (streams_[i]->receiver() == id) removeStream(i);
  }
  std::erase_if(bindings_,
                [id](const auto& entry) { return entry.second.receiver->config.id == id; });
  std::erase_if(receivers_, [id](const auto& r) { return r->config.id == id; });
  findExtensionIds();
  findFlexfec();
}

ReceiveRouter::Receiver* ReceiveRouter::receiver(ReceiverId id) {
  for (const auto& r : receivers_) {
    if (r->config.id == id) return r.get();
  }
  return nullptr;
}

bool ReceiveRouter::namesLayer(const ReceiveConfig& config, uint32_t ssrc) {
  return std::any_of(config.sources.begin(), config.sources.end(),
                     [ssrc](const SignalledSource& s) { return s.ssrc == ssrc && s.isLayer; });
}

bool ReceiveRouter::reportsRate() const {
  return std::any_of(receivers_.begin(), receivers_.end(),
                     [](const auto& r) { return r->config.reportsRate; });
}

void ReceiveRouter::findExtensionIds() {
  for (size_t kind = 0; kind < extensionIds_.size(); ++kind) {
    extensionIds_[kind] = 0;
    for (const auto& r : receivers_) {
      extensionIds_[kind] = r->config.extensions.id(static_cast<rtp::ExtensionKind>(kind));
      if (extensionIds_[kind] != 0) break;
    }
  }
}

void ReceiveRouter::findFlexfec() {
  flexfec_.reset();
  for (const auto& r : receivers_) {
    for (const ReceiveCodec& c : r->config.codecs) {
      if (c.payloadType < flexfec_.size() && flexfecOf(r->config, c.payloadType))
        flexfec_.set(c.payloadType);
    }
  }
}

std::optional<rtp::FecScheme> ReceiveRouter::flexfecOf(const ReceiveConfig& config,
                                                       uint8_t payloadType) {
  const ReceiveCodec* codec = config.codecOf(payloadType);
  if (!codec || config.kind != MediaKind::Video) return std::nullopt;
  const auto scheme = rtp::fecSchemeOf(codec->name);
  return scheme == rtp::FecScheme::Ulpfec ? std::nullopt : scheme;
}

ReceiveRouter::Binding* ReceiveRouter::bindingOf(uint32_t ssrc) {
  const auto it = bindings_.find(ssrc);
  return it == bindings_.end() ? nullptr : &it->second;
}

ReceiveStream* ReceiveRouter::streamOf(uint32_t ssrc) const {
  const auto it = bindings_.find(ssrc);
  return it == bindings_.end() || it->second.isRtx ? nullptr : it->second.stream;
}

ReceiveStream* ReceiveRouter::latestStream(ReceiverId id) const {
  ReceiveStream* latest = nullptr;
  for (const auto& s : streams_) {
    if (s->receiver() == id && (!latest || s->lastHeard() > latest->lastHeard())) latest = s.get();
  }
  return latest;
}

ReceiveRouter::Receiver* ReceiveRouter::byMid(std::string_view mid) {
  for (const auto& r : receivers_) {
    if (r->config.mid == mid) return r.get();
  }
  return nullptr;
}

ReceiveRouter::Receiver* ReceiveRouter::bySignalledSsrc(uint32_t ssrc) {
  for (const auto& r : receivers_) {
    for (const SignalledSource& s : r->config.sources) {
      if (s.ssrc == ssrc || s.rtxSsrc == ssrc) return r.get();
    }
  }
  return nullptr;
}

// Only if the payload type points to one receiver: with two sections of the same codecs, a packet
// without mid belongs to either.
ReceiveRouter::Receiver* ReceiveRouter::byPayloadType(uint8_t payloadType) {
  Receiver* found = nullptr;
  for (const auto& r : receivers_) {
    bool isRtx = false;
    if (!codecOf(*r, payloadType, isRtx)) continue;
    if (found) return nullptr;
    found = r.get();
  }
  return found;
}

const ReceiveCodec* ReceiveRouter::codecOf(const Receiver& receiver, uint8_t payloadType,
                                           bool& isRtx) {
  for (const ReceiveCodec& c : receiver.config.codecs) {
    isRtx = c.rtxPayloadType == payloadType;
    if (isRtx || c.payloadType == payloadType) return &c;
  }
  return nullptr;
}

ReceiveRouter::Receiver* ReceiveRouter::receiverOf(const rtp::PacketView& view, Binding*& binding,
                                                   Route& out) {
  const std::string_view mid = textOf<rtp::Mid>(view, extensionId(rtp::ExtensionKind::Mid));
  if (mid.empty()) {
    if (binding) return binding->receiver;
    Receiver* receiver = bySignalledSsrc(view.ssrc());
    out.isExpected = receiver != nullptr;
    return receiver ? receiver : byPayloadType(view.payloadType());
  }
  out.isExpected = true;
  if (binding && binding->receiver->config.mid == mid) return binding->receiver;
  // "If the packet has a MID and the MID is not in the table, drop the packet."
  Receiver* receiver = byMid(mid);
  if (!receiver || !binding) return receiver;
  // "the SSRC is now associated with the m= section of the MID"
  const ReceiveStream* moved = binding->isRtx ? nullptr : binding->stream;
  bindings_.erase(view.ssrc());
  binding = nullptr;
  for (size_t i = 0; moved && i < streams_.size(); ++i) {
    if (streams_[i].get() != moved) continue;
    removeStream(i);
    break;
  }
  return receiver;
}

ReceiveRouter::Route ReceiveRouter::route(const rtp::PacketView& view) {
  Route out;
  Binding* binding = bindingOf(view.ssrc());
  Receiver* receiver = receiverOf(view, binding, out);
  if (!receiver) return out;
  out.codec = codecOf(*receiver, view.payloadType(), out.isRtx);
  if (!out.codec) return out;
  out.receiver = receiver;

  if (binding && binding->isRtx == out.isRtx) {
    out.stream = binding->stream;
    if (!out.isRtx && out.stream->rid().empty()) {
      const auto rid = textOf<rtp::Rid>(view, extensionId(rtp::ExtensionKind::Rid));
      if (!rid.empty()) out.stream->setRid(rid);
    }
    return out;
  }
  if (!out.isRtx) {
    out.rid = textOf<rtp::Rid>(view, extensionId(rtp::ExtensionKind::Rid));
    return out;
  }
  // A source of media that calls itself a repair stays what it is.
  if (binding || bindings_.size() >= 2 * limits_.maxReceiveSsrcs) return out;
  out.stream =
      pairRtx(*receiver, view,
              textOf<rtp::RepairedRid>(view, extensionId(rtp::ExtensionKind::RepairedRid)));
  if (out.stream) {
    bindings_[view.ssrc()] = {receiver, out.stream, true, bySignalledSsrc(view.ssrc()) == receiver,
                              out.isExpected};
    out.stream->setRtxSsrc(view.ssrc());
  }
  return out;
}

// RFC 4588 section 5.3 leaves the pairing to what is known: a description, the repaired rid, the
// only stream there is, or the packet number asked for.
ReceiveStream* ReceiveRouter::pairRtx(Receiver& receiver, const rtp::PacketView& view,
                                      std::string_view repairedRid) {
  for (const SignalledSource& s : receiver.config.sources) {
    if (s.rtxSsrc == view.ssrc()) return streamOf(s.ssrc);
  }
  ReceiveStream* only = nullptr;
  ReceiveStream* asking = nullptr;
  size_t count = 0;
  const bool hasNumber = view.payload().size() >= 2;
  const uint16_t number = hasNumber ? loadU16(view.payload().data()) : uint16_t{0};
  for (const auto& s : streams_) {
    if (s->receiver() != receiver.config.id) continue;
    if (!repairedRid.empty() && s->rid() == repairedRid) return s.get();
    if (s->rtxSsrc() || s->endedAt) continue;
    ++count;
    only = s.get();
    if (hasNumber && s->nack().isMissing(number)) asking = s.get();
  }
  if (!repairedRid.empty()) return nullptr;
  return count == 1 ? only : asking;
}

ReceiveStream* ReceiveRouter::addStream(std::unique_ptr<ReceiveStream> stream, const Route& route) {
  const bool isSignalled = bySignalledSsrc(stream->ssrc()) == route.receiver;
  const bool unexpected = !isSignalled && !route.isExpected;
  const auto unknown = std::count_if(bindings_.begin(), bindings_.end(), [](const auto& entry) {
    return !entry.second.isRtx && !entry.second.isSignalled && !entry.second.isExpected;
  });
  if (unexpected && static_cast<size_t>(unknown) >= limits_.maxUnsignalledSsrcs && !evict(true))
    return nullptr;
  if (streams_.size() >= limits_.maxReceiveSsrcs && !evict(false)) return nullptr;
  streams_.push_back(std::move(stream));
  ReceiveStream* added = streams_.back().get();
  added->setLayer(namesLayer(route.receiver->config, added->ssrc()));
  bindings_[added->ssrc()] = {route.receiver, added, false, isSignalled, route.isExpected};
  return added;
}

bool ReceiveRouter::evict(bool unexpectedOnly) {
  size_t oldest = streams_.size();
  for (size_t i = 0; i < streams_.size(); ++i) {
    const Binding* b = bindingOf(streams_[i]->ssrc());
    if (b && (b->isSignalled || (unexpectedOnly && b->isExpected))) continue;
    if (oldest == streams_.size() || streams_[i]->lastHeard() < streams_[oldest]->lastHeard()) {
      oldest = i;
    }
  }
  if (oldest == streams_.size()) return false;
  removeStream(oldest);
  return true;
}

void ReceiveRouter::removeStream(size_t index) {
  const ReceiveStream* stream = streams_[index].get();
  std::erase_if(bindings_, [stream](const auto& entry) { return entry.second.stream == stream; });
  gone_.push_back({SourceEvent::Kind::Ended, stream->receiver(), stream->ssrc(), stream->rtxSsrc(),
                   std::string(stream->rid()), stream->fecSsrc()});
  streams_.erase(streams_.begin() + static_cast<ptrdiff_t>(index));
}

}  // namespace parley::media
