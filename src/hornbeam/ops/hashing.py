"""String hashes as TensorFlow computes them, bit for bit: FarmHash Fingerprint64, the 64-bit hash of `string_to_hash_bucket`, SipHash-2-4."""

from __future__ import annotations

from struct import unpack_from

_M = 0xFFFFFFFFFFFFFFFF
_K0 = 0xC3A5C85C97CB3127
_K1 = 0xB492B66FBE98F273
_K2 = 0x9AE16A3B2F90404F


def _u64(s: bytes, i: int) -> int:
    return unpack_from("<Q", s, i)[0]  # type: ignore[no-any-return]


def _u32(s: bytes, i: int) -> int:
    return unpack_from("<I", s, i)[0]  # type: ignore[no-any-return]


def _right(v: int, n: int) -> int:
    return ((v >> n) | (v << (64 - n))) & _M


def _mix(v: int) -> int:
    return v ^ (v >> 47)


def _len16(u: int, v: int, mul: int) -> int:
    a = ((u ^ v) * mul) & _M
    a ^= a >> 47
    b = ((v ^ a) * mul) & _M
    b ^= b >> 47
    return (b * mul) & _M


def _up_to_16(s: bytes) -> int:
    n = len(s)
    if n >= 8:
        mul = (_K2 + n * 2) & _M
        a, b = (_u64(s, 0) + _K2) & _M, _u64(s, n - 8)
        c = (_right(b, 37) * mul + a) & _M
        d = ((_right(a, 25) + b) * mul) & _M
        return _len16(c, d, mul)
    if n >= 4:
        return _len16(n + (_u32(s, 0) << 3), _u32(s, n - 4), (_K2 + n * 2) & _M)
    if n > 0:
        y = s[0] + (s[n >> 1] << 8)
        z = n + (s[n - 1] << 2)
        return (_mix(((y * _K2) ^ (z * _K0)) & _M) * _K2) & _M
    return _K2


def _up_to_32(s: bytes) -> int:
    n = len(s)
    mul = (_K2 + n * 2) & _M
    a, b = (_u64(s, 0) * _K1) & _M, _u64(s, 8)
    c, d = (_u64(s, n - 8) * mul) & _M, (_u64(s, n - 16) * _K2) & _M
    return _len16((_right((a + b) & _M, 43) + _right(c, 30) + d) & _M, (a + _right((b + _K2) & _M, 18) + c) & _M, mul)


def _up_to_64(s: bytes) -> int:
    n = len(s)
    mul = (_K2 + n * 2) & _M
    a, b = (_u64(s, 0) * _K2) & _M, _u64(s, 8)
    c, d = (_u64(s, n - 8) * mul) & _M, (_u64(s, n - 16) * _K2) & _M
    y = (_right((a + b) & _M, 43) + _right(c, 30) + d) & _M
    z = _len16(y, (a + _right((b + _K2) & _M, 18) + c) & _M, mul)
    e, f = (_u64(s, 16) * mul) & _M, _u64(s, 24)
    g, h = ((y + _u64(s, n - 32)) * mul) & _M, ((z + _u64(s, n - 24)) * mul) & _M
    return _len16((_right((e + f) & _M, 43) + _right(g, 30) + h) & _M, (e + _right((f + a) & _M, 18) + g) & _M, mul)


def _weak32(s: bytes, i: int, a: int, b: int) -> tuple[int, int]:
    w, x, y, z = unpack_from("<4Q", s, i)
    a = (a + w) & _M
    b = _right((b + a + z) & _M, 21)
    c = a
    a = (a + x + y) & _M
    b = (b + _right(a, 44)) & _M
    return (a + z) & _M, (b + c) & _M


