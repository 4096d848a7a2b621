#include "parley/base/address.h"

extern "C" __attribute__((visibility("default"))) int wrapperParses(const char* text) {
  return parley::IpAddress::parse(text).has_value() ? 1 : 0;
}
