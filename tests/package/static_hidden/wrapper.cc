#include "parley/parley.h"

extern "C" __attribute__((visibility("default"))) int wrapperCreatesConnection() {
  const auto loop = parley::Loop::create();
  auto connection = parley::PeerConnection::create(loop);
  return connection && connection->createDataChannel("chat") ? 1 : 0;
}
