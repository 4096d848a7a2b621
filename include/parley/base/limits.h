#pragma once

#include <cstddef>

namespace parley {

/// Every bound on memory or work that a peer could otherwise drive up. One struct, given to the
/// endpoint at construction; each machine takes the part it needs.
struct Limits {
  // ICE
  size_t maxCandidatePairs = 100;      ///< RFC 8445 section 6.1.2.5
  size_t maxRemoteCandidates = 64;     ///< per generation
  size_t maxPeerReflexive = 32;        ///< learnt from checks
  size_t maxPendingMdns = 4;           ///< names being resolved at once, per agent
  size_t maxEndpointMdns = 256;        ///< the same for all agents of an endpoint
  size_t maxStunErrorsPerSecond = 20;  ///< error responses per socket
  size_t maxTcpConnections = 16;       ///< ICE-TCP connections per transport
  size_t maxWaitingTcp = 256;          ///< accepted on a shared port and nobody's yet, per endpoint
  // DTLS
  size_t maxQueuedDtlsPackets = 16;  ///< early ClientHello datagrams held before the role is known
  size_t maxDtlsRecordsPerSecond = 64;  ///< input before the handshake is done
  // SCTP and data channels
  size_t maxMessageSize = 262'144;  ///< bytes; what a=max-message-size advertises
  size_t maxDataChannels = 1024;
  size_t maxBufferedAmount = 16u << 20;  ///< bytes queued for sending per connection
  /// Bytes that a peer can make a connection keep without the application's doing: unfinished
  /// messages, names of channels.
  size_t maxKeptDataBytes = 16u << 20;
  /// The receiver window of a connection, and the bytes it may have in flight, at most. Each begins
  /// at 1 MiB and grows with the path's bandwidth and delay.
  size_t maxTransferWindow = 32u << 20;
  /// What all connections of an endpoint may grow by together; the first megabyte each way is free.
  size_t maxSharedBuffers = 512u << 20;
  // RTP
  size_t maxReceiveSsrcs = 64;  ///< per transport
  size_t maxUnsignalledSsrcs = 10;
  size_t maxNackList = 1000;
  size_t maxJitterFrames = 300;       ///< per source
  size_t maxJitterBytes = 32u << 20;  ///< complete frames, per transport
  /// Packets of unfinished frames and sound not played yet, per transport. Half of the buffers that
  /// are free in the loop's pool is the bound if that is less.
  size_t maxHeldPackets = 8192;
  size_t maxVideoWidth = 4096;
  size_t maxVideoHeight = 2304;
  // Queues between machine and driver
  size_t maxQueuedTransmits = 8192;
  size_t maxQueuedEvents = 8192;
};

}  // namespace parley
