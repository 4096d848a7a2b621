#include "play.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "tapped_encoder.h"

namespace loopback {

using namespace parley;

Result<std::unique_ptr<Play>> Play::create(const Options& options) {
  std::unique_ptr<Play> play(new Play(options));
  devices::MediaFileOptions clipOptions;
  clipOptions.waitForDecoder = options.simulation.has_value();
  auto clip = devices::openMediaFile(options.clip, clipOptions);
  if (!clip) return fail(clip.error());
  if (!clip->video) return fail(ErrorCode::NotSupported, options.clip + " has no pictures");
  play->clip_ = *std::move(clip);
  play->video_ = std::make_shared<MeteredSource>(play->clip_.video, play->meter_);
  play->seconds_ = options.seconds > 0 ? options.seconds : play->clip_.duration.seconds();
  devices::RecorderOptions recorderOptions;
  recorderOptions.writeInline = options.simulation.has_value();
  recorderOptions.videoCodec = options.codec;
  auto recorder = devices::Recorder::create(options.recording, recorderOptions);
  if (!recorder) return fail(recorder.error());
  play->recorder_ = *std::move(recorder);
  return play;
}

Configuration Play::senderConfiguration() {
  Configuration configuration;
  configuration.videoEncoders =
      tappedEncoders([this](const codec::EncodedVideoFrame& frame) { meter_.encoded(frame); });
  configuration.startBitrate =
      DataRate::kbps(std::min(options_.startBitrateKbps, options_.bitrateKbps));
  return configuration;
}

Result<void> Play::addSender(PeerConnection& pc, const std::shared_ptr<Loop>& loop) {
  if (clip_.audio) {
    auto added = pc.addTrack(MediaStreamTrack::createAudio(loop, clip_.audio), {"clip"});
    if (!added) return fail(added.error());
  }
  TransceiverInit init;
  init.direction = TransceiverDirection::SendOnly;
  init.streams = {"clip"};
  init.sendEncodings.emplace_back().maxBitrate = DataRate::kbps(options_.bitrateKbps);
  auto transceiver = pc.addTransceiver(MediaStreamTrack::createVideo(loop, video_), init);
  if (!transceiver) return fail(transceiver.error());
  std::vector<RtpCodec> wanted = PeerConnection::senderCapabilities(MediaKind::Video);
  std::stable_partition(wanted.begin(), wanted.end(), [&](const RtpCodec& codec) {
    return codec.mimeType == "video/" + options_.codec;
  });
  return transceiver->setCodecPreferences(wanted);
}

void Play::addReceiver(PeerConnection& pc, const std::shared_ptr<Loop>& loop) {
  pc.onTrack([this, loop](const TrackEvent& event) {
    MediaStreamTrack track = event.track;
    if (track.kind() == MediaKind::Audio) {
      (void)recorder_->addTrack(track);
      return;
    }
    const Result<size_t> slot = recorder_->addVideo();
    track.setEncodedVideoSink([this, slot](const codec::EncodedVideoFrame& frame) {
      meter_.arrived(frame);
      if (slot) recorder_->push(*slot, frame);
    });
    track.setVideoSink(
        [this, loop](const codec::VideoFrame& frame) { meter_.decoded(frame, loop->now()); });
  });
}

void Play::start(Timestamp now) {
  begin_ = now;
  video_->start();
}

void Play::sample(const StatsReport& sender, Timestamp now) {
  Sample sample;
  sample.timeS = (now - begin_).seconds();
  for (const Stats* transport : sender.ofType("transport")) {
    const Stats* pair = sender.find(transport->text("selectedCandidatePairId"));
    if (pair) sample.rttMs = pair->number("currentRoundTripTime") * 1000;
  }
  double bytes = 0;
  for (const Stats* stream : sender.ofType("outbound-rtp")) {
    bytes += stream->number("bytesSent");
    if (stream->has("parleyEstimateBps"))
      sample.estimateKbps = stream->number("parleyEstimateBps") / 1000;
  }
  const double seconds = sample.timeS - (samples_.empty() ? 0 : samples_.back().timeS);
  if (seconds > 0) sample.sentKbps = (bytes - lastBytes_) * 8 / 1000 / seconds;
  lastBytes_ = bytes;
  samples_.push_back(sample);
}

std::string Play::statusLine() const {
  if (samples_.empty()) return {};
  const std::vector<FrameResult> frames = meter_.results();
  // What was sent in the last half second may still be on its way.
  const double to = samples_.back().timeS - 0.5;
  int shown = 0;
  double quality = 0;
  for (const FrameResult& frame : frames) {
    if (!frame.shown || frame.timeS < to - 1 || frame.timeS >= to) continue;
    ++shown;
    quality += frame.psnrDb;
  }
  char line[160];
  std::snprintf(line, sizeof line,
                "%5.1f s   %3d fps   %5.1f dB   %5.0f kbit/s of %5.0f   round trip %5.1f ms",
                samples_.back().timeS, shown, shown > 0 ? quality / shown : 0.0,
                samples_.back().sentKbps, samples_.back().estimateKbps, samples_.back().rttMs);
  return line;
}

Result<void> Play::finish(Outcome& outcome) {
  outcome.frames = meter_.results();
  outcome.unmatchedFrames = meter_.unmatched();
  outcome.samples = samples_;
  outcome.mediaS = seconds_;
  Result<void> finished = recorder_->finish();
  outcome.recording = recorder_->stats();
  return finished;
}

}  // namespace loopback
