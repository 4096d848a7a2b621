#include "parley/jsep/description_text.h"

#include <algorithm>
#include <utility>

#include "parley/jsep/bundle.h"
#include "parley/sdp/writer.h"

namespace parley::jsep {

DescriptionText::DescriptionText(std::shared_ptr<const TypedDescription> description,
                                 Candidates candidates, bool local)
    : body_(std::make_shared<Body>()) {
  body_->description = std::move(description);
  body_->candidates = std::move(candidates);
  body_->local = local;
}

const std::string* DescriptionText::sdp() const {
  Body& body = *body_;
  if (!std::exchange(body.written, true)) {
    sdp::SessionDescription copy = body.description->sdp;
    for (const auto& of : body.candidates) {
      if (body.local) {
        addLocalCandidates(copy, of->section, of->lines, of->complete);
      } else {
        copy.media[of->section].candidates = of->lines;
        copy.media[of->section].endOfCandidates = of->complete;
      }
    }
    if (Result<std::string> text = sdp::write(copy)) body.text = *std::move(text);
  }
  return body.text ? &*body.text : nullptr;
}

void DescriptionTexts::reset() {
  base_.reset();
  candidates_.clear();
  last_.reset();
}

std::optional<DescriptionText> DescriptionTexts::show(
    const Boxed<TypedDescription>& description, std::span<const SectionCandidatesView> candidates) {
  if (!description) {
    reset();
    return std::nullopt;
  }
  if (!base_) base_ = std::make_shared<const TypedDescription>(*description);
  for (const SectionCandidatesView& now : candidates) update(now);
  for (size_t i = 0; !local_ && i < description->sdp.media.size(); ++i) {
    const sdp::MediaDescription& now = description->sdp.media[i];
    const sdp::MediaDescription& then = base_->sdp.media[i];
    if (now.candidates.size() != then.candidates.size() ||
        now.endOfCandidates != then.endOfCandidates)
      update({i, now.candidates, now.endOfCandidates});
  }
  if (!last_) last_.emplace(base_, candidates_, local_);
  return last_;
}

void DescriptionTexts::update(const SectionCandidatesView& now) {
  auto at = std::find_if(candidates_.begin(), candidates_.end(),
                         [&](const auto& of) { return of->section == now.section; });
  if (at == candidates_.end()) {
    at = candidates_.emplace(at);
  } else if ((*at)->lines.size() == now.lines.size() && (*at)->complete == now.complete) {
    return;
  }
  *at = std::make_shared<const SectionCandidates>(
      SectionCandidates{now.section, {now.lines.begin(), now.lines.end()}, now.complete});
  last_.reset();
}

}  // namespace parley::jsep
