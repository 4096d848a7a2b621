#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "parley/rtp/fec/fec_packet.h"

namespace parley::media {

/// How losses lie: each by itself, or several packets in a row.
enum class LossPattern : uint8_t { Single, Bursts };

/// Which of `packets` each of out.size() repair packets covers; bit i is the i-th packet.
/// 1 <= out.size() <= packets <= FecMask::kBits.
///
/// Bursts: every k-th packet, so that a run of up to k losses touches each repair packet once; the
/// last repair packet covers the last packet, so that this holds also for a run that takes both.
///
/// Single: each packet is in two repair packets, no two packets in the same two as long as there
/// are such pairs; then in one; then in three. So what two losses have spoilt in one is still whole
/// in another, and a receiver gets on by undoing one loss at a time.
void makeFecMasks(size_t packets, LossPattern pattern, std::span<rtp::FecMask> out);

}  // namespace parley::media
