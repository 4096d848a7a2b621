#include "parley/parley.h"

extern "C" __attribute__((visibility("default"))) int wrapperCreatesConnection() {
  auto connection = parley::PeerConnection::create(parley::Loop::create());
  return connection && connection->createDataChannel("chat") ? 1 : 0;
}
