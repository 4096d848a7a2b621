#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "parley/base/limits.h"
#include "parley/base/time.h"
#include "parley/media/receive_types.h"
#include "parley/rtp/packet_view.h"

#include "media/receive_stream.h"

namespace parley::media {

/// Finds the receiver and the source of each packet (RFC 9143 section 9.2): by the mid extension,
/// then by what is known of its SSRC, then by a payload type that only one receiver uses. Owns the
/// receivers and the streams.
class ReceiveRouter {
 public:
  struct Receiver {
    ReceiveConfig config;
    Duration minimumDelay;
  };
  struct Route {
    Receiver* receiver = nullptr;         ///< null: nobody wants it
    const ReceiveCodec* codec = nullptr;  ///< for RTX: that of the original
    bool isRtx = false;
    ReceiveStream* stream = nullptr;  ///< null: first packet of its source
    bool isExpected = false;          ///< the source is named by mid or description
    std::string_view rid;
  };

  explicit ReceiveRouter(const Limits& limits) : limits_(limits) {}

  void setReceiver(const ReceiveConfig& config);
  void removeReceiver(ReceiverId id);
  Receiver* receiver(ReceiverId id);
  /// Whether any of them does.
  bool reportsRate() const;
  const std::vector<std::unique_ptr<Receiver>>& receivers() const { return receivers_; }

  Route route(const rtp::PacketView& view);
  /// Makes room by forgetting the source heard least recently; null if all are named by
  /// descriptions.
  ReceiveStream* addStream(std::unique_ptr<ReceiveStream> stream, const Route& route);
  void removeStream(size_t index);
  /// Sources whose streams were removed, in that order; whoever takes them clears the list.
  std::vector<SourceEvent>& gone() { return gone_; }
  ReceiveStream* streamOf(uint32_t ssrc) const;
  ReceiveStream* latestStream(ReceiverId id) const;
  const std::vector<std::unique_ptr<ReceiveStream>>& streams() const { return streams_; }
  /// Whether a payload type is FlexFEC: such packets are not media of a source.
  bool isFlexfec(uint8_t payloadType) const { return flexfec_.test(payloadType); }
  /// The scheme that a receiver has agreed to under this payload type; nullopt for everything else.
  static std::optional<rtp::FecScheme> flexfecOf(const ReceiveConfig& config, uint8_t payloadType);
  /// Ids are the same in all bundled sections (RFC 9143 section 8.2), so the first one found
  /// counts.
  uint8_t extensionId(rtp::ExtensionKind kind) const {
    return extensionIds_[static_cast<size_t>(kind)];
  }

 private:
  /// What an SSRC was found to be.
  struct Binding {
    Receiver* receiver = nullptr;
    ReceiveStream* stream = nullptr;
    bool isRtx = false;
    bool isSignalled = false;  ///< named in a description: never evicted
    bool isExpected = false;   ///< came with a mid: not subject to the cap on unknown sources
  };
  Binding* bindingOf(uint32_t ssrc);
  Receiver* byMid(std::string_view mid);
  Receiver* bySignalledSsrc(uint32_t ssrc);
  Receiver* byPayloadType(uint8_t payloadType);
  ReceiveStream* pairRtx(Receiver& receiver, const rtp::PacketView& view,
                         std::string_view repairedRid);
  Receiver* receiverOf(const rtp::PacketView& view, Binding*& binding, Route& out);
  static bool namesLayer(const ReceiveConfig& config, uint32_t ssrc);
  void findExtensionIds();
  void findFlexfec();
  static const ReceiveCodec* codecOf(const Receiver& receiver, uint8_t payloadType, bool& isRtx);
  bool evict(bool unexpectedOnly);

  const Limits& limits_;
  std::vector<std::unique_ptr<Receiver>> receivers_;
  std::vector<std::unique_ptr<ReceiveStream>> streams_;
  /// By SSRC. Each stream has one, for its own SSRC; the others are of RTX sources.
  std::unordered_map<uint32_t, Binding> bindings_;
  std::array<uint8_t, rtp::kExtensionKindCount> extensionIds_{};
  std::bitset<128> flexfec_;
  std::vector<SourceEvent> gone_;
};

}  // namespace parley::media
