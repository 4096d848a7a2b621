#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "parley/stun/integrity.h"
#include "parley/stun/message.h"
#include "parley/stun/message_builder.h"

using namespace parley;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ByteSpan bytes(data, size);
  (void)stun::Message::frameSize(bytes);
  (void)stun::nonceFeatures(asText(bytes));
  const auto message = stun::Message::parse(bytes);
  if (!message) return 0;

  (void)message->error();
  (void)stun::verifyFingerprint(*message);
  (void)stun::verifyMessageIntegrity(*message, asBytes("key"));
  (void)stun::verifyMessageIntegritySha256(*message, asBytes("key"));
  uint16_t unknown[8];
  (void)message->unknownRequired(unknown, stun::isKnownForBinding);

  // What was read must be writable again, and then verify.
  uint8_t out[4096];
  stun::MessageBuilder rebuilt(out, message->messageClass(), message->method(),
                               message->transactionId());
  for (const stun::Attribute& attribute : *message) {
    (void)message->u32(attribute.type);
    (void)message->u64(attribute.type);
    (void)message->address(attribute.type);
    (void)message->decodeXorAddress(attribute.value);
    rebuilt.bytes(attribute.type, attribute.value);
  }
  rebuilt.messageIntegrity(asBytes("key")).fingerprint();
  if (!rebuilt.ok()) return 0;
  const auto again = stun::Message::parse(rebuilt.written());
  if (!again || again->messageClass() != message->messageClass() ||
      again->method() != message->method() ||
      stun::verifyMessageIntegrity(*again, asBytes("key")) != stun::IntegrityCheck::Right ||
      stun::verifyFingerprint(*again) != stun::IntegrityCheck::Right) {
    std::abort();
  }
  return 0;
}
