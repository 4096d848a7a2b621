#include "devices/webm_writer.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace parley::devices {
namespace {

// What may wait for the first key frame: minutes of sound and a second of pictures.
constexpr size_t kMaxWaitingBytes = 16u << 20;

// The tracks of one negotiation come one after the other, and the first one's media may be quicker
// than the app adds the second.
constexpr Duration kSettleTime = Duration::millis(300);

void closeOutput(AVFormatContext* context) {
  if (!context) return;
  if (context->pb) avio_closep(&context->pb);
  avformat_free_context(context);
}

bool hasExtension(const std::string& path, const char* extension) {
  const size_t length = std::strlen(extension);
  return path.size() >= length && path.compare(path.size() - length, length, extension) == 0;
}

av::Packet packetOf(const codec::EncodedVideoFrame& frame) {
  av::Packet packet = av::makePacket();
  if (!packet || av_new_packet(packet.get(), static_cast<int>(frame.data.size())) < 0)
    return nullptr;
  std::copy(frame.data.begin(), frame.data.end(), packet->data);
  if (frame.keyFrame) packet->flags |= AV_PKT_FLAG_KEY;
  return packet;
}

}  // namespace

Result<std::unique_ptr<WebmWriter>> WebmWriter::create(const std::string& path,
                                                       const RecorderOptions& options) {
  std::unique_ptr<WebmWriter> writer(new WebmWriter(path, options));
  if (Result<void> opened = writer->open(); !opened) return fail(opened.error());
  return writer;
}

Result<void> WebmWriter::open() {
  const char* format = hasExtension(path_, ".webm")  ? "webm"
                       : hasExtension(path_, ".mkv") ? "matroska"
                                                     : nullptr;
  if (!format) return fail(ErrorCode::Type, "a recording must be a .webm or .mkv: " + path_);
  if (options_.videoCodec != "VP8" && options_.videoCodec != "VP9") {
    return fail(ErrorCode::Type, "recordings hold VP8 or VP9, not " + options_.videoCodec);
  }
  AVFormatContext* context = nullptr;
  int error = avformat_alloc_output_context2(&context, nullptr, format, path_.c_str());
  if (error < 0)
    return fail(ErrorCode::NotSupported, std::string("this FFmpeg cannot write ") + format);
  output_ = {context, closeOutput};
  error = avio_open(&context->pb, path_.c_str(), AVIO_FLAG_WRITE);
  if (error < 0) return av::failure("cannot write the recording " + path_, error);
  // A cluster reaches the disk when it is complete, so these bound what a crash can cost.
  av_opt_set_int(context->priv_data, "cluster_time_limit", 1000, 0);
  context->flush_packets = 1;
  context->max_interleave_delta = 500'000;  // microseconds: a silent track holds no other back
  return ok();
}

WebmWriter::~WebmWriter() {
  (void)finish();
}

Result<void> WebmWriter::addTrack(size_t index, MediaKind kind) {
  if (started_) {
    return fail(ErrorCode::InvalidState, "tracks are added before the recording has begun");
  }
  Track track{};
  track.kind = kind;
  if (kind == MediaKind::Audio) {
    auto opus = OpusTrack::create(options_.audioBitrate);
    if (!opus) return fail(opus.error());
    track.opus = *std::move(opus);
  }
  tracks_.resize(std::max(tracks_.size(), index + 1));
  tracks_[index] = std::move(track);
  return ok();
}

bool WebmWriter::acceptVideo(Track& track, const codec::EncodedVideoFrame& frame) {
  if (frame.keyFrame) {
    const std::optional<KeyFrameHeader> header = readKeyFrame(frame.data);
    const bool same = header && (!track.header || track.header->codec == header->codec);
    track.needKeyFrame = !same;
    if (same && !started_) track.header = header;
  }
  return !track.needKeyFrame;
}

void WebmWriter::push(size_t index, const codec::EncodedVideoFrame& frame) {
  Track& track = tracks_[index];
  if (finished_ || !acceptVideo(track, frame)) {
    ++stats_.droppedVideoFrames;
    return;
  }
  av::Packet packet = packetOf(frame);
  if (!packet) return;
  ++stats_.videoFrames;
  if (frame.keyFrame) ++stats_.keyFrames;
  submit(index, std::move(packet), track.line.place(frame.rtpTimestamp, frame.capture));
}

