#pragma once

#include <cstddef>
#include <cstdint>

#include "parley/base/bytes.h"
#include "parley/dtls/connection.h"

namespace parley::dtls {

/// type 1, version 2, epoch 2, sequence number 6, length 2 (RFC 6347 section 4.1).
inline constexpr size_t kRecordHeaderSize = 13;

/// One record as it lies in a datagram.
struct Record {
  uint8_t type = 0;
  uint8_t versionMajor = 0;
  uint16_t epoch = 0;
  size_t begin = 0;  ///< of its header in the datagram
  size_t size = 0;   ///< header included

  /// Of the only epoch that has keys: we never renegotiate.
  bool isSealed() const;
  bool isSealedHandshake() const;
};

struct FilterResult {
  size_t size = 0;     ///< octets written
  size_t kept = 0;     ///< records
  size_t dropped = 0;  ///< records, and the unreadable rest of a datagram as one
  /// The message_seq of what was kept in the clear: of one that begins a record. None: lowest is
  /// above highest.
  uint16_t lowestMessage = 0xFFFF;
  uint16_t highestMessage = 0;
};

/// Reads the next record. False, with nothing read, if what is left is not a whole one.
bool readRecord(ByteReader& reader, Record& out);

/// Copies the records of a datagram that OpenSSL may see during the handshake into `out` (at least
/// as large).
///
/// OpenSSL ends the association for some records that anybody who can spoof the peer's address can
/// write, because epoch 0 is neither encrypted nor authenticated. RFC 6347 section 4.1.2.7:
/// "invalid records SHOULD be silently discarded". Dropped are
///  - application data and unknown types in epoch 0, alerts that are not fatal (no peer sends a
///    warning or close_notify before its handshake is done), ill-formed ChangeCipherSpec, handshake
///    fragments that lie about their length or exceed 16 KiB, messages that the peer's role never
///    sends, epochs above 1;
///  - more than `budget` records.
/// Sealed data and alerts that overtook the end of the handshake are left out without being
/// counted: they are for RecordProtection.
/// A forged fatal alert or a well-formed but wrong handshake message can still end a handshake:
/// only from the tuple that ICE has validated, and real ones must be heard.
FilterResult filterRecords(ByteSpan datagram, Role ownRole, size_t budget, MutableByteSpan out);

}  // namespace parley::dtls
