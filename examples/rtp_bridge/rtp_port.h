#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <netinet/in.h>
#include <string>
#include <thread>

#include "parley/base/bytes.h"
#include "parley/base/result.h"

/// RTP over plain UDP (IPv4): a port where it comes in, an address where it goes to.
class RtpPort {
 public:
  ~RtpPort();

  /// `packet` runs on a thread of the port's own.
  parley::Result<void> open(uint16_t in, const std::string& out,
                            std::function<void(parley::ByteSpan)> packet);
  /// Any thread. What does not fit the socket is lost, as on any network.
  void send(parley::ByteSpan packet) const;
  /// Asks for a key frame by RTCP (PLI, RFC 4585 section 6.3.1), at the port above the one that the
  /// newest packet came from. Any thread.
  void askForKeyFrame();
  void stop();

 private:
  void receive();

  int socket_ = -1;
  sockaddr_in out_{};
  std::function<void(parley::ByteSpan)> packet_;
  std::thread thread_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  sockaddr_in source_{};  ///< of the newest packet; no port: none has come
  uint32_t sourceSsrc_ = 0;
};
