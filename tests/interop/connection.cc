#include "connection.h"

#include <chrono>
#include <fstream>
#include <stdexcept>
#include <thread>
#include <utility>

#include "awaiting.h"
#include "compressed.h"

namespace parley::interop {
namespace {

constexpr std::chrono::milliseconds kPoll{5};

IceServer serverOf(const Json& given) {
  IceServer server;
  const Json& urls = given.at("urls");
  if (urls.is_array()) {
    server.urls = urls.get<std::vector<std::string>>();
  } else {
    server.urls = {urls.get<std::string>()};
  }
  server.username = given.value("username", "");
  server.credential = given.value("credential", "");
  // Browsers are told by their command line to trust the test server; so are we.
  server.verifyCertificate = given.value("verifyCertificate", false);
  return server;
}

Configuration configurationOf(const Json& given) {
  Configuration configuration;
  configuration.includeLoopback = true;
  for (const Json& server : given.value("iceServers", Json::array()))
    configuration.iceServers.push_back(serverOf(server));
  if (given.value("iceTransportPolicy", "all") == "relay")
    configuration.iceTransportPolicy = IceTransportPolicy::Relay;
  const std::string bundle = given.value("bundlePolicy", "balanced");
  configuration.bundlePolicy = bundle == "max-compat"   ? BundlePolicy::MaxCompat
                               : bundle == "max-bundle" ? BundlePolicy::MaxBundle
                                                        : BundlePolicy::Balanced;
  configuration.iceLite = given.value("iceLite", false);
  if (given.value("congestionControl", "") == "scream")
    configuration.congestionControl = CongestionControl::Scream;
  configuration.receiveSimulcast = given.value("receiveSimulcast", false);
  // "more": the library has them; "own": the app does, and the library sees compressed frames.
  const std::string codecs = given.value("codecs", "");
  if (codecs == "more") useMoreCodecs(configuration);
  if (codecs == "own") bringCodecs(configuration);
  const std::string hidden = given.value("rtpHeaderEncryptionPolicy", "");
  if (hidden == "negotiate") configuration.headerEncryption = HeaderEncryptionPolicy::Negotiate;
  if (hidden == "require") configuration.headerEncryption = HeaderEncryptionPolicy::Require;
  configuration.hideHostAddresses = given.value("hideHostAddresses", false);
  if (given.value("listensOnTcp", false))
    configuration.tcpCandidates = TcpCandidates::ActiveAndPassive;
  return configuration;
}

SessionDescription descriptionOf(const Json& given) {
  const auto type = jsep::parseSdpType(given.at("type").get<std::string>());
  if (!type) throw std::runtime_error("Type: no such kind of description");
  return {*type, given.value("sdp", "")};
}

Json toJson(const SessionDescription& description) {
  return {{"type", toString(description.type)}, {"sdp", description.sdp}};
}

}  // namespace

std::shared_ptr<Connection> Connection::create(Shared& shared, std::string name,
                                               const Json& config) {
  std::shared_ptr<Connection> made(new Connection(shared, std::move(name)));
  made->pc_ = need(PeerConnection::create(shared.loop, configurationOf(config)));
  made->ownCodecs_ = config.value("codecs", "") == "own";
  made->watch();
  return made;
}

void Connection::report(const char* event, Json members) {
  members["event"] = event;
  members["pc"] = name_;
  shared_.out.event(members);
}

void Connection::watch() {
  // The connection outlives its callbacks: it closes `pc_` before it goes.
  const auto state = [this](const char* kind) {
    return [this, kind](auto value) {
      report("state", {{"kind", kind}, {"value", toString(value)}});
    };
  };
  pc_.onConnectionStateChange(state("connection"));
  pc_.onIceConnectionStateChange(state("iceConnection"));
  pc_.onIceGatheringStateChange(state("iceGathering"));
  pc_.onSignalingStateChange(state("signaling"));
  pc_.onNegotiationNeeded([this] { report("negotiationneeded", Json::object()); });
  pc_.onIceCandidate(
      [this](const std::optional<IceCandidate>& candidate) { onCandidate(candidate); });
  pc_.onIceCandidateError([this](const IceCandidateError& error) {
    report("candidateerror", {{"code", error.errorCode}, {"text", error.errorText}});
  });
  pc_.onTrack([this](const TrackEvent& event) { onTrack(event); });
  if (!shared_.traces.empty()) {
    static int number = 0;
    const auto file = std::make_shared<std::ofstream>(shared_.traces + "/" + name_ + "-" +
                                                      std::to_string(number++) + ".csv");
    *file << BandwidthEstimate::csvHeader() << "\n";
    pc_.onBandwidthEstimate(
        [file](const BandwidthEstimate& estimate) { *file << estimate.csvRow() << std::endl; });
  }
  pc_.onDataChannel([this](DataChannel channel) {
    std::string mode;
    {
      const std::lock_guard lock(mutex_);
      mode = incomingMode_;
    }
    shared_.adopt(name_, std::move(channel), mode);
  });
}

void Connection::onCandidate(const std::optional<IceCandidate>& candidate) {
  if (!candidate) return report("candidate", {{"candidate", nullptr}});
  const auto parsed = candidate->parse();
  // On plain loopback nobody outside shall be named, let alone asked.
  const auto inside = [](const std::string& address) {
    return address.starts_with("127.") || address == "::1" || address.ends_with(".local");
  };
  if (parsed && !shared_.allInterfaces && parsed->type != IceCandidateType::Relay &&
      !inside(parsed->address))
    return;
  report("candidate", {{"candidate",
                        {{"candidate", candidate->candidate},
                         {"sdpMid", orNull(candidate->sdpMid)},
                         {"sdpMLineIndex", orNull(candidate->sdpMLineIndex)},
                         {"usernameFragment", orNull(candidate->usernameFragment)}}}});
}

void Connection::onTrack(const TrackEvent& event) {
  const std::string mid = event.transceiver.mid().value_or("");
  MediaStreamTrack track = event.track;
  const char* kind = toString(track.kind());
  {
    const std::lock_guard lock(mutex_);
    meters_[mid] = std::make_shared<MediaMeter>(mid, track, ownCodecs_);
  }
  const auto happening = [&](const char* name) {
    return [this, name, mid, kind] { report(name, {{"mid", mid}, {"kind", kind}}); };
  };
  track.onMute(happening("mute"));
  track.onUnmute(happening("unmute"));
  track.onEnded(happening("ended"));
  RtpReceiver(event.receiver).onTelephoneEvent([this](const TelephoneEvent& key) {
    if (!key.ended) return;
    const std::lock_guard lock(mutex_);
    keys_.push_back(key);
  });
  report("track", {{"mid", mid}, {"kind", kind}, {"id", track.id()}, {"streams", event.streams}});
}

Json Connection::describe(const Json& request, bool offer) {
  const auto description = await<SessionDescription>([&](auto done) {
    if (!offer) return pc_.createAnswer(std::move(done));
    OfferOptions options;
    options.iceRestart =
        request.value("options", Json::object()).value("iceRestart", options.iceRestart);
    pc_.createOffer(options, std::move(done));
  });
  if (request.value("set", false)) {
    await<void>([&](auto done) { pc_.setLocalDescription(description, std::move(done)); });
  }
  return toJson(description);
}

void Connection::setLocal(const Json& request) {
  await<void>([&](auto done) {
    if (!request.contains("desc")) return pc_.setLocalDescription(std::move(done));
    pc_.setLocalDescription(descriptionOf(request["desc"]), std::move(done));
  });
}

void Connection::setRemote(const Json& request) {
  const SessionDescription description = descriptionOf(request.at("desc"));
  await<void>([&](auto done) { pc_.setRemoteDescription(description, std::move(done)); });
}

Json Connection::localDescription(const Json& request) {
  while (request.value("gathered", false) &&
         pc_.iceGatheringState() != IceGatheringState::Complete) {
    std::this_thread::sleep_for(kPoll);
  }
  const auto description = pc_.localDescription();
  return description ? toJson(*description) : Json();
}

void Connection::addCandidate(const Json& request) {
  IceCandidate candidate;
  const auto given = optionalMember<Json>(request, "candidate").value_or(Json::object());
  candidate.candidate = given.value("candidate", "");
  candidate.sdpMid = optionalMember<std::string>(given, "sdpMid");
  candidate.sdpMLineIndex = optionalMember<uint16_t>(given, "sdpMLineIndex");
  candidate.usernameFragment = optionalMember<std::string>(given, "usernameFragment");
  await<void>([&](auto done) { pc_.addIceCandidate(candidate, std::move(done)); });
}

std::string Connection::stateOf(const std::string& kind) const {
  if (kind == "connection") return toString(pc_.connectionState());
  if (kind == "iceConnection") return toString(pc_.iceConnectionState());
  if (kind == "iceGathering") return toString(pc_.iceGatheringState());
  if (kind == "signaling") return toString(pc_.signalingState());
  throw std::runtime_error("no state " + kind);
}

void Connection::wait(const Json& request) {
  const std::string kind = request.value("kind", "connection");
  const std::string value = request.value("value", "connected");
  const auto end =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(request.value("timeout", 15000));
  while (stateOf(kind) != value) {
    if (std::chrono::steady_clock::now() > end)
      throw std::runtime_error("timeout: " + kind + " is " + stateOf(kind));
    std::this_thread::sleep_for(kPoll);
  }
}

void Connection::close() {
  pc_.closeAndDrain();
  for (auto& [kind, source] : sources_) source.track.stop();
}

DataChannel Connection::openChannel(const std::string& label, const Json& given) {
  DataChannelInit init;
  init.ordered = given.value("ordered", init.ordered);
  init.maxRetransmits = optionalMember<uint16_t>(given, "maxRetransmits");
  init.maxPacketLifeTime = optionalMember<uint16_t>(given, "maxPacketLifeTime");
  init.protocol = given.value("protocol", "");
  init.negotiated = given.value("negotiated", init.negotiated);
  init.id = optionalMember<uint16_t>(given, "id");
  return need(pc_.createDataChannel(label, init));
}

void Connection::setIncomingMode(const std::string& mode) {
  const std::lock_guard lock(mutex_);
  incomingMode_ = mode;
}

}  // namespace parley::interop
