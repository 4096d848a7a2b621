#include <cstddef>
#include <cstdint>
#include <vector>

#include "parley/base/bytes.h"
#include "parley/congestion/feedback_adapter.h"
#include "parley/congestion/gcc.h"
#include "parley/congestion/scream.h"

using namespace parley;
using namespace parley::congestion;

// A controller and a feedback adapter under an arbitrary sequence of messages: the target must stay
// within its limits and the next deadline ahead.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ByteReader in({data, size});
  RateConstraints limits;
  limits.start = DataRate::kbps(300);
  auto controller = in.u8() % 2 == 0 ? createGcc(limits) : createScream(limits);
  FeedbackAdapter adapter;
  Timestamp now = Timestamp::seconds(1);
  int32_t probe = -1;
  bool up = false;
  const auto check = [&](const ControlUpdate& update) {
    for (const ProbeCluster& p : update.probes()) probe = p.id;
    if (!update.target) return;
    const DataRate target = update.target->target;
    if (target > limits.max || target < DataRate::zero()) __builtin_trap();
    if (up && target < limits.min) __builtin_trap();
  };
  std::vector<FeedbackAdapter::Arrival> arrivals;
  while (in.remaining() > 0) {
    const uint8_t action = in.u8();
    now += Duration::millis(in.u8());
    switch (action % 11) {
      case 0:
      case 1:
        for (unsigned i = 0; i <= action / 16u; ++i)
          check(controller->onSentPacket(
              adapter.onSent({in.u16(), (action & 0x80) != 0 ? probe : -1, (action & 0x40) != 0, 1,
                              adapter.nextSequence()},
                             now)));
        break;
      case 2: {
        FeedbackAdapter::Feedback feedback;
        const uint16_t back = in.u8();
        feedback.baseSequence = static_cast<uint16_t>(adapter.nextSequence() - back);
        feedback.statusCount = in.u8();
        feedback.referenceTime = in.u24();
        arrivals.clear();
        for (unsigned i = 0; i < action / 8u; ++i)
          arrivals.push_back(
              {static_cast<uint16_t>(feedback.baseSequence + i * (1u + (in.u8() & 3))),
               static_cast<int16_t>(in.u16())});
        feedback.arrivals = arrivals;
        if (const auto report = adapter.onFeedback(feedback, now))
          check(controller->onTransportFeedback(*report));
        break;
      }
      case 9: {
        std::vector<FeedbackAdapter::RtpArrival> packets;
        for (unsigned i = 0; i < action / 4u; ++i) {
          const uint16_t bits = in.u16();
          packets.push_back({(bits & 0x8000) != 0, (bits & 0x4000) != 0 ? Ecn::Ce : Ecn::NotEct,
                             static_cast<uint16_t>(bits & 0x1fff)});
        }
        const auto begin = static_cast<uint16_t>(adapter.nextSequence() - in.u8());
        const FeedbackAdapter::RtpArrivals stream{1, begin, packets};
        if (const auto report = adapter.onRtpFeedback(in.u32(), {&stream, 1}, now))
          check(controller->onTransportFeedback(*report));
        break;
      }
      case 10:
        check(controller->onDataTransfer({now, in.u16(), in.u16(), (action & 0x80) != 0}));
        break;
      case 3:
        check(controller->onRoundTripTime({now, Duration::millis(in.u16())}));
        break;
      case 4:
        check(controller->onLossReport({now, in.u16(), in.u16()}));
        break;
      case 5:
        check(
            controller->onRemoteBitrate({now, DataRate::bps(static_cast<int64_t>(in.u64() >> 1))}));
        break;
      case 6:
        check(controller->onProcess({now, in.u16()}));
        if (controller->nextDeadline() <= now) __builtin_trap();
        break;
      case 7:
        up = (action & 0x80) != 0;
        check(controller->onNetworkAvailability({now, up}));
        break;
      case 8:
        if ((action & 0x80) != 0) {
          adapter.reset();
          check(controller->onRouteChange({now, limits}));
        } else {
          StreamsConfig streams;
          streams.time = now;
          streams.maxTotal = DataRate::kbps(in.u16());
          streams.probeWhenApplicationLimited = (action & 0x40) != 0;
          check(controller->onStreamsConfig(streams));
        }
        break;
    }
    if (adapter.bytesInFlight() < 0) __builtin_trap();
  }
  return 0;
}
