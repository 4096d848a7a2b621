#pragma once

#include <chrono>
#include <optional>

#include "parley/base/bytes.h"

#include "protocol.h"

namespace sending {

/// What a transfer needs of a connection: messages in order, back-pressure, and to be told when it
/// is gone. Of the thread that transfers alone.
class Link {
 public:
  struct Message {
    bool isText = false;
    parley::Bytes data;
  };

  Link() = default;
  virtual ~Link() = default;
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  /// The next message, if there is one.
  virtual std::optional<Message> next() = 0;
  virtual bool hasMessages() const = 0;
  /// Waits for a message or the end of the link; with `forRoom` also for room to send.
  virtual void wait(std::chrono::milliseconds patience, bool forRoom = false) = 0;
  /// Whether to send more content: what waits here is bounded, also by what the library takes.
  virtual bool hasRoom() const = 0;
  /// False: the link is lost.
  virtual bool send(const Json& message) = 0;
  virtual bool send(parley::ByteSpan content) = 0;
  /// Says that we are there, if nothing was said lately.
  virtual void keepAlive() = 0;
  /// Closed, failed, or silent for too long.
  virtual bool lost() const = 0;
  virtual void close() = 0;
};

}  // namespace sending
