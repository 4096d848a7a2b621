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
  for (size_t i = 0; i < out.templates.size() && bits.ok(); ++i) {
    while (bits.ok() && bits.bit() != 0) bits.skip(4);
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

}  // namespace

bool DependencyDescriptor::parse(ByteSpan bytes, std::optional<DependencyStructure>& structure,
                                 DependencyDescriptorValue& out) {
  if (bytes.size() < kMinSize) return false;
  BitReader bits(bytes);
  DependencyDescriptorValue value;
  value.startOfFrame = bits.bit() != 0;
  value.endOfFrame = bits.bit() != 0;
  value.templateId = static_cast<uint8_t>(bits.bits(6));
  value.frameNumber = static_cast<uint16_t>(bits.bits(16));
  bool hasActive = false;
  bool hasOwnIndications = false;
  std::optional<DependencyStructure> brought;
  if (bytes.size() > kMinSize) {
    value.hasStructure = bits.bit() != 0;
    hasActive = bits.bit() != 0;
    hasOwnIndications = bits.bit() != 0;
    bits.skip(2);  // own frame differences and chains, which come behind what we read
  }
  if (value.hasStructure && !readStructure(bits, brought.emplace())) return false;
  const DependencyStructure* const used = brought ? &*brought : structure ? &*structure : nullptr;
  if (used == nullptr) return false;
  if (hasActive) value.activeTargets = bits.bits(static_cast<unsigned>(used->targets.size()));
  const size_t index = (value.templateId + 64u - used->firstTemplate) % 64;
  if (index >= used->templates.size()) return false;
  const auto& entry = used->templates[index];
  value.spatialId = entry.spatialId;
  value.temporalId = entry.temporalId;
  value.targets = entry.targets;
  if (hasOwnIndications) readIndications(bits, used->targets.size(), value.targets);
  if (!bits.ok()) return false;
  if (brought) structure = std::move(brought);
  out = value;
  return true;
}

}  // namespace parley::rtp
