// The library as a test peer, driven by lines of JSON on standard input and output: see README.md.
//   native_peer [--clip FILE] [--all-interfaces] [--max-message BYTES] [--port N]
//       [--trace FOLDER] [--log trace|debug|info|warning]

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <stdexcept>
#include <thread>
#include <utility>

#include "parley/base/text.h"
#include "parley/base/version.h"

#include "channel_peer.h"
#include "connection.h"

namespace parley::interop {
namespace {

class StderrLog final : public LogSink {
 public:
  explicit StderrLog(LogLevel level) : level_(level) {}
  LogLevel level() const override { return level_; }
  void write(LogLevel, std::string_view component, std::string_view line) override {
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
    std::fprintf(stderr, "[native %.3f] %.*s: %.*s\n", seconds, static_cast<int>(component.size()),
                 component.data(), static_cast<int>(line.size()), line.data());
  }

 private:
  LogLevel level_;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

struct Options {
  std::string clip;
  std::string traces;
  bool allInterfaces = false;
  size_t maxMessage = 0;  ///< 0: the library's own
  LogLevel log = LogLevel::Silent;
  std::optional<uint16_t> port;  ///< of all connections
};

class NativePeer {
 public:
  NativePeer(LineWriter& out, const Options& options);
  ~NativePeer();

  /// Starts a command; its reply is written now or later.
  void start(const Json& id, const std::string& command, const Json& request);
  /// Commands that still wait for something.
  int busy() const { return busy_; }

 private:
  using Handler = std::function<Json(const Json& request)>;
  struct Command {
    Handler handler;
    bool waits = false;  ///< may take long: runs beside the others
  };

  void addNegotiationCommands();
  void addChannelCommands();
  void addMediaCommands();
  Json create(const Json& request);
  Json openChannel(const Json& request);
  void close(const Json& request);
  void adopt(const std::string& pc, DataChannel channel, const std::string& mode);
  std::shared_ptr<Connection> connection(const Json& request);
  std::shared_ptr<ChannelPeer> channel(const Json& request);
  void run(const Json& id, const Handler& handler, const Json& request);

