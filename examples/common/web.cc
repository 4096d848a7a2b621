#include "common/web.h"

#include <arpa/inet.h>
#include <cstring>
#include <ifaddrs.h>
#include <net/if.h>
#include <string_view>
#include <unistd.h>

#include <httplib.h>

#include "parley/base/address.h"
#include "parley/base/text.h"

#include "common/page_files.h"

namespace example {

using httplib::Request;
using httplib::Response;
using Json = nlohmann::json;

namespace {

/// The name in a Host header, without the port.
std::string hostName(std::string_view host) {
  if (host.starts_with('[')) return std::string(host.substr(1, host.find(']') - 1));
  return std::string(host.substr(0, host.find(':')));
}

// Pages of other origins must not use us through the browser of someone who can reach us. Browsers
// put the Origin on every POST. And a page whose own name was turned into our address (DNS
// rebinding) shows by the Host: we know our names, and addresses cannot be rebound.
bool trusted(const Request& request, const std::string& ownHost) {
  const std::string host = request.get_header_value("Host");
  const std::string name = hostName(host);
  const std::string machine = machineName();
  const bool ours = parley::IpAddress::parse(name) || parley::equalsIgnoreCase(name, "localhost") ||
                    parley::equalsIgnoreCase(name, ownHost) ||
                    (!machine.empty() && (parley::equalsIgnoreCase(name, machine) ||
                                          parley::equalsIgnoreCase(name, machine + ".local")));
  if (!ours) return false;
  if (request.method == "GET" || !request.has_header("Origin")) return true;
  const std::string origin = request.get_header_value("Origin");
  return origin == "http://" + host || origin == "https://" + host;
}

}  // namespace

std::string textOf(const Json& object, const char* key) {
  const auto it = object.is_object() ? object.find(key) : object.end();
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

void reply(Response& response, int status, const Json& body) {
  response.status = status;
  response.set_content(body.dump(-1, ' ', false, Json::error_handler_t::replace),
                       "application/json");
}

void refuse(Response& response, int status, const std::string& reason) {
  reply(response, status, {{"error", reason}});
}

void setUpWeb(httplib::Server& server, const std::string& host, size_t maxBody,
              const std::string& mediaPolicy) {
  server.set_keep_alive_max_count(1);  // an idle connection would keep a thread
  server.set_read_timeout(5, 0);
  server.set_payload_max_length(maxBody);
  server.set_default_headers({
      {"Cache-Control", "no-store"},
      {"X-Content-Type-Options", "nosniff"},
      {"Referrer-Policy", "no-referrer"},
      {"Content-Security-Policy",
       "default-src 'self'; " + mediaPolicy +
           "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"},
  });
  server.set_pre_routing_handler([host](const Request& request, Response& response) {
    if (trusted(request, host)) return httplib::Server::HandlerResponse::Unhandled;
    refuse(response, 403, "this address belongs to another page");
    return httplib::Server::HandlerResponse::Handled;
  });
  server.set_exception_handler([](const Request&, Response& response, std::exception_ptr) {
    refuse(response, 400, "the request is not as it should be");
  });
  // Only files that are in the program can be asked for.
  for (const PageFile& file : pageFiles()) {
    server.Get(file.path, [&file](const Request&, Response& response) {
      response.set_content(file.content.data(), file.content.size(), file.type);
    });
  }
}

bool isLoopback(const std::string& address) {
  return address == "::1" || address.starts_with("127.") || address.starts_with("::ffff:127.");
}

std::string machineName() {
  char name[256] = {};
  return gethostname(name, sizeof name - 1) == 0 ? name : "";
}

std::vector<std::string> machineAddresses() {
  std::vector<std::string> out;
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return out;
  for (const ifaddrs* one = all; one; one = one->ifa_next) {
    if (!one->ifa_addr || one->ifa_addr->sa_family != AF_INET) continue;
    if ((one->ifa_flags & IFF_LOOPBACK) != 0 || (one->ifa_flags & IFF_UP) == 0) continue;
    char text[INET_ADDRSTRLEN] = {};
    sockaddr_in address{};
    std::memcpy(&address, one->ifa_addr, sizeof address);
    if (inet_ntop(AF_INET, &address.sin_addr, text, sizeof text)) out.emplace_back(text);
  }
  freeifaddrs(all);
  return out;
}

parley::Result<int> bindWeb(httplib::Server& server, const std::string& host, int port,
                            bool portGiven) {
  const bool any = port == 0;
  if (!any && server.bind_to_port(host, port)) return port;
  if (portGiven && !any)
    return parley::fail(parley::ErrorCode::Network,
                        "port " + std::to_string(port) + " of " + host + " cannot be had");
  const int found = server.bind_to_any_port(host);
  if (found < 0) return parley::fail(parley::ErrorCode::Network, "cannot listen on " + host);
  return found;
}

std::string webUrl(const std::string& host, int port) {
  const bool bracketed = host.find(':') != std::string::npos;
  return "http://" + (bracketed ? "[" + host + "]" : host) + ":" + std::to_string(port) + "/";
}

std::string webOrigin(std::string url) {
  if (url.find("://") == std::string::npos) url = "http://" + url;
  return url.substr(0, url.find('/', url.find("://") + 3));
}

bool isThisMachine(const std::string& origin) {
  const std::string host = origin.substr(origin.find("://") + 3);
  return host.starts_with("127.") || host.starts_with("localhost") || host.starts_with("[::1]");
}

}  // namespace example
