// webrtc-pc sections 4.8, 5.5, 5.6 and 6.1: candidates, and the transports under a connection.

#include "conformance/peers.h"

namespace parley::conformance {
namespace {

class Transports : public Peers {
 protected:
  DtlsTransport dtls() { return a.sctp().transport(); }
  IceTransport ice() { return dtls().iceTransport(); }
};

/// All that getters of a closed connection still show.
Lines lastSeen(const PeerConnection& pc, const SctpTransport& sctp) {
  const IceTransport ice = sctp.transport().iceTransport();
  const auto parameters = [](const std::optional<IceParameters>& p) {
    return p ? p->usernameFragment + " " + p->password : "none";
  };
  Lines out{toString(ice.role()), parameters(ice.getLocalParameters()),
            parameters(ice.getRemoteParameters())};
  for (const IceCandidate& candidate : ice.getRemoteCandidates())
    out.push_back(candidate.candidate);
  out.push_back(std::to_string(sctp.maxMessageSize().value_or(0)));
  out.push_back(std::to_string(pc.maxMessageSize()));
  out.push_back(pc.canTrickleIceCandidates().value_or(false) ? "trickles" : "does not");
  for (const RtpTransceiver& t : pc.getTransceivers()) {
    out.push_back(t.mid().value_or("none"));
    const RtpSendParameters sent = t.sender().getParameters();
    const RtpReceiveParameters received = t.receiver().getParameters();
    out.push_back(sent.rtcp.cname.value_or("none") + (sent.rtcp.reducedSize ? " reduced " : " ") +
                  std::to_string(sent.encodings.size()));
    for (const auto* codecs : {&sent.codecs, &received.codecs}) {
      for (const RtpCodecParameters& codec : *codecs)
        out.push_back(codec.mimeType + std::to_string(codec.payloadType));
    }
    for (const auto* extensions : {&sent.headerExtensions, &received.headerExtensions}) {
      for (const RtpHeaderExtensionParameters& extension : *extensions)
        out.push_back(extension.uri + std::to_string(extension.id));
    }
    for (const auto& list :
         {t.getHeaderExtensionsToNegotiate(), t.getNegotiatedHeaderExtensions()}) {
      for (const RtpHeaderExtensionCapability& extension : list)
        out.push_back(extension.uri + " " + toString(extension.direction));
    }
  }
  out.push_back(std::to_string(pc.getSenders().size() + pc.getReceivers().size()));
  out.push_back(pc.localDescription()->sdp + pc.remoteDescription()->sdp);
  return out;
}

TEST_F(Transports, S4_4_2_WhatCloseDoesNotNameStaysAsItWas) {
  ASSERT_TRUE(a.addTransceiver(MediaKind::Audio));
  ASSERT_TRUE(a.createDataChannel("chat"));
  connect();
  ASSERT_TRUE(runUntil([&] { return a.sctp().state() == SctpTransportState::Connected; }));
  const SctpTransport sctp = a.sctp();
  const Lines before = lastSeen(a, sctp);
  EXPECT_EQ(before[0], "controlling");
  EXPECT_NE(before[2], "none");
  EXPECT_GT(before.size(), 20u) << "codecs and header extensions";
  a.close();
  EXPECT_EQ(lastSeen(a, sctp), before);
  // Not even once good-bye has been said and the machines behind are gone.
  run(Duration::seconds(300));
  EXPECT_EQ(lastSeen(a, sctp), before);
}

TEST_F(Transports, S4_8_1_TheLineIsTakenApart) {
  IceCandidate candidate;
  candidate.candidate =
      "candidate:842163049 1 udp 1677729535 192.0.2.5 60769 typ srflx raddr 10.0.0.5 rport 4000 "
      "ufrag 8hhY";
  const auto parsed = candidate.parse();
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->foundation, "842163049");
  EXPECT_EQ(parsed->component, 1);
  EXPECT_EQ(parsed->priority, 1677729535u);
  EXPECT_EQ(parsed->protocol, IceProtocol::Udp);
  EXPECT_EQ(parsed->address, "192.0.2.5");
  EXPECT_EQ(parsed->port, 60769);
  EXPECT_EQ(parsed->type, IceCandidateType::ServerReflexive);
  EXPECT_EQ(parsed->relatedAddress, "10.0.0.5");
  EXPECT_EQ(parsed->relatedPort, 4000);
  EXPECT_FALSE(parsed->tcpType);
  candidate.candidate = "candidate:1 2 TCP 1 2001:db8::1 9 typ host tcptype active";
  const auto tcp = candidate.parse();
  ASSERT_TRUE(tcp);
  EXPECT_EQ(tcp->component, 2);
  EXPECT_EQ(tcp->protocol, IceProtocol::Tcp);
  EXPECT_EQ(tcp->tcpType, IceTcpCandidateType::Active);
}

TEST_F(Transports, S4_8_1_WhatDoesNotParseHasNoParts) {
  for (const char* line : {"", "candidate:", "candidate:1 1 udp 1 10.0.0.1 1",
                           "a=candidate:nothing", "candidate:1 1 udp 1 10.0.0.1 65536 typ host"}) {
    IceCandidate candidate;
    candidate.candidate = line;
    EXPECT_FALSE(candidate.parse()) << line;
  }
}

TEST_F(Transports, S4_8_1_GatheredOnesSayWhereTheyBelong) {
  std::vector<IceCandidate> told;
  a.onIceCandidate([&](const std::optional<IceCandidate>& c) {
    if (c && !c->candidate.empty()) told.push_back(*c);
  });
  (void)a.createDataChannel("c");
  ASSERT_TRUE(setLocal(a));
  ASSERT_TRUE(runUntil([&] { return a.iceGatheringState() == IceGatheringState::Complete; }));
  ASSERT_FALSE(told.empty());
  for (const IceCandidate& candidate : told) {
    EXPECT_EQ(candidate.sdpMid, "0");
    EXPECT_EQ(candidate.sdpMLineIndex, 0);
    EXPECT_EQ(candidate.usernameFragment, ice().getLocalParameters()->usernameFragment);
    const auto parsed = candidate.parse();
    ASSERT_TRUE(parsed) << candidate.candidate;
    EXPECT_EQ(parsed->type, IceCandidateType::Host);
    EXPECT_FALSE(candidate.url) << "no server made it";
    EXPECT_EQ(candidate.relayProtocol.has_value(), false);
  }
}

TEST_F(Transports, S4_8_2_TheEndOfAGenerationIsToldTwice) {
  std::vector<std::string> ends;
  a.onIceCandidate([&](const std::optional<IceCandidate>& c) {
    if (!c) {
      ends.push_back("null");
    } else if (c->candidate.empty()) {
      EXPECT_EQ(c->sdpMid, "0");
      EXPECT_TRUE(c->usernameFragment);
      ends.push_back("empty");
    } else {
      EXPECT_TRUE(ends.empty());
    }
  });
  (void)a.createDataChannel("c");
  ASSERT_TRUE(setLocal(a));
  ASSERT_TRUE(runUntil([&] { return ends.size() == 2; }));
  EXPECT_EQ(ends, (std::vector<std::string>{"empty", "null"}));
}

TEST_F(Transports, S4_8_3_AServerThatDoesNotAnswerIsAnError) {
  Configuration configuration;
  configuration.iceServers.push_back({.urls = {"stun:10.200.0.1:3478"}});
  PeerConnection pc = make(configuration);
  std::vector<IceCandidateError> errors;
  pc.onIceCandidateError([&](const IceCandidateError& e) {
    EXPECT_EQ(pc.iceGatheringState(), IceGatheringState::Gathering);
    errors.push_back(e);
  });
  (void)pc.createDataChannel("c");
  ASSERT_TRUE(setLocal(pc));
  ASSERT_TRUE(runUntil([&] { return pc.iceGatheringState() == IceGatheringState::Complete; },
                       Duration::seconds(120)));
  ASSERT_FALSE(errors.empty());
  EXPECT_EQ(errors[0].errorCode, 701);
  EXPECT_EQ(errors[0].url, "stun:10.200.0.1:3478");
  EXPECT_FALSE(errors[0].errorText.empty());
  EXPECT_TRUE(errors[0].address);
  EXPECT_TRUE(errors[0].port);
}

TEST_F(Transports, S5_5_TheStateFollowsTheHandshake) {
  (void)a.createDataChannel("c");
  ASSERT_TRUE(setLocal(a));
  EXPECT_EQ(dtls().state(), DtlsTransportState::New);
  EXPECT_TRUE(dtls().getRemoteCertificates().empty());
  Log log;
  dtls().onStateChange([&](DtlsTransportState s) {
    EXPECT_EQ(dtls().state(), s);
    log.add(toString(s));
  });
  connect();
  EXPECT_EQ(log.take(), (Lines{"connecting", "connected"}));
  ASSERT_EQ(dtls().getRemoteCertificates().size(), 1u);
  EXPECT_EQ(dtls().getRemoteCertificates()[0].at(0), 0x30) << "DER: a sequence";
}

TEST_F(Transports, S5_5_AFingerprintThatIsAnothersFailsTheTransport) {
  (void)a.createDataChannel("c");
  trickle();
  ASSERT_TRUE(setLocal(a));
  Log log;
  std::optional<ErrorDetail> detail;
  dtls().onError([&](const Error& e) {
    EXPECT_EQ(dtls().state(), DtlsTransportState::Failed);
    detail = e.detail;
    log.add("error");
  });
  dtls().onStateChange([&](DtlsTransportState s) { log.add(toString(s)); });
  ASSERT_TRUE(setRemote(b, *a.localDescription()));
  ASSERT_TRUE(setLocal(b));
  SessionDescription forged = *b.localDescription();
  const size_t at = forged.sdp.find("a=fingerprint:sha-256 ") + 22;
  forged.sdp[at] = forged.sdp[at] == '0' ? '1' : '0';
  ASSERT_TRUE(setRemote(a, forged));
  ASSERT_TRUE(runUntil([&] { return a.connectionState() == PeerConnectionState::Failed; }));
  EXPECT_EQ(log.take(), (Lines{"connecting", "error", "failed"}));
  EXPECT_EQ(detail, ErrorDetail::FingerprintFailure);
}

TEST_F(Transports, S5_6_RolesFollowTheOffer) {
  (void)a.createDataChannel("c");
  ASSERT_TRUE(setLocal(a));
  ASSERT_TRUE(setRemote(b, *a.localDescription()));
  EXPECT_EQ(ice().role(), IceRole::Controlling);
  EXPECT_EQ(b.sctp().transport().iceTransport().role(), IceRole::Controlled);
  EXPECT_EQ(ice().component(), IceComponent::Rtp);
}

TEST_F(Transports, S5_6_ParametersComeWithTheDescriptions) {
  (void)a.createDataChannel("c");
  ASSERT_TRUE(setLocal(a));
  const IceParameters local = ice().getLocalParameters().value();
  EXPECT_NE(a.localDescription()->sdp.find("a=ice-ufrag:" + local.usernameFragment),
            std::string::npos);
  EXPECT_NE(a.localDescription()->sdp.find("a=ice-pwd:" + local.password), std::string::npos);
  EXPECT_FALSE(ice().getRemoteParameters());
  ASSERT_TRUE(setRemote(b, *a.localDescription()));
  EXPECT_EQ(b.sctp().transport().iceTransport().getRemoteParameters(), local);
}

TEST_F(Transports, S5_6_ATransportThatBundlingEndsTellsNothingMore) {
  (void)a.addTransceiver(MediaKind::Audio);
  const RtpTransceiver video = a.addTransceiver(MediaKind::Video).value();
  ASSERT_TRUE(setLocal(a));
  const DtlsTransport own = video.sender().transport();
  const IceTransport transport = own.iceTransport();
  ASSERT_NE(own, a.getTransceivers()[0].sender().transport());
  EXPECT_EQ(transport.role(), IceRole::Controlling);
  EXPECT_TRUE(transport.getLocalParameters());
  ASSERT_TRUE(setRemote(b, *a.localDescription()));
  ASSERT_TRUE(setLocal(b));
  ASSERT_TRUE(setRemote(a, *b.localDescription()));
  ASSERT_NE(own, video.sender().transport());
  EXPECT_EQ(transport.state(), IceTransportState::Closed);
  EXPECT_EQ(transport.role(), IceRole::Unknown);
  EXPECT_FALSE(transport.getLocalParameters());
  EXPECT_FALSE(transport.getRemoteParameters());
  EXPECT_EQ(video.sender().transport().iceTransport().role(), IceRole::Controlling);
}

TEST_F(Transports, S5_6_CandidatesOfBothEndsAreListed) {
  (void)a.createDataChannel("c");
  Log log;
  ASSERT_TRUE(setLocal(a));
  ice().onSelectedCandidatePairChange([&] {
    EXPECT_TRUE(ice().getSelectedCandidatePair());
    log.add("pair");
  });
  EXPECT_FALSE(ice().getSelectedCandidatePair());
  EXPECT_TRUE(ice().getRemoteCandidates().empty());
  connect();
  EXPECT_GE(log.size(), 1u);
  EXPECT_FALSE(ice().getLocalCandidates().empty());
  EXPECT_FALSE(ice().getRemoteCandidates().empty());
  const IceCandidatePair pair = ice().getSelectedCandidatePair().value();
  EXPECT_EQ(pair.local.parse()->component, 1);
  EXPECT_NE(pair.local.candidate, pair.remote.candidate);
  a.close();
  EXPECT_FALSE(ice().getSelectedCandidatePair());
}

TEST_F(Transports, S5_6_ARestartBeginsAGeneration) {
  (void)a.createDataChannel("c");
  connect();
  const IceParameters before = ice().getLocalParameters().value();
  a.restartIce();
  ASSERT_TRUE(setLocal(a));
  const IceParameters after = ice().getLocalParameters().value();
  EXPECT_NE(after.usernameFragment, before.usernameFragment);
  EXPECT_NE(after.password, before.password);
  EXPECT_EQ(ice().state(), IceTransportState::Connected) << "the old path carries on";
}

TEST_F(Transports, S6_1_TheTransportComesWithADescription) {
  (void)a.createDataChannel("c");
  EXPECT_FALSE(a.sctp());
  ASSERT_TRUE(setLocal(a));
  ASSERT_TRUE(a.sctp());
  EXPECT_EQ(a.sctp().state(), SctpTransportState::Connecting);
  EXPECT_FALSE(a.sctp().maxChannels());
  Log log;
  a.sctp().onStateChange([&](SctpTransportState s) { log.add(toString(s)); });
  connect();
  ASSERT_TRUE(runUntil([&] { return a.sctp().state() == SctpTransportState::Connected; }));
  EXPECT_GT(a.sctp().maxChannels().value_or(0), 0u);
  EXPECT_EQ(a.sctp().transport(), dtls());
  a.close();
  run();
  EXPECT_EQ(log.take(), (Lines{"connected", "closed"}));
}

TEST_F(Transports, S6_1_TheLargestMessageIsWhatThePeerSays) {
  (void)a.createDataChannel("c");
  ASSERT_TRUE(setLocal(a));
  ASSERT_TRUE(setRemote(b, *a.localDescription()));
  const std::string made = answer(b)->sdp;
  const auto withSize = [&](const std::string& line) {
    std::string out = made;
    const size_t at = out.find("a=max-message-size:");
    out.replace(at, out.find('\n', at) - at + 1, line);
    return SessionDescription{SdpType::Pranswer, out};
  };
  ASSERT_TRUE(setRemote(a, withSize("a=max-message-size:1000\r\n")));
  EXPECT_EQ(a.sctp().maxMessageSize(), 1000u);
  ASSERT_TRUE(setRemote(a, withSize("")));
  EXPECT_EQ(a.sctp().maxMessageSize(), 65536u) << "RFC 8841: if it says nothing";
}

TEST_F(Transports, S5_5_AGoodByeOfThePeerClosesTheTransport) {
  (void)a.createDataChannel("c");
  connect();
  Log log;
  dtls().onStateChange([&](DtlsTransportState s) { log.add(toString(s)); });
  dtls().onError([&](const Error&) { log.add("error"); });
  b.close();
  ASSERT_TRUE(runUntil([&] { return dtls().state() == DtlsTransportState::Closed; }));
  EXPECT_EQ(log.take(), (Lines{"closed"})) << "nothing is wrong";
}

}  // namespace
}  // namespace parley::conformance
