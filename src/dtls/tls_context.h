#pragma once

#include <openssl/bio.h>
#include <openssl/types.h>

#include "parley/dtls/tls.h"

namespace parley::dtls {

struct TlsContext::State {
  State() = default;
  ~State();
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  SSL_CTX* context = nullptr;
  BIO_METHOD* bioMethod = nullptr;
  TlsTransport transport = TlsTransport::Stream;
  bool server = false;
  bool verify = true;
};

}  // namespace parley::dtls
