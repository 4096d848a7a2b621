#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "parley/base/result.h"

namespace httplib {
class Server;
struct Request;
struct Response;
}  // namespace httplib

// What a web server with one page and a JSON interface for it needs.

namespace example {

void reply(httplib::Response& response, int status, const nlohmann::json& body);
/// A member that should be text; "" if it is missing or something else. What comes from the other
/// side is never taken at its word: json's own `value` throws at another type.
std::string textOf(const nlohmann::json& object, const char* key);
/// {"error": reason}
void refuse(httplib::Response& response, int status, const std::string& reason);

/// Hands out pageFiles(), and sets what is the same for all requests: limits, security headers, and
/// that only pages of this server may use it through a browser. `host`: where it will listen.
void setUpWeb(httplib::Server& server, const std::string& host, size_t maxBody,
              const std::string& mediaPolicy = "");

/// Whether the request comes from this machine.
bool isLoopback(const std::string& remoteAddress);
std::string machineName();
/// IPv4 addresses that other machines may know this one by.
std::vector<std::string> machineAddresses();

/// Takes the port, or unless `portGiven` any other if it is taken; 0 is any. Gives the port.
parley::Result<int> bindWeb(httplib::Server& server, const std::string& host, int port,
                            bool portGiven);
/// "http://HOST:PORT/" with IPv6 addresses in brackets.
std::string webUrl(const std::string& host, int port);

/// http://host:port of a URL, whatever of it was given.
std::string webOrigin(std::string url);
bool isThisMachine(const std::string& webOrigin);

}  // namespace example
