// What every consumer project builds: touches the library's public headers and its code.

#include <cstdio>

#include "parley/base/address.h"
#include "parley/base/secure_random.h"
#include "parley/base/version.h"

int main() {
  const auto address = parley::SocketAddress::parse("[2001:db8::1]:3478");
  if (!address || address->toString() != "[2001:db8::1]:3478") return 1;
  std::printf("parley %s\n", PARLEY_VERSION_STRING);
  return 0;
}
