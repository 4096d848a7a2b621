// The rules of every machine (support/machine_contract.h), for both engines and the data channels.

#include "support/machine_contract.h"

#include "parley/sctp/association.h"
#include "parley/sctp/data_channels.h"

#include "sctp/engine/native_association.h"
#include "sctp/usrsctp_association.h"

namespace parley::sctp {
namespace {

using namespace parley::test;

template <class Engine>
std::unique_ptr<Association> make(Environment& environment) {
  return std::make_unique<Engine>(environment, AssociationConfig{});
}

template <class Engine>
class AssociationContract final : public Contracted {
 public:
  AssociationContract(uint64_t seed, bool)
      : world_(seed), association_(make<Engine>(world_.environment)) {}
  static void introduce(AssociationContract&, AssociationContract&) {}
  void start(Timestamp now) override { association_->connect(now); }
  void work(int round, Timestamp now) override {
    const auto stream = static_cast<uint16_t>(round % 4);
    const Bytes message(static_cast<size_t>(round * 100 + 1), static_cast<uint8_t>(round));
    (void)association_->send(stream, 53, message, {.unordered = round % 3 == 0}, now).has_value();
    if (round == 10) association_->resetStreams(std::array<uint16_t, 1>{1}, now);
  }
  void handle(ByteSpan bytes, Timestamp now) override { association_->handlePacket(bytes, now); }
  bool pollDatagram(Bytes& out) override {
    PacketBuf packet;
    if (!association_->pollTransmit(packet)) return false;
    out = toBytes(packet.span());
    return true;
  }
  bool pollEvent(std::string& out) override {
    Inbound inbound;
    AssociationEvent event;
    if (association_->pollEvent(event)) {
      out = "event " + std::to_string(event.index());
      return true;
    }
    if (!association_->pollInbound(inbound)) return false;
    out = "message " + std::to_string(inbound.data.size());
    return true;
  }
  void advance(Timestamp now) override { association_->advance(now); }
  Timestamp nextDeadline() const override { return association_->nextDeadline(); }
  bool close(Timestamp now) override {
    association_->abort(now);
    return true;
  }

 private:
  ContractWorld world_;
  std::unique_ptr<Association> association_;
};

class DataChannelsContract final : public Contracted {
 public:
  DataChannelsContract(uint64_t seed, bool isFirst)
      : world_(seed), channels_(world_.environment), isFirst_(isFirst) {}
  static void introduce(DataChannelsContract&, DataChannelsContract&) {}
  void start(Timestamp now) override {
    channels_.setDtlsRole(isFirst_, now);
    channels_.setRemoteMaxMessageSize(0);
    mine_ = *channels_.open({.label = "chat"}, now);
    channels_.start(createAssociation(world_.environment, {}), now);
  }
  void work(int round, Timestamp now) override {
    const Bytes message(static_cast<size_t>(round * 100), 'x');
    (void)channels_.send(mine_, message, round % 2 == 0, now).has_value();
    if (round % 10 == 9) channels_.close(mine_, now);
    if (round % 10 == 9) mine_ = channels_.open({.label = "next"}, now).value();
  }
  void handle(ByteSpan bytes, Timestamp now) override { channels_.handlePacket(bytes, now); }
  bool pollDatagram(Bytes& out) override {
    PacketBuf packet;
    if (!channels_.pollTransmit(packet)) return false;
    out = toBytes(packet.span());
    return true;
  }
  bool pollEvent(std::string& out) override {
    ChannelEvent event;
    ChannelMessage message;
    if (channels_.pollEvent(event)) {
      out = "event " + std::to_string(event.index());
      return true;
    }
    if (!channels_.pollMessage(message)) return false;
    out = "message " + std::to_string(message.data.size());
    return true;
  }
  void advance(Timestamp now) override { channels_.advance(now); }
  Timestamp nextDeadline() const override { return channels_.nextDeadline(); }
  bool close(Timestamp now) override {
    channels_.closeAll(now);
    return true;
  }

 private:
  ContractWorld world_;
  DataChannels channels_;
  bool isFirst_;
  ChannelId mine_{};
};

PARLEY_MACHINES(Sctp,
                MachineCase{"NativeAssociation", pairOf<AssociationContract<NativeAssociation>>()},
                MachineCase{"UsrSctpAssociation", pairOf<AssociationContract<UsrSctpAssociation>>(),
                            false},
                MachineCase{"DataChannels", pairOf<DataChannelsContract>()});

}  // namespace
}  // namespace parley::sctp
