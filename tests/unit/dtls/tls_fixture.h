#pragma once

#include <string>

#include "parley/dtls/certificate.h"
#include "parley/dtls/tls.h"

namespace parley::test {

struct TlsPairOptions {
  bool verify = false;
  bool trustServer = false;
  std::string name{};
};

/// A client and a server of TLS or DTLS in one memory, with their bytes carried between them.
struct TlsPair {
  using Options = TlsPairOptions;
  TlsPair(dtls::TlsTransport transport, const Options& options)
      : pem((*dtls::Certificate::generate(random, 1'700'000'000'000'000'000))->toPem()),
        client(env, *dtls::TlsContext::client({transport, options.verify, rootsFor(options)}),
               options.name),
        server(env, *dtls::TlsContext::server({transport, pem, {}})) {}

  std::string rootsFor(const Options& options) const {
    return options.trustServer ? pem.substr(pem.find("-----BEGIN CERTIFICATE")) : std::string();
  }
  void start() {
    client.start(now);
    server.start(now);
  }
  /// Carries what waits; true if anything did.
  bool step() {
    const bool there = carry(client, server);
    const bool moved = carry(server, client) || there;
    PacketBuf data;
    while (server.pollData(data)) serverGot += asText(data.span());
    while (client.pollData(data)) clientGot += asText(data.span());
    return moved;
  }
  void run() {
    start();
    for (int i = 0; i < 10'000; ++i) {
      if (step()) continue;
      const Timestamp next = earliest(client.nextDeadline(), server.nextDeadline());
      if (next.isNever()) return;
      now = next;
      client.advance(now);
      server.advance(now);
    }
  }
  bool carry(dtls::TlsSession& from, dtls::TlsSession& to) {
    bool moved = false;
    PacketBuf packet;
    while (from.pollTransmit(packet)) {
      moved = true;
      if (dropFirst > 0) {
        --dropFirst;
        continue;
      }
      ByteSpan rest = packet.span();
      while (!rest.empty()) {
        const size_t size = chunk == 0 ? rest.size() : std::min(chunk, rest.size());
        to.handleBytes(rest.first(size), now);
        rest = rest.subspan(size);
      }
    }
    return moved;
  }

  SeededRandom random{1};
  PacketPool pool;
  Environment env{random, pool};
  Timestamp now = Timestamp::seconds(1);
  std::string pem;
  dtls::TlsSession client;
  dtls::TlsSession server;
  size_t chunk = 0;  ///< 0: as they come
  int dropFirst = 0;
  std::string clientGot;
  std::string serverGot;
};

}  // namespace parley::test