void WebmWriter::push(size_t index, const codec::AudioFrame& frame) {
  Track& track = tracks_[index];
  const bool taken = !finished_ && track.opus->push(frame, [&](av::Packet packet) {
    const Timestamp at = Timestamp::nanos(packet->pts * 1'000'000 / 48);
    submit(index, std::move(packet), at);
  });
  ++(taken ? stats_.audioFrames : stats_.droppedAudioFrames);
}

void WebmWriter::submit(size_t index, av::Packet packet, Timestamp at) {
  if (started_) {
    write(index, std::move(packet), at);
    return;
  }
  waitingBytes_ += static_cast<size_t>(packet->size);
  waiting_.push_back({index, std::move(packet), at});
  if (readyToStart(at)) start();
}

bool WebmWriter::readyToStart(Timestamp at) const {
  const Duration waited = at - waiting_.front().at;
  if (waited < kSettleTime && waitingBytes_ <= kMaxWaitingBytes) return false;
  const bool known = std::all_of(tracks_.begin(), tracks_.end(), [](const Track& track) {
    return track.kind == MediaKind::Audio || track.header;
  });
  return known || waited >= options_.videoWait || waitingBytes_ > kMaxWaitingBytes;
}

void WebmWriter::describe(Track& track) {
  track.stream = avformat_new_stream(output_.get(), nullptr);
  if (!track.stream) return note(AVERROR(ENOMEM));
  AVCodecParameters& parameters = *track.stream->codecpar;
  if (track.opus) {
    note(avcodec_parameters_from_context(&parameters, &track.opus->context()));
    track.stream->time_base = {1, 48'000};
    return;
  }
  if (!track.header) {
    // Nothing seen yet: decoders go by what the frames say of themselves.
    track.header = KeyFrameHeader{
        options_.videoCodec == "VP9" ? PictureCodec::Vp9 : PictureCodec::Vp8, 640, 480};
  }
  parameters.codec_type = AVMEDIA_TYPE_VIDEO;
  parameters.codec_id =
      track.header->codec == PictureCodec::Vp9 ? AV_CODEC_ID_VP9 : AV_CODEC_ID_VP8;
  parameters.width = track.header->width;
  parameters.height = track.header->height;
  track.stream->time_base = {1, 1000};
}

void WebmWriter::start() {
  started_ = true;
  for (Track& track : tracks_) describe(track);
  if (error_ < 0) return;
  note(avformat_write_header(output_.get(), nullptr));
  epoch_ = waiting_.front().at;
  for (const Waiting& item : waiting_) epoch_ = std::min(epoch_, item.at);
  for (Waiting& item : waiting_) write(item.track, std::move(item.packet), item.at);
  waiting_.clear();
}

void WebmWriter::write(size_t index, av::Packet packet, Timestamp at) {
  if (error_ < 0) return;
  AVStream* stream = tracks_[index].stream;
  const int64_t micros = std::max<int64_t>((at - epoch_).micros(), 0);
  packet->pts = av_rescale_q(micros, AVRational{1, 1'000'000}, stream->time_base);
  packet->dts = packet->pts;
  packet->duration = av_rescale_q(packet->duration, AVRational{1, 48'000}, stream->time_base);
  packet->stream_index = stream->index;
  note(av_interleaved_write_frame(output_.get(), packet.get()));
  stats_.bytesWritten = static_cast<uint64_t>(std::max<int64_t>(avio_tell(output_->pb), 0));
}

void WebmWriter::note(int error) {
  if (error < 0 && error_ == 0) error_ = error;
}

Result<void> WebmWriter::finish() {
  if (!std::exchange(finished_, true)) {
    for (size_t i = 0; i < tracks_.size(); ++i) {
      if (!tracks_[i].opus) continue;
      tracks_[i].opus->finish([&](av::Packet packet) {
        const Timestamp at = Timestamp::nanos(packet->pts * 1'000'000 / 48);
        submit(i, std::move(packet), at);
      });
      stats_.silenceInserted += tracks_[i].opus->silenceInserted();
    }
    if (!started_ && !waiting_.empty()) start();
    if (started_ && error_ == 0) note(av_write_trailer(output_.get()));
    if (output_ && output_->pb) {
      const int64_t size = avio_size(output_->pb);
      if (size > 0) stats_.bytesWritten = static_cast<uint64_t>(size);
      note(avio_closep(&output_->pb));
    }
  }
  if (error_ < 0) return av::failure("cannot write the recording " + path_, error_);
  if (!started_) return fail(ErrorCode::Operation, "nothing to record has come: " + path_);
  return ok();
}

}  // namespace parley::devices
