#include "bridge.h"

#include <chrono>
#include <fstream>
#include <thread>
#include <utility>
#include <vector>

#include "parley/base/address.h"
#include "parley/codec/formats.h"

#include "common/await.h"
#include "common/terminal.h"

using namespace parley;

namespace {

constexpr size_t kMaxCalls = 20;

bool isOf(const RtpCodec& codec, const std::string& name) {
  return codec.mimeType.substr(codec.mimeType.find('/') + 1) == name;
}

Configuration makeConfiguration() {
  Configuration out;
  // Nothing is encoded or decoded here: what the library has codecs for does not matter.
  out.encodedVideoFormats = codec::h264Formats();
  for (auto format : {codec::vp8Format(), codec::vp9Format(), codec::av1Format()})
    out.encodedVideoFormats.push_back(std::move(format));
  out.encodedAudioFormats = {codec::opusFormat()};
  out.includeLoopback = true;
  return out;
}

/// The codec that comes in, and what repairs pictures.
void prefer(const PeerConnection& pc, RtpTransceiver transceiver, const std::string& codec) {
  std::vector<RtpCodec> chosen;
  for (const RtpCodec& known : pc.capabilities(transceiver.kind()).codecs) {
    bool wanted = isOf(known, codec);
    for (const char* repair : {"rtx", "red", "ulpfec", "flexfec-03"})
      wanted = wanted || (transceiver.kind() == MediaKind::Video && isOf(known, repair));
    if (wanted) chosen.push_back(known);
  }
  (void)transceiver.setCodecPreferences(std::move(chosen));
}

}  // namespace

std::shared_ptr<Bridge> Bridge::create(const Options& options, const std::shared_ptr<Loop>& loop) {
  std::shared_ptr<Bridge> bridge(new Bridge(options, loop));
  bridge->prepare(bridge->video_, MediaKind::Video, options.videoCodec);
  bridge->prepare(bridge->audio_, MediaKind::Audio, "opus");
  return bridge;
}

void Bridge::prepare(Medium& medium, MediaKind kind, const std::string& codec) {
  medium.codec = codec;
  // Whatever payload type the other program has chosen: nothing that comes in tells of it.
  RtpTrackInit init;
  init.kind = kind;
  init.codec = codec;
  medium.track = MediaStreamTrack::createRtp(loop_, init);
  medium.track.onKeyFrameNeeded([weak = weak_from_this(), kind] {
    if (const auto bridge = weak.lock()) bridge->medium(kind).port.askForKeyFrame();
  });
  medium.track.onTargetBitrate([weak = weak_from_this()](DataRate rate) {
    if (const auto bridge = weak.lock()) bridge->rate_ = rate.bps();
  });
}

Result<void> Bridge::open() {
  const auto start = [](Medium& medium, uint16_t in, const std::string& out) {
    return medium.port.open(in, out, [&medium](ByteSpan packet) {
      // What is no RTP, or too large, is refused.
      if (medium.track.pushRtp(packet)) ++medium.packetsIn;
    });
  };
  if (auto opened = start(video_, options_.videoIn, options_.videoOut); !opened) return opened;
  return start(audio_, options_.audioIn, options_.audioOut);
}

void Bridge::close() {
  for (Medium* each : {&video_, &audio_}) {
    each->port.stop();
    each->track.stop();
  }
  std::map<int, PeerConnection> calls;
  {
    const std::lock_guard lock(mutex_);
    calls = std::exchange(calls_, {});
  }
  for (auto& [number, pc] : calls) pc.closeAndDrain();
}

