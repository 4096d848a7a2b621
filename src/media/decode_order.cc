#include "media/decode_order.h"

namespace parley::media {

namespace {

size_t slotOf(int64_t id, size_t window) {
  const int64_t w = static_cast<int64_t>(window);
  return static_cast<size_t>(((id % w) + w) % w);
}

}  // namespace

std::optional<int64_t> DecodeOrder::unwrapPictureId(std::optional<uint16_t> id, bool longId) const {
  if (!id) return std::nullopt;
  const int64_t range = longId ? 0x8000 : 0x80;
  const int64_t value = *id & (range - 1);
  if (!lastPicture_) return value;
  int64_t diff = (value - *lastPicture_) % range;
  if (diff < 0) diff += range;
  if (diff >= range / 2) diff -= range;
  return *lastPicture_ + diff;
}

bool DecodeOrder::hasPicture(int64_t id) const {
  return lastPicture_ && id <= *lastPicture_ &&
         id > *lastPicture_ - static_cast<int64_t>(kPictureWindow) &&
         pictures_[slotOf(id, kPictureWindow)];
}

void DecodeOrder::notePicture(int64_t id, bool keyFrame) {
  const int64_t last = lastPicture_.value_or(id - 1);
  if (keyFrame || id <= last || id - last >= static_cast<int64_t>(kPictureWindow)) {
    pictures_.reset();
  } else {
    for (int64_t i = last + 1; i < id; ++i) pictures_[slotOf(i, kPictureWindow)] = false;
  }
  pictures_[slotOf(id, kPictureWindow)] = true;
  lastPicture_ = id;
}

DecodeOrder::Verdict DecodeOrder::check(const AssembledFrame& frame, bool adjacent) const {
  if (lastSequence_ && frame.firstSequence <= *lastSequence_) return Verdict::Stale;
  if (frame.keyFrame) return Verdict::Decodable;
  if (!lastSequence_) return Verdict::Waiting;
  if (described_ && !frame.dependencies.empty()) {
    switch (described_->check({frame.dependencies.data(), frame.dependencies.size()})) {
      case DependencyOrder::Verdict::Decodable:
        return Verdict::Decodable;
      case DependencyOrder::Verdict::Waiting:
        return Verdict::Waiting;
      case DependencyOrder::Verdict::Unknown:
        break;
    }
  }
  bool decodable = adjacent;
  if (const auto* vp8 = std::get_if<rtp::Vp8Descriptor>(&frame.descriptor)) {
    decodable = isDecodableVp8(*vp8, adjacent);
  } else if (const auto* vp9 = std::get_if<rtp::Vp9Descriptor>(&frame.descriptor)) {
    decodable = isDecodableVp9(*vp9, adjacent);
  }
  return decodable ? Verdict::Decodable : Verdict::Waiting;
}

// The layer rules shared by VP8 and VP9 (RFC 7741 section 4.2 TL0PICIDX and Y, RFC 9628 section 4.2
// TL0PICIDX and U): a base layer frame needs the base layer frame before it; a frame of an upper
// layer needs its base layer frame and, unless it is a sync point, an unbroken run of its own
// layer.
bool DecodeOrder::layerIsDecodable(uint8_t temporalId, uint8_t tl0, bool sync, bool follows) const {
  if (!lastTl0_) return follows;
  if (temporalId == 0) return follows || tl0 == static_cast<uint8_t>(*lastTl0_ + 1);
  if (tl0 != *lastTl0_) return false;
  return sync || (follows && !broken_[temporalId & 7]);
}

void DecodeOrder::commitLayers(uint8_t temporalId, uint8_t tl0, bool sync, bool switchesUp,
                               bool follows, bool keyFrame) {
  lastTl0_ = tl0;
  for (size_t layer = 1; layer < 8; ++layer) {
    if (keyFrame) {
      broken_[layer] = false;
    } else if (!follows) {
      broken_[layer] = true;
    }
  }
  if (sync) broken_[temporalId & 7] = false;
  if (switchesUp) {
    for (size_t layer = (temporalId & 7u) + 1; layer < 8; ++layer) broken_[layer] = false;
  }
}

bool DecodeOrder::isDecodableVp8(const rtp::Vp8Descriptor& d, bool adjacent) const {
  const auto id = unwrapPictureId(d.pictureId, d.longPictureId);
  const bool follows = adjacent || (id && lastPicture_ && *id == *lastPicture_ + 1);
  if (d.tl0PicIdx && d.temporalId) {
    return layerIsDecodable(*d.temporalId, *d.tl0PicIdx, d.layerSync, follows);
  }
  return follows;
}

bool DecodeOrder::isDecodableVp9(const rtp::Vp9Descriptor& d, bool adjacent) const {
  const auto id = unwrapPictureId(d.pictureId, d.longPictureId);
  const bool follows = adjacent || (id && lastPicture_ && *id == *lastPicture_ + 1);
  if (d.flexible && id && !d.referenceDiffs.empty()) {
    for (uint8_t diff : d.referenceDiffs) {
      if (!hasPicture(*id - diff)) return false;
    }
    return true;
  }
  if (d.hasLayers && !d.flexible) {
    return layerIsDecodable(d.temporalId, d.tl0PicIdx, false, follows);
  }
  return follows;
}

void DecodeOrder::commit(AssembledFrame& frame, bool adjacent) {
  if (!frame.dependencies.empty()) {
    if (!described_) described_ = std::make_unique<DependencyOrder>();
    const auto layer = described_->commit({frame.dependencies.data(), frame.dependencies.size()});
    frame.spatialId = layer.spatialId;
    frame.temporalId = layer.temporalId;
  }
  if (const auto* vp8 = std::get_if<rtp::Vp8Descriptor>(&frame.descriptor)) {
    const auto id = unwrapPictureId(vp8->pictureId, vp8->longPictureId);
    const bool follows = adjacent || (id && lastPicture_ && *id == *lastPicture_ + 1);
    if (vp8->tl0PicIdx && vp8->temporalId) {
      commitLayers(*vp8->temporalId, *vp8->tl0PicIdx, vp8->layerSync, false, follows,
                   frame.keyFrame);
    } else {
      lastTl0_.reset();
    }
    if (id) notePicture(*id, frame.keyFrame);
  } else if (const auto* vp9 = std::get_if<rtp::Vp9Descriptor>(&frame.descriptor)) {
    const auto id = unwrapPictureId(vp9->pictureId, vp9->longPictureId);
    const bool follows = adjacent || (id && lastPicture_ && *id == *lastPicture_ + 1);
    if (vp9->hasLayers && !vp9->flexible) {
      commitLayers(vp9->temporalId, vp9->tl0PicIdx, false, vp9->switchingUp, follows,
                   frame.keyFrame);
    }
    if (id) notePicture(*id, frame.keyFrame);
  }
  lastSequence_ = frame.lastSequence;
}

void DecodeOrder::reset() {
  *this = DecodeOrder{};
}

}  // namespace parley::media
