#include "parley/codec/formats.h"

namespace parley::codec {

std::vector<SdpVideoFormat> h264Formats() {
  std::vector<SdpVideoFormat> out;
  for (const char* profile : {"42e01f", "42001f", "640c1f"}) {
    for (const char* mode : {"1", "0"}) {
      out.push_back({"H264",
                     {{"level-asymmetry-allowed", "1"},
                      {"packetization-mode", mode},
                      {"profile-level-id", profile}}});
    }
  }
  return out;
}

SdpVideoFormat h265Format() {
  return {"H265",
          {{"level-id", "93"}, {"profile-id", "1"}, {"tier-flag", "0"}, {"tx-mode", "SRST"}}};
}

SdpVideoFormat av1Format() {
  return {"AV1", {{"level-idx", "5"}, {"profile", "0"}, {"tier", "0"}}};
}

SdpVideoFormat vp8Format() {
  return {"VP8", {}};
}

SdpVideoFormat vp9Format() {
  return {"VP9", {{"profile-id", "0"}}};
}

SdpAudioFormat g722Format() {
  return {"G722", 8000, 1, {}};
}

SdpAudioFormat opusFormat() {
  return {"opus", 48'000, 2, {{"minptime", "10"}, {"useinbandfec", "1"}}};
}

}  // namespace parley::codec
