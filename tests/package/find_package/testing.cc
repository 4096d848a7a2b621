#include "parley/testing/pair.h"

int main() {
  parley::testing::Pair pair;
  const auto channel = pair.a().createDataChannel("chat");
  return channel && pair.connect() ? 0 : 1;
}
