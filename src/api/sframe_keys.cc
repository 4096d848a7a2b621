#include "api/sframe_keys.h"

#include <algorithm>

namespace parley::api_internal {
namespace {

// The oldest are forgotten.
constexpr size_t kMaxKeys = 1024;  ///< of one transform
constexpr size_t kMaxSpent = 4096;

bool isSame(const SframeKeys::Owner& a, const SframeKeys::Owner& b) {
  return !a.owner_before(b) && !b.owner_before(a);
}

bool share(const std::vector<SframeKeys::Owner>& a, const std::vector<SframeKeys::Owner>& b) {
  return std::any_of(a.begin(), a.end(), [&](const SframeKeys::Owner& one) {
    return std::any_of(b.begin(), b.end(),
                       [&](const SframeKeys::Owner& other) { return isSame(one, other); });
  });
}

bool contains(const std::vector<SframeKeyPrint>& keys, const SframeKeyPrint& key) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

void keep(std::vector<SframeKeyPrint>& keys, const SframeKeyPrint& key, size_t most = kMaxKeys) {
  if (contains(keys, key)) return;
  if (keys.size() == most) keys.erase(keys.begin());
  keys.push_back(key);
}

}  // namespace

Result<void> SframeKeys::attach(const Owner& owner, const Owner& connection,
                                SframeTransform::Role role,
                                const std::vector<SframeKeyPrint>& keys) {
  const std::lock_guard lock(mutex_);
  prune();
  const User* known = find(owner);
  User user = known ? *known : User{owner, {}, role, {}};
  std::erase_if(user.connections, [](const Owner& c) { return c.expired(); });
  if (!share(user.connections, {connection})) user.connections.push_back(connection);
  for (const SframeKeyPrint& key : keys) {
    if (Result<void> good = check(user, key); !good) return good;
  }
  for (const SframeKeyPrint& key : keys) keep(user.keys, key);
  if (User* mine = find(owner)) {
    *mine = std::move(user);
  } else {
    users_.push_back(std::move(user));
  }
  return ok();
}

Result<void> SframeKeys::add(const Owner& owner, const SframeKeyPrint& key) {
  const std::lock_guard lock(mutex_);
  prune();
  User* user = find(owner);
  if (!user) return ok();
  if (Result<void> good = check(*user, key); !good) return good;
  keep(user->keys, key);
  return ok();
}

void SframeKeys::remove(const Owner& owner, const SframeKeyPrint& key) {
  const std::lock_guard lock(mutex_);
  if (User* user = find(owner)) std::erase(user->keys, key);
}

void SframeKeys::prune() {
  std::erase_if(users_, [this](const User& user) {
    if (!user.owner.expired()) return false;
    if (user.role == SframeTransform::Role::Encrypt) {
      for (const SframeKeyPrint& key : user.keys) keep(spent_, key, kMaxSpent);
    }
    return true;
  });
}

Result<void> SframeKeys::check(const User& user, const SframeKeyPrint& key) const {
  using Role = SframeTransform::Role;
  if (user.role == Role::Encrypt && contains(spent_, key) && !contains(user.keys, key)) {
    return fail(ErrorCode::InvalidAccess,
                "a SframeTransform that is gone encrypted with this key and id: take a new key");
  }
  for (const User& other : users_) {
    if (isSame(other.owner, user.owner) || !contains(other.keys, key)) continue;
    if (user.role == Role::Encrypt && other.role == Role::Encrypt) {
      return fail(ErrorCode::InvalidAccess,
                  "another SframeTransform encrypts with this key and id: use that one, or give "
                  "each an id of its own");
    }
    if (user.role != other.role && share(user.connections, other.connections)) {
      return fail(ErrorCode::InvalidAccess,
                  "both ends encrypt with this key and id: each needs an id of its own");
    }
  }
  return ok();
}

SframeKeys::User* SframeKeys::find(const Owner& owner) {
  const auto it = std::find_if(users_.begin(), users_.end(),
                               [&](const User& user) { return isSame(user.owner, owner); });
  return it == users_.end() ? nullptr : &*it;
}

}  // namespace parley::api_internal
