#include "dtls/datagram_port.h"

#include <algorithm>
#include <cstring>

#include "dtls/record_filter.h"

namespace parley::dtls {

size_t DatagramPort::read(MutableByteSpan out) {
  if (inbound_.empty() || out.size() < inbound_.size()) return 0;
  const size_t size = inbound_.size();
  std::memcpy(out.data(), inbound_.data(), size);
  inbound_ = {};
  return size;
}

void DatagramPort::write(ByteSpan records) {
  while (!records.empty()) {
    size_t size = records.size();
    if (size >= kRecordHeaderSize) {
      size = std::min(size, kRecordHeaderSize + loadU16(&records[11]));
    }
    note(records.first(size));
    append(records.first(size));
    records = records.subspan(size);
  }
}

void DatagramPort::note(ByteSpan record) {
  if (packing_) flight_.insert(flight_.end(), record.begin(), record.end());
  constexpr size_t kEpochOffset = 3;
  if (record.size() < kRecordHeaderSize + 8 || loadU16(&record[kEpochOffset]) != 1) return;
  sealed_.nextSequence = (loadU64(&record[kEpochOffset]) & 0xffff'ffff'ffff) + 1;
  sealed_.nextNonce = loadU64(&record[kRecordHeaderSize]) + 1;
}

void DatagramPort::append(ByteSpan record) {
  if (openDatagram_) {
    PacketBuf& last = queue_[queue_.size() - 1];
    const size_t before = last.size();
    if (before + record.size() <= mtu_) {
      last.resize(before + record.size());
      std::memcpy(last.data() + before, record.data(), record.size());
      return;
    }
  }
  openDatagram_ = false;
  openDatagram_ = push(pool_.copyOf(record)) && packing_;
}

bool DatagramPort::push(PacketBuf datagram) {
  if (!datagram || !queue_.push(std::move(datagram))) {
    ++dropped_;
    return false;
  }
  ++sent_;
  return true;
}

bool DatagramPort::poll(PacketBuf& out) {
  if (queue_.empty()) return false;
  out = queue_.pop();
  openDatagram_ = false;
  return true;
}

}  // namespace parley::dtls
