#include "media/dependency_order.h"

#include <algorithm>

namespace parley::media {
namespace {

size_t slotOf(int64_t number, size_t window) {
  // The window is a power of two: negative numbers fall into place as well.
  return static_cast<size_t>(number) & (window - 1);
}

}  // namespace

int64_t DependencyOrder::unwrap(uint16_t number) const {
  if (!newest_) return number;
  return *newest_ + static_cast<int16_t>(number - static_cast<uint16_t>(*newest_));
}

bool DependencyOrder::has(int64_t number) const {
  return newest_ && number <= *newest_ && number > *newest_ - static_cast<int64_t>(kWindow) &&
         decoded_[slotOf(number, kWindow)];
}

void DependencyOrder::note(int64_t number) {
  const int64_t from = newest_.value_or(number - 1);
  if (number - from >= static_cast<int64_t>(kWindow)) {
    decoded_.reset();
  } else {
    for (int64_t i = from + 1; i < number; ++i) decoded_[slotOf(i, kWindow)] = false;
  }
  if (number > from - static_cast<int64_t>(kWindow)) decoded_[slotOf(number, kWindow)] = true;
  newest_ = std::max(from, number);
}

DependencyOrder::Verdict DependencyOrder::check(ByteSpan descriptor) const {
  // A key frame explains itself, and refers to nothing.
  if (rtp::DependencyDescriptor::bringsStructure(descriptor)) return Verdict::Decodable;
  if (!structure_) return Verdict::Unknown;
  rtp::DependencyDescriptorValue value;
  if (!rtp::DependencyDescriptor::parse(descriptor, *structure_, value)) return Verdict::Waiting;
  const int64_t number = unwrap(value.frameNumber);
  const bool complete = std::all_of(value.frameDiffs.begin(), value.frameDiffs.end(),
                                    [&](uint16_t diff) { return has(number - diff); });
  return complete ? Verdict::Decodable : Verdict::Waiting;
}

DependencyOrder::Layer DependencyOrder::commit(ByteSpan descriptor) {
  rtp::DependencyDescriptorValue value;
  if (!rtp::DependencyDescriptor::parse(descriptor, structure_, value)) {
    // Whoever frames to come refer to, it is known by number alone.
    if (descriptor.size() >= rtp::DependencyDescriptor::kMinSize)
      note(unwrap(loadU16(descriptor.data() + rtp::DependencyDescriptor::kFrameNumberAt)));
    return {};
  }
  if (value.hasStructure) {
    decoded_.reset();
    newest_.reset();
  }
  note(unwrap(value.frameNumber));
  return {value.spatialId, value.temporalId};
}

}  // namespace parley::media
