#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "parley/api/data_channel.h"
#include "parley/sctp/data_channels.h"

namespace parley::api_internal {

class PeerConnectionCore;

/// What the app wants to be called for.
struct DataChannelCallbacks {
  std::function<void()> onOpen, onLow, onWritable, onClosing, onClose;
  std::function<void(const DataMessage&)> onMessage;
  std::function<void(const Error&)> onError;
};

/// The body behind all handles of one data channel. Guarded by its loop's lock, but for what never
/// changes after construction.
class DataChannelCore final : public DataChannelCallbacks,
                              public std::enable_shared_from_this<DataChannelCore> {
 public:
  using Callbacks = DataChannelCallbacks;
  DataChannelCore(std::weak_ptr<PeerConnectionCore> pc, sctp::ChannelId channel,
                  sctp::ChannelInit asked)
      : owner(std::move(pc)), id(channel), init(std::move(asked)) {}

  const std::weak_ptr<PeerConnectionCore> owner;
  const sctp::ChannelId id;
  const sctp::ChannelInit init;

  DataChannelState visibleState = DataChannelState::Connecting;
  std::optional<uint16_t> streamId;
  uint64_t lowThreshold = 0;
  std::optional<Error> failure;      ///< what its close is due to
  uint64_t finalBufferedAmount = 0;  ///< of a channel that is closed
  /// What came while the app had no callback for it yet: a thread other than the loop's sets its
  /// callbacks some time after it has the channel.
  struct Held {
    Bytes data;
    bool isText = false;
    bool first = true;
    bool last = true;
    bool abandoned = false;
    DataMessage view() const { return {data, isText, first, last, abandoned}; }
  };
  std::deque<Held> held;
  uint64_t sentIn = 0;       ///< the turn of the loop in which something was sent last
  uint64_t shownAmount = 0;  ///< what bufferedAmount has shown in it
  bool lowDue = false;       ///< it will fall below the threshold with the end of that turn
  bool closingSeen = false;  ///< the peer closes it, or we do
  size_t heldBytes = 0;
  bool openMissed = false;
  /// All callbacks, to be destroyed outside the lock: they may own handles, also of this very
  /// channel, which would keep it alive for good.
  std::function<void()> takeCallbacks() {
    auto garbage = std::make_shared<Callbacks>(std::move(static_cast<Callbacks&>(*this)));
    static_cast<Callbacks&>(*this) = {};
    return [garbage = std::move(garbage)] {};
  }
};

}  // namespace parley::api_internal
