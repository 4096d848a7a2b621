// Encoded transforms: frames go to JavaScript and come back, or through SFrame without a stop
// there.

#include "fields.h"

namespace parley::binding {

template <>
struct Js<FrameWriter> : Handle<FrameWriter> {};
template <>
struct Js<std::shared_ptr<SframeTransform>> : Handle<std::shared_ptr<SframeTransform>> {};

/// One direction of SFrame over bytes that a page brings.
struct SframeCipher {
  std::optional<crypto::SframeEncryptor> encryptor;
  std::optional<crypto::SframeDecryptor> decryptor;
};
template <>
struct Js<std::shared_ptr<SframeCipher>> : Handle<std::shared_ptr<SframeCipher>> {};

// clang-format off
PARLEY_NODE_DICTIONARY(EncodedFrame) {
    v("kind", s.kind);
    v("keyFrame", s.keyFrame);
    v("rtpTimestamp", s.rtpTimestamp);
    v("ssrc", s.ssrc);
    v("payloadType", s.payloadType);
    v("mimeType", s.mimeType);
    v("width", s.width);
    v("height", s.height);
    v("temporalIndex", s.temporalIndex);
    v("spatialIndex", s.spatialIndex);
    v("data", s.data);
  }
};
// clang-format on

namespace {

using Pc = PeerConnection;
using Sframe = std::shared_ptr<SframeTransform>;

/// Frames on their way from the media threads to Node's. JavaScript that falls behind loses the
/// oldest ones.
class Inbox : public std::enable_shared_from_this<Inbox> {
 public:
  Inbox(const std::shared_ptr<Loop>& loop, JsFunction read) : loop_(loop), read_(std::move(read)) {}

  void put(EncodedFrame frame, FrameWriter write) {
    {
      const std::lock_guard lock(mutex_);
      if (waiting_.size() >= kMaxWaiting) waiting_.erase(waiting_.begin());
      waiting_.emplace_back(std::move(frame), std::move(write));
      if (waiting_.size() > 1) return;
    }
    if (const auto loop = loop_.lock()) loop->post([self = shared_from_this()] { self->take(); });
  }

 private:
  static constexpr size_t kMaxWaiting = 300;
  void take() {
    std::vector<std::pair<EncodedFrame, FrameWriter>> frames;
    {
      const std::lock_guard lock(mutex_);
      frames.swap(waiting_);
    }
    for (const auto& [frame, write] : frames) read_(frame, write);
  }

