#include "parley/rtp/payload_format/payload_format.h"

#include "parley/base/text.h"

#include "rtp/payload_format/av1.h"
#include "rtp/payload_format/generic_audio.h"
#include "rtp/payload_format/h264.h"
#include "rtp/payload_format/h265.h"
#include "rtp/payload_format/vp8.h"
#include "rtp/payload_format/vp9.h"

namespace parley::rtp {

namespace {

bool isAudio(std::string_view name) {
  for (std::string_view known : {"opus", "PCMU", "PCMA", "G722", "CN", "telephone-event"}) {
    if (equalsIgnoreCase(name, known)) return true;
  }
  return false;
}

}  // namespace

std::unique_ptr<Packetizer> createPacketizer(std::string_view codecName,
                                             const PayloadFormatParameters& parameters) {
  if (equalsIgnoreCase(codecName, "VP8")) return std::make_unique<Vp8Packetizer>();
  if (equalsIgnoreCase(codecName, "VP9")) return std::make_unique<Vp9Packetizer>();
  if (equalsIgnoreCase(codecName, "H264")) {
    return std::make_unique<H264Packetizer>(parameters.h264PacketizationMode);
  }
  if (equalsIgnoreCase(codecName, "H265")) return std::make_unique<H265Packetizer>();
  if (equalsIgnoreCase(codecName, "AV1")) return std::make_unique<Av1Packetizer>();
  if (isAudio(codecName)) return std::make_unique<AudioPacketizer>();
  return nullptr;
}

std::unique_ptr<Depacketizer> createDepacketizer(std::string_view codecName) {
  if (equalsIgnoreCase(codecName, "VP8")) return std::make_unique<Vp8Depacketizer>();
  if (equalsIgnoreCase(codecName, "VP9")) return std::make_unique<Vp9Depacketizer>();
  if (equalsIgnoreCase(codecName, "H264")) return std::make_unique<H264Depacketizer>();
  if (equalsIgnoreCase(codecName, "H265")) return std::make_unique<H265Depacketizer>();
  if (equalsIgnoreCase(codecName, "AV1")) return std::make_unique<Av1Depacketizer>();
  if (isAudio(codecName)) return std::make_unique<AudioDepacketizer>();
  return nullptr;
}

}  // namespace parley::rtp
