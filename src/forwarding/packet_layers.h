#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "parley/rtp/extension_map.h"
#include "parley/rtp/extensions/dependency_descriptor.h"
#include "parley/rtp/packet_view.h"
#include "parley/rtp/payload_format/payload_format.h"

namespace parley::forwarding {

/// What a packet says about its place among the layers, from whichever header tells it: the
/// dependency descriptor, else that of VP8 or VP9.
struct PacketLayers {
  enum class Form : uint8_t { Opaque, Vp8, Vp9, Dependencies };

  Form form = Form::Opaque;
  bool frameStart = false;  ///< of a layer frame
  bool frameEnd = false;    ///< VP9 and Dependencies only; elsewhere the marker bit tells
  bool keyFrame = false;    ///< the first packet of a picture that needs no other
  uint8_t spatial = 0;
  uint8_t temporal = 0;
  /// VP8 (Y) and VP9 (U): see LayerSelector.
  bool switchingUp = false;
  bool interPicture = true;  ///< VP9 (P)
  rtp::VideoSize size;       ///< key frames only, zero if not told
  bool isVp8 = false;

  /// VP8 and VP9, and where they lie in the payload; 0: not there.
  std::optional<uint16_t> pictureId;
  uint8_t pictureIdAt = 0;
  bool longPictureId = false;
  std::optional<uint8_t> tl0PicIdx;
  uint8_t tl0PicIdxAt = 0;
  /// Dependencies only.
  uint16_t frameNumber = 0;
  rtp::DependencyStructure::Indications targets{};
  /// It has a descriptor that could not be read, and that nobody is to be given.
  bool badDescriptor = false;
};

/// Reads the layers of one encoding's packets. Keeps the dependency structure in force.
class LayerReader {
 public:
  LayerReader(const std::string& codec, const rtp::ExtensionMap& extensions);

  enum class Reading : uint8_t {
    Read,
    Malformed,  ///< the payload: the packet is of no use to anybody
    Unplaced,   ///< the descriptor, and the payload does not tell the layer either
  };
  Reading read(const rtp::PacketView& packet, PacketLayers& out);
  /// A packet has come whose descriptor would be read if we had not missed something, or is wrong:
  /// the structure has to come again, with a key frame. Told once.
  bool takeStructureMissing() { return std::exchange(structureMissing_, false); }
  /// The layers change with the packet.
  bool bringsStructure(const rtp::PacketView& packet) const {
    const auto bytes = descriptorId_ != 0 ? packet.extension(descriptorId_) : std::nullopt;
    return bytes && rtp::DependencyDescriptor::bringsStructure(*bytes);
  }
  /// Only what the payload says; false if it is malformed.
  bool reread(const rtp::PacketView& packet, PacketLayers& out) const;
  const std::optional<rtp::DependencyStructure>& structure() const { return structure_; }

 private:
  Reading readWithoutDescriptor(const rtp::PacketView& packet, PacketLayers& out);

  uint8_t descriptorId_;
  std::unique_ptr<rtp::Depacketizer> depacketizer_;
  std::optional<rtp::DependencyStructure> structure_;
  uint16_t structureSequence_ = 0;  ///< of the packet that brought it
  bool structureMissing_ = false;
};

}  // namespace parley::forwarding
