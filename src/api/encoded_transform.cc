#include "parley/api/encoded_transform.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "parley/base/text.h"
#include "parley/crypto/hash.h"

#include "api/sframe_keys.h"
#include "api/sframe_state.h"

namespace parley {
namespace {

using api_internal::SframeKeyPrint;

/// What stays in clear, because packets are made and put together by it. Nothing for formats whose
/// packets are cut along the structure of the whole frame.
std::optional<size_t> clearPrefix(const EncodedFrame& frame) {
  // RFC 6386 section 9.1: frame tag, and start code and size of a key frame.
  if (equalsIgnoreCase(frame.mimeType, "video/VP8")) return frame.keyFrame ? 10 : 3;
  // RFC 6716 section 3.1: the TOC byte, and the number of frames where that says it follows.
  if (equalsIgnoreCase(frame.mimeType, "audio/opus"))
    return !frame.data.empty() && (frame.data[0] & 3) != 0 ? 2 : 1;
  if (!api_internal::canSframe(frame.mimeType)) return std::nullopt;
  return 0;
}

/// Of a key, or of the whole chain that ratcheting makes of it.
SframeKeyPrint printOf(uint64_t keyId, ByteSpan key, crypto::SframeRatchet steps) {
  const uint64_t chain =
      steps.bits > 0 && steps.bits <= 8 ? keyId & ~((uint64_t{1} << steps.bits) - 1) : keyId;
  std::array<uint8_t, 8> number{};
  ByteWriter(number).u64(chain);
  const crypto::Sha256Digest digest = crypto::sha256({number, key});
  SframeKeyPrint out{};
  std::copy_n(digest.begin(), out.size(), out.begin());
  return out;
}

}  // namespace

bool api_internal::canSframe(std::string_view mimeType) {
  return !equalsIgnoreCase(mimeType, "video/H264") && !equalsIgnoreCase(mimeType, "video/H265") &&
         !equalsIgnoreCase(mimeType, "video/AV1");
}

bool SframeTransform::State::apply(EncodedFrame& frame) {
  const std::lock_guard lock(mutex);
  const std::optional<size_t> prefix = clearPrefix(frame);
  const size_t clear = std::min(prefix.value_or(0), frame.data.size());
  const ByteSpan data(frame.data);
  Bytes out(frame.data.begin(), frame.data.begin() + static_cast<long>(clear));
  Result<void> done = ok();
  if (!prefix) {
    done = fail(ErrorCode::NotSupported, "frames of " + frame.mimeType + " cannot be encrypted");
  } else if (role == Role::Encrypt) {
    done = encryptor.encrypt(data.subspan(clear), data.first(clear), out);
  } else {
    done = decryptor.decrypt(data.subspan(clear), data.first(clear), out);
  }
  if (!done) {
    ++dropped;
    lastError = done.error();
    return false;
  }
  frame.data = std::move(out);
  return true;
}

Result<void> SframeTransform::State::attach(Role wanted,
                                            const std::shared_ptr<api_internal::SframeKeys>& book,
                                            const std::weak_ptr<const void>& connection) {
  if (role != wanted) {
    return fail(ErrorCode::Type, wanted == Role::Encrypt
                                     ? "what is sent needs a transform that encrypts"
                                     : "what is received needs a transform that decrypts");
  }
  const std::lock_guard lock(mutex);
  if (Result<void> good = book->attach(weak_from_this(), connection, role, prints); !good)
    return good;
  if (std::find(books.begin(), books.end(), book) == books.end()) books.push_back(book);
  return ok();
}

SframeTransform::SframeTransform(Role role, crypto::SframeSuite suite,
                                 crypto::SframeRatchet ratchet)
    : state_(std::make_shared<State>(role, suite, ratchet)) {}

Result<void> SframeTransform::setKey(uint64_t keyId, ByteSpan baseKey) {
  constexpr size_t kMaxPrints = 1024;
  State& state = *state_;
  const std::lock_guard lock(state.mutex);
  const SframeKeyPrint print = printOf(keyId, baseKey, state.steps);
  // Listed before it is used, so that nobody else begins to use it meanwhile.
  Result<void> set = ok();
  for (const auto& book : state.books) {
    if (set = book->add(state.weak_from_this(), print); !set) break;
  }
  if (set) {
    set = state.role == Role::Encrypt ? state.encryptor.setKey(keyId, baseKey)
                                      : state.decryptor.addKey(keyId, baseKey);
  }
  const bool known =
      std::find(state.prints.begin(), state.prints.end(), print) != state.prints.end();
  if (!set) {
    for (const auto& book : state.books) {
      if (!known) book->remove(state.weak_from_this(), print);
    }
    return set;
  }
  if (known) return ok();
  if (state.prints.size() == kMaxPrints) state.prints.erase(state.prints.begin());
  state.prints.push_back(print);
  return ok();
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

std::optional<Error> SframeTransform::lastError() const {
  const std::lock_guard lock(state_->mutex);
  return state_->lastError;
}

FrameTransform SframeTransform::transform() const {
  return [state = state_](EncodedFrame& frame) { return state->apply(frame); };
}

}  // namespace parley
