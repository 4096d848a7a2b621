#include "parley/dtls/connection.h"

namespace parley::dtls {

const char* toString(State state) {
  switch (state) {
    case State::New:
      return "new";
    case State::Connecting:
      return "connecting";
    case State::Connected:
      return "connected";
    case State::Closed:
      return "closed";
    case State::Failed:
      return "failed";
  }
  return "";
}

const char* toString(Reason reason) {
  switch (reason) {
    case Reason::None:
      return "none";
    case Reason::LocalClose:
      return "closed here";
    case Reason::RemoteClose:
      return "closed by the peer";
    case Reason::HandshakeTimeout:
      return "handshake timed out";
    case Reason::HandshakeFailed:
      return "handshake failed";
    case Reason::CertificateRejected:
      return "peer's certificate rejected";
    case Reason::PeerAlert:
      return "fatal alert from the peer";
    case Reason::NoSrtpProfile:
      return "no SRTP protection profile in common";
    case Reason::InternalError:
      return "internal error";
  }
  return "";
}

}  // namespace parley::dtls
