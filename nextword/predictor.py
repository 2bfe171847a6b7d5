"""Predictor: pieces in, log-probabilities of the next piece out.

The only module that touches onnxruntime. A predictor's memory is opaque here:
tensors that the graph gives out and takes back. They are kept by the pieces
that led to them, so text that grows by a word costs one step.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from nextword.bundle import StateTensor
from nextword.errors import BundleCorrupt

Row = NDArray[np.float32]
Pieces = NDArray[np.int64]
State = tuple[NDArray[np.generic], ...]


@dataclass(frozen=True)
class Memory:
    """What the predictor thinks after some pieces: log_probs [V], and its state, batch of one.

    Without a state (``None``) one can't go on from it.
    """

    log_probs: Row
    state: State | None

    @property
    def nbytes(self) -> int:
        """Bytes that keeping this takes."""
        return self.log_probs.nbytes + sum(tensor.nbytes for tensor in self.state or ())


class MemoryCache:
    """Memories by piece prefix, the least recently used forgotten first, bounded in bytes."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._memories: OrderedDict[bytes, Memory] = OrderedDict()
        self._lock = Lock()

    def get(self, pieces: Pieces) -> Memory | None:
        """Return the memory of exactly these pieces, where it is kept."""
        key = pieces.tobytes()
        with self._lock:
            memory = self._memories.get(key)
            if memory is not None:
                self._memories.move_to_end(key)
        return memory

    def longest(self, pieces: Pieces) -> tuple[int, State | None]:
        """Return the length and state of the longest prefix that one can go on from."""
        key = pieces.tobytes()
        with self._lock:
            for size in range(len(key), 0, -pieces.itemsize):
                memory = self._memories.get(key[:size])
                if memory is not None and memory.state is not None:
                    self._memories.move_to_end(key[:size])
                    return size // pieces.itemsize, memory.state
        return 0, None

    def keep(self, pieces: Pieces, memory: Memory) -> None:
        """Keep a memory; forget others until all fit."""
        key = pieces.tobytes()
        with self._lock:
            old = self._memories.pop(key, None)
            self._bytes += memory.nbytes - (old.nbytes if old else 0)
            self._memories[key] = memory
            while self._bytes > self._max_bytes:
                _, forgotten = self._memories.popitem(last=False)
                self._bytes -= forgotten.nbytes


class Predictor:
    """A graph with the one signature, and what it remembers of recent contexts."""

    def __init__(
        self,
        model: Path,
        states: Sequence[StateTensor],
        context_length: int,
        *,
        threads: int = 1,
        cache_bytes: int = 64 << 20,
    ) -> None:
        """Load the graph. Raises BundleCorrupt where onnxruntime can't run it."""
        self._states = tuple(states)
        self._length = context_length
        self._cache = MemoryCache(cache_bytes)
        try:
            self._session = onnxruntime.InferenceSession(
                str(model), _session_options(threads), providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime has no base class for its errors
            raise BundleCorrupt(
                f"{model}: onnxruntime can't load it; export the bundle again"
            ) from error

    def log_probs(self, context: Sequence[int]) -> Row:
        """Return natural log-probabilities [V] of the piece after ``context`` (``<s>`` first)."""
        return self._remember(self._window(context)).log_probs

    def log_probs_after(self, context: Sequence[int], paths: Sequence[Sequence[int]]) -> list[Row]:
        """Return log-probabilities [V] after ``context`` and each of ``paths``, all of one length.

        They are run as one batch, which costs far less than one by one.
        """
        start = self._window(context)
        wholes = [np.concatenate([start, np.array(path, dtype=np.int64)]) for path in paths]
        memories = [self._cache.get(whole) for whole in wholes]
        missing = [number for number, memory in enumerate(memories) if memory is None]
        if missing:
            state = self._remember(start).state or self._go_on(start)[1]
            tokens = np.array([paths[number] for number in missing], dtype=np.int64)
            batch_state = tuple(np.repeat(tensor, len(missing), axis=0) for tensor in state)
            (log_probs,) = self._run(tokens, batch_state, ["log_probs"])
            for number, row in zip(missing, log_probs, strict=True):
                memory = memories[number] = Memory(row.copy(), None)
                self._cache.keep(wholes[number], memory)
        return [memory.log_probs for memory in memories if memory is not None]

    def _window(self, context: Sequence[int]) -> Pieces:
        """Return the part of a long context that is looked at: ``<s>`` and the last pieces.

        What is left out is a whole number of half windows, so that the part
        stays the same, and its memory useful, while the text grows.
        """
        pieces = np.array(context, dtype=np.int64)
        half = self._length // 2
        excess = len(pieces) - self._length
        if excess <= 0:
            return pieces
        dropped = -(-excess // half) * half
        return np.concatenate([pieces[:1], pieces[1 + dropped :]])

    def _remember(self, pieces: Pieces) -> Memory:
        memory = self._cache.get(pieces)
        if memory is None:
            log_probs, state = self._go_on(pieces)
            memory = Memory(log_probs, state)
            self._cache.keep(pieces, memory)
        return memory

    def _go_on(self, pieces: Pieces) -> tuple[Row, State]:
        """Run what of ``pieces`` no state covers yet."""
        known, state = self._cache.longest(pieces[:-1])
        if state is None:
            state = tuple(_fresh(spec) for spec in self._states)
        names = [f"{spec.name}_next" for spec in self._states]
        log_probs, *state_next = self._run(pieces[None, known:], state, ["log_probs", *names])
        return log_probs[0], tuple(state_next)

    def _run(self, tokens: NDArray[np.int64], state: State, outputs: list[str]) -> list[Any]:
        """Run the graph on tokens [B, T] and a state for B; only ``outputs`` are copied out."""
        inputs = {spec.name: tensor for spec, tensor in zip(self._states, state, strict=True)}
        results: list[Any] = self._session.run(outputs, {"tokens": tokens, **inputs})
        return results


def _fresh(spec: StateTensor) -> NDArray[np.generic]:
    """Return a state tensor that has seen nothing."""
    sizes = {"batch": 1, "past": 0}
    shape = [sizes[size] if isinstance(size, str) else size for size in spec.shape]
    return np.full(shape, spec.fill, dtype=spec.dtype)


def _session_options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Threads that spin while they wait burn a core between keystrokes.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    # Shapes change with every request: patterns of memory use would never repeat.
    options.enable_mem_pattern = False
    return options
