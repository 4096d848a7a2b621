#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "parley/base/memory_budget.h"
#include "parley/base/ring_queue.h"
#include "parley/sctp/association.h"

#include "sctp/engine/congestion.h"
#include "sctp/engine/init_chunk.h"
#include "sctp/engine/out_message.h"
#include "sctp/engine/outstanding.h"
#include "sctp/engine/packet_builder.h"
#include "sctp/engine/reassembly.h"
#include "sctp/engine/received_tsns.h"
#include "sctp/engine/rtt_estimator.h"
#include "sctp/engine/send_scheduler.h"
#include "sctp/engine/state_cookie.h"
#include "sctp/packet.h"

namespace parley::sctp {

/// The project's own SCTP engine: RFC 9260 for one path over DTLS, with partial reliability (RFC
/// 3758), stream reset (RFC 6525), interleaving (RFC 8260) and zero checksum (RFC 9653). Packets
/// are made when they are polled, so what is sent next is decided at the last moment.
class NativeAssociation final : public Association {
 public:
  NativeAssociation(Environment& environment, const AssociationConfig& config);
  ~NativeAssociation() override;

  void connect(Timestamp now) override;
  void handlePacket(ByteSpan packet, Timestamp now) override;
  Result<void> send(uint16_t stream, uint32_t ppid, ByteSpan message, const SendOptions& options,
                    Timestamp now) override;
  Result<void> sendPart(uint16_t stream, uint32_t ppid, ByteSpan part, bool last,
                        const SendOptions& options, Timestamp now) override;
  void setPartSize(uint16_t stream, size_t bytes) override;
  void resetStreams(std::span<const uint16_t> streams, Timestamp now) override;
  void discardQueued(uint16_t stream) override;
  void shutdown(Timestamp now) override;
  void abort(Timestamp now) override;
  bool pollTransmit(PacketBuf& out) override;
  bool isPathProbe() const override { return lastIsPathProbe_; }
  bool pollInbound(Inbound& out) override;
  bool pollEvent(AssociationEvent& out) override;
  void advance(Timestamp now) override;
  Timestamp nextDeadline() const override;
  AssociationState state() const override { return state_; }
  uint16_t streamCount() const override { return streams_; }
  size_t maxSendSize() const override;
  size_t bufferedAmount() const override { return scheduler_.buffered(); }
  size_t bufferedAmount(uint16_t stream) const override { return scheduler_.buffered(stream); }
  void setRateLimit(DataRate limit) override {
    congestion_.setRateLimit(limit.isInfinite() ? 0 : static_cast<double>(limit.bps()) / 8);
  }
  bool canTake(size_t bytes) const override { return scheduler_.fits(bytes); }
  AssociationStats stats() const override;

 private:
  static constexpr size_t kMaxSackPoints = 64;
  enum class Phase : uint8_t {
    New,
    CookieWait,
    CookieEchoed,
    Established,
    ShutdownPending,
    ShutdownSent,
    ShutdownReceived,
    ShutdownAckSent,
    Ended,
  };
  /// A chunk that travels alone, under a tag of its own.
  struct Reply {
    uint8_t type = 0;
    uint8_t flags = 0;
    uint32_t tag = 0;
    Bytes value;
  };
  struct ResetRequest {
    uint32_t sequence = 0;
    std::vector<uint16_t> streams;
    Timestamp sendAt;  ///< never(): sent, its answer is awaited until `retryAt`
    Timestamp retryAt = Timestamp::never();
    int attempts = 0;
  };
  struct HeldReset {
    uint32_t sequence = 0;
    uint32_t lastTsn = 0;
    std::vector<uint16_t> streams;
  };
  struct ResetResponse {
    uint32_t sequence = 0;
    uint32_t result = 0;
  };

  void note(Timestamp now) { now_ = clock_.clamp(now); }
  bool isUp() const { return phase_ >= Phase::Established && phase_ < Phase::Ended; }
  bool maySend() const {
    return phase_ == Phase::Established || phase_ == Phase::ShutdownPending ||
           phase_ == Phase::ShutdownReceived;
  }
  void setState(AssociationState state);
  void end(AssociationState state, std::string reason, std::optional<uint16_t> causeCode);
  void failWith(uint16_t causeCode, std::string reason, ByteSpan causeInfo = {});
  void answerAfterTheEnd(ByteSpan packet);
  void queueReply(Reply reply);
  Result<void> checkSend(uint16_t stream, size_t size, const SendOptions& options);
  SendScheduler::Request request(uint16_t stream, uint32_t ppid, const SendOptions& options) const;

