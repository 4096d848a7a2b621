#pragma once

#include <string>
#include <vector>

#include "parley/base/driven.h"
#include "parley/base/environment.h"
#include "parley/base/ring_queue.h"
#include "parley/dtls/connection.h"
#include "parley/sctp/data_channels.h"
#include "parley/sim/world.h"

namespace parley::test {

/// Data channels over SCTP over DTLS over one UDP socket, without ICE: what is below transport.
class SecurePeer final : public Driven {
 public:
  static constexpr uint16_t kPort = 5000;

  SecurePeer(sim::World& world, sim::Host& host, dtls::Role role);
  /// Both must exist before the World runs.
  void connectTo(SecurePeer& other);
  void setRttHint(Duration rtt) { dtls_->setRttHint(rtt); }
  /// To call between runs of the World; the Node's next pump sends what it queues.
  void send(sctp::ChannelId channel, std::string_view text);
  sctp::DataChannels& channels() { return channels_; }

  void handle(Input&& input, Timestamp now) override;
  void advance(Timestamp now) override;
  size_t pollTransmit(std::span<TxPacket> out) override;
  bool pollEffect(Effect& out) override;
  Timestamp nextDeadline() const override;
  PacketPool& pool() override { return pool_; }

  struct Message {
    Timestamp time;
    std::string text;
  };
  Timestamp securedAt = Timestamp::never();
  Timestamp channelsUpAt = Timestamp::never();
  std::vector<Message> messages;

 private:
  /// Moves everything between the layers until nothing moves.
  void pull(Timestamp now);

  sim::World& world_;
  SeededRandom random_;
  PacketPool pool_;
  Environment environment_;
  std::shared_ptr<const dtls::Certificate> certificate_;
  std::unique_ptr<dtls::Connection> dtls_;
  sctp::DataChannels channels_;
  dtls::Role role_;
  SocketAddress local_;
  SocketAddress remote_;
  bool opened_ = false;
};

}  // namespace parley::test
