#include "parley/devices/file_source.h"

int main() {
  return parley::devices::openMediaFile("no such file") ? 1 : 0;
}
