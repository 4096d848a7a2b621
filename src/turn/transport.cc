#include "parley/turn/transport.h"

namespace parley::turn {

const char* toString(Transport transport) {
  switch (transport) {
    case Transport::Udp:
      return "udp";
    case Transport::Tcp:
      return "tcp";
    case Transport::Tls:
      return "tls";
    case Transport::Dtls:
      return "dtls";
  }
  return "";
}

}  // namespace parley::turn
