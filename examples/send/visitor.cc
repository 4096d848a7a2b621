#include "visitor.h"

#include <utility>

#include <httplib.h>

#include "common/web.h"
#include "pake.h"

namespace sending {

namespace {

constexpr std::chrono::seconds kOpening{20};

}  // namespace

Visitor::Visitor(Setup setup) : setup_(std::move(setup)), origin_(example::webOrigin(setup_.url)) {}

Visitor::Reply Visitor::post(const std::string& path, const Json& body) const {
  httplib::Client http(origin_);
  http.set_connection_timeout(5, 0);
  http.set_read_timeout(15, 0);
  const auto response = http.Post(path, body.dump(), "application/json");
  if (!response)
    return {0, {}, origin_ + " does not answer: " + httplib::to_string(response.error())};
  Reply reply{response->status, Json::parse(response->body, nullptr, false), {}};
  if (reply.status >= 300 || !reply.body.is_object()) {
    const std::string told = reply.body.is_object() ? textIn(reply.body, "error") : "";
    reply.reason = told.empty() ? origin_ + " is no place for transfers" : told;
    if (reply.status < 300) reply.status = 502;
  }
  return reply;
}

Visitor::Outcome Visitor::visit() const {
  const std::string path = "/api/" + setup_.phrase.name;
  Pake pake(Pake::Side::Guest, setup_.phrase.text);
  const Reply joined = post(path + "/join", {{"share", pake.share()}});
  if (joined.status == 403) return {nullptr, Failure::Refused, joined.reason};
  if (!joined.reason.empty()) return {nullptr, Failure::Unreachable, joined.reason};
  if (!pake.finish(textIn(joined.body, "share")))
    return {nullptr, Failure::Refused, "the other side makes no sense"};

  auto made = PeerLink::create({setup_.loop, setup_.stun, example::isThisMachine(origin_)});
  if (!made) return {nullptr, Failure::Refused, made.error().message};
  const std::shared_ptr<PeerLink> link = std::move(*made);
  const auto sdp = link->offer();
  if (!sdp) return {nullptr, Failure::Refused, sdp.error().message};
  const std::string body = Json{{"sdp", *sdp}, {"sends", setup_.sends}}.dump();
  const Reply answered = post(path + "/" + textIn(joined.body, "id") + "/offer",
                              {{"body", body}, {"mac", pake.mac(Pake::Side::Guest, body)}});
  if (answered.status == 403) return {nullptr, Failure::WrongPhrase, answered.reason};
  if (answered.status == 409) return {nullptr, Failure::Refused, answered.reason};
  if (!answered.reason.empty()) return {nullptr, Failure::Unreachable, answered.reason};

  // Whoever answers has to know the phrase as well.
  const std::string answer = textIn(answered.body, "body");
  if (!pake.verify(answer, textIn(answered.body, "mac")))
    return {nullptr, Failure::WrongPhrase, "the other side does not know the phrase"};
  const Json told = Json::parse(answer, nullptr, false);
  const auto accepted = link->accept(told.is_object() ? textIn(told, "sdp") : std::string());
  if (!accepted) return {nullptr, Failure::Refused, accepted.error().message};
  if (!link->opened(kOpening))
    return {nullptr, Failure::Unreachable, "no path to the other side was found"};
  return {link, Failure::None, {}};
}

}  // namespace sending
