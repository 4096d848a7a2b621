#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "parley/parley.h"

#include "options.h"
#include "rtp_port.h"

/// All calls, and the ports on the other side of them. Any thread but the library's.
class Bridge : public std::enable_shared_from_this<Bridge> {
 public:
  static std::shared_ptr<Bridge> create(const Options& options,
                                        const std::shared_ptr<parley::Loop>& loop);

  parley::Result<void> open();
  void close();
  /// A browser's offer, with all its candidates; the answer has all of ours. Who calls last is
  /// heard outside.
  parley::Result<std::string> answer(const std::string& offer);
  /// Once a second: ends calls that are over, and gives a line for the terminal.
  std::string tick();

 private:
  /// Sound, or pictures.
  struct Medium {
    parley::MediaStreamTrack track;
    std::string codec;
    RtpPort port;
    std::atomic<uint64_t> packetsIn{0};
    std::atomic<uint64_t> packetsOut{0};
    std::string line;  ///< of the description for players
  };

  Bridge(const Options& options, std::shared_ptr<parley::Loop> loop)
      : options_(options), loop_(std::move(loop)) {}
  void prepare(Medium& medium, parley::MediaKind kind, const std::string& codec);
  void listen(int call, const parley::RtpReceiver& receiver, parley::MediaKind kind);
  void describe(Medium& medium, parley::MediaKind kind, const parley::ReceivedRtpPacket& first,
                const parley::RtpReceiver& receiver);
  Medium& medium(parley::MediaKind kind) {
    return kind == parley::MediaKind::Video ? video_ : audio_;
  }

  const Options options_;
  const std::shared_ptr<parley::Loop> loop_;
  Medium video_;
  Medium audio_;
  std::atomic<int> newest_{0};  ///< the call that goes out
  std::atomic<int64_t> rate_{0};
  std::mutex mutex_;
  int count_ = 0;
  std::map<int, parley::PeerConnection> calls_;
};
