#pragma once

#include <cstdint>
#include <string>

#include "parley/base/bytes.h"
#include "parley/turn/transport.h"

namespace parley::turn {

/// What is said on a fresh connection to a proxy until it is a tunnel to the target. The target's
/// name is looked up by the proxy, which is often the only one that can.
class ProxyHandshake {
 public:
  enum class Status : uint8_t { NeedMore, Done, Failed };

  ProxyHandshake(Proxy proxy, std::string targetHost, uint16_t targetPort);

  /// The first bytes to send.
  Bytes start();
  /// Takes bytes of the proxy from the front of `input`; what is left when it answers Done belongs
  /// to the tunnel. `reply` is what to send next, mostly nothing.
  Status handle(ByteSpan& input, Bytes& reply);
  /// Why it failed, in words.
  const std::string& error() const { return error_; }

 private:
  enum class Step : uint8_t { Http, Method, Login, Connect, Done, Failed };
  Status handleHttp(ByteSpan& input);
  Status handleSocks(ByteSpan& input, Bytes& reply);
  Status handleMethod(Bytes& reply);
  /// Collects `size` bytes of a SOCKS reply; false while some are missing.
  bool collect(ByteSpan& input, size_t size);
  Bytes connectRequest() const;
  Status fail(std::string reason);

  Proxy proxy_;
  std::string host_;
  uint16_t port_;
  Step step_ = Step::Failed;
  Bytes received_;
  std::string error_;
};

}  // namespace parley::turn