  // Packets in.
  void feed(ByteSpan packet);
  bool isForUs(ByteSpan packet, const PacketSummary& summary);
  bool checksumFits(ByteSpan packet, const PacketSummary& summary) const;
  bool handleChunk(const ChunkView& c, bool& reported);
  bool handleUnknown(const ChunkView& c, bool& reported);
  void handleInit(const ChunkView& c);
  void handleInitAck(const ChunkView& c);
  void handleCookieEcho(const ChunkView& c, uint32_t tag);
  void handleCookieAck();
  void handleData(const ChunkView& c);
  void acceptData(const ChunkView& c, uint32_t tsn, bool isNext);
  void handleSack(const ChunkView& c);
  /// False: it acknowledged what was never sent, or nothing new is to be learnt from it.
  bool processAck(uint32_t cumulative, std::optional<ByteSpan> gaps, ByteSpan duplicates,
                  std::optional<uint32_t> window);
  void handleForwardTsn(const ChunkView& c);
  void handleShutdown(const ChunkView& c);
  void handleAbort(const ChunkView& c);
  void handleError(const ChunkView& c);
  void handleHeartbeatAck(const ChunkView& c);
  void onTsnProgress();
  /// The peer is one of us: its window grows by bytes acknowledged, not by SACKs, and a SACK that
  /// covers many packets does not make it hesitate.
  bool isOwnKind() const { return peer_.padding; }

  // Handshake.
  InitChunk ownInit(uint32_t tag, uint32_t tsn) const;
  void adopt(const PeerInit& peer);
  void establish();

  // Packets out.
  bool buildReply(PacketBuf& out);
  void build(PacketBuilder& b);
  bool buildCookieEcho(PacketBuilder& b);
  bool buildPathProbe(PacketBuf& out);
  void buildControl(PacketBuilder& b);
  void buildSack(PacketBuilder& b);
  bool buildSackPoint(PacketBuilder& b);
  void buildForward(PacketBuilder& b);
  bool mayGoOnShuttingDown() const;
  void buildShutdown(PacketBuilder& b);
  void fillData(PacketBuilder& b);
  bool fillLost(PacketBuilder& b);
  bool fillNew(PacketBuilder& b);
  void fillProbe(PacketBuilder& b);
  size_t dataHeader() const;
  void writeData(PacketBuilder& b, uint32_t tsn, const SentChunk& chunk, bool immediate);
  void dropExpired();
  bool isOver(const OutMessage& message, uint32_t transmissions) const;
  void abandon(OutMessage& message, std::optional<uint32_t> tsn);
  bool windowsAllow() const;
  bool mayTransmit() const;
  bool hasOutput() const;
  bool wantsToTransmit() const;
  bool peerWindowOpen() const;
  void noteWindowProbe(size_t length);
  void finishPacket(PacketBuf& packet, bool needsChecksum);

  // Streams (RFC 6525).
  bool isBeingReset(uint16_t stream) const { return wantedResets_.contains(stream); }
  void askResets();
  void buildReConfig(PacketBuilder& b);
  void handleReConfig(const ChunkView& c);
  void handleResetRequest(ByteSpan parameter);
  void handleAddStreams(ByteSpan parameter);
  void handleResetResponse(ByteSpan parameter);
  bool isExpectedRequest(uint32_t sequence);
  void respond(uint32_t sequence, uint32_t result);
  void openHeldReset();
  void finishReset(bool performed);

  // Timers.
  void onHandshakeTimer();
  void beginPath();
  void notePassed(size_t size);
  void probePath(int attempt);
  void onPathProbeTimer();
  size_t pathProbeSize() const;
  void verifyPath();
  void leaveLargePackets();
  Duration pathPatience() const;
  void onRetransmissionTimer();
  void onHeartbeatTimer();
  void onResetTimer();
  void onShutdownTimer();
  void onIdle();
  void armRetransmission();
  void armProbe();
  bool countError();
  void noteRtt(Duration rtt);
  void updateReceiveWindow();
  size_t receiveWindow() const;
  void growInFlight();

