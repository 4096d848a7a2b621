#include "parley/rtp/extensions/dependency_descriptor.h"

#include <algorithm>

#include "rtp/payload_format/bit_reader.h"

namespace parley::rtp {
namespace {

/// ns(n) of the AV1 specification, section 4.10.7: a number below n in as few bits as can be.
uint32_t belowOf(BitReader& bits, uint32_t n) {
  unsigned width = 0;
  for (uint32_t x = n; x != 0; x >>= 1) ++width;
  if (width == 0) return 0;
  const uint32_t shorter = (1u << width) - n;
  const uint32_t value = bits.bits(width - 1);
  if (value < shorter) return value;
  return (value << 1) - shorter + bits.bit();
}

bool readLayers(BitReader& bits, DependencyStructure& out) {
  DependencyStructure::Template layer;
  for (;;) {
    if (!out.templates.push_back(layer)) return false;
    switch (bits.bits(2)) {
      case 0:  // one more of the same layer
        break;
      case 1:
        ++layer.temporalId;
        break;
      case 2:
        layer.temporalId = 0;
        ++layer.spatialId;
        break;
      default:
        return bits.ok();
    }
    if (!bits.ok() || layer.temporalId > 7 || layer.spatialId > 3) return false;
  }
}

void readIndications(BitReader& bits, size_t count, DependencyStructure::Indications& out) {
  for (size_t i = 0; i < count; ++i) out[i] = static_cast<DecodeTargetIndication>(bits.bits(2));
}

void skipChains(BitReader& bits, const DependencyStructure& structure) {
  const auto targets = static_cast<uint32_t>(structure.targets.size());
  const uint32_t chains = belowOf(bits, targets + 1);
  if (chains == 0) return;
  for (uint32_t i = 0; i < targets; ++i) belowOf(bits, chains);
  bits.skip(size_t{4} * chains * structure.templates.size());
}

bool readStructure(BitReader& bits, DependencyStructure& out) {
  out.firstTemplate = static_cast<uint8_t>(bits.bits(6));
  const size_t targets = bits.bits(5) + 1;
  if (!readLayers(bits, out)) return false;
  for (auto& entry : out.templates) readIndications(bits, targets, entry.targets);
  for (auto& entry : out.templates) {
    while (bits.ok() && bits.bit() != 0) {
      if (!entry.frameDiffs.push_back(static_cast<uint8_t>(bits.bits(4) + 1))) return false;
    }
  }
  for (size_t i = 0; i < targets; ++i) {
    DependencyStructure::Target target;
    for (const auto& entry : out.templates) {
      if (entry.targets[i] == DecodeTargetIndication::NotPresent) continue;
      target.spatialId = std::max(target.spatialId, entry.spatialId);
      target.temporalId = std::max(target.temporalId, entry.temporalId);
    }
    out.targets.push_back(target);
  }
  skipChains(bits, out);
  if (bits.bit() != 0) {
    const uint8_t top = out.templates[out.templates.size() - 1].spatialId;
    for (int layer = 0; layer <= top; ++layer) {
      const auto width = static_cast<uint16_t>(bits.bits(16) + 1);
      const auto height = static_cast<uint16_t>(bits.bits(16) + 1);
      out.sizes.push_back({width, height});
    }
  }
  return bits.ok();
}

/// frame_fdiffs(): each comes with its own width.
bool readDiffs(BitReader& bits, DependencyDescriptorValue& out) {
  for (unsigned octets = bits.bits(2); octets != 0 && bits.ok(); octets = bits.bits(2)) {
    if (!out.frameDiffs.push_back(static_cast<uint16_t>(bits.bits(4 * octets) + 1))) return false;
  }
  return bits.ok();
}

/// Under `inForce`, unless it brings one, which then goes to `brought`.
bool read(ByteSpan bytes, const DependencyStructure* inForce,
          std::optional<DependencyStructure>& brought, DependencyDescriptorValue& out) {
  if (bytes.size() < DependencyDescriptor::kMinSize) return false;
  BitReader bits(bytes);
  DependencyDescriptorValue value;
  value.startOfFrame = bits.bit() != 0;
  value.endOfFrame = bits.bit() != 0;
  value.templateId = static_cast<uint8_t>(bits.bits(6));
  value.frameNumber = static_cast<uint16_t>(bits.bits(16));
  bool hasActive = false;
  bool hasOwnIndications = false;
  bool hasOwnDiffs = false;
  if (bytes.size() > DependencyDescriptor::kMinSize) {
    value.hasStructure = bits.bit() != 0;
    hasActive = bits.bit() != 0;
    hasOwnIndications = bits.bit() != 0;
    hasOwnDiffs = bits.bit() != 0;
    bits.skip(1);  // own chains, which come behind what we read
  }
  if (value.hasStructure && !readStructure(bits, brought.emplace())) return false;
  const DependencyStructure* const used = brought ? &*brought : inForce;
  if (used == nullptr) return false;
  if (hasActive) value.activeTargets = bits.bits(static_cast<unsigned>(used->targets.size()));
  const size_t index = (value.templateId + 64u - used->firstTemplate) % 64;
  if (index >= used->templates.size()) return false;
  const auto& entry = used->templates[index];
  value.spatialId = entry.spatialId;
  value.temporalId = entry.temporalId;
  value.targets = entry.targets;
  if (hasOwnIndications) readIndications(bits, used->targets.size(), value.targets);
  if (hasOwnDiffs) {
    if (!readDiffs(bits, value)) return false;
  } else {
    for (const uint8_t diff : entry.frameDiffs) value.frameDiffs.push_back(diff);
  }
  if (!bits.ok()) return false;
  out = value;
  return true;
}

}  // namespace

bool DependencyDescriptor::parse(ByteSpan bytes, std::optional<DependencyStructure>& structure,
                                 DependencyDescriptorValue& out) {
  std::optional<DependencyStructure> brought;
  if (!read(bytes, structure ? &*structure : nullptr, brought, out)) return false;
  if (brought) structure = std::move(brought);
  return true;
}

bool DependencyDescriptor::parse(ByteSpan bytes, const DependencyStructure& structure,
                                 DependencyDescriptorValue& out) {
  std::optional<DependencyStructure> brought;
  return !bringsStructure(bytes) && read(bytes, &structure, brought, out);
}

}  // namespace parley::rtp
