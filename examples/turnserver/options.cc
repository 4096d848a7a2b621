#include "options.h"

#include <algorithm>
#include <ctime>
#include <fstream>
#include <sstream>

#include "parley/base/secure_random.h"
#include "parley/io/interfaces.h"

#include "common/arguments.h"
#include "common/terminal.h"

namespace {

using example::Arguments;
using example::print;
using parley::AddressFamily;
using parley::DataRate;
using parley::IpAddress;
using parley::SocketAddress;
namespace turn = parley::turn;

constexpr const char* kHelp = R"(turnserver [OPTIONS]: a STUN and TURN server

Without options it serves UDP and TCP on port 3478 of all addresses, and prints a user name and a
password that it made up.

Who may relay:
  --user NAME:PASSWORD   (may be given again)
  --secret TEXT          users of a web service that knows the secret too: the user name is a time
                         of expiry, "1767225600:alice", the password base64(HMAC-SHA1(secret, name))
                         (may be given again, to change it without a break)
  --credentials NAME     prints such a pair for NAME, valid for a day, and ends; wants --secret
  --realm NAME           default: parley

Where:
  --listen ADDRESS:PORT  for UDP and TCP (may be given again; default 0.0.0.0:3478 and [::]:3478)
  --tls ADDRESS:PORT     for TLS (may be given again); wants the next two
  --certificate FILE     PEM: the certificate of the server, and the chain up to its root
  --key FILE             PEM: its private key
  --discovery ADDRESS:PORT,ADDRESS:PORT
                         lets clients find out how their NAT behaves (RFC 5780): UDP on both
                         addresses with both ports; give none of the four to --listen
  --relay ADDRESS[=OUTER]
                         where peers are sent from, at most one IPv4 and one IPv6 address; OUTER is
                         what they are told if a router translates (default: this machine's first)
  --ports MIN-MAX        of relayed addresses (default 49152-65535)

Limits:
  --max-allocations N    in all (default 10000)
  --max-per-user N       (default 100)
  --max-connections N    relayed TCP connections of one allocation (default 32; 0: no such
                         allocations)
  --max-kbps N           of one allocation, each way
  --max-user-kbps N      of one user, all together
  --max-total-mbps N     of the server
  --allow-peers RANGE    may be relayed to although it is private, e.g. 10.1.0.0/16
  --deny-peers RANGE     may not be relayed to
  --allow-private        no range is refused by itself (by default loopback, private, link-local and
                         the other special ones are: else strangers could reach the inner network)
  --mobility             allocations survive a change of the client's address (RFC 8016)
  --send-away ADDRESS:PORT
                         refers every new client to another server

  --seconds N            end after N seconds
  --report FILE          write figures as JSON at the end
  --quiet                no status line
  --verbose              the library's log on standard error
)";

std::string readFile(const Arguments& arguments, const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  if (!in || text.str().empty()) arguments.refuse("cannot read " + path);
  return text.str();
}

SocketAddress address(const Arguments& arguments, const std::string& option,
                      const std::string& text) {
  const auto parsed = SocketAddress::parse(text);
  if (!parsed) arguments.refuse(option + " wants an address and a port, e.g. 0.0.0.0:3478");
  return *parsed;
}

turn::AddressRange range(const Arguments& arguments, const std::string& option,
                         const std::string& text) {
  const auto parsed = turn::AddressRange::parse(text);
  if (!parsed) arguments.refuse(option + " wants a range, e.g. 10.0.0.0/8");
  return *parsed;
}

turn::ServerRelay relay(const Arguments& arguments, const std::string& text) {
  const size_t equals = text.find('=');
  const auto inner = IpAddress::parse(text.substr(0, equals));
  if (!inner) arguments.refuse("--relay wants an address, or ADDRESS=OUTER");
  turn::ServerRelay out{*inner};
  if (equals == std::string::npos) return out;
  out.advertised = IpAddress::parse(text.substr(equals + 1));
  if (!out.advertised) arguments.refuse("--relay: what stands behind = is no address");
  return out;
}

/// The first ordinary address of each family; loopback if there is no other.
std::vector<turn::ServerRelay> ownAddresses() {
  std::vector<turn::ServerRelay> out;
  const auto interfaces = parley::io::listInterfaces();
  for (const bool loopback : {false, true}) {
    for (const AddressFamily family : {AddressFamily::V4, AddressFamily::V6}) {
      const bool have = std::any_of(out.begin(), out.end(), [&](const turn::ServerRelay& r) {
        return r.bind.family() == family;
      });
      if (have || (loopback && !out.empty())) continue;
      for (const auto& interface : interfaces) {
        const auto fits = [&](const IpAddress& ip) {
          return ip.family() == family && !ip.isLinkLocal() && interface.isUp;
        };
        const auto found =
            std::find_if(interface.addresses.begin(), interface.addresses.end(), fits);
        if (interface.isLoopback != loopback || found == interface.addresses.end()) continue;
        out.push_back({*found});
        break;
      }
    }
  }
  return out;
}

void listen(turn::ServerConfig& server, const SocketAddress& local) {
  server.listeners.push_back({turn::Transport::Udp, local});
  server.listeners.push_back({turn::Transport::Tcp, local});
}

/// What clients put into their configuration.
std::vector<std::string> urlsOf(const turn::ServerConfig& server) {
  std::vector<std::string> urls;
  for (const turn::ServerListener& listener : server.listeners) {
    IpAddress ip = listener.local.ip;
    for (const turn::ServerRelay& relay : server.relays) {
      if (ip.isUnspecified() && relay.bind.family() == ip.family())
        ip = relay.advertised.value_or(relay.bind);
    }
    if (ip.isUnspecified()) continue;
    const std::string where = SocketAddress{ip, listener.local.port}.toString();
    if (listener.transport == turn::Transport::Tls) {
      urls.push_back("turns:" + where);
    } else {
      urls.push_back("turn:" + where + "?transport=" + turn::toString(listener.transport));
    }
  }
  return urls;
}

void printCredentials(const Arguments& arguments, const turn::ServerConfig& server,
                      const std::string& name) {
  if (server.secrets.empty()) arguments.refuse("--credentials wants --secret");
  const auto pair = turn::timeLimitedCredentials(server.secrets[0], name,
                                                 static_cast<int64_t>(std::time(nullptr)) + 86'400);
  print("username: " + pair.username + "\npassword: " + pair.password);
  std::exit(0);
}

}  // namespace

Options parseOptions(int count, char** words) {
  Options options;
  turn::ServerConfig& server = options.server;
  std::string certificate;
  std::string key;
  std::string credentialsFor;
  using Text = const std::string&;
  Arguments a;
  a.program = "turnserver";
  a.help = kHelp;
  const auto rate = [&a](const char* option, Text v) {
    return DataRate::kbps(a.number<int64_t>(option, v, 1, 1'000'000'000));
  };
  a.flags = {
      {"--allow-private", [&] { server.denySpecialPeers = false; }},
      {"--mobility", [&] { server.mobility = true; }},
      {"--quiet", [&] { options.quiet = true; }},
      {"--verbose", [&] { options.verbose = true; }},
  };
  a.values = {
      {"--user",
       [&](Text v) {
         const size_t colon = v.find(':');
         if (colon == std::string::npos || colon == 0) a.refuse("--user wants NAME:PASSWORD");
         server.users.push_back({v.substr(0, colon), v.substr(colon + 1)});
       }},
      {"--secret", [&](Text v) { server.secrets.push_back(v); }},
      {"--credentials", [&](Text v) { credentialsFor = v; }},
      {"--realm", [&](Text v) { server.realm = v; }},
      {"--listen", [&](Text v) { listen(server, address(a, "--listen", v)); }},
      {"--tls",
       [&](Text v) {
         server.listeners.push_back({turn::Transport::Tls, address(a, "--tls", v)});
       }},
      {"--discovery",
       [&](Text v) {
         const size_t comma = v.find(',');
         if (comma == std::string::npos) a.refuse("--discovery wants two addresses");
         server.discovery = turn::ServerDiscovery{address(a, "--discovery", v.substr(0, comma)),
                                                  address(a, "--discovery", v.substr(comma + 1))};
         for (const turn::ServerListener& one : turn::discoveryListeners(*server.discovery))
           server.listeners.push_back(one);
       }},
      {"--certificate", [&](Text v) { certificate = v; }},
      {"--key", [&](Text v) { key = v; }},
      {"--relay", [&](Text v) { server.relays.push_back(relay(a, v)); }},
      {"--ports",
       [&](Text v) {
         const size_t dash = v.find('-');
         if (dash == std::string::npos) a.refuse("--ports wants MIN-MAX");
         server.minPort = a.number<uint16_t>("--ports", v.substr(0, dash), 1, 65535);
         server.maxPort = a.number<uint16_t>("--ports", v.substr(dash + 1), 1, 65535);
       }},
      {"--max-allocations",
       [&](Text v) {
         server.maxAllocations = a.number<size_t>("--max-allocations", v, 1, 1'000'000);
       }},
      {"--max-per-user",
       [&](Text v) {
         server.maxAllocationsPerUser = a.number<size_t>("--max-per-user", v, 1, 1'000'000);
       }},
      {"--max-connections",
       [&](Text v) {
         server.maxConnections = a.number<size_t>("--max-connections", v, 0, 10'000);
       }},
      {"--max-kbps", [&](Text v) { server.maxRatePerAllocation = rate("--max-kbps", v); }},
      {"--max-user-kbps", [&](Text v) { server.maxRatePerUser = rate("--max-user-kbps", v); }},
      {"--max-total-mbps", [&](Text v) { server.maxRate = rate("--max-total-mbps", v) * 1000.0; }},
      {"--allow-peers",
       [&](Text v) { server.allowedPeers.push_back(range(a, "--allow-peers", v)); }},
      {"--deny-peers", [&](Text v) { server.deniedPeers.push_back(range(a, "--deny-peers", v)); }},
      {"--send-away", [&](Text v) { server.alternateServer = address(a, "--send-away", v); }},
      {"--seconds", [&](Text v) { options.seconds = a.positive("--seconds", v); }},
      {"--report", [&](Text v) { options.report = v; }},
  };
  a.parse(count, words);

  if (!credentialsFor.empty()) printCredentials(a, server, credentialsFor);
  if (server.listeners.empty()) {
    listen(server, *SocketAddress::parse("0.0.0.0:3478"));
    listen(server, *SocketAddress::parse("[::]:3478"));
  }
  if (server.relays.empty()) server.relays = ownAddresses();
  if (server.users.empty() && server.secrets.empty()) {
    parley::SecureRandom random;
    options.guest = turn::Credentials{"guest", random.iceChars(16)};
    server.users.push_back(*options.guest);
  }
  if (!certificate.empty()) {
    auto tls = parley::dtls::TlsContext::server(
        {.certificateChain = readFile(a, certificate),
         .privateKey = key.empty() ? std::string() : readFile(a, key)});
    if (!tls) a.refuse(tls.error().message);
    server.tls = *std::move(tls);
  }
  if (const auto checked = turn::Server::check(server); !checked) a.refuse(checked.error().message);
  server.software = "parley";
  options.urls = urlsOf(server);
  return options;
}
