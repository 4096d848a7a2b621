#pragma once

#include <string_view>

#include "parley/base/bytes.h"
#include "parley/base/export.h"
#include "parley/base/time.h"
#include "parley/sim/packet.h"

namespace parley::sim {

/// Writes packets as a pcapng section (draft-ietf-opsawg-pcapng) with one interface of raw IP
/// packets and nanosecond stamps, for Wireshark. IP, UDP and TCP headers are made up; UDP and IP
/// checksums are right, TCP's is left zero.
class PARLEY_EXPORT PcapngWriter {
 public:
  explicit PcapngWriter(std::string_view interfaceName);
  void add(Timestamp time, const Packet& packet);
  ByteSpan bytes() const { return out_; }

 private:
  void u16(uint16_t v);
  void u32(uint32_t v);
  void option(uint16_t code, ByteSpan value);
  size_t beginBlock(uint32_t type);
  void endBlock(size_t start);
  Bytes out_;
  Bytes scratch_;
};

}  // namespace parley::sim
