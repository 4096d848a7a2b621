#include "parley/sim/clock_shim.h"

#include <dlfcn.h>
#include <memory>
#include <string>
#include <sys/time.h>
#include <thread>
#include <usrsctp.h>

#include <gtest/gtest.h>
#include <openssl/ssl.h>

namespace parley::sim {
namespace {

int64_t readMicros() {
  timeval tv{};
  gettimeofday(&tv, nullptr);
  return static_cast<int64_t>(tv.tv_sec) * 1'000'000 + tv.tv_usec;
}

constexpr int64_t kOrigin = kVirtualUnixSeconds * 1'000'000;

TEST(ClockShim, AnswersRealTimeWithoutScope) {
  timespec real{};
  clock_gettime(CLOCK_REALTIME, &real);
  const int64_t us = static_cast<int64_t>(real.tv_sec) * 1'000'000 + real.tv_nsec / 1'000;
  EXPECT_NEAR(static_cast<double>(readMicros() - us), 0.0, 5e6);
}

TEST(ClockShim, AnswersVirtualTimeInScope) {
  ClockScope scope(Timestamp::millis(1500));
  EXPECT_EQ(readMicros(), kOrigin + 1'500'000);
  setVirtualNow(Timestamp::micros(7));
  EXPECT_EQ(readMicros(), kOrigin + 7);
}

TEST(ClockShim, ScopesMayEndInAnyOrder) {
  auto first = std::make_unique<ClockScope>(Timestamp::seconds(1));
  auto second = std::make_unique<ClockScope>(Timestamp::seconds(2));
  EXPECT_EQ(readMicros(), kOrigin + 2'000'000);
  first.reset();
  EXPECT_EQ(readMicros(), kOrigin + 2'000'000);
  second.reset();
  EXPECT_EQ(ClockScope::current(), nullptr);
}

TEST(ClockShim, OtherThreadsKeepRealTime) {
  ClockScope scope(Timestamp::seconds(1));
  int64_t elsewhere = 0;
  std::thread([&] { elsewhere = readMicros(); }).join();
  EXPECT_GT(elsewhere, kOrigin + 60'000'000);
}

TEST(ClockShim, IsWhatSharedLibrariesResolve) {
  EXPECT_EQ(dlsym(RTLD_DEFAULT, "gettimeofday"), reinterpret_cast<void*>(&gettimeofday));
}

TEST(ClockShim, OpenSslDtlsTimerFollowsIt) {
  ClockScope scope(Timestamp::seconds(10));
  SSL_CTX* context = SSL_CTX_new(DTLS_client_method());
  SSL* ssl = SSL_new(context);
  SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_set_options(ssl, SSL_OP_NO_QUERY_MTU);
  SSL_set_mtu(ssl, 1200);
  SSL_set_connect_state(ssl);
  SSL_do_handshake(ssl);
  timeval left{};
  ASSERT_EQ(DTLSv1_get_timeout(ssl, &left), 1);
  EXPECT_EQ(left.tv_sec * 1'000'000 + left.tv_usec, 1'000'000);
  scope.set(Timestamp::millis(10'400));
  ASSERT_EQ(DTLSv1_get_timeout(ssl, &left), 1);
  EXPECT_EQ(left.tv_sec * 1'000'000 + left.tv_usec, 600'000);
  SSL_free(ssl);
  SSL_CTX_free(context);
}

TEST(ClockShim, UsrsctpFollowsIt) {
  ClockScope scope(Timestamp::micros(123'456));
  const uint8_t packet[16] = {};
  char* text = usrsctp_dumppacket(packet, sizeof packet, SCTP_DUMP_OUTBOUND);
  ASSERT_NE(text, nullptr);
  EXPECT_NE(std::string(text).find(".123456"), std::string::npos) << text;
  usrsctp_freedumpbuffer(text);
}

}  // namespace
}  // namespace parley::sim
