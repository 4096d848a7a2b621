#include "parley/media/receive_types.h"

namespace parley::media {
namespace {

void add(std::optional<uint64_t>& sum, const std::optional<uint64_t>& earlier) {
  if (earlier) sum = sum.value_or(0) + *earlier;
}

}  // namespace

InboundStats& InboundStats::operator+=(const InboundStats& earlier) {
  packetsReceived += earlier.packetsReceived;
  packetsReceivedWithEct1 += earlier.packetsReceivedWithEct1;
  packetsReceivedWithCe += earlier.packetsReceivedWithCe;
  add(packetsReportedAsLost, earlier.packetsReportedAsLost);
  add(packetsReportedAsLostButRecovered, earlier.packetsReportedAsLostButRecovered);
  packetsLost += earlier.packetsLost;
  bytesReceived += earlier.bytesReceived;
  headerBytesReceived += earlier.headerBytesReceived;
  packetsDiscarded += earlier.packetsDiscarded;
  retransmittedPacketsReceived += earlier.retransmittedPacketsReceived;
  retransmittedBytesReceived += earlier.retransmittedBytesReceived;
  nackCount += earlier.nackCount;
  malformedPackets += earlier.malformedPackets;
  jitterBufferDelay += earlier.jitterBufferDelay;
  jitterBufferTargetDelay += earlier.jitterBufferTargetDelay;
  jitterBufferMinimumDelay += earlier.jitterBufferMinimumDelay;
  jitterBufferEmittedCount += earlier.jitterBufferEmittedCount;
  pliCount += earlier.pliCount;
  firCount += earlier.firCount;
  framesReceived += earlier.framesReceived;
  framesAssembledFromMultiplePackets += earlier.framesAssembledFromMultiplePackets;
  totalAssemblyTime += earlier.totalAssemblyTime;
  keyFramesReceived += earlier.keyFramesReceived;
  framesDropped += earlier.framesDropped;
  totalSamplesReceived += earlier.totalSamplesReceived;
  concealedSamples += earlier.concealedSamples;
  silentConcealedSamples += earlier.silentConcealedSamples;
  concealmentEvents += earlier.concealmentEvents;
  insertedSamplesForDeceleration += earlier.insertedSamplesForDeceleration;
  removedSamplesForAcceleration += earlier.removedSamplesForAcceleration;
  fecPacketsReceived += earlier.fecPacketsReceived;
  fecBytesReceived += earlier.fecBytesReceived;
  fecPacketsDiscarded += earlier.fecPacketsDiscarded;
  restoredPackets += earlier.restoredPackets;
  reportsReceived += earlier.reportsReceived;
  totalRoundTripTime += earlier.totalRoundTripTime;
  roundTripTimeMeasurements += earlier.roundTripTimeMeasurements;
  return *this;
}

}  // namespace parley::media
