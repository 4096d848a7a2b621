#pragma once

#include <chrono>
#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "parley/parley.h"

#include "file_receiver.h"
#include "meter.h"
#include "options.h"
#include "received.h"
#include "source.h"

namespace call {

/// What all calls share.
struct Home {
  std::shared_ptr<parley::Loop> loop;
  Options options;
  Source source;
  std::shared_ptr<parley::devices::Speaker> speaker;
  std::shared_ptr<FileFolder> files;
};

/// One call: a connection to another peer, its media, chat and files. Any thread may call any
/// method, but those that wait must not be called from a callback of the library.
class Call : public std::enable_shared_from_this<Call> {
 public:
  /// `sameMachine`: the other side runs on this machine, so loopback addresses are of use.
  static parley::Result<std::shared_ptr<Call>> create(const Home& home, int number,
                                                      bool sameMachine);
  ~Call();

  // Signaling. How the texts travel is not the call's business: see server.h and caller.h.

  /// The answer to an offer. Waits.
  parley::Result<std::string> answer(const std::string& offer);
  /// An offer of ours, with a chat channel. Waits.
  parley::Result<std::string> offer();
  /// Takes the answer to it. Waits.
  parley::Result<void> accept(const std::string& answer);
  /// RTCIceCandidateInit of the other side; only after offer or answer were exchanged.
  bool addCandidate(const nlohmann::json& candidate);
  /// The `index`-th thing to tell the other side: {"candidate": RTCIceCandidateInit} or
  /// {"bye": true}, the last one. Waits up to `patience` for it.
  std::optional<nlohmann::json> event(size_t index, std::chrono::milliseconds patience);
  /// Counts who waits for events; false if there are `most` already.
  bool addListener(int most);
  void removeListener();

  /// Chat; kept until there is a channel for it.
  void say(const std::string& text);
  void hangUp(const std::string& reason);
  bool ended() const;
  bool connected() const;

  /// Takes statistics and prints the status line. Waits.
  void measure();
  /// Ends what is left of the call and prints how it was. Waits for the disk.
  void finish();
  nlohmann::json report() const;

 private:
  struct Transfer {
    parley::DataChannel channel;
    FileReceiver receiver;
  };

  Call(const Home& home, int number, parley::PeerConnection pc);
  void watch();
  void note(const std::string& text) const;
  void tell(nlohmann::json event);
  void onCandidate(const parley::IceCandidate& candidate);
  void onState(parley::PeerConnectionState state);
  void onChannel(parley::DataChannel channel);
  void startChat(parley::DataChannel channel, bool echo);
  void onChat(const parley::DataMessage& message, bool echo);
  void flushChat();
  void startFile(parley::DataChannel channel);
  void onFileMessage(Transfer& transfer, const parley::DataMessage& message);

  const Home& home_;
  const int number_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  parley::PeerConnection pc_;
  std::unique_ptr<Received> received_;
  std::list<std::shared_ptr<Transfer>> transfers_;  // the loop's thread only

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<nlohmann::json> events_;
  parley::DataChannel chat_;
  std::vector<std::string> unsent_;
  Meter meter_;
  std::optional<double> setupMs_;
  std::string endReason_;
  bool ended_ = false;
  int listeners_ = 0;
  uint64_t chatMessages_ = 0;
  uint64_t filesReceived_ = 0;
  uint64_t fileBytes_ = 0;
};

}  // namespace call
