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
}

void ReceiveRouter::removeReceiver(ReceiverId id) {
  for (size_t i = streams_.size(); i-- > 0;) {
    if (streams_[i]->receiver() == id) removeStream(i);
  }
  std::erase_if(bindings_, [id](const Binding& b) { return b.receiver->config.id == id; });
  std::erase_if(receivers_, [id](const auto& r) { return r->config.id == id; });
}

ReceiveRouter::Receiver* ReceiveRouter::receiver(ReceiverId id) {
  for (const auto& r : receivers_) {
    if (r->config.id == id) return r.get();
  }
  return nullptr;
}

uint8_t ReceiveRouter::extensionId(rtp::ExtensionKind kind) const {
  for (const auto& r : receivers_) {
    if (r->config.extensions.has(kind)) return r->config.extensions.id(kind);
  }
  return 0;
}

ReceiveRouter::Binding* ReceiveRouter::bindingOf(uint32_t ssrc) {
  for (Binding& b : bindings_) {
    if (b.ssrc == ssrc) return &b;
  }
  return nullptr;
}

ReceiveStream* ReceiveRouter::streamOf(uint32_t ssrc) const {
  for (const auto& s : streams_) {
    if (s->ssrc() == ssrc) return s.get();
  }
  return nullptr;
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

ReceiveRouter::Route ReceiveRouter::route(const rtp::PacketView& view) {
  Route out;
  const std::string_view mid = textOf<rtp::Mid>(view, extensionId(rtp::ExtensionKind::Mid));
  Binding* binding = bindingOf(view.ssrc());
  Receiver* receiver = nullptr;
  bool isSignalled = false;
  if (!mid.empty()) {
    // "If the packet has a MID and the MID is not in the table, drop the packet."
    receiver = byMid(mid);
    if (!receiver) return out;
    out.isExpected = true;
    if (binding && binding->receiver != receiver) {
      // "the SSRC is now associated with the m= section of the MID"
      for (size_t i = streams_.size(); i-- > 0;) {
        if (!binding->isRtx && streams_[i].get() == binding->stream) removeStream(i);
      }
      std::erase_if(bindings_, [&view](const Binding& b) { return b.ssrc == view.ssrc(); });
      binding = nullptr;
    }
  } else if (binding) {
    receiver = binding->receiver;
  } else {
    receiver = bySignalledSsrc(view.ssrc());
    isSignalled = receiver != nullptr;
    if (!receiver) receiver = byPayloadType(view.payloadType());
    if (!receiver) return out;
  }
  if (receiver == nullptr) return out;
  out.codec = codecOf(*receiver, view.payloadType(), out.isRtx);
  if (!out.codec) return out;
  out.receiver = receiver;
  out.isExpected = out.isExpected || isSignalled;

  if (binding && binding->isRtx == out.isRtx) {
    out.stream = binding->stream;
    if (!out.isRtx) {
      const std::string_view rid = textOf<rtp::Rid>(view, extensionId(rtp::ExtensionKind::Rid));
      if (!rid.empty() && out.stream->rid().empty()) out.stream->setRid(rid);
    }
    return out;
  }
  if (!out.isRtx) {
    out.rid = textOf<rtp::Rid>(view, extensionId(rtp::ExtensionKind::Rid));
    return out;
  }
  out.stream =
      pairRtx(*receiver, view,
              textOf<rtp::RepairedRid>(view, extensionId(rtp::ExtensionKind::RepairedRid)));
  if (out.stream && bindings_.size() < 2 * limits_.maxReceiveSsrcs) {
    std::erase_if(bindings_, [&view](const Binding& b) { return b.ssrc == view.ssrc(); });
    bindings_.push_back({view.ssrc(), receiver, out.stream, true, isSignalled, out.isExpected});
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
  const auto isUnexpected = [](const Binding& b) {
    return !b.isRtx && !b.isSignalled && !b.isExpected;
  };
  const bool isSignalled = bySignalledSsrc(stream->ssrc()) == route.receiver;
  const bool unexpected = !isSignalled && !route.isExpected;
  const size_t unknown =
      static_cast<size_t>(std::count_if(bindings_.begin(), bindings_.end(), isUnexpected));
  if (unexpected && unknown >= limits_.maxUnsignalledSsrcs && !evict(true)) return nullptr;
  if (streams_.size() >= limits_.maxReceiveSsrcs && !evict(false)) return nullptr;
  const uint32_t ssrc = stream->ssrc();
  std::erase_if(bindings_, [ssrc](const Binding& b) { return b.ssrc == ssrc; });
  streams_.push_back(std::move(stream));
  ReceiveStream* added = streams_.back().get();
  bindings_.push_back({ssrc, route.receiver, added, false, isSignalled, route.isExpected});
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
  unbind(streams_[index].get());
  streams_.erase(streams_.begin() + static_cast<ptrdiff_t>(index));
}

void ReceiveRouter::unbind(const ReceiveStream* stream) {
  std::erase_if(bindings_, [stream](const Binding& b) { return b.stream == stream; });
}

}  // namespace parley::media
