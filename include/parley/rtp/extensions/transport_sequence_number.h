#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "parley/base/bytes.h"
#include "parley/rtp/extension_map.h"

namespace parley::rtp {

/// The transport-wide sequence number that transport feedback reports on
/// (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 2): one space per transport.
struct TransportSequenceNumber {
  using Value = uint16_t;
  static constexpr ExtensionKind kKind = ExtensionKind::TransportSequenceNumber;
  static constexpr std::string_view kUri =
      "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
  static constexpr size_t kMaxSize = 2;
  static std::optional<Value> parse(ByteSpan bytes) {
    if (bytes.size() != 2) return std::nullopt;
    return loadU16(bytes.data());
  }
  static size_t write(Value v, uint8_t* out) {
    storeU16(out, v);
    return 2;
  }
};

}  // namespace parley::rtp
