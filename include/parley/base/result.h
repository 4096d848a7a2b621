#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "parley/base/check.h"
#include "parley/base/export.h"

namespace parley {

/// What kind of mistake or failure an `Error` reports. Each maps to the DOMException (or built-in
/// JavaScript error) that the W3C WebRTC specification names for the same situation. Values are
/// stable.
enum class ErrorCode : int {
  InvalidState = 1,  ///< InvalidStateError: the object is closed or in the wrong state for the call
  InvalidAccess =
      2,  ///< InvalidAccessError: the argument belongs to another object or may not be used
  InvalidModification = 3,  ///< InvalidModificationError: the change asked for is not allowed
  Operation = 4,            ///< OperationError: the operation failed for a reason in its own terms
  Type = 5,                 ///< TypeError: an argument has an impossible value
  Range = 6,                ///< RangeError: a number outside the allowed range
  Syntax = 7,               ///< SyntaxError: text that does not parse (SDP, URLs, candidates)
  NotSupported = 8,  ///< NotSupportedError: known but not available in this build or configuration
  NotFound = 9,      ///< NotFoundError: no such device, file or object
  Network = 10,      ///< NetworkError: sockets, names or peers could not be reached
  Abort = 11,        ///< AbortError: ended before it was done
  ResourceExhausted =
      12,                 ///< QuotaExceededError: a bounded queue or table is full; try again later
  InvalidCharacter = 13,  ///< InvalidCharacterError: a character that has no meaning there (DTMF)
};

/// The W3C name, e.g. "InvalidStateError".
PARLEY_EXPORT const char* toString(ErrorCode code);

/// RTCErrorDetailType (webrtc-pc section 11.1).
enum class ErrorDetail : int {
  DataChannelFailure,           ///< a data channel has failed
  DtlsFailure,                  ///< the handshake has, or a fatal alert came or went
  FingerprintFailure,           ///< the peer's certificate is not the one that it described
  SctpFailure,                  ///< the association has failed or was aborted
  SdpSyntaxError,               ///< a description does not parse: see Error::sdpLineNumber
  HardwareEncoderNotAvailable,  ///< for completeness: nothing here reports it
  HardwareEncoderError,         ///< likewise
};

/// The W3C spelling: "sdp-syntax-error".
PARLEY_EXPORT const char* toString(ErrorDetail detail);

/// What went wrong and what to do about it: a DOMException, or an RTCError (webrtc-pc section 11.1)
/// if it has a `detail`. `message` is one sentence for a developer.
struct Error {
  ErrorCode code = ErrorCode::Operation;
  std::string message;
  std::optional<int> sdpLineNumber{};  ///< 1-based, for SDP syntax errors (RTCError.sdpLineNumber)
  /// Set where the W3C specification has an RTCError (webrtc-pc section 11), whose name is always
  /// "OperationError", in place of a plain exception named after `code`.
  std::optional<ErrorDetail> detail{};
  std::optional<uint16_t> sctpCauseCode{};  ///< RFC 9260 section 3.3.10, with SctpFailure
  std::optional<uint32_t> receivedAlert{};  ///< TLS AlertDescription of the peer's fatal alert
  std::optional<uint32_t> sentAlert{};      ///< of ours
};

template <class T>
class [[nodiscard]] Result;

/// Wraps an error so that it converts to any Result: `return fail(ErrorCode::Type, "...")`.
struct Failure {
  Error error;
};

inline Failure fail(ErrorCode code, std::string message) {
  return Failure{Error{code, std::move(message)}};
}
inline Failure fail(Error error) {
  return Failure{std::move(error)};
}

/// Either a value or an Error. Member names follow std::expected; unlike it, nothing here throws:
/// reading the wrong alternative is a bug and CHECK-fails.
template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}                  // NOLINT
  Result(Failure failure) : state_(std::in_place_index<1>, std::move(failure.error)) {}  // NOLINT

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }
  T& value() & {
    PARLEY_CHECK(has_value());
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    PARLEY_CHECK(has_value());
    return *std::get_if<0>(&state_);
  }
  T&& value() && {
    PARLEY_CHECK(has_value());
    return std::move(*std::get_if<0>(&state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  const Error& error() const& {
    PARLEY_CHECK(!has_value());
    return *std::get_if<1>(&state_);
  }
  Error&& error() && {
    PARLEY_CHECK(!has_value());
    return std::move(*std::get_if<1>(&state_));
  }
  template <class U>
  T value_or(U&& fallback) const& {
    return has_value() ? value() : static_cast<T>(std::forward<U>(fallback));
  }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;
  Result() = default;
  Result(Failure failure) : error_(std::move(failure.error)) {}  // NOLINT

  bool has_value() const { return !error_; }
  explicit operator bool() const { return has_value(); }
  void value() const { PARLEY_CHECK(has_value()); }
  const Error& error() const& {
    PARLEY_CHECK(error_.has_value());
    return *error_;
  }

 private:
  std::optional<Error> error_;
};

/// The good answer of a call that returns nothing: `return ok();`
inline Result<void> ok() {
  return {};
}

}  // namespace parley
