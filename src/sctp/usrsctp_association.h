#pragma once

#include <memory>
#include <string>
#include <vector>

#include "parley/base/ring_queue.h"
#include "parley/sctp/association.h"

#include "sctp/packet.h"
#include "sctp/reset_gate.h"
#include "sctp/send_queue.h"
#include "sctp/usrsctp_stack.h"

struct socket;
union sctp_notification;

namespace parley::sctp {

class UsrSctpAssociation final : public Association {
 public:
  UsrSctpAssociation(Environment& environment, const AssociationConfig& config);
  ~UsrSctpAssociation() override;

  void connect(Timestamp now) override;
  void handlePacket(ByteSpan packet, Timestamp now) override;
  Result<void> send(uint16_t stream, uint32_t ppid, ByteSpan message, const SendOptions& options,
                    Timestamp now) override;
  void resetStreams(std::span<const uint16_t> streams, Timestamp now) override;
  void discardQueued(uint16_t stream) override;
  void shutdown(Timestamp now) override;
  void abort(Timestamp now) override;
  bool pollTransmit(PacketBuf& out) override;
  bool pollInbound(Inbound& out) override;
  bool pollEvent(AssociationEvent& out) override;
  void advance(Timestamp now) override;
  Timestamp nextDeadline() const override;
  AssociationState state() const override { return state_; }
  uint16_t streamCount() const override { return streams_; }
  size_t maxSendSize() const override;
  size_t bufferedAmount() const override { return queue_.buffered(); }
  size_t bufferedAmount(uint16_t stream) const override { return queue_.buffered(stream); }
  AssociationStats stats() const override;

 private:
  /// Messages are read ahead by a few hundred; the rest is room for resets of every stream.
  static constexpr size_t kMaxInboxItems = 256 + 65'536;
  using Guard = UsrSctpStack::Guard;
  enum class ResetState : uint8_t { Wanted, Asked };
  struct Reset {
    uint16_t stream = 0;
    ResetState state = ResetState::Wanted;
    uint32_t attempts = 0;
    Timestamp retryAt;
  };
  /// A message that arrives in parts: larger than the scratch buffer, or delivered while
  /// incomplete.
  struct Assembly {
    uint16_t stream = 0;
    bool unordered = false;
    bool tooBig = false;
    Bytes data;
  };

  bool alive() const { return socket_ != nullptr; }
  void note(Timestamp now);
  bool openSocket();
  void setOptions();
  void closeSocket();
  void end(AssociationState state, std::string reason, std::optional<uint16_t> causeCode);
  void feed(ByteSpan packet);

  // All with the Guard held.
  void drain();
  void receivePart(ByteSpan part, uint16_t stream, uint32_t ppid, bool unordered, bool complete);
  void finishMessage(uint16_t stream, uint32_t ppid, bool unordered, Bytes&& data);
  void handleNotification(ByteSpan bytes);
  void handleAssociationChange(const union sctp_notification& n, size_t size);
  void handleStreamReset(const union sctp_notification& n, size_t size);
  void pump();
  bool sendFront();
  void askResets();
  void checkAlive();
  void settleBooks();
  void openResetGate();
  void noteArrivals(ByteSpan packet, const PacketSummary& summary);

  size_t assemblyBytes() const;
  Assembly* assembly(uint16_t stream, bool unordered);
  void dropAssembly(uint16_t stream);
  Reset* findReset(uint16_t stream);
  void pushInbound(Inbound::Kind kind, uint16_t stream);
  bool inboxFull() const;
  void account(MutableByteSpan packet, bool& needsChecksum);
  bool isBusy() const;
  Timestamp pollingDeadline() const;
  Timestamp computeDeadline() const;

  Environment& env_;
  AssociationConfig config_;
  UsrSctpStack& stack_;
  mutable UsrSctpStack::Port port_;
  UsrSctpStack::ClockLink clockLink_;
  struct socket* socket_ = nullptr;
  AssociationState state_ = AssociationState::New;
  uint16_t streams_;
  MonotonicGuard clock_;
  Timestamp now_;
  Timestamp lastTick_;
  Timestamp lastActivity_;
  Timestamp lastWire_;  ///< a packet came or went
  bool shutdownWanted_ = false;

  std::vector<Bytes> earlyPackets_;
  PacketQueue outgoing_;  ///< taken from the port, ours alone
  // Media packets ask after output and deadline too, once each: the answer for an association at
  // rest must not cost the lock that all share.
  bool mayHaveOutput_ = true;
  mutable std::optional<Timestamp> deadline_;  ///< as of the last call that changed anything
  SendQueue queue_;
  std::vector<Reset> resets_;
  ResetGate resetGate_;

  RingQueue<Inbound> inbox_;
  size_t inboxBytes_ = 0;
  std::vector<Assembly> assemblies_;
  RingQueue<AssociationEvent> events_;
  std::optional<uint16_t> abortCause_;
  std::string abortText_;

  // What the wire tells us about the engine: it has no calls for these.
  bool anySent_ = false;
  uint32_t highestTsn_ = 0;     ///< highest TSN put on the wire
  uint32_t cumulativeAck_ = 0;  ///< highest cumulative TSN acknowledged
  bool sackOwed_ = false;
  Timestamp sackOwedSince_;
  bool partialReliabilityUsed_ = false;
  bool peerAcceptsZeroChecksum_ = false;
  AssociationStats stats_;
};

}  // namespace parley::sctp
