#pragma once

// The facade: everything an application needs for calls and data channels. By themselves stand
// api/awaitable.h, for coroutines, and api/forwarder.h, for servers that pass media on.

#include "parley/api/bandwidth_estimate.h"
#include "parley/api/certificate.h"
#include "parley/api/configuration.h"
#include "parley/api/data_channel.h"
#include "parley/api/dtmf_sender.h"
#include "parley/api/encoded_transform.h"
#include "parley/api/enum_text.h"
#include "parley/api/ice_candidate.h"
#include "parley/api/loop.h"
#include "parley/api/media_stream.h"
#include "parley/api/media_track.h"
#include "parley/api/peer_connection.h"
#include "parley/api/perfect_negotiator.h"
#include "parley/api/rtp_transceiver.h"
#include "parley/api/session_description.h"
#include "parley/api/stats_dump.h"
#include "parley/api/stats_report.h"
#include "parley/base/version.h"
