// Looks at the network and at STUN and TURN servers: `doctor --help`.

#include <cstdio>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "behavior.h"
#include "call.h"
#include "common/arguments.h"
#include "common/terminal.h"

namespace {

using example::print;
namespace stun = parley::stun;

constexpr const char* kHelp =
    R"(doctor [OPTIONS] URL...: what this network and these servers let through

URLs as in a browser's iceServers: stun:HOST[:PORT], turn:HOST[:PORT][?transport=tcp], turns:HOST.

First the behaviour of the NAT towards the first server that speaks UDP (RFC 5780; the server needs
two addresses to tell all), then a call between two peers in this process: over the TURN servers'
relays alone if there are some.

  --user NAME        for the TURN servers
  --password TEXT
  --insecure         takes any certificate of a turns: server
  --seconds N        patience with the call (default 45; a call that fails takes 40)
  --json             one JSON object instead of text

Exit code: 0 if the call came about, 1 if not.
)";

struct Options {
  std::vector<parley::IceServer> servers;
  std::string user;
  std::string password;
  bool insecure = false;
  bool json = false;
  double seconds = 45;
};

Options parseOptions(int count, char** words) {
  Options options;
  using Text = const std::string&;
  example::Arguments a;
  a.program = "doctor";
  a.help = kHelp;
  a.flags = {{"--insecure", [&] { options.insecure = true; }},
             {"--json", [&] { options.json = true; }}};
  a.values = {{"--user", [&](Text v) { options.user = v; }},
              {"--password", [&](Text v) { options.password = v; }},
              {"--seconds", [&](Text v) { options.seconds = a.positive("--seconds", v); }}};
  a.word = [&](Text v) { options.servers.push_back({{v}, {}, {}}); };
  a.parse(count, words);
  for (parley::IceServer& server : options.servers) {
    if (!server.urls[0].starts_with("turn")) continue;
    if (options.user.empty()) a.refuse("a TURN server wants --user and --password");
    server.username = options.user;
    server.credential = options.password;
    server.verifyCertificate = !options.insecure;
  }
  return options;
}

bool speaksUdp(const std::string& url) {
  return !url.starts_with("turns:") && url.find("transport=tcp") == std::string::npos;
}

nlohmann::ordered_json toJson(const stun::NatReport& report) {
  nlohmann::ordered_json out{{"answered", report.answered}, {"supported", report.supported}};
  if (!report.answered) return out;
  out["local"] = report.local.toString();
  out["mapped"] = report.mapped.toString();
  out["translated"] = report.translated;
  out["port_preserved"] = report.portPreserved;
  out["mapping"] = stun::toString(report.mapping);
  out["filtering"] = stun::toString(report.filtering);
  if (report.hairpin) out["hairpinning"] = *report.hairpin;
  return out;
}

}  // namespace

int main(int count, char** words) {
  const Options options = parseOptions(count, words);
  nlohmann::ordered_json out;
  for (const parley::IceServer& server : options.servers) {
    const std::string& url = server.urls[0];
    if (!speaksUdp(url)) continue;
    const auto address = serverAddress(url);
    const stun::NatReport report = address ? behaviorTowards(*address) : stun::NatReport{};
    out["nat"] = toJson(report);
    if (!options.json)
      print(address ? "Towards " + url + ": " + report.toString()
                    : "Towards " + url + ": the name does not resolve");
    break;
  }
  const auto diagnosis = tryCall(options.servers, options.seconds);
  if (!diagnosis) {
    std::fprintf(stderr, "doctor: %s\n", diagnosis.error().message.c_str());
    return 2;
  }
  if (options.json) {
    out["call"] = nlohmann::ordered_json::parse(diagnosis->json());
    print(out.dump(2));
  } else {
    print("Call: " + diagnosis->text());
  }
  return diagnosis->verdict.code == parley::VerdictCode::Working ? 0 : 1;
}
