#pragma once

#include <memory>
#include <string>

#include "peer_link.h"
#include "words.h"

namespace sending {

/// Comes to a rendezvous (rendezvous.h) and gives a link to who waits there.
class Visitor {
 public:
  struct Setup {
    std::shared_ptr<parley::Loop> loop;
    CodePhrase phrase;
    bool sends = false;  ///< this side
    std::string url;
    std::vector<std::string> stun;
  };
  enum class Failure { None, Unreachable, WrongPhrase, Refused };
  struct Outcome {
    std::shared_ptr<PeerLink> link;
    Failure failure = Failure::None;
    std::string reason;
  };

  explicit Visitor(Setup setup);
  /// One attempt. Waits.
  Outcome visit() const;

 private:
  struct Reply {
    int status = 0;  ///< 0: none came
    Json body;
    std::string reason;
  };
  Reply post(const std::string& path, const Json& body) const;

  const Setup setup_;
  const std::string origin_;
};

}  // namespace sending
