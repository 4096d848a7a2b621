// The people around a forwarding server under test: one who sends VP8 and any number who look.
// Commands on standard input, one line of answer each; forwarding.py carries the descriptions.
//
//   publisher | viewer      an offer; line ends travel as '|'
//   accept SDP              the answer to the last offer; waits until connected
//   send PPS BURST          starts to send, so many packets together
//   stop
//   count                   packets that all viewers have received
//   profile                 how packets to the last viewer are protected

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <iostream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "parley/api/forwarder.h"
#include "parley/parley.h"

namespace {

using namespace parley;  // NOLINT: a program of one page

constexpr size_t kPayload = 1140;  // with headers and SRTP about 1200 bytes of UDP

class Load {
 public:
  Load() : loop_(Loop::create()), room_(loop_) {
    (void)loop_->startThread();
    track_ = MediaStreamTrack::createEncodedVideo(loop_, "VP8");
    track_.onKeyFrameNeeded([this] { keyFrameNeeded_ = true; });
  }

  std::string run(const std::string& line) {
    const size_t space = line.find(' ');
    const std::string command = line.substr(0, space);
    const std::string text = space == std::string::npos ? "" : line.substr(space + 1);
    if (command == "publisher") return offer(true);
    if (command == "viewer") return offer(false);
    if (command == "accept") return accept(text);
    if (command == "send") return send(text);
    if (command == "stop") return stop();
    if (command == "count") return count();
    if (command == "profile") return profile();
    return "error unknown command";
  }

 private:
  std::string offer(bool sending) {
    Configuration configuration;
    configuration.includeLoopback = true;
    configuration.useAddress = [](const NetworkInterface&, const IpAddress& address) {
      return address.isV4();
    };
    configuration.minBitrate = configuration.startBitrate = DataRate::kbps(30'000);
    configuration.maxBitrate = DataRate::kbps(100'000);
    PeerConnection pc = PeerConnection::create(loop_, configuration).value();
    pc.onIceGatheringStateChange([this](IceGatheringState state) {
      if (state == IceGatheringState::Complete) notify(gathered_);
    });
    pc.onConnectionStateChange([this](PeerConnectionState state) {
      if (state == PeerConnectionState::Connected) notify(connected_);
    });
    TransceiverInit init;
    init.direction = sending ? TransceiverDirection::SendOnly : TransceiverDirection::RecvOnly;
    RtpTransceiver transceiver = sending ? pc.addTransceiver(track_, init).value()
                                         : pc.addTransceiver(MediaKind::Video, init).value();
    std::vector<RtpCodec> codecs;
    for (RtpCodec& codec : RtpReceiver::getCapabilities(MediaKind::Video).codecs) {
      if (codec.mimeType == "video/VP8" || codec.mimeType == "video/rtx") codecs.push_back(codec);
    }
    (void)transceiver.setCodecPreferences(codecs);
    if (!sending) {
      viewers_.push_back(pc);
      // Nothing is decoded: packets are counted, and that is all.
      (void)room_.publish(transceiver.receiver());
    }
    newest_ = pc;
    all_.push_back(pc);
    gathered_ = connected_ = false;
    pc.setLocalDescription([](Result<void>) {});
    if (!wait(gathered_)) return "error no candidates";
    std::string out;
    const std::string sdp = pc.localDescription()->sdp;
    for (const char c : sdp) {
      if (c != '\r') out += c == '\n' ? '|' : c;
    }
    return out;
  }
  std::string accept(const std::string& text) {
    std::string sdp;
    for (const char c : text) sdp += c == '|' ? std::string("\r\n") : std::string(1, c);
    newest_.setRemoteDescription({SdpType::Answer, sdp}, [this](Result<void> result) {
      if (!result) std::cerr << result.error().message << '\n';
    });
    return wait(connected_) ? "ok" : "error not connected";
  }
  std::string send(const std::string& text) {
    const size_t space = text.find(' ');
    const int rate = std::stoi(text);
    const int burst = std::stoi(text.substr(space));
    sending_ = true;
    thread_ = std::thread([this, rate, burst] {
      const auto interval = std::chrono::nanoseconds(int64_t{1'000'000'000} * burst / rate);
      auto next = std::chrono::steady_clock::now();
      codec::EncodedVideoFrame frame;
      frame.data.assign(kPayload * static_cast<size_t>(burst), 0x55);
      frame.width = 1280;
      frame.height = 720;
      const uint8_t key[] = {0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x00, 0x05, 0xd0, 0x02};
      bool first = true;
      while (sending_) {
        next += interval;
        std::this_thread::sleep_until(next);
        frame.keyFrame = keyFrameNeeded_.exchange(false) || first;
        first = false;
        std::copy(std::begin(key), std::end(key), frame.data.begin());
        if (!frame.keyFrame) frame.data[0] = 0x11;
        frame.rtpTimestamp += static_cast<uint32_t>(90'000.0 * burst / rate);
        frame.capture = loop_->now();
        (void)track_.push(frame);
      }
    });
    return "ok";
  }
  std::string stop() {
    sending_ = false;
    if (thread_.joinable()) thread_.join();
    return "ok";
  }
  std::string count() {
    double sum = 0;
    for (PeerConnection& viewer : viewers_) {
      bool done = false;
      viewer.getStats([&](Result<StatsReport> report) {
        for (const Stats* stats : report->ofType("inbound-rtp"))
          sum += stats->number("packetsReceived");
        notify(done);
      });
      if (!wait(done)) return "error no statistics";
    }
    return std::to_string(static_cast<uint64_t>(sum));
  }

  std::string profile() {
    bool done = false;
    std::string out = "none";
    newest_.getStats([&](Result<StatsReport> report) {
      for (const Stats* stats : report->ofType("transport")) {
        const std::string cipher = stats->text("srtpCipher");
        if (!cipher.empty()) out = cipher;
      }
      notify(done);
    });
    return wait(done) ? out : "error no statistics";
  }

  void notify(bool& flag) {
    const std::lock_guard lock(mutex_);
    flag = true;
    changed_.notify_all();
  }
  bool wait(bool& flag) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return flag; });
  }

  std::shared_ptr<Loop> loop_;
  Forwarder room_;
  MediaStreamTrack track_;
  std::vector<PeerConnection> all_;
  std::vector<PeerConnection> viewers_;
  PeerConnection newest_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool gathered_ = false;
  bool connected_ = false;
  std::atomic<bool> keyFrameNeeded_{false};
  std::atomic<bool> sending_{false};
  std::thread thread_;
};

}  // namespace

int main() {
  Load load;
  for (std::string line; std::getline(std::cin, line);) std::cout << load.run(line) << std::endl;
  std::_Exit(0);
}
