#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "parley/api/forwarder.h"
#include "parley/parley.h"

namespace sfu {

class Member;

/// What a member sends.
struct Track {
  parley::PublicationId id{};
  parley::MediaKind kind{};
};

/// A room in which everybody sees everybody. Used on the loop's thread alone, as everything that
/// belongs to it: the loop is an unlocked one.
class Room {
 public:
  using Answered = std::function<void(parley::Result<nlohmann::json>)>;

  Room(std::shared_ptr<parley::Loop> loop, size_t maxMembers);
  ~Room();
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;

  /// A new member, with the offer of the connection that they send with and that has the channel
  /// (member.h). Answers with {"number", "sdp"}.
  void join(const std::string& name, const std::string& offer, Answered done);
  void leave(int number);
  /// Once a second: sees off who did not get through.
  void tick();
  bool empty() const { return members_.empty(); }
  nlohmann::json report() const;

  // For members.
  parley::Forwarder& forwarder() { return forwarder_; }
  const std::map<int, std::shared_ptr<Member>>& members() const { return members_; }
  void tellAll(const nlohmann::json& message);
  /// Somebody came, went, or sends something else: the others are offered it.
  void changed();

 private:
  parley::Result<parley::PeerConnection> connect(bool sending);
  void onSpeaker(std::optional<parley::PublicationId> who);
  void onLayers(parley::SubscriptionId id,
                const std::optional<parley::forwarding::LayerChoice>& layers);

  std::shared_ptr<parley::Loop> loop_;
  parley::Forwarder forwarder_;
  size_t maxMembers_;
  std::map<int, std::shared_ptr<Member>> members_;  ///< by number
  int joined_ = 0;
};

}  // namespace sfu
