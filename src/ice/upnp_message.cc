#include "ice/upnp_message.h"

#include <algorithm>

#include "parley/base/text.h"

#include "ice/http_reader.h"
#include "ice/xml_reader.h"

namespace parley::ice::upnp {
namespace {

constexpr size_t kMaxPath = 512;
constexpr std::string_view kScheme = "http://";
constexpr std::string_view kIp = "urn:schemas-upnp-org:service:WANIPConnection:";
constexpr std::string_view kPpp = "urn:schemas-upnp-org:service:WANPPPConnection:";

/// It becomes a line of a request.
bool isPath(std::string_view text) {
  return text.size() <= kMaxPath && text.starts_with('/') &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7F; });
}

/// How good a service type is; 0: of no use.
int rank(std::string_view type) {
  if (type.starts_with(kIp)) {
    const auto version = parseNumber<int>(type.substr(kIp.size()));
    return !version || *version < 1 ? 0 : *version == 1 ? 2 : 3;
  }
  return type == std::string(kPpp) + "1" ? 1 : 0;
}

std::string writeSoap(const Service& service, std::string_view action,
                      const std::string& arguments) {
  const std::string name(action);
  const std::string body =
      "<?xml version=\"1.0\"?>\r\n"
      "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" "
      "s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body><u:" +
      name + " xmlns:u=\"" + service.type + "\">" + arguments + "</u:" + name +
      "></s:Body></s:Envelope>\r\n";
  return "POST " + service.control.path + " HTTP/1.1\r\nHost: " + service.control.host.toString() +
         "\r\nConnection: close\r\nContent-Type: text/xml; charset=\"utf-8\"\r\nSOAPAction: \"" +
         service.type + "#" + name + "\"\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

std::string element(const std::string& name, const std::string& value) {
  return "<" + name + ">" + value + "</" + name + ">";
}

}  // namespace

IpAddress searchGroup() {
  return IpAddress::v4(239, 255, 255, 250);
}

std::optional<Url> parseUrl(std::string_view text) {
  if (text.size() < kScheme.size() || !equalsIgnoreCase(text.substr(0, kScheme.size()), kScheme))
    return std::nullopt;
  text.remove_prefix(kScheme.size());
  const size_t slash = text.find('/');
  std::string_view authority = text.substr(0, slash);
  const std::string_view host = cutToken(authority, ':');
  const auto ip = IpAddress::parse(host);
  const auto port =
      authority.empty() ? std::optional<uint16_t>(80) : parseNumber<uint16_t>(authority);
  if (!ip || !ip->isV4() || !port || *port == 0) return std::nullopt;
  Url out{{*ip, *port}, slash == std::string_view::npos ? "/" : std::string(text.substr(slash))};
  if (!isPath(out.path)) return std::nullopt;
  return out;
}

std::optional<Url> resolveUrl(const Url& base, std::string_view reference) {
  if (reference.find("://") != std::string_view::npos) {
    auto out = parseUrl(reference);
    if (out && out->host.ip != base.host.ip) out.reset();
    return out;
  }
  Url out = base;
  if (reference.starts_with('/')) {
    out.path = reference;
  } else {
    out.path.resize(out.path.rfind('/') + 1);
    out.path += reference;
  }
  if (!isPath(out.path)) return std::nullopt;
  return out;
}

std::string writeSearch(int version) {
  // Section 1.3.2. MX 1: answers come within a second.
  return "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\n"
         "ST: urn:schemas-upnp-org:device:InternetGatewayDevice:" +
         std::to_string(version) + "\r\n\r\n";
}

std::optional<Url> parseSearchAnswer(ByteSpan datagram, const IpAddress& from) {
  const std::string_view text(reinterpret_cast<const char*>(datagram.data()), datagram.size());
  if (!text.starts_with("HTTP/1.1 200") && !text.starts_with("HTTP/1.0 200")) return std::nullopt;
  if (headerField(text, "ST").find(":InternetGatewayDevice:") == std::string_view::npos)
    return std::nullopt;
  auto url = parseUrl(headerField(text, "LOCATION"));
  if (url && url->host.ip != from) url.reset();
  return url;
}

std::optional<Service> parseDescription(std::string_view xml, const Url& location) {
  XmlReader reader(xml);
  Url base = location;
  std::string type, control, bestType, bestControl;
  int best = 0;
  for (;;) {
    const XmlReader::Token token = reader.next();
    if (token == XmlReader::Token::Bad) return std::nullopt;
    if (token == XmlReader::Token::End) break;
    if (token == XmlReader::Token::Open && reader.name() == "service") {
      type.clear();
      control.clear();
    } else if (token == XmlReader::Token::Text && reader.name() == "serviceType") {
      type = reader.text();
    } else if (token == XmlReader::Token::Text && reader.name() == "controlURL") {
      control = reader.text();
    } else if (token == XmlReader::Token::Text && reader.name() == "URLBase") {
      if (const auto told = resolveUrl(location, reader.text())) base = *told;
    } else if (token == XmlReader::Token::Close && reader.name() == "service" &&
               rank(type) > best && !control.empty()) {
      best = rank(type);
      bestType = type;
      bestControl = control;
    }
  }
  if (best == 0) return std::nullopt;
  const auto url = resolveUrl(base, bestControl);
  if (!url) return std::nullopt;
  return Service{bestType, *url, best == 3};
}

std::string writeGet(const Url& url) {
  return "GET " + url.path + " HTTP/1.1\r\nHost: " + url.host.toString() +
         "\r\nConnection: close\r\n\r\n";
}

std::string writeAddressRequest(const Service& service) {
  return writeSoap(service, "GetExternalIPAddress", {});
}

std::string writeMap(const Service& service, const PortMapping& mapping) {
  return writeSoap(service, mapping.anyPort ? "AddAnyPortMapping" : "AddPortMapping",
                   element("NewRemoteHost", {}) +
                       element("NewExternalPort", std::to_string(mapping.external)) +
                       element("NewProtocol", "UDP") +
                       element("NewInternalPort", std::to_string(mapping.internal.port)) +
                       element("NewInternalClient", mapping.internal.ip.toString()) +
                       element("NewEnabled", "1") + element("NewPortMappingDescription", "call") +
                       element("NewLeaseDuration", std::to_string(mapping.lifetime)));
}

std::string writeUnmap(const Service& service, uint16_t external) {
  return writeSoap(service, "DeletePortMapping",
                   element("NewRemoteHost", {}) +
                       element("NewExternalPort", std::to_string(external)) +
                       element("NewProtocol", "UDP"));
}

std::optional<Answer> parseAnswer(int httpCode, std::string_view xml) {
  // Section 3.2.5: errors come with 500.
  if (httpCode != 200 && httpCode != 500) return std::nullopt;
  XmlReader reader(xml);
  Answer out;
  for (;;) {
    const XmlReader::Token token = reader.next();
    if (token == XmlReader::Token::Bad) return std::nullopt;
    if (token == XmlReader::Token::End) break;
    if (token != XmlReader::Token::Text) continue;
    if (reader.name() == "errorCode") {
      out.error = parseNumber<int>(reader.text()).value_or(-1);
    } else if (reader.name() == "NewExternalIPAddress") {
      out.address = IpAddress::parse(reader.text());
    } else if (reader.name() == "NewReservedPort") {
      out.port = parseNumber<uint16_t>(reader.text());
    }
  }
  if (httpCode == 500 && !out.error) out.error = -1;
  return out;
}

}  // namespace parley::ice::upnp