  LineWriter& out_;
  StderrLog log_;
  Shared shared_;
  std::map<std::string, Command, std::less<>> commands_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Connection>> connections_;
  std::map<std::string, std::shared_ptr<ChannelPeer>> channels_;
  std::atomic<int> busy_{0};
};

NativePeer::NativePeer(LineWriter& out, const Options& options)
    : out_(out),
      log_(options.log),
      shared_{out, nullptr, options.clip, options.allInterfaces, options.traces, {}} {
  LoopOptions loop;
  loop.log = &log_;
  if (options.maxMessage > 0) {
    loop.limits.maxMessageSize = options.maxMessage;
    loop.limits.maxBufferedAmount = std::max(loop.limits.maxBufferedAmount, 2 * options.maxMessage);
  }
  if (options.port) {
    for (const AddressFamily family : {AddressFamily::V4, AddressFamily::V6})
      for (auto* ports : {&loop.udpPorts, &loop.tcpPorts})
        ports->push_back({IpAddress::any(family), *options.port});
  }
  shared_.loop = Loop::create(std::move(loop));
  shared_.adopt = [this](const std::string& pc, DataChannel channel, const std::string& mode) {
    adopt(pc, std::move(channel), mode);
  };
  addNegotiationCommands();
  addChannelCommands();
  addMediaCommands();
  if (!shared_.loop->startThread()) throw std::runtime_error("the loop does not start");
}

NativePeer::~NativePeer() {
  for (auto& [name, connection] : connections_) connection->close();
  shared_.loop->stop();
}

// Turns a member of Connection or a lambda without result into a handler.
template <class Call>
auto reply(Call call) {
  return [call](const Json& request) -> Json {
    if constexpr (std::is_void_v<decltype(call(request))>) {
      call(request);
      return nullptr;
    } else {
      return call(request);
    }
  };
}

void NativePeer::addNegotiationCommands() {
  const auto add = [this](const char* name, auto call, bool waits = false) {
    commands_[name] = {reply(call), waits};
  };
  add("create", [this](const Json& r) { return create(r); });
  add("createOffer", [this](const Json& r) { return connection(r)->describe(r, true); });
  add("createAnswer", [this](const Json& r) { return connection(r)->describe(r, false); });
  add("setLocal", [this](const Json& r) { connection(r)->setLocal(r); });
  add("setRemote", [this](const Json& r) { connection(r)->setRemote(r); });
  add("addCandidate", [this](const Json& r) { connection(r)->addCandidate(r); });
  add("restartIce", [this](const Json& r) { connection(r)->restartIce(); });
  add("close", [this](const Json& r) { close(r); });
  add(
      "localDescription", [this](const Json& r) { return connection(r)->localDescription(r); },
      true);
  add(
      "wait", [this](const Json& r) { connection(r)->wait(r); }, true);
}

void NativePeer::addChannelCommands() {
  const auto add = [this](const char* name, auto call, bool waits = false) {
    commands_[name] = {reply(call), waits};
  };
  add("openChannel", [this](const Json& r) { return openChannel(r); });
  add("incoming", [this](const Json& r) { connection(r)->setIncomingMode(r.at("mode")); });
  add("sctp", [this](const Json& r) { return connection(r)->sctp(); });
  add("mode", [this](const Json& r) { channel(r)->setMode(r.at("mode")); });
  add("received", [this](const Json& r) { return channel(r)->received(); });
  add("closeChannel", [this](const Json& r) { channel(r)->close(); });
  add(
      "send", [this](const Json& r) { channel(r)->send(r); }, true);
  add(
      "sendPlan", [this](const Json& r) { return channel(r)->sendPlan(r); }, true);
  add(
      "ping", [this](const Json& r) { return channel(r)->ping(r); }, true);
  add(
      "blast", [this](const Json& r) { return channel(r)->blast(r); }, true);
}

void NativePeer::addMediaCommands() {
  const auto add = [this](const char* name, auto call, bool waits = false) {
    commands_[name] = {reply(call), waits};
  };
  add("addTrack", [this](const Json& r) { return connection(r)->addTrack(r); });
  add("removeTrack", [this](const Json& r) { connection(r)->removeTrack(r); });
  add("stopTransceiver", [this](const Json& r) { connection(r)->stopTransceiver(r); });
  add("addTransceiver", [this](const Json& r) { connection(r)->addTransceiver(r); });
  add("setCodecs", [this](const Json& r) { connection(r)->setCodecs(r); });
  add("setSender", [this](const Json& r) { connection(r)->setSender(r); });
  add("replaceTrack", [this](const Json& r) { connection(r)->replaceTrack(r); });
  add("dtmf", [this](const Json& r) { connection(r)->dtmf(r); });
  add("keys", [this](const Json& r) { return connection(r)->keys(); });
  add("sframe", [this](const Json& r) { connection(r)->sframe(r); });
  add("askForExtensions", [this](const Json& r) { connection(r)->askForExtensions(); });
  add("extensions", [this](const Json& r) { return connection(r)->extensions(); });
  add("setPlayoutDelay", [this](const Json& r) { connection(r)->setPlayoutDelay(r); });
  add("transceivers", [this](const Json& r) { return connection(r)->transceivers(); });
  add("stats", [this](const Json& r) { return connection(r)->stats(r); });
  add("selected", [this](const Json& r) { return connection(r)->selected(); });
  add(
      "media", [this](const Json& r) { return connection(r)->media(); }, true);
  add("frame", [this](const Json& r) { return connection(r)->frame(r); });
  add("sourceFrame", [this](const Json& r) { return connection(r)->sourceFrame(r); });
}

std::shared_ptr<Connection> NativePeer::connection(const Json& request) {
  const std::string name = request.value("pc", "pc");
  const std::lock_guard lock(mutex_);
  const auto it = connections_.find(name);
  if (it == connections_.end()) throw std::runtime_error("no pc \"" + name + "\"");
  return it->second;
}

std::shared_ptr<ChannelPeer> NativePeer::channel(const Json& request) {
  const std::string name = request.at("dc").get<std::string>();
  const std::lock_guard lock(mutex_);
  const auto it = channels_.find(name);
  if (it == channels_.end()) throw std::runtime_error("no dc \"" + name + "\"");
  return it->second;
}

Json NativePeer::create(const Json& request) {
  const std::string name = request.value("pc", "pc");
  auto made = Connection::create(shared_, name, request.value("config", Json::object()));
  const std::lock_guard lock(mutex_);
  connections_[name] = std::move(made);
  return nullptr;
}

void NativePeer::close(const Json& request) {
  connection(request)->close();
  const std::lock_guard lock(mutex_);
  connections_.erase(request.value("pc", "pc"));
}

Json NativePeer::openChannel(const Json& request) {
  const std::string name = request.at("dc").get<std::string>();
  DataChannel channel = connection(request)->openChannel(request.value("label", name),
                                                         request.value("init", Json::object()));
  auto made = ChannelPeer::create(out_, request.value("pc", "pc"), name, std::move(channel),
                                  request.value("mode", "event"));
  const Json description = made->describe();
  const std::lock_guard lock(mutex_);
  channels_[name] = std::move(made);
  return description;
}

void NativePeer::adopt(const std::string& pc, DataChannel channel, const std::string& mode) {
  const std::string label = channel.label().empty() ? "dc" : channel.label();
  Json event;
  {
    const std::lock_guard lock(mutex_);
    std::string name = label;
    for (int i = 2; channels_.contains(name); ++i) name = label + "#" + std::to_string(i);
    const auto made = ChannelPeer::create(out_, pc, name, std::move(channel), mode);
    channels_[name] = made;
    event = made->describe();
  }
  event["event"] = "datachannel";
  event["pc"] = pc;
  out_.event(event);
}

void NativePeer::run(const Json& id, const Handler& handler, const Json& request) {
  try {
    out_.reply(id, handler(request));
  } catch (const std::exception& error) {
    out_.failure(id, error.what());
  }
}

void NativePeer::start(const Json& id, const std::string& command, const Json& request) {
  const auto found = commands_.find(command);
  if (found == commands_.end()) return out_.failure(id, "unknown command " + command);
  if (!found->second.waits) return run(id, found->second.handler, request);
  ++busy_;
  std::thread([this, id, &handler = found->second.handler, request] {
    run(id, handler, request);
    --busy_;
  }).detach();
}

Options parseOptions(int count, char** words) {
  const std::map<std::string_view, LogLevel> levels{{"trace", LogLevel::Trace},
                                                    {"debug", LogLevel::Debug},
                                                    {"info", LogLevel::Info},
                                                    {"warning", LogLevel::Warning}};
  Options options;
  // PARLEY_LOG reaches the peer through a runner that does not know the option.
  if (const char* level = std::getenv("PARLEY_LOG"); level && levels.contains(level))
    options.log = levels.at(level);
  for (int i = 1; i < count; ++i) {
    const std::string_view word = words[i];
    if (word == "--all-interfaces") options.allInterfaces = true;
    if (word == "--clip" && i + 1 < count) options.clip = words[++i];
    if (word == "--trace" && i + 1 < count) options.traces = words[++i];
    if (word == "--max-message" && i + 1 < count)
      options.maxMessage = parseNumber<size_t>(words[++i]).value_or(0);
    if (word == "--port" && i + 1 < count) options.port = parseNumber<uint16_t>(words[++i]);
    if (word == "--log" && i + 1 < count && levels.contains(words[i + 1]))
      options.log = levels.at(words[++i]);
  }
  return options;
}

}  // namespace
}  // namespace parley::interop

int main(int count, char** words) {
  using namespace parley::interop;
  LineWriter out;
  NativePeer peer(out, parseOptions(count, words));
  out.event({{"event", "ready"}, {"peer", "native"}, {"version", PARLEY_VERSION_STRING}});
  std::string line;
  while (std::getline(std::cin, line)) {
    const Json request = Json::parse(line, nullptr, false);
    if (!request.is_object()) continue;
    const Json id = request.value("id", Json());
    const std::string command = request.value("cmd", "");
    if (command == "quit") {
      out.reply(id, nullptr);
      break;
    }
    peer.start(id, command, request);
  }
  // Commands that wait for what will not come any more must not keep the process.
  if (peer.busy() > 0) std::_Exit(0);
  return 0;
}
