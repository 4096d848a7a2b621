#include "parley/rtp/extension_map.h"

#include "parley/rtp/extensions/all.h"

namespace parley::rtp {

namespace {

template <class... Ext>
constexpr std::array<std::string_view, kExtensionKindCount> urisOf() {
  static_assert(sizeof...(Ext) == kExtensionKindCount);
  std::array<std::string_view, kExtensionKindCount> uris{};
  ((uris[static_cast<size_t>(Ext::kKind)] = Ext::kUri), ...);
  return uris;
}

constexpr std::array<std::string_view, kExtensionKindCount> kUris =
    urisOf<Mid, Rid, RepairedRid, AudioLevel, CsrcAudioLevel, AbsSendTime, TransportSequenceNumber,
           TransmissionOffset, AbsCaptureTime, PlayoutDelay, VideoOrientation, ContentType,
           VideoTiming, ColorSpace, DependencyDescriptor, VideoLayersAllocation,
           CorruptionDetection>();

}  // namespace

std::optional<ExtensionKind> extensionKindOf(std::string_view uri) {
  for (size_t i = 0; i < kUris.size(); ++i) {
    if (kUris[i] == uri) return static_cast<ExtensionKind>(i);
  }
  return std::nullopt;
}

std::string_view uriOf(ExtensionKind kind) {
  return kUris[static_cast<size_t>(kind)];
}

std::optional<ExtensionKind> ExtensionMap::kind(uint8_t id) const {
  if (id == 0) return std::nullopt;
  for (size_t i = 0; i < ids_.size(); ++i) {
    if (ids_[i] == id) return static_cast<ExtensionKind>(i);
  }
  return std::nullopt;
}

bool ExtensionMap::add(ExtensionKind newKind, uint8_t newId) {
  if (newId == 0) return false;
  const auto holder = kind(newId);
  if (holder && *holder != newKind) return false;
  ids_[static_cast<size_t>(newKind)] = newId;
  return true;
}

bool ExtensionMap::add(std::string_view uri, uint8_t newId) {
  const auto newKind = extensionKindOf(uri);
  return newKind && add(*newKind, newId);
}

bool ExtensionMap::needsTwoByteForm() const {
  for (uint8_t id : ids_) {
    if (id > 14) return true;
  }
  return false;
}

}  // namespace parley::rtp
