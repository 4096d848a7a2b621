// Files and folders from one machine to another or a browser: `send --help`.
//
// Where to look: source.cc and sink.cc are the two ends of a transfer, link.cc is the connection
// under them; rendezvous.cc and visitor.cc bring the two sides together, pake.cc proves that both
// know the phrase.

#include <csignal>
#include <cstdio>
#include <fstream>
#include <memory>
#include <optional>
#include <thread>

#include "parley/base/secure_random.h"

#include "common/terminal.h"
#include "common/web.h"
#include "options.h"
#include "rendezvous.h"
#include "sink.h"
#include "source.h"
#include "visitor.h"

namespace sending {

using example::format;
using example::print;
using example::printable;
using parley::Result;

namespace {

enum Exit {
  kOk = 0,
  kSomeFailed = 1,
  kUsage = 2,
  kNoConnection = 3,
  kWrongPhrase = 4,
  kInterrupted = 130
};

constexpr std::chrono::seconds kOpening{20};
constexpr std::chrono::seconds kFirstContact{10};  // nobody ever answered: the URL may be wrong
constexpr std::chrono::milliseconds kTick{200};

volatile std::sig_atomic_t interrupted = 0;

void handleSignals() {
  struct sigaction action {};
  action.sa_handler = [](int) { interrupted = 1; };
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

/// The whole run: one transfer, over as many links as it takes.
class Program {
 public:
  explicit Program(const Options& options) : options_(options), log_(options.verbose) {}
  int run();

 private:
  Result<void> prepare();
  int host();
  int visit();
  /// Makes the transfer go on over this link. Says why it ended.
  End use(PeerLink& link, const Transfer::Stop& stop);
  void tellAddresses(int port) const;
  bool writeReport(int code) const;
  int outcome() const;

  const Options& options_;
  example::ErrorLog log_;
  std::shared_ptr<parley::Loop> loop_;
  Progress progress_;
  std::unique_ptr<Transfer> transfer_;
  Json report_;  ///< of the last transfer that ended
  int links_ = 0;
  std::string path_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

Result<void> Program::prepare() {
  parley::LoopOptions loopOptions;
  loopOptions.log = &log_;
  loop_ = parley::Loop::create(loopOptions);
  if (auto started = loop_->startThread(); !started) return started;
  if (options_.sends()) {
    std::vector<std::string> notes;
    auto manifest = readManifest(options_.files, notes);
    for (const std::string& note : notes) print(note);
    if (!manifest) return parley::fail(manifest.error());
    if (manifest->entries.empty())
      return parley::fail(parley::ErrorCode::NotFound, "there is nothing to send");
    print("Sending " + manifest->summary());
    transfer_ = std::make_unique<Source>(std::move(*manifest), options_.bytesPerSecond, progress_);
    return parley::ok();
  }
  auto folder = TargetFolder::open(options_.folder);
  if (!folder) return parley::fail(folder.error());
  transfer_ = std::make_unique<Sink>(std::move(*folder), options_.force, progress_);
  return parley::ok();
}

End Program::use(PeerLink& link, const Transfer::Stop& stop) {
  ++links_;
  path_ = link.path();
  print(format("Connected: %s", path_.empty() ? "path unknown" : path_.c_str()));
  const End end = transfer_->run(link, stop);
  progress_.clear();
  link.close();
  if (end == End::Broken) print("The other side makes no sense: connection ended");
  return end;
}

void Program::tellAddresses(int port) const {
  const bool all = options_.host == "0.0.0.0" || options_.host == "::";
  print("URL: " + example::webUrl(all ? "localhost" : options_.host, port));
  if (!all) return;
  for (const std::string& address : example::machineAddresses())
    print("     " + example::webUrl(address, port));
}

int Program::host() {
  Rendezvous::Setup setup;
  setup.loop = loop_;
  parley::SecureRandom random;
  setup.phrase = options_.phrase ? *options_.phrase : CodePhrase::make(random);
  setup.sends = options_.sends();
  setup.host = options_.host;
  setup.port = options_.port;
  setup.portGiven = options_.portGiven;
  setup.stun = options_.stun;
  Rendezvous rendezvous(setup);
  const auto port = rendezvous.start();
  if (!port) {
    print("Cannot start: " + port.error().message);
    return kNoConnection;
  }
  print("");
  print("Code phrase: " + setup.phrase.text);
  tellAddresses(*port);
  print("");
  print(options_.sends()
            ? "On the other machine: send --receive " + setup.phrase.text + " --from URL"
            : "On the other machine: send FILE... --to URL --phrase " + setup.phrase.text);
  print("or open the URL in a browser there; with #" + setup.phrase.text +
        " at its end it asks no question.");
  std::optional<int> delivered;  // how the last transfer went
  while (!interrupted) {
    const auto link = rendezvous.next(kTick);
    if (rendezvous.exhausted()) {
      print("Too many came with a wrong phrase: start again with a new one.");
      return kWrongPhrase;
    }
    if (!link) continue;
    const auto stop = [&] { return interrupted != 0 || rendezvous.hasNext(); };
    const auto deadline = std::chrono::steady_clock::now() + kOpening;
    while (!stop() && !link->lost() && !link->opened(kTick) &&
           std::chrono::steady_clock::now() < deadline) {
    }
    if (!link->opened(std::chrono::milliseconds(0))) {
      if (!stop()) print("No path to the other side was found");
      continue;
    }
    const End end = use(*link, stop);
    if (end == End::Done) {
      print(transfer_->summary());
      delivered = outcome();
      report_ = transfer_->report();
      if (!options_.keep) return *delivered;
      transfer_->again();
    } else if (!stop()) {
      print("Connection lost: waiting for the other side to come back");
    }
  }
  return delivered.value_or(kInterrupted);
}

int Program::visit() {
  const Visitor visitor({loop_, *options_.phrase, options_.sends(), options_.url, options_.stun});
  const auto stop = [] { return interrupted != 0; };
  using Clock = std::chrono::steady_clock;
  const auto patience = std::chrono::duration_cast<Clock::duration>(
      std::chrono::duration<double>(options_.patienceSeconds));
  auto giveUp = Clock::now() + std::min<Clock::duration>(patience, kFirstContact);
  bool told = false;
  while (!stop()) {
    const Visitor::Outcome outcome = visitor.visit();
    if (outcome.failure == Visitor::Failure::WrongPhrase) {
      print("No: " + printable(outcome.reason));
      return kWrongPhrase;
    }
    if (outcome.failure == Visitor::Failure::Refused) {
      print("No: " + printable(outcome.reason));
      return kNoConnection;
    }
    if (outcome.link) {
      const End end = use(*outcome.link, stop);
      if (end == End::Done) {
        print(transfer_->summary());
        return this->outcome();
      }
      if (end == End::Broken) return kNoConnection;
      if (!stop()) print("Connection lost: trying again");
      giveUp = Clock::now() + patience;
      told = false;
    } else if (!told) {
      print(printable(outcome.reason) + "; trying again");
      told = true;
    }
    if (Clock::now() >= giveUp) {
      print("Given up");
      return kNoConnection;
    }
    for (int i = 0; i < 5 && !stop(); ++i) std::this_thread::sleep_for(kTick);
  }
  return kInterrupted;
}

int Program::outcome() const {
  return transfer_->failed() == 0 ? kOk : kSomeFailed;
}

bool Program::writeReport(int code) const {
  if (options_.report.empty()) return true;
  const std::chrono::duration<double> lasted = std::chrono::steady_clock::now() - began_;
  Json report = report_;
  if (report.is_null()) report = transfer_ ? transfer_->report() : Json::object();
  report["role"] = options_.sends() ? "sender" : "receiver";
  report["exit"] = code;
  report["connections"] = links_;
  report["path"] = path_;
  report["duration_s"] = lasted.count();
  std::ofstream file(options_.report);
  file << report.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
  file.close();
  if (!file) print("Cannot write " + options_.report);
  return !file.fail();
}

int Program::run() {
  int code = kUsage;
  if (const auto prepared = prepare(); prepared) {
    code = options_.waits() ? host() : visit();
  } else {
    print("Cannot start: " + prepared.error().message);
  }
  const bool written = writeReport(code);
  loop_->stop();
  return written || code != kOk ? code : kSomeFailed;
}

}  // namespace
}  // namespace sending

int main(int count, char** words) {
  const sending::Options options = sending::parseOptions(count, words);
  sending::handleSignals();
  return sending::Program(options).run();
}
