#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "parley/base/export.h"

// Time-limited credentials (draft-uberti-behave-turn-rest): a web service and a TURN server share a
// secret; the service hands out user names that carry their own expiry.

namespace parley::turn {

struct Credentials {
  std::string username;
  std::string password;
};

/// Credentials that a server with `secret` accepts until `expiresUnixSeconds`. `user` may be empty.
PARLEY_EXPORT Credentials timeLimitedCredentials(std::string_view secret, std::string_view user,
                                                 int64_t expiresUnixSeconds);

/// The password that belongs to such a user name: base64(HMAC-SHA1(secret, username)).
PARLEY_EXPORT std::string timeLimitedPassword(std::string_view secret, std::string_view username);

/// "<seconds since 1970>" or "<seconds since 1970>:<user>".
struct TimeLimitedName {
  int64_t expiresUnixSeconds = 0;
  std::string_view user;  ///< borrows
};
/// nullopt for any other user name.
PARLEY_EXPORT std::optional<TimeLimitedName> parseTimeLimitedName(std::string_view username);

}  // namespace parley::turn
