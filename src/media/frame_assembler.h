#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "parley/base/packet_buffer.h"
#include "parley/base/time.h"
#include "parley/rtp/payload_format/payload_format.h"

#include "media/assembled_frame.h"

namespace parley::media {

/// One video packet on its way into a frame.
struct VideoPacket {
  int64_t sequence = 0;  ///< unwrapped
  int64_t rtp = 0;       ///< unwrapped timestamp
  uint8_t payloadType = 0;
  bool marker = false;
  bool recovered = false;
  Timestamp arrival;
  const rtp::Depacketizer* depacketizer = nullptr;
  rtp::PayloadInfo info;
  ByteSpan payload;       ///< inside `buffer`
  ByteSpan dependencies;  ///< the dependency descriptor, inside `buffer`
  PacketBuf buffer;
};

/// Keeps packets by sequence number and puts complete frames together: pictures, or, where
/// dependency descriptors tell them apart, layers of pictures. The packets stay in the
/// buffers they were received in until their frame is complete; then their media bytes are copied
/// once, into the contiguous form decoders take. Holds at most kMaxPackets packets, the newest; a
/// frame that does not fit is given up.
class FrameAssembler {
 public:
  enum class Insert : uint8_t {
    Ok,
    Duplicate,
    TooOld,  ///< its frame was given out or given up
  };
  static constexpr size_t kMaxPackets = 4096;

  Insert insert(VideoPacket packet);
  /// A packet without media (padding): only closes a gap in the numbers.
  Insert insertEmpty(int64_t sequence);
  /// Takes a complete frame. Frames come out as they get complete, not in order. `out.data` keeps
  /// its capacity. `extensions` are those of its packets.
  bool poll(AssembledFrame& out, const rtp::ExtensionMap& extensions = {});
  /// Gives up everything before this number.
  void forgetBefore(int64_t sequence);
  /// Gives up packets that arrived before `time`, and the frames they belong to; returns how many.
  size_t dropOlderThan(Timestamp time);
  /// When the packet that waits longest arrived; never if none waits.
  Timestamp oldestArrival() const;
  /// Frees what a burst made it grow to, as far as no packet waits there.
  void shrink();
  void reset();
  /// True once after unfinished packets had to make room.
  bool takeGaveUp() { return std::exchange(gaveUp_, false); }

  /// Whether all numbers in (after, before) were packets without media.
  bool isOnlyPadding(int64_t after, int64_t before) const;
  /// Changes whenever isOnlyPadding() may answer differently.
  uint64_t paddingVersion() const { return paddingVersion_; }
  size_t packets() const { return packets_; }
  bool hasGrown() const { return slots_.size() > kInitialSlots; }

 private:
  enum class State : uint8_t { Empty, Packet, Padding, Done };
  struct Slot {
    int64_t sequence = -1;
    State state = State::Empty;
    bool marker = false;  // ends a frame
    bool endsPicture = true;
    bool frameStart = false;
    bool certainStart = false;  // even if the packet before is missing
    bool implicitStarts = false;
    bool keyFrame = false;
    bool recovered = false;
    bool continuous = false;  // all packets of its frame up to it were there when it was looked at
    uint8_t payloadType = 0;
    int64_t rtp = 0;
    Timestamp arrival;
    const rtp::Depacketizer* depacketizer = nullptr;
    rtp::VideoSize size;
    ByteSpan payload;
    ByteSpan dependencies;
    PacketBuf buffer;

    /// A frame is of one codec: what another depacketizer cut is none of its packets, even with
    /// its timestamp.
    bool canShareFrame(const Slot& other) const {
      return rtp == other.rtp && depacketizer == other.depacketizer;
    }
  };
  struct Range {
    int64_t first;
    int64_t last;
  };
  static constexpr size_t kInitialSlots = 256;

  Insert makeRoom(int64_t sequence);
  void evict(Slot& slot);
  void growTo(size_t capacity);
  Slot& at(int64_t sequence) { return slots_[static_cast<size_t>(sequence) & (slots_.size() - 1)]; }
  const Slot* find(int64_t sequence) const;
  Slot* find(int64_t sequence) {
    return const_cast<Slot*>(static_cast<const FrameAssembler*>(this)->find(sequence));
  }
  bool startsFrame(const Slot& slot) const;
  void findFrames(int64_t sequence);
  void markComplete(int64_t last);
  void build(const Range& range, const rtp::ExtensionMap& extensions, AssembledFrame& out);
  void clear(Slot& slot);

  std::vector<Slot> slots_;      // a ring, its size a power of two
  std::vector<Range> complete_;  // frames not taken yet, in order of completion
  std::optional<int64_t> newest_;
  int64_t floor_ = INT64_MIN;  // nothing before it is accepted
  size_t packets_ = 0;
  uint64_t paddingVersion_ = 0;
  bool gaveUp_ = false;
};

}  // namespace parley::media
