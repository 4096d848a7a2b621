#include "parley/jsep/format_memory.h"

#include <algorithm>

namespace parley::jsep {
namespace {

/// RFC 5761 section 4: with rtcp-mux, 64-95 cannot be told from RTCP. 35-63 are the reserve that
/// browsers use as well when 96-127 are full.
template <class IsFree>
std::optional<uint8_t> firstFreePayloadType(IsFree isFree) {
  for (int pt = 96; pt <= 127; ++pt) {
    if (isFree(static_cast<uint8_t>(pt))) return static_cast<uint8_t>(pt);
  }
  for (int pt = 63; pt >= 35; --pt) {
    if (isFree(static_cast<uint8_t>(pt))) return static_cast<uint8_t>(pt);
  }
  return std::nullopt;
}

}  // namespace

bool sameBinding(const sdp::CodecParams& a, const sdp::CodecParams& b) {
  return sdp::sameFormat(a, b) && a.associatedPayloadType() == b.associatedPayloadType();
}

void FormatMemory::bind(const sdp::CodecParams& codec) {
  const auto it = std::find_if(bindings_.begin(), bindings_.end(), [&](const sdp::CodecParams& b) {
    return b.payloadType == codec.payloadType;
  });
  if (it == bindings_.end()) {
    bindings_.push_back(codec);
  } else if (!sameBinding(*it, codec)) {
    *it = codec;
  }
}

const sdp::CodecParams* FormatMemory::at(uint8_t payloadType) const {
  const auto it = std::find_if(bindings_.begin(), bindings_.end(), [&](const sdp::CodecParams& b) {
    return b.payloadType == payloadType;
  });
  return it == bindings_.end() ? nullptr : &*it;
}

std::optional<uint8_t> FormatMemory::find(const sdp::CodecParams& codec) const {
  // An exact number first: a peer may have bound one format twice.
  if (const sdp::CodecParams* own = at(codec.payloadType); own && sameBinding(*own, codec)) {
    return codec.payloadType;
  }
  for (const sdp::CodecParams& b : bindings_) {
    if (sameBinding(b, codec)) return b.payloadType;
  }
  return std::nullopt;
}

std::optional<uint8_t> FormatMemory::assign(const sdp::CodecParams& codec) {
  if (const auto known = find(codec)) return known;
  const auto isFree = [this](uint8_t pt) { return at(pt) == nullptr; };
  const auto number =
      isFree(codec.payloadType) ? std::optional(codec.payloadType) : firstFreePayloadType(isFree);
  if (!number) return std::nullopt;
  sdp::CodecParams bound = codec;
  bound.payloadType = *number;
  bind(bound);
  return number;
}

bool FormatMemory::agrees(const sdp::CodecParams& codec) const {
  const sdp::CodecParams* bound = at(codec.payloadType);
  return bound == nullptr || sameBinding(*bound, codec);
}

void ExtensionMemory::bind(uint16_t id, std::string_view uri) {
  const auto it = std::find_if(bindings_.begin(), bindings_.end(),
                               [&](const Binding& b) { return b.id == id; });
  if (it == bindings_.end()) {
    bindings_.push_back({id, std::string(uri)});
  } else {
    it->uri = uri;
  }
}

const std::string* ExtensionMemory::at(uint16_t id) const {
  const auto it = std::find_if(bindings_.begin(), bindings_.end(),
                               [&](const Binding& b) { return b.id == id; });
  return it == bindings_.end() ? nullptr : &it->uri;
}

std::optional<uint16_t> ExtensionMemory::find(std::string_view uri) const {
  const auto it = std::find_if(bindings_.begin(), bindings_.end(),
                               [&](const Binding& b) { return b.uri == uri; });
  return it == bindings_.end() ? std::nullopt : std::optional(it->id);
}

std::optional<uint16_t> ExtensionMemory::assign(std::string_view uri, uint16_t preferred) {
  if (const auto known = find(uri)) return known;
  std::optional<uint16_t> id;
  if (preferred != 0 && at(preferred) == nullptr) id = preferred;
  for (uint16_t i = 1; !id && i <= 255; ++i) {
    // 15 is not usable in the one-byte form (RFC 8285 section 4.2); skipping it costs nothing.
    if (i != 15 && at(i) == nullptr) id = i;
  }
  if (id) bind(*id, uri);
  return id;
}

}  // namespace parley::jsep
