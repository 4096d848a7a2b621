#include "devices/av.h"

#include <cerrno>

namespace parley::devices::av {

std::string errorText(int code) {
  char text[AV_ERROR_MAX_STRING_SIZE] = {};
  if (av_strerror(code, text, sizeof text) < 0) return "error " + std::to_string(code);
  return text;
}

Failure failure(const std::string& what, int code) {
  ErrorCode kind = ErrorCode::Operation;
  switch (code) {
    case AVERROR(ENOENT):
    case AVERROR(ENODEV):
    case AVERROR(ENXIO):
      kind = ErrorCode::NotFound;
      break;
    case AVERROR(EACCES):
    case AVERROR(EPERM):
      kind = ErrorCode::InvalidAccess;
      break;
    case AVERROR_INVALIDDATA:
    case AVERROR_PATCHWELCOME:
    case AVERROR_DECODER_NOT_FOUND:
    case AVERROR_DEMUXER_NOT_FOUND:
      kind = ErrorCode::NotSupported;
      break;
    default:
      break;
  }
  return fail(kind, what + ": " + errorText(code));
}

}  // namespace parley::devices::av
