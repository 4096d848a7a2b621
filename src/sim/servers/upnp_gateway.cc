#include "parley/sim/servers/upnp_gateway.h"

#include <algorithm>

#include "parley/base/text.h"

namespace parley::sim {
namespace {

constexpr uint16_t kSearchPort = 1900;
constexpr uint16_t kHttpPort = 5000;
constexpr int kInvalidAction = 401;
constexpr int kNoSuchEntry = 714;
constexpr int kConflict = 718;
constexpr int kOnlyPermanent = 725;

/// What stands in an element without further ones.
std::string_view inside(std::string_view xml, const std::string& element) {
  const size_t begin = xml.find("<" + element + ">");
  if (begin == std::string_view::npos) return {};
  const std::string_view rest = xml.substr(begin + element.size() + 2);
  return rest.substr(0, rest.find('<'));
}

std::string envelope(const std::string& body) {
  return "<?xml version=\"1.0\"?>\n<s:Envelope "
         "xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\">"
         "<s:Body>" +
         body + "</s:Body></s:Envelope>";
}

std::string fault(int error) {
  return envelope("<s:Fault><faultcode>s:Client</faultcode><detail><UPnPError><errorCode>" +
                  std::to_string(error) + "</errorCode></UPnPError></detail></s:Fault>");
}

std::string inChunks(const std::string& body) {
  std::string out;
  for (size_t at = 0; at < body.size(); at += 100) {
    const std::string piece = body.substr(at, 100);
    constexpr const char* kDigits = "0123456789abcdef";
    out += {kDigits[piece.size() / 16], kDigits[piece.size() % 16]};
    out += "\r\n" + piece + "\r\n";
  }
  return out + "0\r\n\r\n";
}

}  // namespace

UpnpGateway::UpnpGateway(World& world, Segment& home, Nat& nat, UpnpGatewayConfig config)
    : world_(world),
      nat_(nat),
      config_(std::move(config)),
      host_(world.addHost("upnp gateway", home)) {
  search_ = ids_.nextSocket();
  listener_ = ids_.nextSocket();
  effects_.push(OpenUdp{search_, {IpAddress::any(AddressFamily::V4), kSearchPort}, true});
  effects_.push(ListenTcp{listener_, {IpAddress::any(AddressFamily::V4), kHttpPort}});
  node_ = &world.addNode(host_, *this);
}

UpnpGateway::~UpnpGateway() {
  world_.removeNode(*node_);
}

void UpnpGateway::restart() {
  nat_.forgetMappings();
  mappings_.clear();
}

void UpnpGateway::handle(Input&& input, Timestamp) {
  if (const auto* opened = std::get_if<SocketOpened>(&input); opened && opened->socket == search_) {
    effects_.push(JoinMulticast{search_, IpAddress::v4(239, 255, 255, 250), 0});
  } else if (const auto* datagram = std::get_if<Datagram>(&input)) {
    answerSearch(*datagram);
  } else if (const auto* bytes = std::get_if<StreamBytes>(&input)) {
    std::string& request = requests_[bytes->socket];
    request += asText(bytes->data.span());
    const size_t head = request.find("\r\n\r\n");
    if (head == std::string::npos) return;
    const size_t length = request.find("Content-Length: ");
    size_t body = 0;
    if (length != std::string::npos && length < head) {
      const std::string_view rest = std::string_view(request).substr(length + 16);
      body = parseNumber<size_t>(rest.substr(0, rest.find('\r'))).value_or(0);
    }
    if (request.size() >= head + 4 + body) answerRequest(bytes->socket, request);
  } else if (const auto* failed = std::get_if<SocketFailed>(&input)) {
    requests_.erase(failed->socket);
  }
}

void UpnpGateway::answerSearch(const Datagram& datagram) {
  const std::string_view text = asText(datagram.data.span());
  constexpr std::string_view kTarget = "ST: urn:schemas-upnp-org:device:InternetGatewayDevice:";
  const size_t at = text.find(kTarget);
  if (!text.starts_with("M-SEARCH * HTTP/1.1\r\n") || at == std::string_view::npos) return;
  const std::string_view rest = text.substr(at + kTarget.size());
  const std::string version(rest.substr(0, rest.find('\r')));
  if (parseNumber<int>(version).value_or(9) > config_.version) return;
  ++searches_;
  const SocketAddress own{*host_.address(), kHttpPort};
  const std::string location =
      config_.location.empty() ? "http://" + own.toString() + "/igd.xml" : config_.location;
  send(search_, datagram.from,
       "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nEXT:\r\nLOCATION: " + location +
           "\r\nSERVER: sim UPnP/1.1\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:" +
           version + "\r\nUSN: uuid:1::gateway\r\n\r\n");
}

void UpnpGateway::answerRequest(SocketId socket, const std::string& request) {
  if (config_.mute) return;
  int code = 200;
  std::string body;
  if (request.starts_with("GET /igd.xml HTTP/1.1\r\n")) {
    const std::string type =
        "urn:schemas-upnp-org:service:WANIPConnection:" + std::to_string(config_.version);
    body = !config_.description.empty()
               ? config_.description
               : "<?xml version=\"1.0\"?>\n<root xmlns=\"urn:schemas-upnp-org:device-1-0\">"
                 "<device><deviceList><device><deviceList><device><serviceList><service>"
                 "<serviceType>urn:schemas-upnp-org:service:Other:1</serviceType>"
                 "<controlURL>/other</controlURL></service><service><serviceType>" +
                     type +
                     "</serviceType><controlURL>/control?a=1&amp;b=2</controlURL></service>"
                     "</serviceList></device></deviceList></device></deviceList></device></root>";
  } else if (request.starts_with("POST /control?a=1&b=2 HTTP/1.1\r\n")) {
    body = act(request, code);
  } else {
    code = 404;
  }
  std::string head = "HTTP/1.1 " + std::to_string(code) + " X\r\nContent-Type: text/xml\r\n";
  if (config_.chunked) {
    head += "Transfer-Encoding: chunked\r\n\r\n";
    body = inChunks(body);
  } else {
    head += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  }
  send(socket, {}, head + body);
  effects_.push(CloseSocket{socket});
  requests_.erase(socket);
}

std::string UpnpGateway::act(const std::string& request, int& code) {
  const size_t at = request.find("SOAPAction: \"");
  const size_t hash = request.find('#', at);
  const std::string action = request.substr(hash + 1, request.find('"', hash) - hash - 1);
  actions_.push_back(action);
  const std::string body = request.substr(request.find("\r\n\r\n") + 4);
  int error = 0;
  std::string result;
  if (action == "GetExternalIPAddress") {
    const IpAddress outer = nat_.outside().address(AddressFamily::V4).value_or(IpAddress());
    result = "<NewExternalIPAddress>" +
             (config_.externalAddress.empty() ? outer.toString() : config_.externalAddress) +
             "</NewExternalIPAddress>";
  } else if (action == "AddPortMapping" || (action == "AddAnyPortMapping" && config_.version > 1)) {
    result = map(body, action == "AddAnyPortMapping", error);
  } else if (action == "DeletePortMapping") {
    const auto port = parseNumber<uint16_t>(inside(body, "NewExternalPort")).value_or(0);
    const auto mapping = mappings_.find(port);
    if (mapping == mappings_.end()) {
      error = kNoSuchEntry;
    } else {
      nat_.endForward(mapping->second, Protocol::Udp);
      mappings_.erase(mapping);
    }
  } else {
    error = kInvalidAction;
  }
  if (error == 0)
    return envelope("<u:" + action + "Response>" + result + "</u:" + action + "Response>");
  code = 500;
  return fault(error);
}

std::string UpnpGateway::map(const std::string& body, bool any, int& error) {
  const auto wanted = parseNumber<uint16_t>(inside(body, "NewExternalPort")).value_or(0);
  const auto ip = IpAddress::parse(inside(body, "NewInternalClient"));
  const auto port = parseNumber<uint16_t>(inside(body, "NewInternalPort"));
  constexpr int kInvalidArguments = 402;
  error = config_.error;
  if (error == 0 && (!ip || !port || inside(body, "NewProtocol") != "UDP"))
    error = kInvalidArguments;
  if (error == 0 && config_.onlyPermanent && inside(body, "NewLeaseDuration") != "0")
    error = kOnlyPermanent;
  if (error == 0 && config_.taken.contains(wanted) && !any) error = kConflict;
  if (error != 0) return {};
  const SocketAddress internal{*ip, *port};
  const uint16_t offered = config_.taken.contains(wanted) ? uint16_t(wanted + 1) : wanted;
  const auto external = nat_.forward(internal, Protocol::Udp, offered);
  if (!external || (!any && external->port != wanted)) {
    if (external) nat_.endForward(internal, Protocol::Udp);
    error = kConflict;
    return {};
  }
  mappings_[external->port] = internal;
  return any ? "<NewReservedPort>" + std::to_string(external->port) + "</NewReservedPort>" : "";
}

void UpnpGateway::send(SocketId socket, const SocketAddress& to, std::string_view text) {
  while (!text.empty()) {
    TxPacket out;
    out.socket = socket;
    out.to = to;
    out.data = pool_.copyOf(asBytes(text.substr(0, 1200)));
    text = text.substr(std::min<size_t>(text.size(), 1200));
    transmits_.push_back(std::move(out));
  }
}

size_t UpnpGateway::pollTransmit(std::span<TxPacket> out) {
  const size_t count = std::min(out.size(), transmits_.size());
  std::move(transmits_.begin(), transmits_.begin() + static_cast<ptrdiff_t>(count), out.begin());
  transmits_.erase(transmits_.begin(), transmits_.begin() + static_cast<ptrdiff_t>(count));
  return count;
}

bool UpnpGateway::pollEffect(Effect& out) {
  // What was answered leaves before its connection closes.
  if (effects_.empty() || !transmits_.empty()) return false;
  out = effects_.pop();
  return true;
}

}  // namespace parley::sim