  std::weak_ptr<Loop> loop_;
  JsFunction read_;
  std::mutex mutex_;
  std::vector<std::pair<EncodedFrame, FrameWriter>> waiting_;
};

FrameReader readerOf(const Context& context, JsFunction read) {
  if (!read) return {};
  const auto inbox = std::make_shared<Inbox>(context.loop(), std::move(read));
  return [inbox](EncodedFrame frame, FrameWriter write) {
    inbox->put(std::move(frame), std::move(write));
  };
}

/// read(frame, writer) for each frame that is sent; null ends it.
Result<void> senderRead(const Context& context, Pc pc, uint32_t id, JsFunction read) {
  return RtpSender(pc.core(), id).setReader(readerOf(context, std::move(read)));
}
Result<void> receiverRead(const Context& context, Pc pc, uint32_t id, JsFunction read) {
  return RtpReceiver(pc.core(), id).setReader(readerOf(context, std::move(read)));
}
void writeFrame(const Context&, FrameWriter writer, Bytes data) {
  if (writer) writer(std::move(data));
}
Result<void> generateKeyFrame(const Context&, Pc pc, uint32_t id, std::vector<std::string> rids) {
  return RtpSender(pc.core(), id).generateKeyFrame(rids);
}
void requestKeyFrame(const Context&, Pc pc, uint32_t id) {
  RtpReceiver(pc.core(), id).requestKeyFrame();
}

/// By the names of webrtc-encoded-transform; an unknown one gives nothing.
std::optional<crypto::SframeSuite> suiteOf(const std::string& name) {
  using S = crypto::SframeSuite;
  if (name == "AES_128_CTR_HMAC_SHA256_80") return S::Aes128CtrHmacSha256_80;
  if (name == "AES_128_CTR_HMAC_SHA256_64") return S::Aes128CtrHmacSha256_64;
  if (name == "AES_128_CTR_HMAC_SHA256_32") return S::Aes128CtrHmacSha256_32;
  if (name == "AES_128_GCM_SHA256_128") return S::Aes128GcmSha256_128;
  if (name == "AES_256_GCM_SHA512_128") return S::Aes256GcmSha512_128;
  return std::nullopt;
}
Result<Sframe> sframeCreate(const Context&, bool encrypt, std::string suite) {
  const auto known = suiteOf(suite);
  if (!known) return fail(ErrorCode::NotSupported, "SFrame suite " + suite + " is not supported");
  using Role = SframeTransform::Role;
  return std::make_shared<SframeTransform>(encrypt ? Role::Encrypt : Role::Decrypt, *known);
}
/// The key id as decimal text: a number of JavaScript is too small.
Result<void> sframeSetKey(const Context&, Sframe sframe, std::string keyId, Bytes key) {
  return sframe->setKey(std::strtoull(keyId.c_str(), nullptr, 10), key);
}
void sframeRemoveKey(const Context&, Sframe sframe, std::string keyId) {
  sframe->removeKey(std::strtoull(keyId.c_str(), nullptr, 10));
}

using Cipher = std::shared_ptr<SframeCipher>;

Result<Cipher> cipherCreate(const Context&, bool encrypt, std::string suite) {
  const auto known = suiteOf(suite);
  if (!known) return fail(ErrorCode::NotSupported, "SFrame suite " + suite + " is not supported");
  auto out = std::make_shared<SframeCipher>();
  if (encrypt) {
    out->encryptor.emplace(*known);
  } else {
    out->decryptor.emplace(*known);
  }
  return out;
}
Result<void> cipherSetKey(const Context&, Cipher cipher, std::string keyId, Bytes key) {
  const uint64_t id = std::strtoull(keyId.c_str(), nullptr, 10);
  return cipher->encryptor ? cipher->encryptor->setKey(id, key)
                           : cipher->decryptor->addKey(id, key);
}
void cipherRemoveKey(const Context&, Cipher cipher, std::string keyId) {
  cipher->decryptor->removeKey(std::strtoull(keyId.c_str(), nullptr, 10));
}
Result<Bytes> cipherRun(const Context&, Cipher cipher, Bytes data) {
  Bytes out;
  const Result<void> done = cipher->encryptor ? cipher->encryptor->encrypt(data, {}, out)
                                              : cipher->decryptor->decrypt(data, {}, out);
  if (!done) return fail(done.error());
  return out;
}
/// The key id that a frame names, as decimal text; nothing if it is no SFrame.
std::optional<std::string> sframeKeyId(const Context&, Bytes data) {
  ByteReader reader(data);
  const auto header = crypto::SframeHeader::parse(reader);
  return header ? std::optional(std::to_string(header->keyId)) : std::nullopt;
}

double sframeDropped(const Context&, Sframe sframe) {
  return static_cast<double>(sframe->dropped());
}
Result<void> senderSframe(const Context&, Pc pc, uint32_t id, Sframe sframe) {
  return RtpSender(pc.core(), id).setTransform(sframe ? sframe->transform() : FrameTransform());
}
Result<void> receiverSframe(const Context&, Pc pc, uint32_t id, Sframe sframe) {
  return RtpReceiver(pc.core(), id).setTransform(sframe ? sframe->transform() : FrameTransform());
}

}  // namespace

void addTransformFunctions(napi_env env, napi_value exports) {
#define PARLEY_NODE_ADD(name) add<name>(env, exports, #name)
  PARLEY_NODE_ADD(senderRead);
  PARLEY_NODE_ADD(receiverRead);
  PARLEY_NODE_ADD(writeFrame);
  PARLEY_NODE_ADD(generateKeyFrame);
  PARLEY_NODE_ADD(requestKeyFrame);
  PARLEY_NODE_ADD(sframeCreate);
  PARLEY_NODE_ADD(sframeSetKey);
  PARLEY_NODE_ADD(sframeRemoveKey);
  PARLEY_NODE_ADD(cipherCreate);
  PARLEY_NODE_ADD(cipherSetKey);
  PARLEY_NODE_ADD(cipherRemoveKey);
  PARLEY_NODE_ADD(cipherRun);
  PARLEY_NODE_ADD(sframeKeyId);
  PARLEY_NODE_ADD(sframeDropped);
  PARLEY_NODE_ADD(senderSframe);
  PARLEY_NODE_ADD(receiverSframe);
#undef PARLEY_NODE_ADD
}

}  // namespace parley::binding
