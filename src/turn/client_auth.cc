#include "turn/client_auth.h"

#include <array>

namespace parley::turn {
namespace {

// RFC 8489 sections 14.9 and 14.10 allow 763 bytes each. Requests with both must fit a packet.
constexpr size_t kMaxRealm = 256;
constexpr size_t kMaxNonce = 512;

}  // namespace

bool ClientAuth::challenge(const stun::Message& error) {
  const std::string realm(error.text(stun::AttributeType::Realm).value_or(realm_));
  const auto nonce = error.text(stun::AttributeType::Nonce);
  if (realm.empty() || realm.size() > kMaxRealm || !nonce || nonce->empty() ||
      nonce->size() > kMaxNonce) {
    return false;
  }
  Bytes offered;
  stun::PasswordAlgorithm algorithm = stun::PasswordAlgorithm::Md5;
  const auto features = stun::nonceFeatures(*nonce);
  if (features && features->passwordAlgorithms) {
    // RFC 8489 section 9.2.5: the nonce promises PASSWORD-ALGORITHMS; if it is not there, somebody
    // took it out.
    const auto value = error.find(stun::AttributeType::PasswordAlgorithms);
    const auto list = value ? stun::parsePasswordAlgorithms(*value) : std::nullopt;
    if (!list) return false;
    bool md5 = false;
    bool sha256 = false;
    for (const stun::PasswordAlgorithmEntry& entry : *list) {
      md5 = md5 || entry.number == static_cast<uint16_t>(stun::PasswordAlgorithm::Md5);
      sha256 = sha256 || entry.number == static_cast<uint16_t>(stun::PasswordAlgorithm::Sha256);
    }
    if (!md5 && !sha256) return false;
    if (sha256) algorithm = stun::PasswordAlgorithm::Sha256;
    offered = toBytes(*value);
  }
  const bool rekey = key_.empty() || realm != realm_ || algorithm != algorithm_;
  realm_ = realm;
  nonce_ = std::string(*nonce);
  offered_ = std::move(offered);
  algorithm_ = algorithm;
  anonymous_ = features && features->usernameAnonymity;
  if (rekey) key_ = stun::LongTermKey(algorithm_, username_, realm_, password_);
  return true;
}

void ClientAuth::addTo(stun::MessageBuilder& request) const {
  if (anonymous_) {
    request.bytes(stun::AttributeType::Userhash, stun::userhash(username_, realm_));
  } else {
    request.text(stun::AttributeType::Username, username_);
  }
  request.text(stun::AttributeType::Realm, realm_).text(stun::AttributeType::Nonce, nonce_);
  if (offered_.empty()) return;
  const std::array<stun::PasswordAlgorithm, 1> chosen{algorithm_};
  request.bytes(stun::AttributeType::PasswordAlgorithms, offered_)
      .bytes(stun::AttributeType::PasswordAlgorithm, stun::writePasswordAlgorithms(chosen));
}

void ClientAuth::sign(stun::MessageBuilder& request) const {
  if (offered_.empty()) {
    request.messageIntegrity(key_.span());
  } else {
    request.messageIntegritySha256(key_.span());
  }
}

stun::IntegrityCheck ClientAuth::verify(const stun::Message& response) const {
  // The stronger one counts if it is there: a server that knows only SHA-1 signs with that.
  if (response.hasMessageIntegritySha256())
    return stun::verifyMessageIntegritySha256(response, key_.span());
  return stun::verifyMessageIntegrity(response, key_.span());
}

}  // namespace parley::turn
