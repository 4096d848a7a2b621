#pragma once

#include "parley/base/bytes.h"
#include "parley/rtp/extension_map.h"

namespace parley::media {

/// Puts zeros into the header extensions of a packet that are written when it leaves, or on its
/// way: abs-send-time, transport-wide sequence number, transmission offset, the later half of video
/// timing. FEC is computed before they are known, so they are zero in what it restores, and must be
/// in what it is computed with. RFC 5109 and 8627 know no such thing and take packets as they are;
/// browsers do it this way, and where a sender does not only these extensions suffer.
void clearSendTimeExtensions(MutableByteSpan packet, const rtp::ExtensionMap& extensions);

}  // namespace parley::media
