#include "net/curves.h"

#define BIT(curve) (UINT32_C(1) << (curve))

static const br_ec_impl *of(int curve)
{
    return curve == BR_EC_curve25519 ? &br_ec_c25519_i31 : &br_ec_prime_i31;
}

static const unsigned char *generator(int curve, size_t *n)
{
    return of(curve)->generator(curve, n);
}

static const unsigned char *order(int curve, size_t *n)
{
    return of(curve)->order(curve, n);
}

static size_t x_offset(int curve, size_t *n)
{
    return of(curve)->xoff(curve, n);
}

static uint32_t multiply(unsigned char *point, size_t point_n, const unsigned char *x, size_t x_n,
                         int curve)
{
    return of(curve)->mul(point, point_n, x, x_n, curve);
}

static size_t multiply_generator(unsigned char *point, const unsigned char *x, size_t x_n,
                                 int curve)
{
    return of(curve)->mulgen(point, x, x_n, curve);
}

static uint32_t multiply_add(unsigned char *a, const unsigned char *b, size_t n,
                             const unsigned char *x, size_t x_n, const unsigned char *y, size_t y_n,
                             int curve)
{
    return of(curve)->muladd(a, b, n, x, x_n, y, y_n, curve);
}

const br_ec_impl curves_all = {
    .supported_curves =
        BIT(BR_EC_curve25519) | BIT(BR_EC_secp256r1) | BIT(BR_EC_secp384r1) | BIT(BR_EC_secp521r1),
    .generator = generator,
    .order = order,
    .xoff = x_offset,
    .mul = multiply,
    .mulgen = multiply_generator,
    .muladd = multiply_add,
};
