#pragma once

// What both directions of MediaRuntime share: formats by name, and the way from a worker back into
// the session.

#include <functional>
#include <memory>

#include "parley/codec/audio_codec.h"
#include "parley/codec/video_codec.h"
#include "parley/jsep/session.h"

#include "api/loop_core.h"
#include "api/peer_connection_core.h"

namespace parley::api_internal {

inline codec::FormatParameters toParameters(const sdp::CodecParams& codec) {
  codec::FormatParameters out;
  for (const sdp::FmtpParameter& parameter : codec.fmtp)
    out.emplace_back(parameter.key, parameter.value.value_or(""));
  return out;
}

inline codec::SdpVideoFormat toVideoFormat(const sdp::CodecParams& codec) {
  return {codec.name, toParameters(codec), {}};
}

inline codec::SdpAudioFormat toAudioFormat(const sdp::CodecParams& codec) {
  return {codec.name, static_cast<int>(codec.clockRate),
          codec.channels == 0 ? size_t{1} : size_t{codec.channels}, toParameters(codec)};
}

template <class Use, class... Args>
void useSession(PeerConnectionCore& pc, const Use& use, const Args&... args) {
  const LoopCore::Lock lock(pc.loop());
  if (pc.closed() || !pc.session()) return;
  const Timestamp now = pc.loop().now();
  use(*pc.session(), args..., now);
  pc.afterCall(now);
}

// Runs `use(session, args..., now)` under the lock if the connection still exists. The loop lives
// as long as a connection of it, so nothing else needs to be held.
template <class Use, class... Args>
void withSession(const std::weak_ptr<PeerConnectionCore>& weak, const Use& use,
                 const Args&... args) {
  const std::shared_ptr<PeerConnectionCore> pc = weak.lock();
  if (!pc) return;
  const LoopOptions& options = pc->loop().options();
  // An unlocked loop may be touched by its own thread only, so a worker hands a copy of its result
  // over.
  if (options.threading == Threading::Unlocked && options.mediaThreads == MediaThreads::Workers) {
    pc->loop().post([pc, use, args...] { useSession(*pc, use, args...); });
  } else {
    useSession(*pc, use, args...);
  }
}

inline std::function<Timestamp()> clockOf(LoopCore& loop) {
  return [weak = loop.weak_from_this()] {
    const std::shared_ptr<LoopCore> alive = weak.lock();
    return alive ? alive->now() : Timestamp();
  };
}

}  // namespace parley::api_internal
