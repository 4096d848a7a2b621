#include "options.h"

#include "common/arguments.h"

namespace {

constexpr char kHelp[] =
    R"(RTP of other programs into a call with browsers, and what a browser sends back out as RTP.

  examples/run rtp_bridge [OPTIONS]

  --video-in PORT, --audio-in PORT    where RTP comes in, by UDP (default 5004 and 5006)
  --video-out ADDRESS:PORT, --audio-out ADDRESS:PORT
                      where it goes (default 127.0.0.1:5104 and 127.0.0.1:5106)
  --video-codec NAME  VP8 (default), VP9, H264 or AV1; sound is Opus
  --sdp FILE          describes what goes out, for players (default rtp_bridge.sdp)
  --host ADDRESS      where the page is served (default localhost)
  --port N            of the page (default 8091; 0: any)
)";

}  // namespace

Options parseOptions(int count, char** words) {
  Options options;
  example::Arguments arguments;
  arguments.program = "rtp_bridge";
  arguments.help = kHelp;
  const auto text = [&](const char* name, std::string& out) {
    arguments.values[name] = [&out](const std::string& value) { out = value; };
  };
  text("--host", options.host);
  text("--video-out", options.videoOut);
  text("--audio-out", options.audioOut);
  text("--sdp", options.sdp);
  arguments.values["--port"] = [&](const std::string& value) {
    options.port = arguments.number<int>("--port", value, 0, 65535);
    options.portGiven = true;
  };
  arguments.values["--video-in"] = [&](const std::string& value) {
    options.videoIn = arguments.number<uint16_t>("--video-in", value, 1, 65535);
  };
  arguments.values["--audio-in"] = [&](const std::string& value) {
    options.audioIn = arguments.number<uint16_t>("--audio-in", value, 1, 65535);
  };
  arguments.values["--video-codec"] = [&](const std::string& value) {
    if (value != "VP8" && value != "VP9" && value != "H264" && value != "AV1")
      arguments.refuse("--video-codec wants VP8, VP9, H264 or AV1");
    options.videoCodec = value;
  };
  arguments.parse(count, words);
  return options;
}
