#include "pake.h"

#include <optional>
#include <vector>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>

#include "parley/base/check.h"
#include "parley/crypto/const_time.h"
#include "parley/crypto/hash.h"
#include "parley/crypto/hmac.h"

#include "common/sha256.h"

namespace sending {

namespace crypto = parley::crypto;
using parley::asBytes;
using parley::ByteSpan;

namespace {

// RFC 9382 section 6, P-256: points that nobody knows the logarithm of.
constexpr const char* kM = "02886e2f97ace46e55ba9dd7242579f2993b64e16ef3dcab95afd497333d8fa12f";
constexpr const char* kN = "03d8bbd6c639c62937b04d997f38c3770719c629d7014d49a24b4f98baa1292b49";
constexpr size_t kPointSize = 65;  // uncompressed

template <class T, void (*Free)(T*)>
struct Freeing {
  void operator()(T* value) const { Free(value); }
};
using Number = std::unique_ptr<BIGNUM, Freeing<BIGNUM, BN_clear_free>>;
using Point = std::unique_ptr<EC_POINT, Freeing<EC_POINT, EC_POINT_clear_free>>;

/// Section 3.3: each part of the transcript with its length, eight octets little-endian.
void append(std::string& transcript, std::string_view part) {
  for (int shift = 0; shift < 64; shift += 8)
    transcript += static_cast<char>(uint64_t{part.size()} >> shift & 0xff);
  transcript += part;
}

std::string_view text(ByteSpan bytes) {
  return parley::asText(bytes);
}

}  // namespace

struct Pake::Curve {
  EC_GROUP* group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
  BN_CTX* context = BN_CTX_new();
  Number w{BN_secure_new()};
  Number secret{BN_secure_new()};
  std::string share;  // as octets

  ~Curve() {
    BN_CTX_free(context);
    EC_GROUP_free(group);
  }
  Point point() const { return Point(EC_POINT_new(group)); }
  Point constant(const char* hex) const {
    return Point(EC_POINT_hex2point(group, hex, nullptr, context));
  }
  /// The point's octets; empty for the point at infinity, which no share may be.
  std::string octets(const EC_POINT* point) const {
    std::string out(kPointSize, '\0');
    const size_t size =
        EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED,
                           reinterpret_cast<unsigned char*>(out.data()), out.size(), context);
    return size == out.size() ? out : std::string();
  }
  /// a + sign * w * mask
  Point masked(const EC_POINT* a, const char* mask, bool subtract) const {
    const Point product = point();
    const Point m = constant(mask);
    PARLEY_CHECK(EC_POINT_mul(group, product.get(), nullptr, m.get(), w.get(), context) == 1);
    if (subtract) PARLEY_CHECK(EC_POINT_invert(group, product.get(), context) == 1);
    Point sum = point();
    PARLEY_CHECK(EC_POINT_add(group, sum.get(), a, product.get(), context) == 1);
    return sum;
  }
};

Pake::Pake(Side side, std::string_view phrase) : side_(side), curve_(std::make_unique<Curve>()) {
  append(names_, "parley-send guest");
  append(names_, "parley-send host");
  // Section 3.2: 64 bits more than the order has, so that the remainder is as good as uniform. A
  // function that is slow on purpose would not help: nobody gets to try phrases offline.
  std::array<uint8_t, 64> wide{};
  for (uint8_t half = 0; half < 2; ++half) {
    const std::array<uint8_t, 1> number{half};
    const auto hash = crypto::sha256({asBytes("parley-send phrase"), number, asBytes(phrase)});
    std::copy(hash.begin(), hash.end(), wide.begin() + 32 * half);
  }
  const Number big(BN_bin2bn(wide.data(), static_cast<int>(wide.size()), nullptr));
  const BIGNUM* order = EC_GROUP_get0_order(curve_->group);
  PARLEY_CHECK(BN_mod(curve_->w.get(), big.get(), order, curve_->context) == 1);
  BN_bn2binpad(curve_->w.get(), w_.data(), static_cast<int>(w_.size()));
  do {
    PARLEY_CHECK(BN_priv_rand_range(curve_->secret.get(), order) == 1);
  } while (BN_is_zero(curve_->secret.get()));
  makeShare();
}

Pake::Pake(Side side, const Scalar& w, const Scalar& secret, std::string nameA, std::string nameB)
    : side_(side), curve_(std::make_unique<Curve>()), w_(w) {
  append(names_, nameA);
  append(names_, nameB);
  BN_bin2bn(w.data(), static_cast<int>(w.size()), curve_->w.get());
  BN_bin2bn(secret.data(), static_cast<int>(secret.size()), curve_->secret.get());
  makeShare();
}

Pake::~Pake() = default;

// pA = x*P + w*M, pB = y*P + w*N
void Pake::makeShare() {
  BN_set_flags(curve_->secret.get(), BN_FLG_CONSTTIME);
  BN_set_flags(curve_->w.get(), BN_FLG_CONSTTIME);
  const Point own = curve_->point();
  PARLEY_CHECK(EC_POINT_mul(curve_->group, own.get(), curve_->secret.get(), nullptr, nullptr,
                            curve_->context) == 1);
  const Point sum = curve_->masked(own.get(), side_ == Side::Guest ? kM : kN, false);
  curve_->share = curve_->octets(sum.get());
  share_ = example::toHex(asBytes(curve_->share));
}

bool Pake::finish(const std::string& theirs) {
  if (theirs.size() != 2 * kPointSize) return false;
  // Checks that the point lies on the curve; its group has no other subgroups.
  const Point given(EC_POINT_hex2point(curve_->group, theirs.c_str(), nullptr, curve_->context));
  if (!given || EC_POINT_is_at_infinity(curve_->group, given.get())) return false;
  const std::string octets = curve_->octets(given.get());
  const Point base = curve_->masked(given.get(), side_ == Side::Guest ? kN : kM, true);
  const Point shared = curve_->point();
  if (EC_POINT_mul(curve_->group, shared.get(), nullptr, base.get(), curve_->secret.get(),
                   curve_->context) != 1)
    return false;
  const std::string k = curve_->octets(shared.get());
  if (k.empty()) return false;

  transcript_ = names_;
  append(transcript_, side_ == Side::Guest ? curve_->share : octets);
  append(transcript_, side_ == Side::Guest ? octets : curve_->share);
  append(transcript_, k);
  append(transcript_, text(w_));
  keys_ = crypto::sha256(asBytes(transcript_));
  // Section 4: KcA || KcB = HKDF(no salt, Ka, "ConfirmationKeys"), 32 octets: one block (RFC 5869).
  const ByteSpan ka = ByteSpan(keys_).subspan(16);
  const std::array<uint8_t, 32> noSalt{};
  const auto extracted = crypto::hmacSha256(noSalt, ka);
  const std::array<uint8_t, 1> first{1};
  confirmation_ = crypto::hmacSha256(extracted, {asBytes("ConfirmationKeys"), first});
  return true;
}

std::string Pake::mac(Side side, std::string_view body) const {
  const ByteSpan key = ByteSpan(confirmation_).subspan(side == Side::Guest ? 0 : 16, 16);
  // Over the transcript as in the RFC, and what is to be authenticated beside it.
  return example::toHex(crypto::hmacSha256(key, {asBytes(transcript_), asBytes(body)}));
}

bool Pake::verify(std::string_view body, const std::string& given) const {
  const std::string right = mac(side_ == Side::Guest ? Side::Host : Side::Guest, body);
  return crypto::constantTimeEquals(asBytes(right), asBytes(given));
}

}  // namespace sending
