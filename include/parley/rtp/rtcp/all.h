#pragma once

// Every RTCP packet type the library knows.
#include "parley/rtp/rtcp/bye.h"
#include "parley/rtp/rtcp/compound.h"
#include "parley/rtp/rtcp/congestion_feedback.h"
#include "parley/rtp/rtcp/extended_report.h"
#include "parley/rtp/rtcp/fir.h"
#include "parley/rtp/rtcp/nack.h"
#include "parley/rtp/rtcp/pli.h"
#include "parley/rtp/rtcp/receiver_report.h"
#include "parley/rtp/rtcp/remb.h"
#include "parley/rtp/rtcp/report_block.h"
#include "parley/rtp/rtcp/sender_report.h"
#include "parley/rtp/rtcp/source_description.h"
#include "parley/rtp/rtcp/tmmb.h"
#include "parley/rtp/rtcp/transport_feedback.h"