def fingerprint64(s: bytes) -> int:
    """FarmHash's Fingerprint64, which is stable for ever."""
    n = len(s)
    if n <= 16:
        return _up_to_16(s)
    if n <= 32:
        return _up_to_32(s)
    if n <= 64:
        return _up_to_64(s)
    x, y = 81, (81 * _K1 + 113) & _M
    z = (_mix((y * _K2 + 113) & _M) * _K2) & _M
    v, w = (0, 0), (0, 0)
    x = (x * _K2 + _u64(s, 0)) & _M
    for i in range(0, (n - 1) // 64 * 64, 64):
        x = (_right((x + y + v[0] + _u64(s, i + 8)) & _M, 37) * _K1) & _M
        y = (_right((y + v[1] + _u64(s, i + 48)) & _M, 42) * _K1) & _M
        x ^= w[1]
        y = (y + v[0] + _u64(s, i + 40)) & _M
        z = (_right((z + w[0]) & _M, 33) * _K1) & _M
        v = _weak32(s, i, (v[1] * _K1) & _M, (x + w[0]) & _M)
        w = _weak32(s, i + 32, (z + w[1]) & _M, (y + _u64(s, i + 16)) & _M)
        z, x = x, z
    mul = (_K1 + ((z & 0xFF) << 1)) & _M
    i = n - 64
    w = ((w[0] + ((n - 1) & 63)) & _M, w[1])
    v = ((v[0] + w[0]) & _M, v[1])
    w = ((w[0] + v[0]) & _M, w[1])
    x = (_right((x + y + v[0] + _u64(s, i + 8)) & _M, 37) * mul) & _M
    y = (_right((y + v[1] + _u64(s, i + 48)) & _M, 42) * mul) & _M
    x ^= (w[1] * 9) & _M
    y = (y + v[0] * 9 + _u64(s, i + 40)) & _M
    z = (_right((z + w[0]) & _M, 33) * mul) & _M
    v = _weak32(s, i, (v[1] * mul) & _M, (x + w[0]) & _M)
    w = _weak32(s, i + 32, (z + w[1]) & _M, (y + _u64(s, i + 16)) & _M)
    z, x = x, z
    return _len16((_len16(v[0], w[0], mul) + _mix(y) * _K0 + z) & _M, (_len16(v[1], w[1], mul) + x) & _M, mul)


_MURMUR = 0xC6A4A7935BD1E995


def hash64(s: bytes, seed: int = 0xDECAFCAFFE) -> int:
    """The hash of the op StringToHashBucket (a MurmurHash2 of 64 bits)."""
    n = len(s)
    h = (seed ^ (n * _MURMUR)) & _M
    whole = n // 8 * 8
    for i in range(0, whole, 8):
        k = (_u64(s, i) * _MURMUR) & _M
        k = ((k ^ (k >> 47)) * _MURMUR) & _M
        h = ((h ^ k) * _MURMUR) & _M
    if n % 8:
        h = ((h ^ int.from_bytes(s[whole:], "little")) * _MURMUR) & _M
    h = ((h ^ (h >> 47)) * _MURMUR) & _M
    return h ^ (h >> 47)


def _left(v: int, n: int) -> int:
    return ((v << n) | (v >> (64 - n))) & _M


def siphash(s: bytes, key: tuple[int, int]) -> int:
    """SipHash-2-4 with a key of two 64-bit numbers."""
    k0, k1 = key
    v0, v1 = k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D
    v2, v3 = k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573
    n = len(s)
    whole = n // 8 * 8
    words = [_u64(s, i) for i in range(0, whole, 8)]
    words.append(int.from_bytes(s[whole:], "little") | (n & 0xFF) << 56)

    def rounds(count: int) -> None:
        nonlocal v0, v1, v2, v3
        for _ in range(count):
            v0 = (v0 + v1) & _M
            v2 = (v2 + v3) & _M
            v1, v3 = _left(v1, 13) ^ v0, _left(v3, 16) ^ v2
            v0 = _left(v0, 32)
            v2 = (v2 + v1) & _M
            v0 = (v0 + v3) & _M
            v1, v3 = _left(v1, 17) ^ v2, _left(v3, 21) ^ v0
            v2 = _left(v2, 32)

    for m in words:
        v3 ^= m
        rounds(2)
        v0 ^= m
    v2 ^= 0xFF
    rounds(4)
    return v0 ^ v1 ^ v2 ^ v3
