"""Hash tables in which every key has a slot of its own, found in one look.

"Hash, displace, and compress" (D. Belazzougui, F. C. Botelho, M. Dietzfelbinger,
ESA 2009), without the last step: one hash puts keys into small buckets, two
others and the bucket's displacement give the slot. Buckets are placed from the
largest to the smallest, each with the first displacement that puts all its keys
into free slots.

A key is a row of ids. A word that is not in the table gets some slot, too:
whoever asks must compare what stands there.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PRIME = 2**31 - 1
"""Hashes are taken modulo this before anything else: products stay below 2**63."""

_BUCKET_SIZE = 4
"""Keys per bucket: more save displacements and cost attempts."""

_LOAD = 0.9
"""Share of the slots in use: more saves memory and costs attempts."""

_ATTEMPTS = 1 << 16
"""Displacements to try: what two bytes hold. From ``size`` on they would repeat."""


@dataclass(frozen=True)
class PerfectHash:
    """Maps rows of ids to slots.

    multipliers    int64 [ids per key, 3]: weights of the three hashes' sums
    displacements  uint16 [buckets]
    size           number of slots, a prime
    """

    multipliers: NDArray[np.int64]
    displacements: NDArray[np.uint16]
    size: int

    @property
    def moduli(self) -> tuple[int, int, int]:
        """What each of the three hashes is taken modulo of."""
        return len(self.displacements), self.size, self.size - 1

    def slots(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the slot of each key [n, ids per key]; ids lie in [0, 65536]."""
        bucket, base, step = _hashes(keys, self.multipliers, self.moduli)
        return _slot(base, step, self.displacements[bucket].astype(np.int64), self.size)


def build(keys: NDArray[np.int64]) -> PerfectHash:
    """Return a perfect hash for distinct keys [n, ids per key]; ids lie in [0, 65536]."""
    size = _next_prime(max(3, int(len(keys) / _LOAD)))
    buckets = len(keys) // _BUCKET_SIZE + 1
    random = np.random.default_rng(1)
    while True:
        multipliers = random.integers(1, PRIME, (keys.shape[1], 3))
        hashes = _hashes(keys, multipliers, (buckets, size, size - 1))
        displacements = _displace(*hashes, buckets, size)
        if displacements is not None:
            return PerfectHash(multipliers, displacements, size)


def _hashes(
    keys: NDArray[np.int64], multipliers: NDArray[np.int64], moduli: tuple[int, int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    hashes = keys @ multipliers % PRIME % np.array(moduli)
    return hashes[:, 0], hashes[:, 1], hashes[:, 2]


def _slot(
    base: NDArray[np.int64],
    step: NDArray[np.int64],
    displacement: NDArray[np.int64] | int,
    size: int,
) -> NDArray[np.int64]:
    return (base + displacement * (step + 1)) % size


def _displace(
    bucket: NDArray[np.int64],
    base: NDArray[np.int64],
    step: NDArray[np.int64],
    buckets: int,
    size: int,
) -> NDArray[np.uint16] | None:
    """Return a displacement for each bucket, None where a bucket finds none."""
    by_bucket = np.argsort(bucket, kind="stable")
    members = np.bincount(bucket, minlength=buckets)
    first = np.cumsum(members) - members
    displacements = np.zeros(buckets, dtype=np.uint16)
    used = np.zeros(size, dtype=bool)
    owner = np.empty(size, dtype=np.int64)
    for count in range(int(members.max(initial=0)), 0, -1):
        waiting = np.flatnonzero(members == count)
        for displacement in range(min(_ATTEMPTS, size)):
            if not len(waiting):
                break
            keys = by_bucket[first[waiting, None] + np.arange(count)]
            slots = _slot(base[keys], step[keys], displacement, size)
            fits = _claim(slots, used, owner)
            displacements[waiting[fits]] = displacement
            waiting = waiting[~fits]
        else:
            return None
    return displacements


def _claim(
    slots: NDArray[np.int64], used: NDArray[np.bool_], owner: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Mark the slots [bucket, key] of buckets that fit as used, and return which fit.

    A bucket fits where all its slots are free and none is wanted by another bucket, or
    twice by itself; of two that want the same slot, at most one gets it.
    ``owner`` [slot] is scratch memory.
    """
    free = np.flatnonzero(~used[slots].any(axis=1))
    wanted = slots[free]
    claim = np.arange(wanted.size).reshape(wanted.shape)
    owner[wanted] = claim
    winners = free[(owner[wanted] == claim).all(axis=1)]
    used[slots[winners]] = True
    fits = np.zeros(len(slots), dtype=bool)
    fits[winners] = True
    return fits


def _next_prime(number: int) -> int:
    """Return the smallest prime that is not below ``number``."""
    while any(number % divisor == 0 for divisor in range(2, int(number**0.5) + 1)):
        number += 1
    return number
