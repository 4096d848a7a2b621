#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "parley/api/encoded_transform.h"

namespace parley::api_internal {

/// A key and its id, as a hash: enough to see that two are the same.
using SframeKeyPrint = std::array<uint8_t, 16>;

/// The SFrame keys in use on a loop, to see to it that no two encryptors count under the same one.
/// Thread-safe.
class SframeKeys {
 public:
  /// Whose keys they are; only ever compared.
  using Owner = std::weak_ptr<const void>;

  /// A transform is used on a connection, with these keys. InvalidAccess, and nothing changed, if
  /// another encrypts with one of them or has done so, or if that connection has one in both
  /// directions.
  Result<void> attach(const Owner& owner, const Owner& connection, SframeTransform::Role role,
                      const std::vector<SframeKeyPrint>& keys);
  /// One that is attached gets another key; errors as above.
  Result<void> add(const Owner& owner, const SframeKeyPrint& key);
  /// It was not used after all.
  void remove(const Owner& owner, const SframeKeyPrint& key);

 private:
  struct User {
    Owner owner;
    std::vector<Owner> connections;
    SframeTransform::Role role;
    std::vector<SframeKeyPrint> keys;
  };
  void prune();
  Result<void> check(const User& user, const SframeKeyPrint& key) const;
  User* find(const Owner& owner);

  std::mutex mutex_;
  std::vector<User> users_;
  std::vector<SframeKeyPrint> spent_;  ///< by encryptors that are gone, with their counts
};

}  // namespace parley::api_internal
