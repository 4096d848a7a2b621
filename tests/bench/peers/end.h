#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

// What peer_main.cc asks of a stack, so that all of them run the same load.

namespace parley::bench {

/// Called on whatever thread the stack calls back on.
struct EndEvents {
  std::function<void()> open;
  std::function<void(const uint8_t* data, size_t size)> message;
  std::function<void()> low;  ///< buffered() fell to kLowBytes
};

constexpr size_t kLowBytes = 256 * 1024;    ///< refill below this
constexpr size_t kHighBytes = 1024 * 1024;  ///< and up to this

/// One connection with one ordered, reliable channel. Descriptions carry all candidates.
class End {
 public:
  virtual ~End() = default;
  virtual std::string offer() = 0;
  virtual std::string answer(const std::string& offer) = 0;
  virtual void accept(const std::string& answer) = 0;
  virtual bool send(const uint8_t* data, size_t size) = 0;
  virtual size_t buffered() = 0;
};

/// `lane` 0 and 1: ends that should run apart, on threads of their own where the stack has a say.
std::unique_ptr<End> makeEnd(int lane, EndEvents events);

}  // namespace parley::bench
