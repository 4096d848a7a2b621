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
    append(records.first(size));
    records = records.subspan(size);
  }
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
  PacketBuf packet = pool_.copyOf(record);
  if (!packet || !queue_.push(std::move(packet))) {
    ++dropped_;
    return;
  }
  ++sent_;
  openDatagram_ = packing_;
}

bool DatagramPort::poll(PacketBuf& out) {
  if (queue_.empty()) return false;
  out = queue_.pop();
  openDatagram_ = false;
  return true;
}

}  // namespace parley::dtls
