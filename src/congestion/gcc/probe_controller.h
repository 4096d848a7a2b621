#pragma once

#include <optional>

#include "parley/congestion/controller.h"

namespace parley::congestion::gcc {

/// Decides when to probe: at the start (3x and 6x, doubling on as long as it is answered; again a
/// second later if no result came of it), every 5 s while the application limits itself, after a
/// drop to find the way back, and when the streams begin to want more.
class ProbeController {
 public:
  void setLimits(DataRate max) { max_ = max; }
  void setApplicationLimited(bool limited, bool probe) {
    limited_ = limited;
    probeWhenLimited_ = probe;
  }
  void setWanted(DataRate maxTotal, DataRate estimate, Timestamp now, ControlUpdate& out);
  /// A new path or the first one.
  void start(DataRate rate, Timestamp now, ControlUpdate& out);
  void stop();
  bool started() const { return started_; }
  /// The last probe was for a path that may be full of others as well.
  bool gentle() const { return gently_; }
  /// Clusters asked for so far.
  uint32_t sent() const { return static_cast<uint32_t>(nextId_ - 1); }
  /// More is wanted than was ever sent.
  void lookForMore(DataRate estimate, Timestamp now, ControlUpdate& out);
  /// `measured`: the estimate comes from a probe.
  void onEstimate(DataRate estimate, bool measured, Timestamp now, ControlUpdate& out);
  void onOveruse(DataRate before, Timestamp now);
  void process(DataRate estimate, Timestamp now, ControlUpdate& out);

 private:
  DataRate ceiling() const;
  void probeFirst(DataRate rate, Timestamp now, ControlUpdate& out);
  void probe(DataRate rate, bool further, Timestamp now, ControlUpdate& out);
  /// For a path that may be full of others as well.
  void probeGently(DataRate estimate, Timestamp now, ControlUpdate& out);

  DataRate max_ = DataRate::infinite();
  DataRate wanted_;
  bool started_ = false;
  /// How often the first probes may still be repeated.
  int repeatsLeft_ = 0;
  bool limited_ = false;
  bool probeWhenLimited_ = false;
  int32_t nextId_ = 1;
  Timestamp lastProbe_;
  /// Estimates above this answer the last probe and call for a higher one.
  std::optional<DataRate> furtherAbove_;
  Timestamp furtherUntil_;
  bool gently_ = false;
  /// What the path carried before it got worse.
  DataRate beforeDrop_;
  Timestamp lastOveruse_;
  Timestamp dropTime_;
};

}  // namespace parley::congestion::gcc
