#include "media/source_table.h"

#include <algorithm>

#include "parley/rtp/extensions/audio_level.h"
#include "parley/rtp/extensions/csrc_audio_level.h"

#include "media/carried_on.h"

namespace parley::media {

namespace {
constexpr Duration kMemory = Duration::seconds(10);

uint64_t keyOf(ReceiverId receiver, uint32_t source) {
  return uint64_t{receiver.value} << 32 | source;
}
}  // namespace

RtpSource& SourceTable::entryOf(ReceiverId receiver, uint32_t source, bool isContributing) {
  const uint64_t key = keyOf(receiver, source);
  const auto known = places_[isContributing].find(key);
  if (known != places_[isContributing].end()) return entries_[known->second].source;
  size_t place = entries_.size();
  if (place < kMaxEntries) {
    entries_.emplace_back();
  } else {
    const auto oldest = std::min_element(
        entries_.begin(), entries_.end(),
        [](const Entry& a, const Entry& b) { return a.source.lastHeard < b.source.lastHeard; });
    place = static_cast<size_t>(oldest - entries_.begin());
    places_[oldest->source.isContributing].erase(keyOf(oldest->receiver, oldest->source.source));
  }
  places_[isContributing][key] = place;
  Entry& fresh = entries_[place];
  fresh = Entry{};
  fresh.receiver = receiver;
  fresh.source.source = source;
  fresh.source.isContributing = isContributing;
  return fresh.source;
}

// Carried on from packet to packet.
void SourceTable::noteCapture(RtpSource& source,
                              const std::optional<rtp::AbsCaptureTimeValue>& told,
                              uint32_t rtpTimestamp, uint32_t clockRate) {
  if (told) {
    source.captureTime = told->captureTime;
    source.captureClockOffset = told->clockOffset;
  } else if (source.captureTime) {
    source.captureTime =
        carriedOn(*source.captureTime, source.rtpTimestamp, rtpTimestamp, clockRate);
    if (!source.captureTime) source.captureClockOffset.reset();
  }
}

void SourceTable::note(const ReceiveConfig& config, const rtp::PacketView& view, uint32_t clockRate,
                       Timestamp now) {
  const auto capture = rtp::getExtension<rtp::AbsCaptureTime>(view, config.extensions);
  RtpSource& own = entryOf(config.id, view.ssrc(), false);
  noteCapture(own, capture, view.timestamp(), clockRate);
  own.lastHeard = now;
  own.rtpTimestamp = view.timestamp();
  if (config.kind == MediaKind::Audio) {
    const auto level = rtp::getExtension<rtp::AudioLevel>(view, config.extensions);
    own.audioLevel = level ? std::optional(level->level) : std::nullopt;
  }
  if (view.csrcCount() == 0) return;
  const auto levels = rtp::getExtension<rtp::CsrcAudioLevel>(view, config.extensions);
  for (size_t i = 0; i < view.csrcCount(); ++i) {
    RtpSource& csrc = entryOf(config.id, view.csrc(i), true);
    noteCapture(csrc, capture, view.timestamp(), clockRate);
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
  for (auto& places : places_) places.clear();
  for (size_t i = 0; i < entries_.size(); ++i) {
    const RtpSource& source = entries_[i].source;
    places_[source.isContributing][keyOf(entries_[i].receiver, source.source)] = i;
  }
}

}  // namespace parley::media
