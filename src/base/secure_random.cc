#include "parley/base/secure_random.h"

#include <cerrno>
#include <sys/random.h>

#include "parley/base/check.h"

namespace parley {

void SecureRandom::fill(MutableByteSpan out) {
  size_t done = 0;
  while (done < out.size()) {
    const ssize_t n = ::getrandom(out.data() + done, out.size() - done, 0);
    if (n < 0) {
      PARLEY_CHECK(errno == EINTR);  // the call has no other failure for valid arguments
      continue;
    }
    done += static_cast<size_t>(n);
  }
}

}  // namespace parley
