#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "parley/api/peer_connection.h"
#include "parley/base/export.h"

namespace parley {

/// What passes between two PerfectNegotiators: one of the two.
struct NegotiationMessage {
  std::optional<SessionDescription> description{};  ///< for PeerConnection::setRemoteDescription
  std::optional<IceCandidate> candidate{};          ///< for PeerConnection::addIceCandidate
};

/// Perfect negotiation (webrtc-pc section 10.7), ready made: both ends may change what they send at
/// any time, also at once. When two offers meet, the polite end gives way. All that the application
/// does is to carry messages, in order and without loss, and to change the connection as it likes.
///
/// Takes the connection's onNegotiationNeeded and onIceCandidate for itself, from whoever had them,
/// and goes on with what they have left: it offers what is still to be negotiated, and answers an
/// offer that has been applied or is being applied.
///
/// Once it is destroyed nothing is sent, answered or reported any more, also of what is under way;
/// destroyed on another thread than the loop's, a call that has begun may still run. An offer of
/// its own that it has not sent is rolled back, for the next one to make anew. An answer cannot be
/// taken back: if it was applied and not sent, the other end waits for it for ever. So replace a
/// negotiator only while the connection is stable, and after an offer of the other end only once
/// `send` has got the answer. Candidates found while there is no negotiator are not sent later.
///
/// Thread rules: those of the connection's Loop.
class PARLEY_EXPORT PerfectNegotiator {
 public:
  /// `polite`: true at one end, false at the other. `send` is called as callbacks are, on the
  /// loop's thread.
  PerfectNegotiator(PeerConnection pc, bool polite,
                    std::function<void(const NegotiationMessage&)> send);
  /// Lets go of the connection, which stays as it is but for an offer that was not sent; callbacks
  /// that others have set since remain.
  ~PerfectNegotiator();
  PerfectNegotiator(const PerfectNegotiator&) = delete;
  PerfectNegotiator& operator=(const PerfectNegotiator&) = delete;

  /// What the other end has sent.
  void receive(NegotiationMessage message);
  /// A description or a candidate could not be applied, with the error of the call that failed. Not
  /// called for candidates of an offer that is ignored, nor for those that come when a later
  /// description has replaced theirs. On the loop's thread; an empty function removes it.
  void onError(std::function<void(const Error&)> callback);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace parley
