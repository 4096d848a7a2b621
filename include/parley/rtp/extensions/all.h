#pragma once

// Every header extension the library knows.
#include "parley/rtp/extensions/abs_capture_time.h"
#include "parley/rtp/extensions/abs_send_time.h"
#include "parley/rtp/extensions/audio_level.h"
#include "parley/rtp/extensions/color_space.h"
#include "parley/rtp/extensions/content_type.h"
#include "parley/rtp/extensions/corruption_detection.h"
#include "parley/rtp/extensions/csrc_audio_level.h"
#include "parley/rtp/extensions/dependency_descriptor.h"
#include "parley/rtp/extensions/playout_delay.h"
#include "parley/rtp/extensions/stream_id.h"
#include "parley/rtp/extensions/transmission_offset.h"
#include "parley/rtp/extensions/transport_sequence_number.h"
#include "parley/rtp/extensions/video_layers_allocation.h"
#include "parley/rtp/extensions/video_orientation.h"
#include "parley/rtp/extensions/video_timing.h"
