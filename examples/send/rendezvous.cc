#include "rendezvous.h"

#include <array>
#include <utility>

#include <httplib.h>

#include "parley/base/secure_random.h"

#include "common/sha256.h"
#include "common/terminal.h"
#include "common/web.h"

namespace sending {

using httplib::Request;
using httplib::Response;

namespace {

constexpr size_t kMaxBody = 256 * 1024;
constexpr size_t kMaxGuests = 16;  // between their two requests
constexpr std::chrono::seconds kGuestStays{30};
constexpr int kMaxWrong = 20;  // guesses of one in 16 million each

parley::Result<Json> bodyOf(const Request& request) {
  Json body = Json::parse(request.body, nullptr, false);
  if (!body.is_object()) return parley::fail(parley::ErrorCode::Syntax, "JSON wanted");
  return body;
}

}  // namespace

Rendezvous::Rendezvous(Setup setup)
    : setup_(std::move(setup)), http_(std::make_unique<httplib::Server>()) {
  http_->new_task_queue = [] { return new httplib::ThreadPool(8); };
  example::setUpWeb(*http_, setup_.host, kMaxBody, "img-src 'self' blob:; ");
  addApi();
}

Rendezvous::~Rendezvous() {
  stop();
}

void Rendezvous::addApi() {
  http_->Post("/api/([a-z0-9]+)/join", [this](const Request& request, Response& response) {
    const auto body = bodyOf(request);
    if (!body) return example::refuse(response, 400, body.error().message);
    if (request.matches[1] != setup_.phrase.name)
      return example::refuse(response, 404, "nobody here waits under that phrase");
    const Answer answer = join(*body, example::isLoopback(request.remote_addr));
    example::reply(response, answer.status, answer.body);
  });
  http_->Post("/api/([a-z0-9]+)/([0-9a-f]{32})/offer",
              [this](const Request& request, Response& response) {
                const auto body = bodyOf(request);
                if (!body) return example::refuse(response, 400, body.error().message);
                const Answer answer = offer(request.matches[2], *body);
                example::reply(response, answer.status, answer.body);
              });
}

Rendezvous::Answer Rendezvous::join(const Json& request, bool sameMachine) {
  auto pake = std::make_unique<Pake>(Pake::Side::Host, setup_.phrase.text);
  if (!pake->finish(textIn(request, "share"))) return {400, {{"error", "a share is wanted"}}};
  const std::string share = pake->share();
  std::array<uint8_t, 16> random{};
  parley::SecureRandom().fill(random);
  const std::string id = example::toHex(random);
  const auto now = std::chrono::steady_clock::now();

  const std::lock_guard lock(mutex_);
  if (wrong_ >= kMaxWrong) return {403, {{"error", "too many wrong phrases"}}};
  std::erase_if(guests_, [&](const auto& guest) { return now - guest.second.since > kGuestStays; });
  if (guests_.size() >= kMaxGuests) return {503, {{"error", "too many at once"}}};
  guests_[id] = {std::move(pake), now, sameMachine};
  Json servers = Json::array();
  if (!setup_.stun.empty()) servers.push_back({{"urls", setup_.stun}});
  return {
      201,
      {{"id", id}, {"share", share}, {"sends", setup_.sends}, {"iceServers", std::move(servers)}}};
}

Rendezvous::Answer Rendezvous::offer(const std::string& id, const Json& request) {
  Guest guest;
  {
    const std::lock_guard lock(mutex_);
    auto found = guests_.extract(id);  // one attempt each
    if (found.empty()) return {404, {{"error", "join first"}}};
    guest = std::move(found.mapped());
  }
  const std::string given = textIn(request, "body");
  if (!guest.pake->verify(given, textIn(request, "mac"))) {
    const std::lock_guard lock(mutex_);
    ++wrong_;
    example::print("Somebody came with a wrong phrase.");
    changed_.notify_all();
    return {403, {{"error", "the phrase is wrong"}}};
  }
  const Json body = Json::parse(given, nullptr, false);
  if (!body.is_object()) return {400, {{"error", "JSON wanted"}}};
  if (flagIn(body, "sends") == setup_.sends) {
    return {409, {{"error", setup_.sends ? "both sides want to send" : "both want to receive"}}};
  }
  auto link = PeerLink::create({setup_.loop, setup_.stun, guest.sameMachine});
  if (!link) return {500, {{"error", link.error().message}}};
  const auto sdp = (*link)->answer(textIn(body, "sdp"));
  if (!sdp) return {400, {{"error", sdp.error().message}}};
  const std::string answer = Json{{"sdp", *sdp}, {"sends", setup_.sends}}.dump();
  {
    const std::lock_guard lock(mutex_);
    waiting_ = std::move(*link);
    changed_.notify_all();
  }
  return {200, {{"body", answer}, {"mac", guest.pake->mac(Pake::Side::Host, answer)}}};
}

parley::Result<int> Rendezvous::start() {
  auto port = example::bindWeb(*http_, setup_.host, setup_.port, setup_.portGiven);
  if (port) thread_ = std::thread([this] { http_->listen_after_bind(); });
  return port;
}

void Rendezvous::stop() {
  http_->stop();
  if (thread_.joinable()) thread_.join();
}

std::shared_ptr<PeerLink> Rendezvous::next(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, patience, [&] { return waiting_ || wrong_ >= kMaxWrong; });
  return std::exchange(waiting_, nullptr);
}

bool Rendezvous::hasNext() const {
  const std::lock_guard lock(mutex_);
  return waiting_ != nullptr;
}

bool Rendezvous::exhausted() const {
  const std::lock_guard lock(mutex_);
  return wrong_ >= kMaxWrong;
}

}  // namespace sending