Result<std::string> Bridge::answer(const std::string& offer) {
  auto created = PeerConnection::create(loop_, makeConfiguration());
  if (!created) return fail(created.error());
  PeerConnection pc = *created;
  int call = 0;
  {
    const std::lock_guard lock(mutex_);
    if (calls_.size() >= kMaxCalls)
      return fail(ErrorCode::ResourceExhausted, "there are too many calls");
    call = ++count_;
    calls_[call] = pc;
  }
  pc.onTrack([weak = weak_from_this(), call](const TrackEvent& event) {
    if (const auto bridge = weak.lock()) bridge->listen(call, event.receiver, event.track.kind());
  });
  for (Medium* each : {&video_, &audio_}) {
    if (const auto added = pc.addTrack(each->track, {"bridge"}); !added) return fail(added.error());
  }
  const auto taken = example::await<void>(pc, [&](auto done) {
    pc.setRemoteDescription({SdpType::Offer, offer}, std::move(done));
  });
  if (!taken) return fail(taken.error());
  for (const RtpTransceiver& transceiver : pc.getTransceivers())
    prefer(pc, transceiver, medium(transceiver.kind()).codec);
  const auto set =
      example::await<void>(pc, [&](auto done) { pc.setLocalDescription(std::move(done)); });
  if (!set) return fail(set.error());
  // Candidates do not trickle here: one request, one reply.
  for (int i = 0; i < 100 && pc.iceGatheringState() != IceGatheringState::Complete; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  newest_ = call;
  return pc.localDescription()->sdp;
}

void Bridge::listen(int call, const RtpReceiver& receiver, MediaKind kind) {
  // The sink ends with the connection, and so does what it holds.
  const auto sink = [weak = weak_from_this(), call, kind, receiver,
                     first = true](const ReceivedRtpPacket& packet) mutable {
    const auto bridge = weak.lock();
    if (!bridge || bridge->newest_ != call) return;
    Medium& medium = bridge->medium(kind);
    // Padding, and telephone events.
    if (packet.packet.payload().empty() || packet.codec != medium.codec) return;
    if (std::exchange(first, false)) bridge->describe(medium, kind, packet, receiver);
    medium.port.send(packet.packet.packet());
    ++medium.packetsOut;
  };
  if (const auto set = RtpReceiver(receiver).setPacketSink(sink); !set)
    example::print(set.error().message);
}

/// What players need to know of what goes out (RFC 8866).
void Bridge::describe(Medium& medium, MediaKind kind, const ReceivedRtpPacket& first,
                      const RtpReceiver& receiver) {
  const bool video = kind == MediaKind::Video;
  const std::string number = std::to_string(first.packet.payloadType());
  const auto target = SocketAddress::parse(video ? options_.videoOut : options_.audioOut);
  std::string text = std::string(video ? "m=video " : "m=audio ") + std::to_string(target->port) +
                     " RTP/AVP " + number + "\r\nc=IN IP4 " + target->ip.toString() + "\r\n";
  for (const RtpCodecParameters& codec : receiver.getParameters().codecs) {
    if (codec.payloadType != first.packet.payloadType()) continue;
    text += "a=rtpmap:" + number + " " + std::string(first.codec) + "/" +
            std::to_string(codec.clockRate) + (video ? "" : "/2") + "\r\n";
    if (codec.sdpFmtpLine) text += "a=fmtp:" + number + " " + *codec.sdpFmtpLine + "\r\n";
  }
  const std::lock_guard lock(mutex_);
  medium.line = std::move(text);
  std::ofstream file(options_.sdp, std::ios::binary);
  file << "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=rtp_bridge\r\nt=0 0\r\n"
       << audio_.line << video_.line;
}

std::string Bridge::tick() {
  const std::lock_guard lock(mutex_);
  for (auto it = calls_.begin(); it != calls_.end();) {
    PeerConnection& pc = it->second;
    const PeerConnectionState state = pc.connectionState();
    if (state == PeerConnectionState::Failed || state == PeerConnectionState::Closed) {
      pc.close();
      it = calls_.erase(it);
      continue;
    }
    // Whoever has begun to watch outside cannot ask for one.
    if (it->first == newest_) {
      for (RtpReceiver& receiver : pc.getReceivers()) {
        if (receiver.track().kind() == MediaKind::Video) receiver.requestKeyFrame();
      }
    }
    ++it;
  }
  if (calls_.empty()) return {};
  return example::format(
      "%zu calls; video in %llu out %llu, sound in %llu out %llu packets; the path carries %lld "
      "kb/s",
      calls_.size(), static_cast<unsigned long long>(video_.packetsIn),
      static_cast<unsigned long long>(video_.packetsOut),
      static_cast<unsigned long long>(audio_.packetsIn),
      static_cast<unsigned long long>(audio_.packetsOut), static_cast<long long>(rate_ / 1000));
}
