#include "caller.h"

#include <utility>

#include <httplib.h>
#include <nlohmann/json.hpp>

#include "common/web.h"

namespace call {

using example::isThisMachine;
using example::textOf;
using example::webOrigin;
using Json = nlohmann::json;
using parley::ErrorCode;
using parley::Result;

Caller::Caller(const Home& home, std::string url) : home_(home), url_(webOrigin(std::move(url))) {}

Caller::~Caller() {
  stop();
}

Result<Json> Caller::post(const std::string& path, const Json& body) {
  httplib::Client http(url_);
  http.set_connection_timeout(5, 0);
  http.set_read_timeout(10, 0);
  const auto response = http.Post(path, body.dump(), "application/json");
  if (!response)
    return parley::fail(ErrorCode::Network,
                        url_ + " does not answer: " + httplib::to_string(response.error()));
  const Json reply = Json::parse(response->body, nullptr, false);
  if (response->status >= 300 || !reply.is_object())
    return parley::fail(ErrorCode::Network,
                        url_ + " says " + std::to_string(response->status) + ": " +
                            (reply.is_object() ? textOf(reply, "error") : "no call API there"));
  return reply;
}

Result<void> Caller::dial() {
  auto made = post("/api/calls", Json::object());
  if (!made) return parley::fail(made.error());
  path_ = "/api/calls/" + textOf(*made, "id");
  auto call = Call::create(home_, 1, isThisMachine(url_));
  if (!call) return parley::fail(call.error());
  call_ = std::move(*call);
  const auto offer = call_->offer();
  if (!offer) return parley::fail(offer.error());
  const auto answer = post(path_ + "/offer", {{"sdp", *offer}});
  if (!answer) return parley::fail(answer.error());
  if (const auto accepted = call_->accept(textOf(*answer, "sdp")); !accepted) return accepted;
  listening_ = std::thread([this] { listen(); });
  telling_ = std::thread([this] { tell(); });
  return parley::ok();
}

// Our candidates, from when they may be told: after the offer.
void Caller::tell() {
  for (size_t next = 0; !stopping_;) {
    const auto event = call_->event(next, std::chrono::milliseconds(500));
    if (!event && call_->ended()) return;
    if (!event) continue;
    ++next;
    if (event->contains("bye")) {
      (void)post(path_ + "/bye", Json::object());
    } else {
      (void)post(path_ + "/candidates", *event);
    }
  }
}

void Caller::listen() {
  events_ = std::make_unique<httplib::Client>(url_);
  events_->set_read_timeout(30, 0);  // it speaks every five seconds at least
  std::string text;
  events_->Get(path_ + "/events", [&](const char* data, size_t size) {
    text.append(data, size);
    for (size_t end = text.find("\n\n"); end != std::string::npos; end = text.find("\n\n")) {
      const size_t begin = text.find("data: ");
      if (begin < end)
        onEvent(Json::parse(text.substr(begin + 6, end - begin - 6), nullptr, false));
      text.erase(0, end + 2);
    }
    return !stopping_ && text.size() < 1024 * 1024;
  });
}

void Caller::onEvent(const Json& event) {
  if (!event.is_object()) return;
  if (event.contains("candidate")) (void)call_->addCandidate(event["candidate"]);
  if (event.contains("bye")) call_->hangUp("the other side hung up");
}

void Caller::stop() {
  if (call_) call_->hangUp("the program ends");
  if (telling_.joinable()) telling_.join();
  stopping_ = true;
  if (listening_.joinable()) {
    events_->stop();
    listening_.join();
  }
}

}  // namespace call
