#include "devices/opus_track.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace parley::devices {
namespace {

constexpr int kRate = 48'000;
constexpr int64_t kPiece = StereoConverter::kSamples;
// A playout time wanders by a few milliseconds; only more than this is a hole or an overlap.
constexpr int64_t kTolerance = kRate * 60 / 1000;
// A longer hole stays one: players jump over it, and silence would take long to write.
constexpr int64_t kMaxSilence = int64_t{kRate} * 30;

int64_t toSamples(Timestamp t) {
  return t.nanos() / 1'000'000 * 48 + t.nanos() % 1'000'000 * 48 / 1'000'000;
}

const AVCodec* findEncoder() {
  const AVCodec* codec = avcodec_find_encoder_by_name("libopus");
  return codec ? codec : avcodec_find_encoder(AV_CODEC_ID_OPUS);
}

}  // namespace

Result<OpusTrack> OpusTrack::create(DataRate bitrate) {
  const AVCodec* codec = findEncoder();
  if (!codec) return fail(ErrorCode::NotSupported, "this FFmpeg has no Opus encoder");
  OpusTrack out;
  out.context_.reset(avcodec_alloc_context3(codec));
  out.frame_ = av::makeFrame();
  if (!out.context_ || !out.frame_) return fail(ErrorCode::Operation, "out of memory");
  AVCodecContext& context = *out.context_;
  context.sample_rate = kRate;
  context.sample_fmt = AV_SAMPLE_FMT_S16;
  context.time_base = {1, kRate};
  context.bit_rate = bitrate.bps();
  context.flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  av_channel_layout_default(&context.ch_layout, 2);
  const int error = avcodec_open2(&context, codec, nullptr);
  if (error < 0) return av::failure("cannot start the Opus encoder", error);
  out.frame_->format = context.sample_fmt;
  out.frame_->sample_rate = kRate;
  out.frame_->nb_samples = context.frame_size;
  av_channel_layout_copy(&out.frame_->ch_layout, &context.ch_layout);
  return out;
}

bool OpusTrack::push(const codec::AudioFrame& frame, const Output& output) {
  StereoConverter::Piece piece;
  if (!converter_.convert(frame, piece)) return false;
  const int64_t at = toSamples(frame.capture);
  if (!nextSample_) nextSample_ = at;
  int64_t hole = at - *nextSample_;
  if (hole < -kTolerance) return false;
  if (hole > kMaxSilence) {
    pad(output);
    nextSample_ = at;
  } else if (hole > kTolerance) {
    for (; hole >= kPiece; hole -= kPiece) {
      append({}, output);
      silence_ += Duration::millis(10);
    }
  }
  append(piece, output);
  return true;
}

void OpusTrack::append(const StereoConverter::Piece& piece, const Output& output) {
  waiting_.insert(waiting_.end(), piece.begin(), piece.end());
  *nextSample_ += kPiece;
  const size_t packet = static_cast<size_t>(context_->frame_size) * 2;
  while (waiting_.size() >= packet) {
    frame_->pts = *nextSample_ - static_cast<int64_t>(waiting_.size() / 2);
    frame_->nb_samples = context_->frame_size;
    if (av_frame_get_buffer(frame_.get(), 0) < 0) return;
    std::copy_n(waiting_.begin(), packet, reinterpret_cast<int16_t*>(frame_->data[0]));
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<long>(packet));
    encode(frame_.get(), output);
    // Keeps the format, gives the samples back.
    for (AVBufferRef*& buffer : frame_->buf) av_buffer_unref(&buffer);
  }
}

void OpusTrack::encode(const AVFrame* frame, const Output& output) {
  if (avcodec_send_frame(context_.get(), frame) < 0) return;
  for (;;) {
    av::Packet packet = av::makePacket();
    if (!packet || avcodec_receive_packet(context_.get(), packet.get()) < 0) return;
    output(std::move(packet));
  }
}

void OpusTrack::pad(const Output& output) {
  while (!waiting_.empty()) append({}, output);
}

void OpusTrack::finish(const Output& output) {
  if (!nextSample_) return;
  pad(output);
  encode(nullptr, output);
}

}  // namespace parley::devices
