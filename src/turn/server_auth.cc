#include "turn/server_auth.h"

#include "parley/base/base64.h"
#include "parley/crypto/const_time.h"
#include "parley/crypto/hmac.h"

namespace parley::turn {
namespace {

using stun::AttributeType;
using stun::StunError;

constexpr std::array<stun::PasswordAlgorithm, 2> kOffered{stun::PasswordAlgorithm::Sha256,
                                                          stun::PasswordAlgorithm::Md5};

int value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

uint32_t secondsOf(Timestamp now) {
  return static_cast<uint32_t>(now.nanos() / 1'000'000'000);
}

}  // namespace

ServerAuth::ServerAuth(Environment& environment, const ServerConfig& config)
    : env_(environment), config_(config) {
  env_.random.fill(secret_);
  if (config.sha256) {
    prefix_ = stun::noncePrefix({.passwordAlgorithms = true, .usernameAnonymity = false});
    algorithms_ = stun::writePasswordAlgorithms(kOffered);
  }
  for (const Credentials& user : config.users) {
    users_[user.username] = user.password;
    const auto hash = stun::userhash(user.username, config.realm);
    hashes_[std::string(asText(hash))] = user.username;
  }
}

// ---- nonces ----

/// 4 bytes of time and 8 of signature: 16 characters. Bound to the source's address but not to its
/// port, so that a client may open a fresh socket with it.
std::string ServerAuth::sealTime(uint32_t seconds, const IpAddress& source) const {
  std::array<uint8_t, 12> token;
  storeU32(token.data(), seconds);
  const auto mac =
      crypto::hmacSha256(secret_, {ByteSpan(token).first(4), source.canonical().bytes()});
  std::copy_n(mac.begin(), 8, token.begin() + 4);
  return base64(token);
}

std::string ServerAuth::nonce(const IpAddress& source, Timestamp now) const {
  return prefix_ + sealTime(secondsOf(now), source);
}

bool ServerAuth::isFresh(std::string_view nonce, const IpAddress& source, Timestamp now) const {
  if (!nonce.starts_with(prefix_) || nonce.size() != prefix_.size() + 16) return false;
  const std::string_view token = nonce.substr(prefix_.size());
  uint64_t bits = 0;  // the first 6 characters hold 36 bits: the time and 4 bits of signature
  for (char c : token.substr(0, 6)) {
    if (value(c) < 0) return false;
    bits = bits << 6 | static_cast<uint64_t>(value(c));
  }
  const auto seconds = static_cast<uint32_t>(bits >> 4);
  if (!crypto::constantTimeEquals(asBytes(token), asBytes(sealTime(seconds, source)))) return false;
  const uint32_t age = secondsOf(now) - seconds;
  return Duration::seconds(age) <= config_.nonceLifetime;
}

void ServerAuth::addChallenge(stun::MessageBuilder& error, const IpAddress& source,
                              Timestamp now) const {
  error.text(AttributeType::Realm, config_.realm).text(AttributeType::Nonce, nonce(source, now));
  if (!algorithms_.empty()) error.bytes(AttributeType::PasswordAlgorithms, algorithms_);
}

// ---- credentials ----

std::optional<std::string> ServerAuth::username(const stun::Message& request) const {
  if (const auto plain = request.text(AttributeType::Username)) return std::string(*plain);
  const auto hash = request.text(AttributeType::Userhash);
  if (!hash) return std::nullopt;
  const auto at = hashes_.find(std::string(*hash));
  // An unknown hash is an unknown user, not a malformed request.
  return at == hashes_.end() ? std::string() : at->second;
}

/// `attempt` 0 is the directory and the list of users, 1 and up the shared secrets.
std::optional<std::string> ServerAuth::password(const std::string& username, bool known,
                                                Timestamp now, size_t attempt) const {
  if (attempt == 0) {
    const auto at = users_.find(username);
    if (at != users_.end()) return at->second;
    return config_.directory ? config_.directory->password(username) : std::nullopt;
  }
  const auto name = parseTimeLimitedName(username);
  const int64_t unixSeconds = env_.wallClock.unixNanosAt(now) / 1'000'000'000;
  if (!name || (!known && name->expiresUnixSeconds < unixSeconds)) return std::nullopt;
  return timeLimitedPassword(config_.secrets[attempt - 1], username);
}

std::optional<stun::PasswordAlgorithm> ServerAuth::algorithm(const stun::Message& request) const {
  const auto list = request.find(AttributeType::PasswordAlgorithms);
  const auto chosen = request.find(AttributeType::PasswordAlgorithm);
  if (!list && !chosen) return stun::PasswordAlgorithm::Md5;
  // RFC 8489 section 9.2.4: both or none, and the list must be the one that was sent; else somebody
  // shortened it on its way.
  if (!list || !chosen ||
      !std::equal(list->begin(), list->end(), algorithms_.begin(), algorithms_.end())) {
    return std::nullopt;
  }
  const auto entry = stun::parsePasswordAlgorithm(*chosen);
  if (!entry || !entry->parameters.empty()) return std::nullopt;
  for (stun::PasswordAlgorithm offered : kOffered) {
    if (entry->number == static_cast<uint16_t>(offered)) return offered;
  }
  return std::nullopt;
}

ServerAuth::Verdict ServerAuth::authenticate(const stun::Message& request, const IpAddress& source,
                                             const std::string* knownUser, Timestamp now) const {
  const bool sha256 = request.hasMessageIntegritySha256();
  if (!sha256 && !request.hasMessageIntegrity()) return {std::nullopt, StunError::Unauthenticated};
  auto name = username(request);
  const auto realm = request.text(AttributeType::Realm);
  const auto nonce = request.text(AttributeType::Nonce);
  const auto chosen = algorithm(request);
  if (!name || name->size() > 512 || !realm || !nonce || !chosen)
    return {std::nullopt, StunError::BadRequest};
  if (!isFresh(*nonce, source, now)) return {std::nullopt, StunError::StaleNonce};
  if (*realm != config_.realm) return {std::nullopt, StunError::Unauthenticated};

  const bool known = knownUser && *knownUser == *name;
  for (size_t attempt = 0; attempt <= config_.secrets.size(); ++attempt) {
    const auto secret = password(*name, known, now, attempt);
    if (!secret) continue;
    Identity identity;
    identity.key = stun::LongTermKey(*chosen, *name, config_.realm, *secret);
    identity.sha256 = sha256;
    const auto integrity = sha256 ? stun::verifyMessageIntegritySha256(request, identity.key.span())
                                  : stun::verifyMessageIntegrity(request, identity.key.span());
    if (integrity != stun::IntegrityCheck::Right) continue;
    if (knownUser && !known) return {std::nullopt, StunError::WrongCredentials};
    const auto limited = attempt > 0 ? parseTimeLimitedName(*name) : std::nullopt;
    identity.account = limited && !limited->user.empty() ? std::string(limited->user) : *name;
    identity.username = std::move(*name);
    return {std::move(identity), {}};
  }
  return {std::nullopt, StunError::Unauthenticated};
}

void ServerAuth::sign(stun::MessageBuilder& answer, const Identity& identity) {
  if (identity.sha256) {
    answer.messageIntegritySha256(identity.key.span());
  } else {
    answer.messageIntegrity(identity.key.span());
  }
}

}  // namespace parley::turn
