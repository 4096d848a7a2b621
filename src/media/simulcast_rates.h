#pragma once

#include <span>

#include "parley/base/units.h"

#include "media/bitrate_allocator.h"

namespace parley::media {

/// What a layer of simulcast can make use of.
struct LayerRates {
  DataRate min;  ///< below it the next smaller layer looks better
  DataRate max;  ///< above it the next larger layer looks better
};

/// By the pixels of its pictures, at 25 to 30 of them per second in VP8 or better.
LayerRates layerRates(double pixels);

/// The first layer of each sender asks for all of them: at least what its lowest active layer
/// needs, at most what all active ones can use. The others ask for nothing.
void joinLayers(std::span<BitrateDemand> demands);

/// Undoes it: what the first one was given fills the layers from the lowest up, so that a receiver
/// that can show anything shows it. A layer whose minimum does not fit is off, and all above it;
/// one that was off needs a tenth more than its minimum, or it would go on and off with the
/// estimate.
void spreadOverLayers(std::span<BitrateDemand> demands);

}  // namespace parley::media
