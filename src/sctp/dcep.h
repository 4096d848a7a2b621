#pragma once

#include <optional>
#include <variant>

#include "parley/base/bytes.h"
#include "parley/sctp/data_channels.h"

namespace parley::sctp {

/// Payload protocol identifiers of data channels (RFC 8831 section 8).
namespace ppid {
inline constexpr uint32_t kDcep = 50;
inline constexpr uint32_t kText = 51;
inline constexpr uint32_t kBinaryPartial = 52;  ///< deprecated
inline constexpr uint32_t kBinary = 53;
inline constexpr uint32_t kTextPartial = 54;  ///< deprecated
inline constexpr uint32_t kTextEmpty = 56;
inline constexpr uint32_t kBinaryEmpty = 57;
}  // namespace ppid

/// DATA_CHANNEL_ACK (RFC 8832 section 5.2).
struct DcepAck {};
using DcepMessage = std::variant<ChannelInit, DcepAck>;

/// Reads a DATA_CHANNEL_OPEN or DATA_CHANNEL_ACK. nullopt: unknown type, lengths that do not add
/// up, unknown channel type, label or protocol not UTF-8. The result has no id and is not
/// `negotiated`. Priorities between the four named ones are rounded down.
std::optional<DcepMessage> parseDcep(ByteSpan message);

/// DATA_CHANNEL_OPEN (RFC 8832 section 5.1). Label and protocol are at most 65535 bytes.
Bytes writeDcepOpen(const ChannelInit& init);
Bytes writeDcepAck();

}  // namespace parley::sctp
