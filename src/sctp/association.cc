#include "parley/sctp/association.h"

#include "sctp/engine/native_association.h"

namespace parley::sctp {

const char* toString(AssociationState state) {
  switch (state) {
    case AssociationState::New:
      return "new";
    case AssociationState::Connecting:
      return "connecting";
    case AssociationState::Connected:
      return "connected";
    case AssociationState::ShuttingDown:
      return "shutting-down";
    case AssociationState::Closed:
      return "closed";
    case AssociationState::Failed:
      return "failed";
  }
  return "?";
}

Result<void> Association::sendPart(uint16_t stream, uint32_t ppid, ByteSpan part, bool last,
                                   const SendOptions& options, Timestamp now) {
  static_cast<void>(stream), static_cast<void>(ppid), static_cast<void>(part);
  static_cast<void>(last), static_cast<void>(options), static_cast<void>(now);
  return fail(ErrorCode::NotSupported, "this engine takes whole messages only");
}

void Association::setPartSize(uint16_t stream, size_t bytes) {
  static_cast<void>(stream), static_cast<void>(bytes);
}

void Association::setRateLimit(DataRate limit) {
  static_cast<void>(limit);
}

bool Association::canTake(size_t bytes) const {
  static_cast<void>(bytes);
  return true;
}

std::unique_ptr<Association> createAssociation(Environment& environment,
                                               const AssociationConfig& config) {
  return std::make_unique<NativeAssociation>(environment, config);
}

}  // namespace parley::sctp
