#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "parley/api/forwarder.h"
#include "parley/parley.h"

namespace sfu {

/// A room in which everybody sees everybody. Each member has one connection to send with and one
/// for each other member to watch them with. Any thread.
class Room {
 public:
  Room(std::shared_ptr<parley::Loop> loop, size_t maxMembers);
  ~Room();

  /// A new member: a secret id to act with, and the number that others know them by.
  parley::Result<nlohmann::json> join();
  /// The member's offer of what they send -> the answer.
  parley::Result<std::string> publish(const std::string& id, const std::string& offer);
  /// The member's offer to receive what another one sends -> the answer.
  parley::Result<std::string> watch(const std::string& id, int other, const std::string& offer);
  /// How high the picture of another is on the member's page.
  void resize(const std::string& id, int other, uint32_t height);
  /// Who is there, and who speaks; for each, what this member gets of their video. Nothing: no such
  /// member.
  std::optional<nlohmann::json> state(const std::string& id);
  void leave(const std::string& id);
  /// Once a second: sees off who has not been heard of.
  void tick();
  nlohmann::json report();

 private:
  using Clock = std::chrono::steady_clock;
  struct Track {
    parley::PublicationId id{};
    parley::MediaKind kind{};
  };
  struct View {
    parley::PeerConnection connection;
    std::vector<std::pair<parley::SubscriptionId, parley::MediaKind>> subscriptions;
  };
  struct Member {
    int number = 0;
    parley::PeerConnection up;
    std::vector<Track> tracks;
    std::map<int, View> views;
    Clock::time_point seen;
  };
  std::shared_ptr<Member> find(const std::string& id);
  std::shared_ptr<Member> byNumber(int number);
  parley::Result<parley::PeerConnection> connect();
  /// Applies the offer, lets `prepare` set up what is answered, and gives the answer with all its
  /// candidates.
  parley::Result<std::string> answer(parley::PeerConnection& connection, const std::string& offer,
                                     const std::function<void()>& prepare);

  std::shared_ptr<parley::Loop> loop_;
  parley::Forwarder forwarder_;
  size_t maxMembers_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Member>> members_;
  int joined_ = 0;
  std::optional<parley::PublicationId> speaker_;
};

}  // namespace sfu
