#include "sctp/usrsctp_stack.h"

#include <usrsctp.h>

#include "sctp/packet.h"

// Distributions build libusrsctp.a for executables: it reads in6addr_any at a fixed distance, which
// a shared library that contains us may do only with a symbol of its own. This is that symbol,
// invisible outside and weak, so that a C library linked statically brings its own; the value is
// RFC 3493's.
extern "C" __attribute__((weak, visibility("hidden"))) const in6_addr in6addr_any{};

namespace parley::sctp {
namespace {

// usrsctp walks all timers of the process at each tick, and retransmission timers have 200 ms: with
// many idle associations finer steps would only burn time.
constexpr int64_t kGranularityNanos = 4'000'000;
/// A new association whose clock, read through the last link, is at most this far ahead is taken to
/// have the same clock.
constexpr int64_t kPlausibleLeapNanos = 10'000'000'000;
/// Loops on one clock read it at different moments: so far behind one of them may be for ever.
constexpr int64_t kReadingSkewNanos = 50'000'000;
/// A larger lag that lasts while the lagging clock moves on by this is a clock of its own; that of
/// a loop which had much to do since it read the time ends with its next reading.
constexpr Duration kLagPatience = Duration::millis(20);

void configure() {
  // Extensions that make no sense over DTLS, off so that their code sees no peer's bytes.
  usrsctp_sysctl_set_sctp_asconf_enable(0);
  usrsctp_sysctl_set_sctp_auto_asconf(0);
  usrsctp_sysctl_set_sctp_auth_enable(0);
  usrsctp_sysctl_set_sctp_ecn_enable(0);
  usrsctp_sysctl_set_sctp_nrsack_enable(0);
  usrsctp_sysctl_set_sctp_pktdrop_enable(0);

  // RFC 3758 and RFC 6525 are mandatory for data channels (RFC 8831 section 6.2).
  usrsctp_sysctl_set_sctp_pr_enable(1);
  usrsctp_sysctl_set_sctp_reconfig_enable(1);

  // RFC 9260 section 16 has 1 s for both: written for the open Internet with 200 ms delayed SACKs.
  // Peers here acknowledge within 20 ms, over a path that ICE has just measured.
  usrsctp_sysctl_set_sctp_rto_min_default(200);
  usrsctp_sysctl_set_sctp_rto_initial_default(500);
  usrsctp_sysctl_set_sctp_init_rto_max_default(5'000);
  // RFC 9260 has 60 s. After an outage of some seconds the path should be tried again soon: consent
  // ends after 30 s anyway (RFC 7675). It also bounds the harm of a wall clock that jumps forward,
  // which usrsctp takes for a round trip.
  usrsctp_sysctl_set_sctp_rto_max_default(5'000);
  usrsctp_sysctl_set_sctp_init_rtx_max_default(8);
  usrsctp_sysctl_set_sctp_assoc_rtx_max_default(10);
  usrsctp_sysctl_set_sctp_path_rtx_max_default(
      10);  // there is one path: it lives as long as the association
  usrsctp_sysctl_set_sctp_delayed_sack_time_default(20);
  usrsctp_sysctl_set_sctp_heartbeat_interval_default(30'000);

  // RFC 6928's ten packets instead of RFC 9260's four. Bursts are bounded by what the association
  // lets the engine hold, so the engine's own limit is off.
  usrsctp_sysctl_set_sctp_initial_cwnd(10);
  usrsctp_sysctl_set_sctp_max_burst_default(0);
  // Per direction; the default of 512 caps small messages at 10 MiB/s over 50 ms. What a peer can
  // make us hold stays bounded by the receiver window, which charges overhead per chunk.
  usrsctp_sysctl_set_sctp_max_chunks_on_queue(10'240);
}

}  // namespace

UsrSctpStack& UsrSctpStack::instance() {
  static UsrSctpStack* const stack = new UsrSctpStack;
  return *stack;
}

UsrSctpStack::UsrSctpStack() : scratch_(new uint8_t[kScratchSize]) {
  usrsctp_init_nothreads(0, &UsrSctpStack::onOutput, nullptr);
  // The association computes and checks CRC32c itself, with the processor's instruction.
  usrsctp_enable_crc32c_offload();
  configure();
}

void UsrSctpStack::attach(Port& port) {
  port.id = nextId_++;
  ports_.emplace(port.id, &port);
  usrsctp_register_address(reinterpret_cast<void*>(port.id));
}

void UsrSctpStack::detach(Port& port) {
  if (port.id == 0) return;
  usrsctp_deregister_address(reinterpret_cast<void*>(port.id));
  ports_.erase(port.id);
  port.id = 0;
  for (const Timer& timer : port.timers) {
    const auto owner = timerOwners_.find(timer.handle);
    if (owner != timerOwners_.end() && owner->second == &port) timerOwners_.erase(owner);
  }
  port.timers.clear();
}

int UsrSctpStack::onOutput(void* address, void* packet, size_t size, uint8_t, uint8_t) {
  UsrSctpStack& stack = instance();
  const auto found = stack.ports_.find(reinterpret_cast<uintptr_t>(address));
  if (found == stack.ports_.end()) return 0;
  Port& port = *found->second;
  const ByteSpan bytes{static_cast<const uint8_t*>(packet), size};
  // A SACK is always the first chunk.
  if (size >= kCommonHeaderSize + 8 && bytes[kCommonHeaderSize] == chunk::kSack) {
    port.sackedTsn = loadU32(&bytes[kCommonHeaderSize + 4]);
  }
  if (!port.outbox.push(bytes)) ++port.droppedTransmits;
  return 0;
}

// To shift a clock that shares its origin with others would make the time of all run fast: its next
// fresh reading would be taken for progress.
void UsrSctpStack::followLag(ClockLink& link, Timestamp now, int64_t lagNanos) {
  if (lagNanos < kReadingSkewNanos) {
    link.laggingSince.reset();
  } else if (!link.laggingSince) {
    link.laggingSince = now;
  } else if (now - *link.laggingSince >= kLagPatience) {
    link.offset += lagNanos;
    link.laggingSince.reset();
  }
}

void UsrSctpStack::tick(Port& port, ClockLink& link, Timestamp now) {
  port.attention = false;
  if (!link.linked) {
    const int64_t leap = now.nanos() + reference_.offset - fedNanos_;
    const bool sameClock = reference_.linked && leap >= 0 && leap <= kPlausibleLeapNanos;
    link.offset = sameClock ? reference_.offset : fedNanos_ - now.nanos();
    link.linked = true;
    reference_ = link;
  }
  const int64_t elapsed = now.nanos() + link.offset - fedNanos_;
  if (elapsed < 0) {
    followLag(link, now, -elapsed);
    return;
  }
  link.laggingSince.reset();
  if (elapsed < kGranularityNanos && nextTimer(port, link) > now) return;
  const int64_t millis = elapsed / 1'000'000;
  fedNanos_ += millis * 1'000'000;
  usrsctp_handle_timers(static_cast<uint32_t>(millis));
  // All that was due has run: what still looks due belongs to memory the engine has freed.
  for (Timer& timer : port.timers) timer.running = timer.running && timer.dueMillis > nowMillis();
}

}  // namespace parley::sctp
