#include "forwarding/packet_layers.h"

#include "parley/base/seq_num.h"

namespace parley::forwarding {
namespace {

// Where RFC 7741 section 4.2 puts the numbers: behind the octet of X and that of I, L, T and K.
void place(const rtp::Vp8Descriptor& descriptor, PacketLayers& out) {
  out.form = PacketLayers::Form::Vp8;
  out.isVp8 = true;
  out.temporal = descriptor.temporalId.value_or(0);
  out.switchingUp = descriptor.layerSync;
  out.pictureId = descriptor.pictureId;
  out.longPictureId = descriptor.longPictureId;
  out.tl0PicIdx = descriptor.tl0PicIdx;
  uint8_t at = 2;
  if (descriptor.pictureId) {
    out.pictureIdAt = at;
    at = static_cast<uint8_t>(at + (descriptor.longPictureId ? 2 : 1));
  }
  if (descriptor.tl0PicIdx) out.tl0PicIdxAt = at;
}

// RFC 9628 section 4.2: picture id behind the first octet, then layers, then TL0PICIDX.
void place(const rtp::Vp9Descriptor& descriptor, PacketLayers& out) {
  out.form = PacketLayers::Form::Vp9;
  out.frameEnd = descriptor.endOfFrame;
  out.interPicture = descriptor.interPicturePredicted;
  out.pictureId = descriptor.pictureId;
  out.longPictureId = descriptor.longPictureId;
  uint8_t at = 1;
  if (descriptor.pictureId) {
    out.pictureIdAt = at;
    at = static_cast<uint8_t>(at + (descriptor.longPictureId ? 2 : 1));
  }
  if (!descriptor.hasLayers) return;
  out.temporal = descriptor.temporalId;
  out.spatial = descriptor.spatialId;
  out.switchingUp = descriptor.switchingUp;
  if (descriptor.flexible) return;
  out.tl0PicIdx = descriptor.tl0PicIdx;
  out.tl0PicIdxAt = static_cast<uint8_t>(at + 1);
}

}  // namespace

LayerReader::LayerReader(const std::string& codec, const rtp::ExtensionMap& extensions)
    : descriptorId_(extensions.id(rtp::ExtensionKind::DependencyDescriptor)),
      depacketizer_(rtp::createDepacketizer(codec)) {}

bool LayerReader::reread(const rtp::PacketView& packet, PacketLayers& out) const {
  out = {};
  const ByteSpan payload = packet.payload();
  if (payload.empty()) return false;
  if (depacketizer_) {
    rtp::PayloadInfo info;
    if (!depacketizer_->parse(payload, info)) return false;
    out.frameStart = info.frameStart;
    out.keyFrame = info.frameStart && info.keyFrame;
    out.size = info.size;
    if (const auto* vp8 = std::get_if<rtp::Vp8Descriptor>(&info.codec)) place(*vp8, out);
    if (const auto* vp9 = std::get_if<rtp::Vp9Descriptor>(&info.codec)) {
      place(*vp9, out);
      out.frameStart = vp9->startOfFrame;
      out.keyFrame = out.frameStart && !vp9->interPicturePredicted && vp9->spatialId == 0;
    }
  }
  return true;
}

LayerReader::Reading LayerReader::read(const rtp::PacketView& packet, PacketLayers& out) {
  if (!reread(packet, out)) return Reading::Malformed;
  const auto bytes = descriptorId_ != 0 ? packet.extension(descriptorId_) : std::nullopt;
  if (!bytes) return Reading::Read;
  rtp::DependencyDescriptorValue descriptor;
  if (!rtp::DependencyDescriptor::parse(*bytes, structure_, descriptor))
    return readWithoutDescriptor(packet, out);
  if (descriptor.hasStructure) structureSequence_ = packet.sequenceNumber();
  out.form = PacketLayers::Form::Dependencies;
  out.frameStart = descriptor.startOfFrame;
  out.frameEnd = descriptor.endOfFrame;
  out.keyFrame = descriptor.startOfFrame && descriptor.hasStructure;
  out.spatial = descriptor.spatialId;
  out.temporal = descriptor.temporalId;
  out.frameNumber = descriptor.frameNumber;
  out.targets = descriptor.targets;
  if (descriptor.hasStructure && !structure_->sizes.empty())
    out.size = structure_->sizes[structure_->sizes.size() - 1];
  return Reading::Read;
}

/// Bad-input rule B46: the descriptor is dropped, and a key frame brings the next structure. VP8
/// and VP9 tell the layers in the payload too. A packet of AV1 or H.26x could be of any: as one of
/// the base it would spoil the picture of those who get nothing but the base.
LayerReader::Reading LayerReader::readWithoutDescriptor(const rtp::PacketView& packet,
                                                        PacketLayers& out) {
  // A late packet may belong to the structure before, which nothing will bring back.
  if (!structure_ || isNewer(packet.sequenceNumber(), structureSequence_)) structureMissing_ = true;
  const bool toldByPayload = out.form != PacketLayers::Form::Opaque;
  if (!toldByPayload) out = {};
  out.badDescriptor = true;
  return toldByPayload ? Reading::Read : Reading::Unplaced;
}

}  // namespace parley::forwarding
