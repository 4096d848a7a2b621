#include "turn/proxy_handshake.h"

#include <algorithm>

#include "parley/base/address.h"
#include "parley/base/base64.h"
#include "parley/base/text.h"

namespace parley::turn {
namespace {

constexpr size_t kMaxHttpHeader = 8 * 1024;
constexpr uint8_t kSocksVersion = 5;
constexpr uint8_t kNoAuthentication = 0x00;
constexpr uint8_t kUsernamePassword = 0x02;
constexpr uint8_t kConnect = 0x01;
enum AddressType : uint8_t { kV4 = 1, kName = 3, kV6 = 4 };

/// RFC 1928 section 6.
const char* socksReason(uint8_t code) {
  switch (code) {
    case 2:
      return "connection not allowed by its rules";
    case 3:
      return "network unreachable";
    case 4:
      return "host unreachable";
    case 5:
      return "connection refused";
    case 7:
      return "command not supported";
    case 8:
      return "address type not supported";
    default:
      return "general failure";
  }
}

void append(Bytes& out, std::string_view text) {
  out.insert(out.end(), text.begin(), text.end());
}

void appendShort(Bytes& out, std::string_view text) {
  const std::string_view cut = text.substr(0, 255);
  out.push_back(static_cast<uint8_t>(cut.size()));
  append(out, cut);
}

}  // namespace

ProxyHandshake::ProxyHandshake(Proxy proxy, std::string targetHost, uint16_t targetPort)
    : proxy_(std::move(proxy)), host_(std::move(targetHost)), port_(targetPort) {}

Bytes ProxyHandshake::start() {
  Bytes out;
  if (proxy_.kind == Proxy::Kind::Socks5) {
    step_ = Step::Method;
    out = {kSocksVersion, 1, kNoAuthentication};
    if (!proxy_.username.empty()) out = {kSocksVersion, 2, kNoAuthentication, kUsernamePassword};
    return out;
  }
  step_ = Step::Http;
  const bool literalV6 = host_.find(':') != std::string::npos;
  const std::string authority =
      (literalV6 ? '[' + host_ + ']' : host_) + ':' + std::to_string(port_);
  append(out, "CONNECT " + authority + " HTTP/1.1\r\nHost: " + authority + "\r\n");
  if (!proxy_.username.empty()) {
    const std::string login = proxy_.username + ':' + proxy_.password;
    append(out, "Proxy-Authorization: Basic " + base64(asBytes(login)) + "\r\n");
  }
  append(out, "\r\n");
  return out;
}

ProxyHandshake::Status ProxyHandshake::handle(ByteSpan& input, Bytes& reply) {
  reply.clear();
  if (step_ == Step::Done) return Status::Done;
  if (step_ == Step::Failed) return Status::Failed;
  return step_ == Step::Http ? handleHttp(input) : handleSocks(input, reply);
}

ProxyHandshake::Status ProxyHandshake::fail(std::string reason) {
  step_ = Step::Failed;
  error_ = "proxy: " + std::move(reason);
  return Status::Failed;
}

// ---- HTTP ----

ProxyHandshake::Status ProxyHandshake::handleHttp(ByteSpan& input) {
  constexpr std::string_view kEnd = "\r\n\r\n";
  const size_t before = received_.size();
  received_.insert(received_.end(), input.begin(), input.end());
  const std::string_view text = asText(received_);
  const size_t end = text.find(kEnd);
  if (end == std::string_view::npos) {
    input = {};
    return received_.size() > kMaxHttpHeader ? fail("the answer does not end") : Status::NeedMore;
  }
  input = input.subspan(end + kEnd.size() - before);

  std::string_view line = text.substr(0, text.find("\r\n"));
  const std::string_view version = cutToken(line, ' ');
  const auto code = parseNumber<uint16_t>(cutToken(line, ' '));
  if (!version.starts_with("HTTP/1.") || !code) return fail("the answer is not HTTP");
  if (*code == 407) return fail("it wants another user name or password (407)");
  // RFC 9110 section 9.3.6: "Any 2xx (Successful) response indicates" a tunnel.
  if (*code < 200 || *code > 299) {
    return fail("it answers " + std::to_string(*code) + ' ' + std::string(line.substr(0, 64)));
  }
  step_ = Step::Done;
  return Status::Done;
}

// ---- SOCKS ----

bool ProxyHandshake::collect(ByteSpan& input, size_t size) {
  if (received_.size() < size) {
    const size_t count = std::min(size - received_.size(), input.size());
    received_.insert(received_.end(), input.begin(), input.begin() + static_cast<ptrdiff_t>(count));
    input = input.subspan(count);
  }
  return received_.size() >= size;
}

ProxyHandshake::Status ProxyHandshake::handleSocks(ByteSpan& input, Bytes& reply) {
  if (step_ == Step::Method) {
    if (!collect(input, 2)) return Status::NeedMore;
    return handleMethod(reply);
  }
  if (step_ == Step::Login) {
    if (!collect(input, 2)) return Status::NeedMore;
    if (received_[1] != 0) return fail("it refuses the user name or password");
    received_.clear();
    step_ = Step::Connect;
    reply = connectRequest();
    return Status::NeedMore;
  }
  // VER REP RSV ATYP BND.ADDR BND.PORT
  if (!collect(input, 5)) return Status::NeedMore;
  if (received_[0] != kSocksVersion) return fail("the answer is not SOCKS 5");
  if (received_[1] != 0) return fail(socksReason(received_[1]));
  size_t size = 4 + 2;
  switch (received_[3]) {
    case kV4:
      size += 4;
      break;
    case kV6:
      size += 16;
      break;
    case kName:
      size += size_t{1} + received_[4];
      break;
    default:
      return fail("the answer has an unknown address type");
  }
  if (!collect(input, size)) return Status::NeedMore;
  step_ = Step::Done;
  return Status::Done;
}

ProxyHandshake::Status ProxyHandshake::handleMethod(Bytes& reply) {
  if (received_[0] != kSocksVersion) return fail("the answer is not SOCKS 5");
  const uint8_t method = received_[1];
  received_.clear();
  if (method == kNoAuthentication) {
    step_ = Step::Connect;
    reply = connectRequest();
    return Status::NeedMore;
  }
  if (method != kUsernamePassword || proxy_.username.empty())
    return fail("it wants an authentication that is not there");
  step_ = Step::Login;
  reply = {1};
  appendShort(reply, proxy_.username);
  appendShort(reply, proxy_.password);
  return Status::NeedMore;
}

Bytes ProxyHandshake::connectRequest() const {
  Bytes out = {kSocksVersion, kConnect, 0};
  if (const auto ip = IpAddress::parse(host_)) {
    out.push_back(ip->isV4() ? kV4 : kV6);
    out.insert(out.end(), ip->bytes().begin(), ip->bytes().end());
  } else {
    out.push_back(kName);
    appendShort(out, host_);
  }
  out.push_back(static_cast<uint8_t>(port_ >> 8));
  out.push_back(static_cast<uint8_t>(port_));
  return out;
}

}  // namespace parley::turn
