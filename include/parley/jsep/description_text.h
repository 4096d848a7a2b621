#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "parley/base/export.h"
#include "parley/jsep/state.h"
#include "parley/sdp/candidate_line.h"

namespace parley::jsep {

/// All candidates that one section has at a moment.
struct SectionCandidates {
  size_t section = 0;
  std::vector<sdp::CandidateLine> lines;
  bool complete = false;
};
/// The same, borrowed.
struct SectionCandidatesView {
  size_t section = 0;
  std::span<const sdp::CandidateLine> lines;
  bool complete = false;
};

/// A description at a moment, as the application sees it: with the candidates known by then. It is
/// written when somebody first asks: each candidate makes a new one, and hardly any is ever read.
/// Copies share what they hold, so that they belong to one thread at a time.
class PARLEY_EXPORT DescriptionText {
 public:
  using Candidates = std::vector<std::shared_ptr<const SectionCandidates>>;

  /// `local`: the candidates are our own, and one of them becomes the default in its section.
  DescriptionText(std::shared_ptr<const TypedDescription> description, Candidates candidates,
                  bool local);

  SdpType type() const { return body_->description->type; }
  /// Null if it cannot be written as SDP. Valid as long as a copy of this lives.
  const std::string* sdp() const;

 private:
  struct Body {
    std::shared_ptr<const TypedDescription> description;
    Candidates candidates;
    bool local = false;
    bool written = false;
    std::optional<std::string> text;
  };
  std::shared_ptr<Body> body_;
};

/// Makes the texts of one description while candidates come, so that a candidate costs no more than
/// those of its own section.
class PARLEY_EXPORT DescriptionTexts {
 public:
  explicit DescriptionTexts(bool local) : local_(local) {}

  /// To be called when the description has been replaced, or its candidates have become others: in
  /// between they only grow in number and become complete.
  void reset();
  /// `candidates` of a local description; a remote one holds its own.
  std::optional<DescriptionText> show(const Boxed<TypedDescription>& description,
                                      std::span<const SectionCandidatesView> candidates = {});

 private:
  void update(const SectionCandidatesView& now);

  bool local_;
  std::shared_ptr<const TypedDescription> base_;  ///< as it was when the first text was made
  DescriptionText::Candidates candidates_;
  std::optional<DescriptionText> last_;
};

}  // namespace parley::jsep
