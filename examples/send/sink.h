#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/sha256.h"
#include "target_folder.h"
#include "transfer.h"

namespace sending {

/// The receiving side: looks what is there already, asks for the rest, stores it, and compares the
/// checksums.
class Sink final : public Transfer {
 public:
  /// `force`: files of the same name that are there are replaced.
  Sink(TargetFolder folder, bool force, Progress& progress);

  End run(Link& link, const Stop& stop) override;
  void again() override;

 private:
  struct Request {
    size_t file = 0;
    bool check = false;     ///< whether the finished file that is there is the same
    uint64_t have = 0;      ///< what the pieces tell of
    example::Sha256 whole;  ///< over that
  };
  struct Current {
    size_t file = 0;
    File to;  ///< none: it cannot be stored, what comes is dropped
    uint64_t offset = 0;
    example::Sha256 hash;
  };
  struct Pieces {
    std::vector<std::string> checksums;
    uint64_t bytes = 0;
    example::Sha256 whole;
  };

  void reset();
  bool handle(Link& link, const Link::Message& message);
  bool onList(const Json& message, Link& link);
  bool onFile(const Json& message, Link& link);
  bool onContent(parley::ByteSpan content, Link& link);
  bool onEnd(const Json& message, Link& link);
  bool onSkip(const Json& message, Link& link);
  bool onChecked(const Json& message, Link& link);

  void plan(Link& link);
  std::string problemOf(const Entry& wanted);
  void ask(Link& link, const Stop& stop);
  void want(Link& link, size_t file);
  /// Checksums of the pieces of a file's first `size` bytes; with `tail` also of a last one that
  /// is shorter.
  Pieces piecesOf(const File& file, uint64_t size, uint64_t piece, bool tail, Link& link,
                  bool evenIfLost = false);
  void acknowledge(Link& link, bool now);
  void finish(Link& link, size_t file, const std::string& sha256, bool wasThere);
  void fail(Link& link, size_t file, const std::string& reason);
  void cannotStore(Link& link, const std::string& reason);
  End farewell(Link& link);

  const TargetFolder folder_;
  const bool force_;
  std::map<std::string, std::pair<Entry, FileResult>> finished_;  ///< on earlier links, by path
  std::set<std::string> named_;
  std::vector<int> attempts_;
  std::deque<Request> outstanding_;
  std::optional<Current> current_;
  bool listed_ = false;
  bool bye_ = false;
  size_t next_ = 0;         ///< file to ask for
  uint64_t got_ = 0;        ///< content on this link
  uint64_t acked_ = 0;      ///< of it
  uint64_t doneBytes_ = 0;  ///< of finished files
  size_t doneFiles_ = 0;
  uint64_t skipped_ = 0;  ///< bytes that were there
  Clock::time_point ackedAt_{};
  parley::Bytes buffer_;
};

}  // namespace sending
