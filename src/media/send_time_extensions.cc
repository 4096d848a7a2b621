#include "media/send_time_extensions.h"

#include <algorithm>

#include "parley/rtp/packet_writer.h"

namespace parley::media {
namespace {

/// Of video timing, after a byte of flags: encoding began and ended, packet made; then pacer left
/// and two times for servers on the way.
constexpr size_t kTimingKnownEarly = 7;

}  // namespace

void clearSendTimeExtensions(MutableByteSpan packet, const rtp::ExtensionMap& extensions) {
  const auto clear = [&](rtp::ExtensionKind kind, size_t from) {
    const uint8_t id = extensions.id(kind);
    if (id == 0) return;
    const MutableByteSpan value = rtp::findExtension(packet, id);
    if (value.size() > from)
      std::fill(value.begin() + static_cast<ptrdiff_t>(from), value.end(), 0);
  };
  clear(rtp::ExtensionKind::AbsSendTime, 0);
  clear(rtp::ExtensionKind::TransportSequenceNumber, 0);
  clear(rtp::ExtensionKind::TransmissionOffset, 0);
  clear(rtp::ExtensionKind::VideoTiming, kTimingKnownEarly);
}

}  // namespace parley::media
