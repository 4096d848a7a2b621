#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "parley/forwarding/types.h"

#include "forwarding/packet_layers.h"

namespace parley::forwarding {

/// Decides packet by packet what one receiver gets of a publication, so that it always has a stream
/// that decodes: it goes up where nothing earlier is referred to, and down with the next frame.
///
/// - to another encoding (simulcast) only at the start of one of its key frames; until then the old
///   one goes on
/// - down in time or space: from the next frame on
///   (decode targets: if the lower one's frames were all part of the upper one, else at a key
///   frame)
/// - up in time: VP8 at a frame of the higher layer that is a sync point (Y); VP9 at a switching up
///   point (U): of a lower layer, or of the frame itself, as encoders mark it in both ways; with
///   dependency descriptors at a frame that is a switch for the new decode target
/// - up in space: at a frame of the higher layer that refers to no earlier picture; with dependency
///   descriptors, which do not say that here, at a key frame
class LayerSelector {
 public:
  struct Decision {
    bool isOurs = false;  ///< of the encoding that is being forwarded
    bool forward = false;
    bool isSwitch = false;     ///< the first packet of another encoding
    bool startsFrame = false;  ///< the first packet of this frame that was seen
    bool endsPicture = false;  ///< what comes behind it in the picture is not forwarded
    uint8_t frame = 0;         ///< place of the frame among the last kFrames
  };
  static constexpr size_t kFrames = 32;

  /// Nothing: pauses. `goingUp`: if it is another encoding, one of more bits.
  void setTarget(std::optional<LayerChoice> target, bool goingUp = false);
  const std::optional<LayerChoice>& target() const { return target_; }
  /// What is forwarded at present.
  const std::optional<LayerChoice>& current() const { return current_; }
  /// Another source has taken the place of this encoding.
  void forget(uint8_t encoding) {
    if (current_ && current_->encoding == encoding) current_.reset();
  }
  /// The encoding of which a key frame is needed to get to the target.
  std::optional<uint8_t> wantsKeyFrame() const;

  Decision decide(const PacketLayers& layers, uint8_t encoding, uint32_t timestamp,
                  const std::optional<rtp::DependencyStructure>& structure);

 private:
  struct Frame {
    uint32_t timestamp = 0;
    uint8_t spatial = 0;
    bool known = false;
    bool forward = false;
  };
  void startFrame(const PacketLayers& layers,
                  const std::optional<rtp::DependencyStructure>& structure);
  void followTarget(const PacketLayers& layers);
  void followTargets(const PacketLayers& layers, const rtp::DependencyStructure& structure);
  std::optional<uint8_t> bestTarget(const rtp::DependencyStructure& structure) const;

  std::optional<LayerChoice> target_;
  std::optional<LayerChoice> current_;
  bool goingUp_ = false;
  std::optional<uint8_t> decodeTarget_;
  bool blocked_ = false;  ///< nothing but a key frame leads to the wanted decode target
  std::array<Frame, kFrames> frames_{};
  size_t nextFrame_ = 0;
};

}  // namespace parley::forwarding
