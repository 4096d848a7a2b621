#include "options.h"

#include <cstdlib>
#include <filesystem>

#include "common/arguments.h"

namespace call {

using example::Arguments;

namespace {

constexpr const char* kHelp = R"(call [OPTIONS]: a video call between web browsers and this program

Without options it waits for callers: open the URL that it prints in a browser.

  --connect URL    call another instance of this program instead of waiting for callers

What the callers see and hear:
  --clip FILE      a film, again and again (the default: a short one comes with the examples)
  --camera[=DEV]   a camera (default /dev/video0) and the microphone
  --screen         the screen
  --test-pattern   a moving picture and a tone

What happens to what they send (chat is always echoed):
  --record FILE    record to FILE (.webm or .mkv; the second call to FILE-2.webm, and so on)
  --window         show it in a window and play its sound
  --files DIR      folder for the files that they send (default: a temporary one)
  --quota MIB      how much may be stored there in all (default 2048)

  --host ADDRESS   where to listen (default 127.0.0.1; 0.0.0.0: let other machines call, too.
                   Browsers give their camera to pages of localhost and https only.)
  --port N         (default 8080 or, if that is taken, any; 0: any)
  --max-calls N    at the same time (default 8)
  --max-kbps N     what each of them is sent at most, in kbit/s (default 2500)
  --stun URL       a STUN server, e.g. stun:stun.example.org (may be given again)
  --seconds N      end after N seconds (with the environment variable CI set: after 5)
  --report FILE    write figures about all calls as JSON at the end
  --trace FILE     write each change of the bandwidth estimate as CSV, for tests/bench/plot_estimate.py
                   (the second call to FILE-2.csv, and so on)
  --verbose        the library's log on standard error

What you type is sent to all callers as chat. Ctrl+C ends the program.
)";

void checkRecording(const Arguments& arguments, const std::string& path) {
  if (!path.empty() && !path.ends_with(".webm") && !path.ends_with(".mkv"))
    arguments.refuse("--record wants a name that ends in .webm or .mkv");
}

}  // namespace

Options parseOptions(int count, char** words) {
  Options options;
  using Text = const std::string&;
  Arguments arguments;
  arguments.program = "call";
  arguments.help = kHelp;
  arguments.flags = {
      {"--camera", [&] { options.show = Show::Camera; }},
      {"--screen", [&] { options.show = Show::Screen; }},
      {"--test-pattern", [&] { options.show = Show::TestPattern; }},
      {"--window", [&] { options.window = true; }},
      {"--verbose", [&] { options.verbose = true; }},
  };
  arguments.values = {
      {"--connect", [&](Text v) { options.connect = v; }},
      {"--clip", [&](Text v) { options.clip = v; }},
      {"--record", [&](Text v) { options.record = v; }},
      {"--files", [&](Text v) { options.files = v; }},
      {"--quota",
       [&](Text v) {
         options.quotaBytes = arguments.number<uint64_t>("--quota", v, 1, 1 << 20) << 20;
       }},
      {"--host", [&](Text v) { options.host = v; }},
      {"--port",
       [&](Text v) {
         options.port = arguments.number<int>("--port", v, 0, 65535);
         options.portGiven = true;
       }},
      {"--max-calls",
       [&](Text v) { options.maxCalls = arguments.number<size_t>("--max-calls", v, 1, 64); }},
      {"--max-kbps",
       [&](Text v) { options.maxKbps = arguments.number<int>("--max-kbps", v, 50, 100'000); }},
      {"--stun", [&](Text v) { options.stun.push_back(v); }},
      {"--seconds", [&](Text v) { options.seconds = arguments.positive("--seconds", v); }},
      {"--report", [&](Text v) { options.report = v; }},
      {"--trace", [&](Text v) { options.trace = v; }},
      {"--camera",
       [&](Text v) {
         options.show = Show::Camera;
         options.camera = v;
       }},
  };
  arguments.parse(count, words);
  checkRecording(arguments, options.record);
  const char* ci = std::getenv("CI");
  if (!options.seconds && ci && *ci) options.seconds = 5;
  return options;
}

std::string numbered(const std::string& path, int number) {
  if (number == 1) return path;
  const std::filesystem::path whole(path);
  return whole.parent_path() /
         (whole.stem().string() + "-" + std::to_string(number) + whole.extension().string());
}

}  // namespace call
