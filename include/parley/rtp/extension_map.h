#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "parley/base/export.h"
#include "parley/rtp/packet_view.h"

namespace parley::rtp {

/// The header extensions this library knows. `kUri` of the traits struct of the same name (see
/// extensions/) is its name in SDP.
enum class ExtensionKind : uint8_t {
  Mid,
  Rid,
  RepairedRid,
  AudioLevel,
  CsrcAudioLevel,
  AbsSendTime,
  TransportSequenceNumber,
  TransmissionOffset,
  AbsCaptureTime,
  PlayoutDelay,
  VideoOrientation,
  ContentType,
  VideoTiming,
  ColorSpace,
  DependencyDescriptor,
  VideoLayersAllocation,
  CorruptionDetection,
};
inline constexpr size_t kExtensionKindCount = 17;

/// The kind with this URI, or nullopt if we do not know it.
PARLEY_EXPORT std::optional<ExtensionKind> extensionKindOf(std::string_view uri);
PARLEY_EXPORT std::string_view uriOf(ExtensionKind kind);

/// The negotiated `a=extmap` of one m-section: kind <-> id. A value; holds no URIs.
class PARLEY_EXPORT ExtensionMap {
 public:
  /// Id 0 means "not negotiated".
  uint8_t id(ExtensionKind kind) const { return ids_[static_cast<size_t>(kind)]; }
  template <class Ext>
  uint8_t id() const {
    return id(Ext::kKind);
  }
  bool has(ExtensionKind kind) const { return id(kind) != 0; }
  std::optional<ExtensionKind> kind(uint8_t id) const;

  /// False (and unchanged) for id 0, or if the id already stands for another kind.
  bool add(ExtensionKind kind, uint8_t id);
  /// False also for an URI that we do not know: it is simply not used.
  bool add(std::string_view uri, uint8_t id);
  void remove(ExtensionKind kind) { ids_[static_cast<size_t>(kind)] = 0; }

  /// Whether writing needs the two-byte form (RFC 8285 section 4.3): an id above 14.
  bool needsTwoByteForm() const;
  bool operator==(const ExtensionMap&) const = default;

 private:
  std::array<uint8_t, kExtensionKindCount> ids_{};
};

/// Reads a typed extension: nullopt if it is not negotiated, absent, or malformed (then only the
/// extension is ignored, never the packet).
template <class Ext>
std::optional<typename Ext::Value> getExtension(const PacketView& packet, const ExtensionMap& map) {
  const uint8_t id = map.id(Ext::kKind);
  if (id == 0) return std::nullopt;
  const std::optional<ByteSpan> bytes = packet.extension(id);
  if (!bytes) return std::nullopt;
  return Ext::parse(*bytes);
}

}  // namespace parley::rtp
