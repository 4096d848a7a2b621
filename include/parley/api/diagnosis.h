#pragma once

#include "parley/transport/diagnosis.h"

namespace parley {

/// The verdict, the timeline and the facts behind them; `text()` and `json()` write it out.
using Diagnosis = transport::Diagnosis;
/// What a program may branch on; the words are for people.
using VerdictCode = transport::VerdictCode;

}  // namespace parley
