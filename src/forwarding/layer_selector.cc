#include "forwarding/layer_selector.h"

#include <algorithm>

namespace parley::forwarding {

using rtp::DecodeTargetIndication;

void LayerSelector::setTarget(std::optional<LayerChoice> target, bool goingUp) {
  target_ = target;
  goingUp_ = goingUp;
  // Whoever missed frames needs a key frame.
  if (!target) current_.reset();
}

std::optional<uint8_t> LayerSelector::wantsKeyFrame() const {
  if (!target_) return std::nullopt;
  if (!current_ || current_->encoding != target_->encoding) return target_->encoding;
  if (current_->spatial < target_->spatial || blocked_) return target_->encoding;
  return std::nullopt;
}

LayerSelector::Decision LayerSelector::decide(
    const PacketLayers& layers, uint8_t encoding, uint32_t timestamp,
    const std::optional<rtp::DependencyStructure>& structure) {
  Decision out;
  if (!target_) return out;
  if (!current_ || current_->encoding != encoding) {
    if (encoding != target_->encoding || !layers.keyFrame) return out;
    current_ = LayerChoice{encoding, 0, 0};
    decodeTarget_.reset();
    blocked_ = false;
    frames_.fill({});
    out.isSwitch = true;
  }
  out.isOurs = true;
  const auto isIt = [&](const Frame& frame) {
    return frame.known && frame.timestamp == timestamp && frame.spatial == layers.spatial;
  };
  // Mostly that of the packet before.
  Frame* frame = &frames_[(nextFrame_ + kFrames - 1) % kFrames];
  if (!isIt(*frame)) {
    const auto known = std::find_if(frames_.begin(), frames_.end(), isIt);
    frame = known == frames_.end() ? nullptr : &*known;
  }
  if (frame == nullptr) {
    // A frame whose first packet is late or lost changes nothing.
    if (layers.frameStart) startFrame(layers, structure);
    out.startsFrame = true;
    frame = &frames_[nextFrame_++ % kFrames];
    *frame = {timestamp, layers.spatial, true, false};
    if (layers.form == PacketLayers::Form::Dependencies && decodeTarget_) {
      frame->forward = layers.targets[*decodeTarget_] != DecodeTargetIndication::NotPresent;
    } else {
      frame->forward = layers.spatial <= current_->spatial && layers.temporal <= current_->temporal;
    }
  }
  out.frame = static_cast<uint8_t>(frame - frames_.data());
  out.forward = frame->forward;
  out.endsPicture = layers.frameEnd && layers.spatial == current_->spatial;
  return out;
}

void LayerSelector::startFrame(const PacketLayers& layers,
                               const std::optional<rtp::DependencyStructure>& structure) {
  if (layers.form == PacketLayers::Form::Dependencies && structure) {
    followTargets(layers, *structure);
  } else {
    followTarget(layers);
  }
}

void LayerSelector::followTarget(const PacketLayers& layers) {
  // Where descriptors are left off between, what was got is known by layers alone.
  decodeTarget_.reset();
  blocked_ = false;
  // The aim on another encoding is not one for this; until its key frame, the least is enough if we
  // go down, and what there is if we go up.
  const bool leaving = target_->encoding != current_->encoding;
  if (leaving && goingUp_) return;
  const uint8_t spatial = leaving ? 0 : target_->spatial;
  const uint8_t temporal = leaving ? 0 : target_->temporal;
  if (layers.keyFrame) {
    current_->spatial = spatial;
    current_->temporal = temporal;
    return;
  }
  if (layers.spatial == 0) current_->spatial = std::min(current_->spatial, spatial);
  current_->temporal = std::min(current_->temporal, temporal);
  if (current_->spatial < spatial && layers.spatial == current_->spatial + 1 &&
      !layers.interPicture)
    current_->spatial = layers.spatial;
  if (current_->temporal >= temporal || !layers.switchingUp) return;
  if (layers.temporal > current_->temporal) {
    if (layers.temporal <= temporal) current_->temporal = layers.temporal;
  } else if (layers.form == PacketLayers::Form::Vp9) {
    current_->temporal = temporal;
  }
}

std::optional<uint8_t> LayerSelector::bestTarget(const rtp::DependencyStructure& structure) const {
  const bool leaving = target_->encoding != current_->encoding;
  if (leaving && goingUp_) return decodeTarget_;
  const int spatial = leaving ? 0 : target_->spatial;
  const int temporal = leaving ? 0 : target_->temporal;
  std::optional<uint8_t> best;
  for (size_t i = 0; i < structure.targets.size(); ++i) {
    const auto& target = structure.targets[i];
    if (target.spatialId > spatial || target.temporalId > temporal) continue;
    if (best) {
      const auto& other = structure.targets[*best];
      if (std::pair(target.spatialId, target.temporalId) <=
          std::pair(other.spatialId, other.temporalId))
        continue;
    }
    best = static_cast<uint8_t>(i);
  }
  return best;
}

namespace {

/// Whoever gets `from` gets all of `to`.
bool contains(const rtp::DependencyStructure& structure, uint8_t from, uint8_t to) {
  return std::all_of(structure.templates.begin(), structure.templates.end(),
                     [from, to](const rtp::DependencyStructure::Template& frame) {
                       return frame.targets[to] == DecodeTargetIndication::NotPresent ||
                              frame.targets[from] != DecodeTargetIndication::NotPresent;
                     });
}

}  // namespace

void LayerSelector::followTargets(const PacketLayers& layers,
                                  const rtp::DependencyStructure& structure) {
  blocked_ = false;
  const std::optional<uint8_t> wanted = bestTarget(structure);
  if (!wanted || *wanted >= structure.targets.size()) return;
  const auto& aim = structure.targets[*wanted];
  if (!layers.keyFrame) {
    if (!decodeTarget_ || *decodeTarget_ >= structure.targets.size()) {
      blocked_ = true;
      return;
    }
    // Down at once, unless the lower layers were not needed for the upper ones and so were not
    // sent. Up in time at a switch. That says no more than that what follows can be decoded if this
    // frame can, and a frame of an upper layer in space cannot unless one has had that layer.
    const bool within = contains(structure, *decodeTarget_, *wanted);
    const bool sameSize = aim.spatialId == structure.targets[*decodeTarget_].spatialId;
    const bool enters = sameSize && layers.spatial == aim.spatialId &&
                        layers.targets[*wanted] == DecodeTargetIndication::Switch;
    blocked_ = !within && !sameSize;
    if (!within && !enters) return;
  }
  decodeTarget_ = wanted;
  current_->spatial = aim.spatialId;
  current_->temporal = aim.temporalId;
}

}  // namespace parley::forwarding
