"""Writes functions.txt: mathematical functions of f64 at random bit patterns, rightly rounded.

    python test/reference/functions.py

A line: the function, the bits of its operands, the bits of its value; NaN is nan. mpmath computes with 200 bits (more
where an argument is reduced by multiples of pi). Running the tests needs only the text file.
"""

import math
import pathlib
import random
import struct

import mpmath

SEED = 20260101
COUNT = 96

# Beyond these, sine and cosine would need more than a thousand digits of pi.
mpmath.mp.prec = 1300


def bits(x):
    return "nan" if math.isnan(x) else f"{struct.unpack('<Q', struct.pack('<d', x))[0]:016x}"


def double(pattern):
    return struct.unpack("<d", struct.pack("<Q", pattern))[0]


def rounded(value):
    """The nearest f64, also where that is subnormal: mpmath itself knows no smallest number."""
    if mpmath.isnan(value) or mpmath.isinf(value):
        return float(value)
    sign, mantissa, exponent, length = mpmath.mpf(value)._mpf_
    if mantissa == 0:
        return 0.0
    # Digits behind the binary point that an f64 of this size keeps.
    keep = min(52 - (exponent + length - 1), 1074)
    shift = exponent + keep
    whole, rest = (mantissa << shift, 0) if shift >= 0 else divmod(mantissa, 1 << -shift)
    half = 1 << max(-shift - 1, 0)
    whole += shift < 0 and (rest > half or (rest == half and whole & 1))
    return math.copysign(math.inf if whole.bit_length() - keep > 1024 else math.ldexp(whole, -keep), -1 if sign else 1)


def atan2(y, x):
    return mpmath.atan2(y, x)


# Function, and the exponents of two between which its arguments lie.
UNARY = {
    "exp": (mpmath.exp, -40, 9.5),
    "expm1": (mpmath.expm1, -40, 9.5),
    "log": (mpmath.log, -1074, 1024),
    "log1p": (mpmath.log1p, -60, 1024),
    "sin": (mpmath.sin, -30, 1024),
    "cos": (mpmath.cos, -30, 1024),
    "tanh": (mpmath.tanh, -40, 5),
    "erf": (mpmath.erf, -40, 3),
    "erfc": (mpmath.erfc, -40, 4.7),
}
BINARY = {"atan2": (atan2, -30, 30), "pow": (mpmath.power, -6, 6)}
POSITIVE = {"log", "pow"}


def draw(low, high, positive):
    magnitude = 2.0 ** random.uniform(low, min(high, 1023.99)) if low > -1022 else abs(double(random.getrandbits(63)))
    magnitude = magnitude if magnitude < math.inf else 1.0
    # The last bits are random too.
    magnitude = double(struct.unpack("<Q", struct.pack("<d", magnitude))[0] ^ random.getrandbits(20))
    return magnitude if positive or random.random() < 0.5 else -magnitude


def main():
    random.seed(SEED)
    lines = []
    for name, (function, low, high) in UNARY.items():
        for _ in range(COUNT):
            x = draw(low, high, name in POSITIVE)
            if name == "log1p" and x <= -1:
                x = -x
            lines.append(f"{name} {bits(x)} {bits(rounded(function(mpmath.mpf(x))))}")
    for name, (function, low, high) in BINARY.items():
        for _ in range(COUNT):
            x, y = draw(low, high, name in POSITIVE), draw(low, high, False)
            lines.append(f"{name} {bits(x)} {bits(y)} {bits(rounded(function(mpmath.mpf(x), mpmath.mpf(y))))}")
    (pathlib.Path(__file__).parent / "functions.txt").write_text("\n".join([f"mpmath {mpmath.__version__}", *lines]) + "\n")


main()
