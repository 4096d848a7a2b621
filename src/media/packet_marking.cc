#include "parley/media/packet_marking.h"

namespace parley::media {
namespace {

// RFC 8837 section 3 and the RFCs it names.
constexpr uint8_t kDefault = 0;
constexpr uint8_t kScavenger = 8;  // CS1
constexpr uint8_t kAf41 = 34;
constexpr uint8_t kAf42 = 36;
constexpr uint8_t kExpedited = 46;

}  // namespace

uint8_t dscpOf(MediaKind kind, NetworkPriority priority) {
  switch (priority) {
    case NetworkPriority::VeryLow:
      return kScavenger;
    case NetworkPriority::Low:
      return kDefault;
    case NetworkPriority::Medium:
      return kind == MediaKind::Audio ? kExpedited : kAf42;
    case NetworkPriority::High:
      return kind == MediaKind::Audio ? kExpedited : kAf41;
  }
  return kDefault;
}

}  // namespace parley::media
