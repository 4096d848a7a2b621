// webrtc-pc sections 4.2, 4.4.1.1, 4.4.1.6 and 4.9: what a connection is made with, what of it can
// be changed, and certificates.

#include "conformance/peers.h"

namespace parley::conformance {
namespace {

class ConfigurationTest : public Peers {
 protected:
  Result<PeerConnection> tryToMake(Configuration configuration) {
    return PeerConnection::create(pair.loopA(), std::move(configuration));
  }
  static Configuration withServer(std::vector<std::string> urls,
                                  std::optional<std::string> username = {},
                                  std::optional<std::string> credential = {}) {
    Configuration out;
    out.iceServers.push_back({.urls = std::move(urls),
                              .username = std::move(username),
                              .credential = std::move(credential)});
    return out;
  }
};

TEST_F(ConfigurationTest, S4_2_1_DefaultsAreThoseOfTheDictionary) {
  const Configuration got = make().getConfiguration();
  EXPECT_TRUE(got.iceServers.empty());
  EXPECT_EQ(got.iceTransportPolicy, IceTransportPolicy::All);
  EXPECT_EQ(got.bundlePolicy, BundlePolicy::Balanced);
  EXPECT_EQ(got.rtcpMuxPolicy, RtcpMuxPolicy::Require);
  EXPECT_EQ(got.iceCandidatePoolSize, 0);
  EXPECT_EQ(got.certificates.size(), 1u) << "one of its own";
}

TEST_F(ConfigurationTest, S4_2_2_UrlsOfServersAreChecked) {
  for (const char* url : {"", "stun", "http://example.org", "stun:", "stun:host:port",
                          "stun:host?transport=udp", "turn:host?transport=sctp", "turn:a b"}) {
    expectError(tryToMake(withServer({url}, "user", "secret")), ErrorCode::Syntax);
  }
  expectError(tryToMake(withServer({})), ErrorCode::Syntax);
  expectError(tryToMake(withServer({"stuns:host"})), ErrorCode::NotSupported);
  for (const char* url : {"stun:host", "STUN:host:3478", "stun:[::1]:3478", "turn:host",
                          "turn:host:5349?transport=tcp", "turns:host?transport=udp"}) {
    EXPECT_TRUE(tryToMake(withServer({url}, "user", "secret"))) << url;
  }
}

TEST_F(ConfigurationTest, S4_2_2_TurnServersNeedBothCredentials) {
  for (const char* url : {"turn:host", "turns:host"}) {
    expectError(tryToMake(withServer({url})), ErrorCode::InvalidAccess);
    expectError(tryToMake(withServer({url}, "user")), ErrorCode::InvalidAccess);
    expectError(tryToMake(withServer({url}, {}, "secret")), ErrorCode::InvalidAccess);
    EXPECT_TRUE(tryToMake(withServer({url}, "", "")));
    expectError(tryToMake(withServer({url}, std::string(509, 'u'), "secret")),
                ErrorCode::InvalidAccess);
  }
  EXPECT_TRUE(tryToMake(withServer({"stun:host"})));
}

TEST_F(ConfigurationTest, S4_2_3_RelayAloneTellsNoOtherCandidates) {
  Configuration configuration;
  configuration.iceTransportPolicy = IceTransportPolicy::Relay;
  PeerConnection pc = make(configuration);
  size_t told = 0;
  pc.onIceCandidate([&](const std::optional<IceCandidate>& c) {
    if (c && !c->candidate.empty()) ++told;
  });
  (void)pc.createDataChannel("c");
  ASSERT_TRUE(setLocal(pc));
  ASSERT_TRUE(runUntil([&] { return pc.iceGatheringState() == IceGatheringState::Complete; }));
  EXPECT_EQ(told, 0u);
  EXPECT_EQ(pc.localDescription()->sdp.find("a=candidate"), std::string::npos);
}

TEST_F(ConfigurationTest, S4_2_5_RtcpSharesThePort) {
  (void)a.addTransceiver(MediaKind::Audio);
  SessionDescription made = offer(a).value();
  const size_t at = made.sdp.find("a=rtcp-mux\r\n");
  ASSERT_NE(at, std::string::npos);
  made.sdp.erase(at, 12);
  expectError(setRemote(b, made), ErrorCode::InvalidAccess);
  EXPECT_EQ(b.signalingState(), SignalingState::Stable);
}

TEST_F(ConfigurationTest, S4_2_6_AnIceRestartOfTheOfferChangesTheCredentials) {
  (void)a.createDataChannel("c");
  negotiate(a, b);
  const auto ufrag = [](const std::string& sdp) {
    const size_t at = sdp.find("a=ice-ufrag:");
    return sdp.substr(at, sdp.find('\n', at) - at);
  };
  const std::string before = ufrag(a.localDescription()->sdp);
  EXPECT_EQ(ufrag(offer(a)->sdp), before);
  EXPECT_NE(ufrag(offer(a, {.iceRestart = true})->sdp), before);
  EXPECT_EQ(ufrag(a.localDescription()->sdp), before) << "nothing is applied";
}

TEST_F(ConfigurationTest, S4_4_1_1_ANewConnectionIsStableAndEmpty) {
  PeerConnection pc = make();
  EXPECT_EQ(pc.signalingState(), SignalingState::Stable);
  EXPECT_EQ(pc.iceGatheringState(), IceGatheringState::New);
  EXPECT_EQ(pc.iceConnectionState(), IceConnectionState::New);
  EXPECT_EQ(pc.connectionState(), PeerConnectionState::New);
  EXPECT_FALSE(pc.localDescription() || pc.remoteDescription());
  EXPECT_FALSE(pc.currentLocalDescription() || pc.currentRemoteDescription());
  EXPECT_FALSE(pc.pendingLocalDescription() || pc.pendingRemoteDescription());
  EXPECT_FALSE(pc.canTrickleIceCandidates());
  EXPECT_FALSE(pc.sctp());
  EXPECT_TRUE(pc.getTransceivers().empty() && pc.getSenders().empty() && pc.getReceivers().empty());
}

TEST_F(ConfigurationTest, S4_4_1_1_AnExpiredCertificateIsRefused) {
  Configuration configuration;
  configuration.certificates = {Certificate::generate(Duration::zero()).value()};
  // By the machine's clock: those of the test are elsewhere.
  expectError(PeerConnection::create(Loop::create(), configuration), ErrorCode::InvalidAccess);
}

TEST_F(ConfigurationTest, S4_4_1_1_GivenCertificatesAreUsed) {
  Configuration configuration;
  configuration.certificates = {Certificate::generate().value()};
  PeerConnection pc = make(configuration);
  (void)pc.createDataChannel("c");
  std::string value = configuration.certificates[0].getFingerprints().at(0).value;
  for (char& c : value) c = static_cast<char>(std::toupper(c));
  EXPECT_NE(offer(pc)->sdp.find(value), std::string::npos);
}

TEST_F(ConfigurationTest, S4_4_1_6_AFaultyServerChangesNothing) {
  PeerConnection pc = make(withServer({"stun:one"}));
  Configuration changed = pc.getConfiguration();
  changed.iceTransportPolicy = IceTransportPolicy::Relay;
  changed.iceServers[0].urls = {"stun:two"};
  changed.iceServers.push_back({.urls = {"nonsense"}});
  expectError(pc.setConfiguration(changed), ErrorCode::Syntax);
  changed.iceServers[1] = {.urls = {"turn:three"}};
  expectError(pc.setConfiguration(changed), ErrorCode::InvalidAccess);
  EXPECT_EQ(pc.getConfiguration().iceTransportPolicy, IceTransportPolicy::All);
  EXPECT_EQ(pc.getConfiguration().iceServers.at(0).urls.at(0), "stun:one");
}

TEST_F(ConfigurationTest, S4_4_1_6_ServersAndPolicyTakeEffectWithTheNextGathering) {
  trickle();
  (void)a.createDataChannel("c");
  Configuration changed = a.getConfiguration();
  changed.iceTransportPolicy = IceTransportPolicy::Relay;
  ASSERT_TRUE(setLocal(a));
  ASSERT_TRUE(runUntil([&] { return a.iceGatheringState() == IceGatheringState::Complete; }));
  ASSERT_TRUE(a.setConfiguration(changed));
  EXPECT_NE(a.localDescription()->sdp.find("a=candidate"), std::string::npos);
  ASSERT_TRUE(setRemote(b, *a.localDescription()));
  ASSERT_TRUE(setLocal(b));
  ASSERT_TRUE(setRemote(a, *b.localDescription()));
  a.restartIce();
  ASSERT_TRUE(setLocal(a));
  run(Duration::seconds(2));
  EXPECT_EQ(a.localDescription()->sdp.find("a=candidate"), std::string::npos);
}

TEST_F(ConfigurationTest, S4_4_1_6_NothingCanBeSetOnceClosed) {
  a.close();
  expectError(a.setConfiguration({}), ErrorCode::InvalidState);
}

TEST_F(ConfigurationTest, S4_9_1_ExpiryIsBounded) {
  constexpr double kDayMs = 86'400'000;
  const auto lifeMs = [&](Duration validFor) {
    const Result<Certificate> made = Certificate::generate(validFor);
    const double now = static_cast<double>(std::time(nullptr)) * 1000;
    return static_cast<double>(made->expires()) - now;
  };
  EXPECT_NEAR(lifeMs(Duration::seconds(30 * 86400)), 30 * kDayMs, 60'000);
  EXPECT_NEAR(lifeMs(Duration::seconds(10)), 10'000, 5'000);
  EXPECT_NEAR(lifeMs(Duration::seconds(1000 * 86400LL)), 365 * kDayMs, 2 * kDayMs) << "a year";
  expectError(Certificate::generate(Duration::millis(-1)), ErrorCode::Range);
}

TEST_F(ConfigurationTest, S4_9_1_BothKindsOfKeyCanBeGenerated) {
  for (const CertificateKey key : {CertificateKey::EcdsaP256, CertificateKey::Rsa2048})
    EXPECT_TRUE(Certificate::generate(Duration::seconds(3600), key));
}

TEST_F(ConfigurationTest, S4_9_2_FingerprintsAreLowerCaseHex) {
  const auto fingerprints = Certificate::generate()->getFingerprints();
  ASSERT_EQ(fingerprints.size(), 1u);
  EXPECT_EQ(fingerprints[0].algorithm, "sha-256");
  ASSERT_EQ(fingerprints[0].value.size(), 32 * 3 - 1u);
  for (size_t i = 0; i < fingerprints[0].value.size(); ++i) {
    const char c = fingerprints[0].value[i];
    EXPECT_TRUE(i % 3 == 2 ? c == ':' : std::string_view("0123456789abcdef").find(c) < 16) << i;
  }
}

TEST_F(ConfigurationTest, S4_9_2_ACertificateCanBeKept) {
  const Certificate made = Certificate::generate().value();
  const Certificate back = Certificate::fromPem(made.toPem()).value();
  EXPECT_EQ(back.expires(), made.expires());
  EXPECT_EQ(back.getFingerprints().at(0).value, made.getFingerprints().at(0).value);
  expectError(Certificate::fromPem("-----BEGIN CERTIFICATE-----"), ErrorCode::Syntax);
}

}  // namespace
}  // namespace parley::conformance
