// The rules of every machine (support/machine_contract.h), for DTLS and for TLS.

#include "support/machine_contract.h"

#include "parley/dtls/connection.h"
#include "parley/dtls/tls.h"

#include "unit/dtls/dtls_pair.h"

namespace parley::dtls {
namespace {

using namespace parley::test;

/// OpenSSL's signatures differ in length from run to run: what counts is the kind of record.
std::string recordType(ByteSpan bytes) {
  return std::to_string(bytes[0]);
}

class ConnectionContract final : public Contracted {
 public:
  ConnectionContract(uint64_t seed, bool isFirst)
      : world_(seed), role_(isFirst ? Role::Client : Role::Server) {
    connection_.emplace(world_.environment,
                        Config{.certificate = dtls::test::certificateOf(role_)});
  }
  static void introduce(ConnectionContract&, ConnectionContract&) {}
  void start(Timestamp now) override {
    const Role other = role_ == Role::Client ? Role::Server : Role::Client;
    connection_->setRemoteFingerprints(dtls::test::certificateOf(other)->fingerprints(), now);
    connection_->start(role_, now);
  }
  void work(int round, Timestamp now) override {
    (void)connection_->send(Bytes(100, static_cast<uint8_t>(round)), now).has_value();
  }
  void handle(ByteSpan bytes, Timestamp now) override { connection_->handlePacket(bytes, now); }
  bool pollDatagram(Bytes& out) override {
    PacketBuf packet;
    if (!connection_->pollTransmit(packet)) return false;
    out = toBytes(packet.span());
    return true;
  }
  bool pollEvent(std::string& out) override {
    Event event;
    if (connection_->pollEvent(event)) {
      out = "state " + std::to_string(static_cast<int>(event.state));
      return true;
    }
    PacketBuf data;
    if (!connection_->pollData(data)) return false;
    out = std::string(asText(data.span()));
    return true;
  }
  void advance(Timestamp now) override { connection_->advance(now); }
  Timestamp nextDeadline() const override { return connection_->nextDeadline(); }
  bool close(Timestamp now) override {
    connection_->close(now);
    return true;
  }
  std::string describe(ByteSpan datagram) const override { return recordType(datagram); }

 private:
  ContractWorld world_;
  Role role_;
  std::optional<Connection> connection_;
};

class TlsContract final : public Contracted {
 public:
  TlsContract(uint64_t seed, bool isFirst, TlsTransport transport)
      : world_(seed), session_(world_.environment, context(isFirst, transport)) {}
  static void introduce(TlsContract&, TlsContract&) {}
  static std::shared_ptr<const TlsContext> context(bool isClient, TlsTransport transport) {
    if (isClient) return *TlsContext::client({transport, false, {}});
    return *TlsContext::server({transport, dtls::test::certificateOf(Role::Server)->toPem(), {}});
  }
  void start(Timestamp now) override { session_.start(now); }
  void work(int round, Timestamp now) override {
    (void)session_.send(Bytes(100, static_cast<uint8_t>(round)), now);
  }
  void handle(ByteSpan bytes, Timestamp now) override { session_.handleBytes(bytes, now); }
  bool pollDatagram(Bytes& out) override {
    PacketBuf packet;
    if (!session_.pollTransmit(packet)) return false;
    out = toBytes(packet.span());
    return true;
  }
  bool pollEvent(std::string& out) override {
    PacketBuf data;
    if (!session_.pollData(data)) return false;
    out = std::string(asText(data.span()));
    return true;
  }
  void advance(Timestamp now) override { session_.advance(now); }
  Timestamp nextDeadline() const override { return session_.nextDeadline(); }
  bool close(Timestamp now) override {
    session_.close(now);
    return true;
  }
  std::string describe(ByteSpan datagram) const override { return recordType(datagram); }

 private:
  ContractWorld world_;
  TlsSession session_;
};

PARLEY_MACHINES(Dtls, MachineCase{"Connection", pairOf<ConnectionContract>()},
                MachineCase{"TlsSessionOverDatagrams", pairOf<TlsContract>(TlsTransport::Datagram)},
                MachineCase{"TlsSessionOverAStream", pairOf<TlsContract>(TlsTransport::Stream),
                            true, false});

}  // namespace
}  // namespace parley::dtls
