#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "room.h"

namespace sfu {

/// Somebody in a room: a connection that brings what they send (offered by the page, once) and one
/// that takes them all that others send (offered by us, anew whenever that changes). Everything but
/// the first offer goes over a data channel of the former, as JSON:
///
///   from the page  {"type": "answer", "sdp"}
///                  {"type": "size", "number", "height"}   of a member's picture on the page
///                  {"type": "limit", "kbps"}              of all they get; 0: none
///                  {"type": "chat", "text"}
///                  {"type": "bye"}
///   to the page    {"type": "members", "members": [{"number", "name"}]}
///                  {"type": "offer", "sdp", "tracks": {MID: number}}
///                  {"type": "layers", "number", "rid", "height", "temporal"}   what they get now
///                  {"type": "speaker", "number"}
///                  {"type": "chat", "number", "text"}
class Member : public std::enable_shared_from_this<Member> {
 public:
  Member(Room& room, int number, std::string name, parley::PeerConnection up,
         parley::PeerConnection down);

  int number() const { return number_; }
  const std::string& name() const { return name_; }
  const std::vector<Track>& tracks() const { return tracks_; }
  bool isLost() const;

  void answer(const std::string& offer, Room::Answered done);
  void tell(const nlohmann::json& message);
  /// Offers what the others send now, if that is not what was offered last.
  void sync();
  /// Whose picture the subscription is; nothing if it is not one of ours.
  std::optional<int> watchedBy(parley::SubscriptionId id) const;
  void close();

 private:
  struct View {
    int number = 0;
    parley::PublicationId publication{};
    parley::SubscriptionId subscription{};
    parley::RtpTransceiver transceiver;
  };
  void listen(parley::DataChannel channel);
  void onMessage(const nlohmann::json& message);
  void onAnswer(const std::string& sdp);
  void leave();
  bool dropGone();
  bool addNew();
  void offer();
  void sendOffer();

  Room& room_;
  const int number_;
  const std::string name_;
  parley::PeerConnection up_;
  parley::PeerConnection down_;
  parley::DataChannel channel_;
  std::vector<Track> tracks_;
  std::vector<View> views_;
  bool open_ = false;
  bool negotiating_ = false;
  bool again_ = false;  ///< something changed meanwhile
  std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
};

}  // namespace sfu