  Environment& env_;
  AssociationConfig config_;
  Phase phase_ = Phase::New;
  AssociationState state_ = AssociationState::New;
  MonotonicGuard clock_;
  Timestamp now_;
  uint16_t streams_;
  std::vector<Bytes> earlyPackets_;
  RingQueue<AssociationEvent> events_;
  AssociationStats stats_;
  std::vector<Reply> replies_;

  // Handshake.
  uint32_t localTag_ = 0;
  uint32_t localTsn_ = 0;
  uint32_t peerTag_ = 0;
  uint64_t cookieSecret_ = 0;
  PeerInit peer_;
  Bytes cookie_;  ///< the peer's, to be echoed
  bool initDue_ = false;
  bool cookieEchoDue_ = false;
  bool cookieAckDue_ = false;
  int handshakeAttempts_ = 0;
  Timestamp handshakeSince_;
  Timestamp handshakeSentAt_;
  size_t cookieEchoSize_ = 0;  ///< of the packet that had it last; 0: answered
  Timestamp handshakeTimer_ = Timestamp::never();

  // Sending.
  MessagePool pool_;
  SendScheduler scheduler_;
  Outstanding outstanding_;
  CongestionControl congestion_;
  RttEstimator rtt_;
  uint32_t peerWindow_ = 0;
  size_t inFlightLimit_;
  MemoryShare inFlightMemory_;
  Timestamp retransmissionTimer_ = Timestamp::never();
  Timestamp probeTimer_ = Timestamp::never();
  bool probeDue_ = false;
  int probesSent_ = 0;
  bool windowProbe_ = false;
  bool forwardDue_ = false;
  uint32_t forwardSent_ = 0;
  Timestamp forwardSentAt_;
  int errors_ = 0;

  // Receiving.
  ReceivedTsns received_;
  Reassembly reassembly_;
  MemoryShare receiveMemory_;
  size_t receiveTarget_;
  size_t consumed_ = 0;  ///< bytes read since windowSince_
  Timestamp windowSince_;
  uint32_t advertised_ = 0;
  int packetsUnsacked_ = 0;
  RingQueue<uint32_t> sackPoints_{kMaxSackPoints};  ///< cumulative TSNs to be told one by one
  bool packetHadData_ = false;
  bool sackDue_ = false;
  size_t sackRotation_ = 0;  ///< first of the gaps told next when they do not fit one SACK
  Timestamp sackTimer_ = Timestamp::never();

  // Heartbeats and other control.
  Timestamp heartbeatTimer_ = Timestamp::never();
  Timestamp heartbeatSentAt_;
  uint64_t heartbeatNonce_ = 0;
  bool heartbeatDue_ = false;
  bool heartbeatOpen_ = false;
  std::vector<Bytes> heartbeatAcks_;
  Bytes errorDue_;

  // The path's MTU (native_association_path.cc). config_.mtu is what is known to pass.
  size_t fullMtu_;
  size_t maxMtu_;       ///< probed for; fullMtu_ if nothing is
  int pathProbes_ = 0;  ///< since there was reason to probe
  bool pathProbeDue_ = false;
  bool lastIsPathProbe_ = false;
  bool verifying_ = false;                  ///< whether packets above fullMtu_ still pass
  Timestamp verifyFrom_;                    ///< not again before
  std::array<size_t, 4> pathProbeSizes_{};  ///< of the last ones, by their numbers; 0: answered
  uint64_t pathProbeNonce_ = 0;
  Timestamp pathProbeTimer_ = Timestamp::never();
  Timestamp trimTimer_ = Timestamp::never();

  // Stream resets.
  /// Streams whose reset is wanted: asked for when all up to this TSN, once it is known, is
  /// acknowledged.
  std::map<uint16_t, std::optional<uint32_t>> wantedResets_;
  std::optional<ResetRequest> request_;
  uint32_t nextRequest_ = 0;
  uint32_t expectedRequest_ = 0;
  std::optional<HeldReset> heldReset_;
  std::optional<ResetResponse> responseDue_;
  std::optional<ResetResponse> lastResponse_;

  // The end.
  bool shutdownDue_ = false;
  bool wasShutDown_ = false;  ///< and the peer may not have heard that we know
  int shutdownAttempts_ = 0;
  Timestamp shutdownTimer_ = Timestamp::never();
};

}  // namespace parley::sctp
