// What SRTP costs per packet, in one direction: this library on OpenSSL's ciphers beside libsrtp.
// Arguments: profile, octets of payload.

#include <benchmark/benchmark.h>

#include "parley/base/random.h"
#include "parley/srtp/srtp_session.h"

namespace {

using namespace parley;  // NOLINT: a program of one page
using crypto::SrtpProfile;

constexpr int64_t kProfiles[] = {static_cast<int64_t>(SrtpProfile::AeadAes128Gcm),
                                 static_cast<int64_t>(SrtpProfile::AeadAes256Gcm),
                                 static_cast<int64_t>(SrtpProfile::Aes128CmHmacSha1_80)};
constexpr size_t kHeader = 12;

std::unique_ptr<srtp::SrtpSession> makeSession(SrtpProfile profile, bool isClient,
                                               srtp::SrtpEngine engine) {
  SeededRandom random(1);
  Bytes exported(crypto::srtpExporterLength(profile));
  random.fill(exported);
  srtp::SrtpOptions options;
  options.engine = engine;
  return std::move(*srtp::SrtpSession::create(*crypto::SrtpKeying::fromExporter(profile, exported),
                                              isClient, options));
}

void start(PacketBuf& packet, uint16_t sequence, size_t payload) {
  packet.resize(kHeader + payload);
  packet.data()[0] = 0x80;
  packet.data()[1] = 96;
  storeU16(packet.data() + 2, sequence);
}

void protect(benchmark::State& state, srtp::SrtpEngine engine) {
  const auto profile = static_cast<SrtpProfile>(state.range(0));
  const auto payload = static_cast<size_t>(state.range(1));
  const auto session = makeSession(profile, true, engine);
  PacketPool pool;
  PacketBuf packet = pool.copyOf(Bytes(kHeader + payload));
  uint16_t sequence = 0;
  for (auto _ : state) {
    start(packet, ++sequence, payload);
    if (session->protectRtp(packet) != srtp::Status::Ok) state.SkipWithError("protect");
  }
  state.SetLabel(toString(profile));
}

void unprotect(benchmark::State& state, srtp::SrtpEngine engine) {
  const auto profile = static_cast<SrtpProfile>(state.range(0));
  const auto payload = static_cast<size_t>(state.range(1));
  const auto sender = makeSession(profile, true, engine);
  PacketPool pool;
  // Each packet can be taken once; a fresh receiver takes them all again.
  std::vector<PacketBuf> sealed;
  for (uint16_t sequence = 0; sequence < 2000; ++sequence) {
    sealed.push_back(pool.copyOf(Bytes(kHeader + payload)));
    start(sealed.back(), sequence, payload);
    (void)sender->protectRtp(sealed.back());
  }
  auto receiver = makeSession(profile, false, engine);
  PacketBuf packet = pool.allocate();
  size_t next = 0;
  for (auto _ : state) {
    if (next == sealed.size()) {
      state.PauseTiming();
      receiver = makeSession(profile, false, engine);
      next = 0;
      state.ResumeTiming();
    }
    packet.assign(sealed[next++].span());
    if (receiver->unprotectRtp(packet) != srtp::Status::Ok) state.SkipWithError("unprotect");
  }
  state.SetLabel(toString(profile));
}

void arguments(benchmark::internal::Benchmark* benchmark) {
  for (const int64_t profile : kProfiles) {
    benchmark->Args({profile, 1188});
    benchmark->Args({profile, 160});
  }
}

BENCHMARK_CAPTURE(protect, ciphers, srtp::SrtpEngine::Ciphers)->Apply(arguments);
BENCHMARK_CAPTURE(protect, libsrtp, srtp::SrtpEngine::Library)->Apply(arguments);
BENCHMARK_CAPTURE(unprotect, ciphers, srtp::SrtpEngine::Ciphers)->Apply(arguments);
BENCHMARK_CAPTURE(unprotect, libsrtp, srtp::SrtpEngine::Library)->Apply(arguments);

}  // namespace
