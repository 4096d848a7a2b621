#include "media/send_time_extensions.h"

#include <algorithm>

#include "parley/rtp/extensions/video_timing.h"
#include "parley/rtp/packet_writer.h"

namespace parley::media {
namespace {

/// Of video timing, what is behind it is for servers on the way.
constexpr size_t kTimingKnownEarly = rtp::VideoTiming::kLeftPacerAt;

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
