// What every consumer project builds: one offer made through the facade, which links the whole
// stack. Options are named, and those that are left out bring no warning.
#pragma GCC diagnostic error "-Wmissing-field-initializers"

#include <cstdio>
#include <future>
#include <string>

#include "parley/parley.h"

int main() {
  const auto loop = parley::Loop::create({.bindDevice = ""});
  if (!loop->startThread()) return 1;
  auto connection = parley::PeerConnection::create(
      loop, {.iceTransportPolicy = parley::IceTransportPolicy::Relay});
  if (!connection) return 1;
  if (!connection->createDataChannel("chat", {.ordered = false})) return 1;
  if (!connection->addTransceiver(parley::MediaKind::Video,
                                  {.direction = parley::TransceiverDirection::SendOnly}))
    return 1;

  std::promise<std::string> sdp;
  connection->createOffer([&](parley::Result<parley::SessionDescription> offer) {
    sdp.set_value(offer ? offer->sdp : "");
  });
  const std::string text = sdp.get_future().get();
  connection->closeAndDrain();
  loop->stop();
  std::printf("parley %s\n%s", PARLEY_VERSION_STRING, text.c_str());
  return text.find("m=application") != std::string::npos &&
                 text.find("m=video") != std::string::npos
             ? 0
             : 1;
}
