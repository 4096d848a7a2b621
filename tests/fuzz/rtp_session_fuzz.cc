#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "parley/base/packet_buffer.h"
#include "parley/base/random.h"
#include "parley/media/rtp_session.h"

using namespace parley;
using namespace parley::media;

// Two sessions in a call. The input is a list of actions: pass or drop or damage packets between
// them, feed raw bytes to either, let time pass, send frames, change the configuration.

namespace {

struct Call {
  SeededRandom random{1};
  PacketPool pool{8192};
  Environment environment{random, pool};
  RtpSession a;
  RtpSession b;
  Timestamp now = Timestamp::seconds(10);
  SendStreamId video;
  SendStreamId audio;

  static RtpSessionConfig config() {
    RtpSessionConfig c;
    c.cname = "fuzz";
    c.arrivalFeedback = ArrivalFeedback::TransportWide;
    c.receiverReferenceTime = true;
    return c;
  }

  Call() : a(environment, config()), b(environment, config()) {
    SendStreamConfig v;
    v.codec = "VP8";
    v.mid = "0";
    v.payloadType = 96;
    v.rtxPayloadType = 97;
    v.rtxSsrc = 0x2222;
    v.ssrc = 0x1111;
    v.nack = true;
    v.extensions.add(rtp::ExtensionKind::Mid, 1);
    v.extensions.add(rtp::ExtensionKind::TransportSequenceNumber, 3);
    v.fec = FecSendConfig{rtp::FecScheme::Flexfec03, 49, 0x4444, 0, {}};
    video = a.addSendStream(v, now).value();
    SendStreamConfig s = v;
    s.kind = MediaKind::Audio;
    s.codec = "opus";
    s.clockRate = 48'000;
    s.ssrc = 0x3333;
    s.rtxSsrc.reset();
    s.payloadType = 111;
    s.mid = "1";
    s.fec.reset();
    s.red = AudioRedConfig{63, true};
    audio = a.addSendStream(s, now).value();
    ReceiveConfig r;
    r.id = ReceiverId{1};
    r.mid = "0";
    r.kind = MediaKind::Video;
    ReceiveCodec codec;
    codec.payloadType = 96;
    codec.name = "VP8";
    codec.rtxPayloadType = 97;
    codec.nack = codec.pli = codec.fir = true;
    r.codecs.push_back(codec);
    r.codecs.push_back({49, "flexfec-03", 90'000, 1, {}, false, false, false});
    r.extensions = v.extensions;
    r.reportsRate = true;
    b.setReceiver(r, now);
    r.id = ReceiverId{2};
    r.mid = "1";
    r.kind = MediaKind::Audio;
    codec.payloadType = 111;
    codec.name = "opus";
    codec.clockRate = 48'000;
    codec.rtxPayloadType.reset();
    r.codecs = {codec, {63, "red", 48'000, 1, {}, false, false, false}};
    b.setReceiver(r, now);
    a.setNetworkAvailable(true, now);
    b.setNetworkAvailable(true, now);
  }

  void deliver(RtpSession& to, OutgoingPacket& packet) {
    if (packet.isRtcp) {
      to.handleRtcp(packet.data.span(), now);
    } else {
      to.handleRtp(std::move(packet.data), now);
    }
  }

  void exchange(uint8_t mode) {
    OutgoingPacket packet;
    for (int side = 0; side < 2; ++side) {
      RtpSession& from = side == 0 ? a : b;
      RtpSession& to = side == 0 ? b : a;
      unsigned index = 0;
      while (from.pollTransmit(packet)) {
        ++index;
        if ((mode & 1) != 0 && index % 3 == 0) continue;
        if ((mode & 2) != 0 && !packet.data.empty())
          packet.data.data()[(index * 7u + mode) % packet.data.size()] ^= mode;
        if ((mode & 4) != 0 && packet.data.size() > 13)
          packet.data.resize(packet.data.size() - index % 13);
        deliver(to, packet);
      }
    }
  }

  void drain() {
    RtpEvent event;
    ReceivedFrame frame;
    AudioPlayoutUnit unit;
    for (RtpSession* s : {&a, &b}) {
      while (s->pollEvent(event)) {
      }
      while (s->pollFrame(frame)) {
      }
      while (s->pollAudio(unit)) {
      }
    }
  }

  void pass(Duration time) {
    now += time;
    a.advance(now);
    b.advance(now);
    if (a.nextDeadline() <= now || b.nextDeadline() <= now) __builtin_trap();
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Call call;
  ByteReader in({data, size});
  codec::EncodedVideoFrame frame;
  codec::EncodedAudioFrame sound;
  size_t repeats = 6000;
  sound.data = {0x78, 1, 2};
  for (int step = 0; step < 200 && in.remaining() > 0; ++step) {
    const uint8_t action = in.u8();
    switch (action % 10) {
      case 0:
        frame.data.assign(1 + in.u8() * 20u, 0x10);
        frame.keyFrame = (action & 0x80) != 0;
        frame.rtpTimestamp += 3000;
        static_cast<void>(call.a.sendVideo(call.video, frame, call.now).has_value());
        break;
      case 1:
        sound.rtpTimestamp += 960;
        static_cast<void>(call.a.sendAudio(call.audio, sound, call.now).has_value());
        break;
      case 2:
        call.exchange(in.u8());
        break;
      case 3:
        call.pass(Duration::millis(in.u8()));
        break;
      case 4: {
        const ByteSpan raw = in.bytes(std::min<size_t>(in.u8(), in.remaining()));
        (action & 0x80 ? call.a : call.b).handleRtcp(raw, call.now);
        break;
      }
      case 5: {
        const ByteSpan raw = in.bytes(std::min<size_t>(in.u8(), in.remaining()));
        // Some states take thousands of packets: one stands for many, with rising numbers.
        const size_t count = action & 0x40 ? std::min(repeats, size_t{1} << in.u8() % 13) : 1;
        repeats -= count - (count > 0);
        const uint16_t stride = action & 0x20 ? in.u16() : uint16_t{1};
        for (size_t i = 0; i < count; ++i) {
          PacketBuf packet = call.pool.copyOf(raw);
          if (!packet) break;
          if (raw.size() >= 12) {
            storeU16(packet.data() + 2, static_cast<uint16_t>(loadU16(&raw[2]) + i * stride));
          }
          (action & 0x80 ? call.a : call.b).handleRtp(std::move(packet), call.now);
        }
        break;
      }
      case 6:
        call.drain();
        break;
      case 7:
        call.pass(Duration::seconds(in.u8() % 20));
        break;
      case 8:
        if ((action & 0x40) != 0) {
          call.b.decoderLostState(ReceiverId{1}, call.now);
        } else {
          call.b.requestKeyFrame(ReceiverId{1}, call.now);
        }
        if ((action & 0x80) != 0) call.a.onRouteChange(call.now);
        break;
      case 9:
        if ((action & 0x40) != 0) call.a.setNetworkAvailable((action & 0x80) != 0, call.now);
        if ((action & 0x40) == 0) call.a.setMaxPacketSize(in.u8() * 8u);
        break;
    }
  }
  call.drain();
  if (size > 0 && (data[size - 1] & 1) != 0) {
    call.a.close(call.now);
    call.exchange(0);
  }
  OutgoingPacket packet;
  while (call.a.pollTransmit(packet) || call.b.pollTransmit(packet)) packet.data.reset();
  return 0;
}
