#pragma once

#include <string>
#include <string_view>

#include "parley/base/export.h"
#include "parley/base/time.h"
#include "parley/base/units.h"

namespace parley {

/// What a connection thinks of its way through the network, each time that changes
/// (PeerConnection::onBandwidthEstimate).
struct PARLEY_EXPORT BandwidthEstimate {
  double unixMs = 0;                ///< when
  DataRate estimate;                ///< what the path carries
  DataRate target;                  ///< of it, what all encoders together may produce
  DataRate delayBased;              ///< the bound that follows from delays; infinite: none
  DataRate lossBased;               ///< the one that follows from losses; infinite: none
  DataRate remote;                  ///< the one that the peer names (REMB); infinite: none
  DataRate acknowledged;            ///< what the peer has lately received
  DataRate pacing;                  ///< how quickly queued packets leave
  double lossFraction = 0;          ///< recent, 0 to 1
  Duration roundTripTime;           ///< zero: not known yet
  Duration queueDelay;              ///< how much longer packets take than the quickest of late
  int overuse = 0;                  ///< 1: a queue grows, -1: it shrinks, 0: neither
  unsigned probes = 0;              ///< bursts that measured the path, so far
  bool applicationLimited = false;  ///< less is sent than allowed

  /// A line of a trace that tests/bench/plot_estimate.py draws, without its end; first goes
  /// csvHeader(). Rates are in kb/s, empty where there is none, times in ms.
  std::string csvRow() const;
  /// The names of the columns of csvRow().
  static std::string_view csvHeader();
};

}  // namespace parley
