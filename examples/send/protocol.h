#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

// What goes over the data channel, ordered and reliable. README.md tells the messages; those of
// text are JSON objects with their kind in "t", binary ones are the content of the file that was
// begun.

namespace sending {

using Json = nlohmann::json;

inline constexpr const char* kChannelProtocol = "parley-send-1";

inline constexpr size_t kMessageBytes = 64 * 1024;  ///< of content in one message
inline constexpr size_t kListBytes = 32 * 1024;     ///< of a part of the list of files, about
/// What may be under way or waiting for the receiver's disk. Fills 100 ms at 2.5 Gbit/s, and bounds
/// the memory of a receiver.
inline constexpr uint64_t kWindowBytes = 32u << 20;
inline constexpr uint64_t kAckBytes = 1u << 20;
inline constexpr std::chrono::milliseconds kAckInterval{200};
/// Who has nothing to say says so, and who says nothing for so long is gone.
inline constexpr std::chrono::seconds kHeartbeat{2};
inline constexpr std::chrono::seconds kSilence{8};
inline constexpr size_t kRequestsAhead = 64;    ///< files asked for before they come
inline constexpr size_t kMaxFiles = 1'000'000;  ///< in one transfer

/// How a file is cut for comparing what is there: pieces of 1 MiB, larger ones for files above
/// 1 GiB so that their checksums fit into a message.
constexpr uint64_t pieceSize(uint64_t fileSize) {
  uint64_t size = 1u << 20;
  while (fileSize / size > 1023) size *= 2;
  return size;
}

/// Members of a message that the other side may have got wrong.
inline std::optional<uint64_t> numberIn(const Json& message, const char* name) {
  const auto it = message.find(name);
  if (it == message.end() || !it->is_number_unsigned()) return std::nullopt;
  return it->get<uint64_t>();
}
inline std::string textIn(const Json& message, const char* name) {
  const auto it = message.find(name);
  return it != message.end() && it->is_string() ? it->get<std::string>() : std::string();
}
inline bool flagIn(const Json& message, const char* name) {
  const auto it = message.find(name);
  return it != message.end() && it->is_boolean() && it->get<bool>();
}

}  // namespace sending
