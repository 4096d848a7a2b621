#pragma once

#include <poll.h>

#include <gtest/gtest.h>

#include "parley/io/clock.h"
#include "parley/io/event_loop.h"

#include "support/scripted_driven.h"

namespace parley::io {

inline const SocketAddress kLoopback{IpAddress::v4(127, 0, 0, 1), 0};

/// A loop with one Driven whose behaviour a test writes, and a second one to add.
class EventLoopTest : public ::testing::Test {
 protected:
  /// Runs until `done`, which is asked after each input, advance and dispatch; fails after 10 s.
  template <class Done>
  void runUntil(Done done) {
    const Timestamp limit = monotonicNow() + Duration::seconds(10);
    while (!done()) {
      if (monotonicNow() > limit) {
        FAIL() << "not done in time";
      }
      pollfd wait{loop.fd(), POLLIN, 0};
      const int timeout = loop.timeoutMillis();
      poll(&wait, 1, timeout < 0 || timeout > 1000 ? 1000 : timeout);
      loop.process();
    }
  }
  SocketAddress openedAddress(const test::ScriptedDriven& driven, size_t index = 0) {
    return driven.opened.at(index).local;
  }

  test::ScriptedDriven a;
  test::ScriptedDriven b;
  EventLoop loop{a};
};

}  // namespace parley::io
