"""The string hashes TensorFlow's buckets and tables use: FarmHash64's fingerprint, SipHash-2-4 and its own older Hash64."""

from __future__ import annotations

_M = (1 << 64) - 1
_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F
_PAIR = 0x9DDFEA08EB382D69


def _rotate(v: int, by: int) -> int:
    return (v >> by | v << (64 - by)) & _M


def _mix(v: int) -> int:
    return v ^ v >> 47


def _pair(u: int, v: int, multiplier: int = _PAIR) -> int:
    a = _mix(((u ^ v) * multiplier) & _M)
    b = _mix(((v ^ a) * multiplier) & _M)
    return (b * multiplier) & _M


def _word(s: bytes, at: int) -> int:
    return int.from_bytes(s[at : at + 8], "little")


def _half(s: bytes, at: int) -> int:
    return int.from_bytes(s[at : at + 4], "little")


def _weak(s: bytes, at: int, a: int, b: int) -> tuple[int, int]:
    w, x, y, z = (_word(s, at + 8 * i) for i in range(4))
    a = (a + w) & _M
    b = _rotate((b + a + z) & _M, 21)
    c = a
    a = (a + x + y) & _M
    b = (b + _rotate(a, 44)) & _M
    return (a + z) & _M, (b + c) & _M


def _short(s: bytes) -> int:
    n = len(s)
    multiplier = (_K2 + n * 2) & _M
    if n >= 8:
        a, b = (_word(s, 0) + _K2) & _M, _word(s, n - 8)
        return _pair((_rotate(b, 37) * multiplier + a) & _M, ((_rotate(a, 25) + b) * multiplier) & _M, multiplier)
    if n >= 4:
        return _pair(n + (_half(s, 0) << 3), _half(s, n - 4), multiplier)
    if n:
        y, z = s[0] + (s[n >> 1] << 8), n + (s[n - 1] << 2)
        return (_mix((y * _K2 & _M) ^ (z * _K0 & _M)) * _K2) & _M
    return _K2


def _medium(s: bytes) -> int:
    n = len(s)
    multiplier = (_K2 + n * 2) & _M
    a, b = _word(s, 0) * (_K1 if n <= 32 else _K2) & _M, _word(s, 8)
    c, d = _word(s, n - 8) * multiplier & _M, _word(s, n - 16) * _K2 & _M
    y = (_rotate((a + b) & _M, 43) + _rotate(c, 30) + d) & _M
    z = _pair(y, (a + _rotate((b + _K2) & _M, 18) + c) & _M, multiplier)
    if n <= 32:
        return z
    e, f = _word(s, 16) * multiplier & _M, _word(s, 24)
    g = (y + _word(s, n - 32)) * multiplier & _M
    h = (z + _word(s, n - 24)) * multiplier & _M
    return _pair((_rotate((e + f) & _M, 43) + _rotate(g, 30) + h) & _M, (e + _rotate((f + a) & _M, 18) + g) & _M, multiplier)


def fingerprint64(s: bytes) -> int:
    """FarmHash64's fingerprint, which never changes between versions."""
    n = len(s)
    if n <= 16:
        return _short(s)
    if n <= 64:
        return _medium(s)
    x = 81
    y = (x * _K1 + 113) & _M
    z = _mix((y * _K2 + 113) & _M) * _K2 & _M
    v, w = (0, 0), (0, 0)
    x = (x * _K2 + _word(s, 0)) & _M
    multiplier, extra = _K1, 0
    blocks = (n - 1) // 64
    for block in range(blocks + 1):
        at, nine = block * 64, 1
        if block == blocks:  # the last 64 bytes, which may overlap those before, with another multiplier
            at, nine = n - 64, 9
            multiplier, extra = (_K1 + ((z & 0xFF) << 1)) & _M, (n - 1) & 63
            w = (w[0] + extra) & _M, w[1]
            v = (v[0] + w[0]) & _M, v[1]
            w = (w[0] + v[0]) & _M, w[1]
        x = _rotate((x + y + v[0] + _word(s, at + 8)) & _M, 37) * multiplier & _M
        y = _rotate((y + v[1] + _word(s, at + 48)) & _M, 42) * multiplier & _M
        x ^= w[1] * nine & _M
        y = (y + v[0] * nine + _word(s, at + 40)) & _M
        z = _rotate((z + w[0]) & _M, 33) * multiplier & _M
        v = _weak(s, at, v[1] * multiplier & _M, (x + w[0]) & _M)
        w = _weak(s, at + 32, (z + w[1]) & _M, (y + _word(s, at + 16)) & _M)
        z, x = x, z
    low = (_pair(v[0], w[0], multiplier) + _mix(y) * _K0 + z) & _M
    return _pair(low, (_pair(v[1], w[1], multiplier) + x) & _M, multiplier)


def siphash(s: bytes, key0: int, key1: int) -> int:
    """SipHash-2-4 with a 128-bit key."""
    v0, v1 = key0 ^ 0x736F6D6570736575, key1 ^ 0x646F72616E646F6D
    v2, v3 = key0 ^ 0x6C7967656E657261, key1 ^ 0x7465646279746573

    def turn(rounds: int) -> None:
        nonlocal v0, v1, v2, v3
        for _ in range(rounds):
            v0 = (v0 + v1) & _M
            v1 = _rotate(v1, 51) ^ v0
            v0 = _rotate(v0, 32)
            v2 = (v2 + v3) & _M
            v3 = _rotate(v3, 48) ^ v2
            v0 = (v0 + v3) & _M
            v3 = _rotate(v3, 43) ^ v0
            v2 = (v2 + v1) & _M
            v1 = _rotate(v1, 47) ^ v2
            v2 = _rotate(v2, 32)

    whole = len(s) // 8 * 8
    last = int.from_bytes(s[whole:], "little") | (len(s) & 0xFF) << 56
    for m in (*(_word(s, at) for at in range(0, whole, 8)), last):
        v3 ^= m
        turn(2)
        v0 ^= m
    v2 ^= 0xFF
    turn(4)
    return v0 ^ v1 ^ v2 ^ v3


def hash64(s: bytes, seed: int = 0xDECAFCAFFE) -> int:
    """TensorFlow's Hash64, after MurmurHash64A."""
    m = 0xC6A4A7935BD1E995
    h = seed ^ (len(s) * m & _M)
    whole = len(s) // 8 * 8
    for at in range(0, whole, 8):
        k = _mix(_word(s, at) * m & _M) * m & _M
        h = (h ^ k) * m & _M
    if len(s) > whole:
        h = (h ^ int.from_bytes(s[whole:], "little")) * m & _M
    return _mix(_mix(h) * m & _M)
