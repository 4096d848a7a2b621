#include "parley/turn/credentials.h"

#include "parley/base/base64.h"
#include "parley/base/text.h"
#include "parley/crypto/hmac.h"

namespace parley::turn {

std::string timeLimitedPassword(std::string_view secret, std::string_view username) {
  return base64(crypto::hmacSha1(asBytes(secret), asBytes(username)));
}

Credentials timeLimitedCredentials(std::string_view secret, std::string_view user,
                                   int64_t expiresUnixSeconds) {
  Credentials out;
  out.username = std::to_string(expiresUnixSeconds);
  if (!user.empty()) out.username += ':' + std::string(user);
  out.password = timeLimitedPassword(secret, out.username);
  return out;
}

std::optional<TimeLimitedName> parseTimeLimitedName(std::string_view username) {
  std::string_view rest = username;
  const auto expires = parseNumber<int64_t>(cutToken(rest, ':'));
  if (!expires || *expires < 0) return std::nullopt;
  return TimeLimitedName{*expires, rest};
}

}  // namespace parley::turn
