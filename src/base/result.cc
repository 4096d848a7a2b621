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
    case ErrorCode::InvalidCharacter:
      return "InvalidCharacterError";
  }
  return "OperationError";
}

const char* toString(ErrorDetail detail) {
  switch (detail) {
    case ErrorDetail::DataChannelFailure:
      return "data-channel-failure";
    case ErrorDetail::DtlsFailure:
      return "dtls-failure";
    case ErrorDetail::FingerprintFailure:
      return "fingerprint-failure";
    case ErrorDetail::SctpFailure:
      return "sctp-failure";
    case ErrorDetail::SdpSyntaxError:
      return "sdp-syntax-error";
    case ErrorDetail::HardwareEncoderNotAvailable:
      return "hardware-encoder-not-available";
    case ErrorDetail::HardwareEncoderError:
      return "hardware-encoder-error";
  }
  return "";
}

}  // namespace parley
