#include "parley/api/encoded_transform.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "parley/base/text.h"

namespace parley {
namespace {

/// What stays in clear, because packets are made and put together by it.
size_t clearPrefix(const EncodedFrame& frame) {
  // RFC 6386 section 9.1: frame tag, and start code and size of a key frame.
  if (equalsIgnoreCase(frame.mimeType, "video/VP8")) return frame.keyFrame ? 10 : 3;
  // RFC 6716 section 3.1: the TOC byte, and the number of frames where that says it follows.
  if (equalsIgnoreCase(frame.mimeType, "audio/opus"))
    return !frame.data.empty() && (frame.data[0] & 3) != 0 ? 2 : 1;
  return 0;
}

}  // namespace

struct SframeTransform::State {
  State(Role theRole, crypto::SframeSuite suite, crypto::SframeRatchet steps)
      : role(theRole), encryptor(suite, steps), decryptor(suite, steps) {}

  const Role role;
  mutable std::mutex mutex;
  crypto::SframeEncryptor encryptor;
  crypto::SframeDecryptor decryptor;
  uint64_t dropped = 0;

  bool apply(EncodedFrame& frame) {
    const std::lock_guard lock(mutex);
    const size_t clear = std::min(clearPrefix(frame), frame.data.size());
    const ByteSpan data(frame.data);
    Bytes out(frame.data.begin(), frame.data.begin() + static_cast<long>(clear));
    const Result<void> done = role == Role::Encrypt
                                  ? encryptor.encrypt(data.subspan(clear), data.first(clear), out)
                                  : decryptor.decrypt(data.subspan(clear), data.first(clear), out);
    if (!done) {
      ++dropped;
      return false;
    }
    frame.data = std::move(out);
    return true;
  }
};

SframeTransform::SframeTransform(Role role, crypto::SframeSuite suite,
                                 crypto::SframeRatchet ratchet)
    : state_(std::make_shared<State>(role, suite, ratchet)) {}

Result<void> SframeTransform::setKey(uint64_t keyId, ByteSpan baseKey) {
  const std::lock_guard lock(state_->mutex);
  return state_->role == Role::Encrypt ? state_->encryptor.setKey(keyId, baseKey)
                                       : state_->decryptor.addKey(keyId, baseKey);
}

void SframeTransform::removeKey(uint64_t keyId) {
  const std::lock_guard lock(state_->mutex);
  state_->decryptor.removeKey(keyId);
}

Result<void> SframeTransform::ratchet() {
  const std::lock_guard lock(state_->mutex);
  return state_->encryptor.ratchet();
}

uint64_t SframeTransform::dropped() const {
  const std::lock_guard lock(state_->mutex);
  return state_->dropped;
}

FrameTransform SframeTransform::transform() const {
  return [state = state_](EncodedFrame& frame) { return state->apply(frame); };
}

}  // namespace parley
