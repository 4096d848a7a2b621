#include "parley/base/result.h"

namespace parley {

const char* toString(ErrorCode code) {
  switch (code) {
    case ErrorCode::InvalidState:
      return "InvalidStateError";
    case ErrorCode::InvalidAccess:
      return "InvalidAccessError";
    case ErrorCode::InvalidModification:
      return "InvalidModificationError";
    case ErrorCode::Operation:
      return "OperationError";
    case ErrorCode::Type:
      return "TypeError";
    case ErrorCode::Range:
      return "RangeError";
    case ErrorCode::Syntax:
      return "SyntaxError";
    case ErrorCode::NotSupported:
      return "NotSupportedError";
    case ErrorCode::NotFound:
      return "NotFoundError";
    case ErrorCode::Network:
      return "NetworkError";
    case ErrorCode::Abort:
      return "AbortError";
    case ErrorCode::ResourceExhausted:
      return "QuotaExceededError";
  }
  return "OperationError";
}

}  // namespace parley
