#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "common/sha256.h"
#include "target_folder.h"
#include "transfer.h"

namespace sending {

/// The sending side: tells what there is, and sends what it is asked for, in that order.
class Source final : public Transfer {
 public:
  /// `bytesPerSecond` 0: as fast as it goes.
  Source(Manifest manifest, double bytesPerSecond, Progress& progress);

  End run(Link& link, const Stop& stop) override;

 private:
  struct Request {
    size_t file = 0;
    bool check = false;  ///< only tell whether the receiver has the same
    std::vector<std::string> pieces;
  };
  struct Current {
    size_t file = 0;
    File from;
    uint64_t offset = 0;
    example::Sha256 hash;
  };

  void list(Link& link);
  bool handle(Link& link, const Link::Message& message);
  bool addRequest(const Json& message, bool check);
  void onSettled(const Json& message, bool done);
  /// Opens the next file that is asked for. False: stop, or the link is gone.
  bool begin(Link& link, const Stop& stop);
  /// How much of a file the receiver has, by the checksums of its pieces; nullopt: given up.
  std::optional<uint64_t> agreed(Link& link, const Stop& stop, const Request& request,
                                 const File& file, example::Sha256& whole);
  void sendContent(Link& link);
  void skip(Link& link, size_t file, const std::string& reason);
  bool mayContinue() const;
  bool inTime();

  const double bytesPerSecond_;
  Clock::time_point due_{};  ///< when the set rate allows more
  std::deque<Request> requests_;
  std::optional<Current> current_;
  uint64_t sent_ = 0;   ///< content on this link
  uint64_t acked_ = 0;  ///< of it
  bool bye_ = false;
  parley::Bytes buffer_;
};

}  // namespace sending
