#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "parley/rtp/rtcp/all.h"

using namespace parley;
using namespace parley::rtp::rtcp;

namespace {

std::vector<uint8_t> buffer(70'000);

// Writes a parsed packet and reads it again: what we write must be well-formed and of the size
// said.
template <class T>
Block rewrite(const T& packet) {
  ByteWriter w(buffer);
  packet.write(w);
  if (!w.ok() || w.size() != packet.size() || w.size() % 4 != 0) std::abort();
  if (!CompoundReader::isWellFormed(w.written())) std::abort();
  CompoundReader reader(w.written());
  Block block;
  reader.next(block);
  return block;
}

template <class T>
void check(const Block& block) {
  const auto parsed = T::parse(block);
  if (parsed && !T::parse(rewrite(*parsed))) std::abort();
}

void checkTransportFeedback(const Block& block) {
  TransportFeedback f;
  if (!TransportFeedback::parse(block, f)) return;
  if (f.received.size() > block.body.size() || f.received.size() > f.statusCount) std::abort();
  std::vector<PacketArrival> arrivals;
  int64_t units = static_cast<int64_t>(f.referenceTime) * 256;
  for (const auto& r : f.received) {
    units += r.delta;
    const int64_t sequence = f.baseSequence + static_cast<uint16_t>(r.sequence - f.baseSequence);
    arrivals.push_back({sequence, Timestamp::micros(units * 250)});
  }
  if (arrivals.empty()) return;
  ByteWriter w(buffer);
  const size_t taken = writeTransportFeedback(w, 1, 2, 3, f.baseSequence, arrivals, 60'000);
  if (taken == 0) return;
  TransportFeedback again;
  CompoundReader reader(w.written());
  Block written;
  if (!reader.next(written) || !TransportFeedback::parse(written, again)) std::abort();
  if (again.received.size() != taken) std::abort();
  for (size_t i = 0; i < taken; ++i) {
    if (again.received[i].sequence != f.received[i].sequence) std::abort();
    if (i > 0 && again.received[i].delta != f.received[i].delta) std::abort();
  }
}

void checkCongestionFeedback(const Block& block) {
  CongestionFeedback f;
  if (!CongestionFeedback::parse(block, f)) return;
  if (f.reports.size() * 2 > block.body.size()) std::abort();
  CongestionFeedback again;
  if (!CongestionFeedback::parse(rewrite(f), again)) std::abort();
  if (again.streams != f.streams || again.reports != f.reports) std::abort();
}

void checkNack(const Block& block) {
  const auto nack = Nack::parse(block);
  if (!nack) return;
  ByteWriter w(buffer);
  Nack::write(w, 1, 2, {nack->sequences.data(), nack->sequences.size()}, 1200);
  if (!w.ok() || !CompoundReader::isWellFormed(w.written())) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (!CompoundReader::isWellFormed({data, size})) return 0;
  CompoundReader reader({data, size});
  Block block;
  while (reader.next(block)) {
    check<SenderReport>(block);
    check<ReceiverReport>(block);
    check<SourceDescription>(block);
    check<Bye>(block);
    check<Pli>(block);
    check<Fir>(block);
    check<Remb>(block);
    check<ExtendedReport>(block);
    (void)Tmmb::parse(block);
    checkNack(block);
    checkTransportFeedback(block);
    checkCongestionFeedback(block);
  }
  return 0;
}
