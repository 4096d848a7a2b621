#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "parley/api/encoded_transform.h"

#include "api/sframe_keys.h"

namespace parley {

namespace api_internal {

/// Whether SframeTransform knows what of such a frame may be hidden.
bool canSframe(std::string_view mimeType);

}  // namespace api_internal

struct SframeTransform::State : std::enable_shared_from_this<SframeTransform::State> {
  State(Role theRole, crypto::SframeSuite suite, crypto::SframeRatchet ratchet)
      : role(theRole), steps(ratchet), encryptor(suite, ratchet), decryptor(suite, ratchet) {}

  bool apply(EncodedFrame& frame);
  /// To be used on a connection of the loop whose keys `book` lists.
  Result<void> attach(Role wanted, const std::shared_ptr<api_internal::SframeKeys>& book,
                      const std::weak_ptr<const void>& connection);

  const Role role;
  const crypto::SframeRatchet steps;
  mutable std::mutex mutex;
  crypto::SframeEncryptor encryptor;
  crypto::SframeDecryptor decryptor;
  uint64_t dropped = 0;
  std::optional<Error> lastError;
  std::vector<api_internal::SframeKeyPrint> prints;  ///< of all keys there were
  std::vector<std::shared_ptr<api_internal::SframeKeys>> books;
};

}  // namespace parley
