#include "media/source_table.h"

#include <algorithm>

#include "parley/rtp/extensions/audio_level.h"
#include "parley/rtp/extensions/csrc_audio_level.h"

namespace parley::media {

namespace {
constexpr Duration kMemory = Duration::seconds(10);
}

SourceTable::Entry& SourceTable::entryOf(ReceiverId receiver, uint32_t source,
                                         bool isContributing) {
  Entry* oldest = nullptr;
  for (Entry& e : entries_) {
    if (e.receiver == receiver && e.source.source == source &&
        e.source.isContributing == isContributing) {
      return e;
    }
    if (!oldest || e.source.lastHeard < oldest->source.lastHeard) oldest = &e;
  }
  Entry& fresh = entries_.size() < kMaxEntries ? entries_.emplace_back() : *oldest;
  fresh = Entry{};
  fresh.receiver = receiver;
  fresh.source.source = source;
  fresh.source.isContributing = isContributing;
  return fresh;
}

void SourceTable::note(const ReceiveConfig& config, const rtp::PacketView& view, Timestamp now) {
  RtpSource& own = entryOf(config.id, view.ssrc(), false).source;
  own.lastHeard = now;
  own.rtpTimestamp = view.timestamp();
  if (config.kind == MediaKind::Audio) {
    const auto level = rtp::getExtension<rtp::AudioLevel>(view, config.extensions);
    own.audioLevel = level ? std::optional(level->level) : std::nullopt;
  }
  if (view.csrcCount() == 0) return;
  const auto levels = rtp::getExtension<rtp::CsrcAudioLevel>(view, config.extensions);
  for (size_t i = 0; i < view.csrcCount(); ++i) {
    RtpSource& csrc = entryOf(config.id, view.csrc(i), true).source;
    csrc.lastHeard = now;
    csrc.rtpTimestamp = view.timestamp();
    csrc.audioLevel =
        levels && i < levels->size() ? std::optional<uint8_t>((*levels)[i]) : std::nullopt;
  }
}

void SourceTable::list(ReceiverId receiver, Timestamp now, std::vector<RtpSource>& out) const {
  out.clear();
  for (const Entry& e : entries_) {
    if (e.receiver == receiver && now - e.source.lastHeard <= kMemory) out.push_back(e.source);
  }
  std::stable_sort(out.begin(), out.end(), [](const RtpSource& a, const RtpSource& b) {
    return a.lastHeard > b.lastHeard;
  });
}

void SourceTable::remove(ReceiverId receiver) {
  std::erase_if(entries_, [receiver](const Entry& e) { return e.receiver == receiver; });
}

}  // namespace parley::media
