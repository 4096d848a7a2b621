#include "parley/rtp/extensions/dependency_writer.h"

#include <bit>

#include "parley/rtp/extensions/dependency_descriptor.h"

#include "rtp/payload_format/bit_writer.h"

namespace parley::rtp {
namespace {

using Indication = DecodeTargetIndication;

// Of each spatial layer, one template for key frames and one for each temporal layer, in the order
// in which appendix A.8.2 walks the layers. Numbers start at 0.
uint8_t templateOf(const DependencyLayers& layers, const DependencyFrame& frame) {
  const size_t base = frame.spatialId * (1u + layers.temporal);
  return static_cast<uint8_t>(frame.keyFrame ? base : base + 1 + frame.temporalId);
}

/// What a frame is to the target that decodes the layers up to (s, t).
Indication indicationOf(bool keyFrame, uint8_t frameSpatial, uint8_t frameTemporal, uint8_t s,
                        uint8_t t) {
  if (frameSpatial > s || frameTemporal > t) return Indication::NotPresent;
  if (keyFrame) return Indication::Switch;
  if (frameTemporal > 0 && frameTemporal == t && frameSpatial == s) return Indication::Discardable;
  // Who can decode the target's upper layer in space here can decode all of its frames to come,
  // whatever was left out in time; who decodes a lower one in space cannot.
  return s == frameSpatial ? Indication::Switch : Indication::Required;
}

void writeStructure(const DependencyLayers& layers, BitWriter& w) {
  const unsigned targets = layers.spatial * unsigned{layers.temporal};
  w.bits(6, 0);  // template_id_offset
  w.bits(5, targets - 1);
  // next_layer_idc: 0 the same layer again, 1 the next in time, 2 the next in space, 3 the end.
  for (unsigned s = 0; s < layers.spatial; ++s) {
    w.bits(2, 0);
    for (unsigned t = 1; t < layers.temporal; ++t) w.bits(2, 1);
    w.bits(2, s + 1 < layers.spatial ? 2 : 3);
  }
  const auto indicate = [&](bool key, uint8_t frameSpatial, uint8_t frameTemporal) {
    for (uint8_t s = 0; s < layers.spatial; ++s) {
      for (uint8_t t = 0; t < layers.temporal; ++t)
        w.bits(2, static_cast<uint32_t>(indicationOf(key, frameSpatial, frameTemporal, s, t)));
    }
  };
  for (uint8_t s = 0; s < layers.spatial; ++s) {
    indicate(true, s, 0);
    for (uint8_t t = 0; t < layers.temporal; ++t) indicate(false, s, t);
  }
  // No references in the templates.
  for (unsigned i = 0; i < layers.spatial * (1u + layers.temporal); ++i) w.bits(1, 0);
  // chain_cnt as ns(targets + 1): zero is the shortest code there is.
  w.bits(static_cast<unsigned>(std::bit_width(targets + 1) - 1), 0);
  const bool sized = layers.sizes.size() == layers.spatial;
  w.bits(1, sized ? 1 : 0);
  for (size_t i = 0; sized && i < layers.sizes.size(); ++i) {
    w.bits(16, layers.sizes[i].width - 1u);
    w.bits(16, layers.sizes[i].height - 1u);
  }
}

void writeDiffs(const DependencyFrame& frame, BitWriter& w) {
  for (uint16_t diff : frame.frameDiffs) {
    const unsigned octets = diff <= 16 ? 1 : diff <= 256 ? 2 : 3;
    w.bits(2, octets);
    w.bits(4 * octets, diff - 1u);
  }
  w.bits(2, 0);
}

}  // namespace

size_t DependencyWriter::write(const DependencyFrame& frame, bool first, bool last,
                               MutableByteSpan out) const {
  if (frame.spatialId >= layers_.spatial || frame.temporalId >= layers_.temporal) return 0;
  BitWriter w(out);
  w.bits(1, first ? 1 : 0);
  w.bits(1, last ? 1 : 0);
  w.bits(6, templateOf(layers_, frame));
  w.bits(16, frame.number);
  const bool structure = first && frame.keyFrame && frame.spatialId == 0;
  const bool refers = !frame.frameDiffs.empty();
  if (structure || refers) {
    w.bits(1, structure ? 1 : 0);
    w.bits(1, 0);  // all decode targets are active
    w.bits(1, 0);  // indications as in the template
    w.bits(1, refers ? 1 : 0);
    w.bits(1, 0);  // no chains
    if (structure) writeStructure(layers_, w);
    if (refers) writeDiffs(frame, w);
  }
  return w.ok() ? w.size() : 0;
}

}  // namespace parley::rtp
