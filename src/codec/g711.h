#pragma once

#include <cstdint>
#include <memory>

#include "parley/codec/audio_codec.h"

namespace parley::codec {

// ITU-T G.711. Both laws work on the upper 14 (mu) or 13 (A) bits of a 16-bit sample.
uint8_t encodeMuLaw(int16_t sample);
int16_t decodeMuLaw(uint8_t code);
uint8_t encodeALaw(int16_t sample);
int16_t decodeALaw(uint8_t code);

enum class G711Law : uint8_t { Mu, A };

std::unique_ptr<AudioEncoder> createG711Encoder(G711Law law, const AudioEncoderSettings& settings);
std::unique_ptr<AudioDecoder> createG711Decoder(G711Law law);

}  // namespace parley::codec
