"""An n-gram model as an ONNX graph of integer and lookup operators.

The contexts of all lengths are looked up at once (``training.context_table``). The
answer starts as the row of unigrams, or a common word's own row; the backoffs of
all contexts are added to it; then, from the shortest context to the longest, the
log-probabilities of each one's successors are put over it.
"""

from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray
from onnx import TensorProto, helper, numpy_helper

from nextword.bundle import StateTensor
from training import perfect_hash
from training.context_table import ContextTable
from training.ngrams import BEGIN, END, NgramModel

STATE = "recent"

_OPSET = 18
_IR_VERSION = 9
_TO_THE_END = np.iinfo(np.int64).max


def state_tensor(model: NgramModel) -> StateTensor:
    """Return the graph's memory: the last words, ``<s>`` where there were none yet."""
    return StateTensor(name=STATE, dtype="int64", shape=("batch", _memory(model)), fill=BEGIN)


def draw(model: NgramModel) -> onnx.ModelProto:
    """Return the model as an ONNX graph.

    Inputs: ``tokens`` int64 [batch, time] and ``recent`` int64 [batch, memory].
    Outputs: ``log_probs`` float32 [batch, vocabulary], natural, of the word after the
    last token; and ``recent_next``. A ``</s>`` in the input starts a new sentence.
    """
    pen = _Pen()
    table = ContextTable.build(model)
    words = _draw_memory(pen, _memory(model))
    newest = pen.slice(words, _memory(model) - 1, _TO_THE_END)
    row = _draw_row(pen, newest, table)
    if len(model.orders) > 1:
        nodes = _draw_nodes(pen, words, newest, table, model)
        row = _draw_backing_off(pen, row, nodes, table, model)
    pen.slice(row, 0, model.vocabulary_size, output="log_probs")
    return pen.model(_memory(model), model.vocabulary_size)


def _memory(model: NgramModel) -> int:
    """Return how many words the graph remembers: at least one, so that no tensor is empty."""
    return max(1, len(model.orders) - 1)


class _Pen:
    """Adds nodes and constants to a graph; every method returns the name of what it made."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def __call__(
        self, kind: str, *inputs: str, output: str | None = None, **attributes: Any
    ) -> str:
        """Add an operator with one output."""
        output = output or f"{kind}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, values: ArrayLike) -> str:
        """Add a constant, int64 unless it is an array of another type."""
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def slice(self, tensor: str, first: int, end: int, output: str | None = None) -> str:
        """Cut columns out of a matrix."""
        axis = 1
        bounds = (self.constant([number]) for number in (first, end, axis))
        return self("Slice", tensor, *bounds, output=output)

    def columns(self, tensor: str, parts: int) -> list[str]:
        """Cut a matrix into ``parts`` of equal width."""
        outputs = [f"Split_{len(self._nodes)}_{part}" for part in range(parts)]
        self._nodes.append(helper.make_node("Split", [tensor], outputs, axis=1, num_outputs=parts))
        return outputs

    def cast(self, tensor: str, to: int = TensorProto.INT64) -> str:
        """Change the type of a tensor."""
        return self("Cast", tensor, to=to)

    def lookup(self, values: NDArray[np.generic], indices: str) -> str:
        """Fetch entries of a constant array."""
        return self("Gather", self.constant(values), indices)

    def model(self, memory: int, vocabulary_size: int) -> onnx.ModelProto:
        """Return the graph with the one signature of every predictor."""
        tensor = helper.make_tensor_value_info
        graph = helper.make_graph(
            self._nodes,
            "markov",
            inputs=[
                tensor("tokens", TensorProto.INT64, ["batch", "time"]),
                tensor(STATE, TensorProto.INT64, ["batch", memory]),
            ],
            outputs=[
                tensor("log_probs", TensorProto.FLOAT, ["batch", vocabulary_size]),
                tensor(STATE + "_next", TensorProto.INT64, ["batch", memory]),
            ],
            initializer=self._constants,
        )
        opsets = [helper.make_opsetid("", _OPSET)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)


def _draw_memory(pen: _Pen, memory: int) -> str:
    """Return the last words [batch, memory], oldest first."""
    seen = pen("Concat", STATE, "tokens", axis=1)
    last = pen.slice(seen, -memory, _TO_THE_END)
    is_end = pen("Equal", last, pen.constant(END))
    return pen("Where", is_end, pen.constant(BEGIN), last, output=STATE + "_next")


def _draw_row(pen: _Pen, newest: str, table: ContextTable) -> str:
    """Return the row to start from, [batch, vocabulary + 1]; the last column counts nowhere."""
    rows = np.pad(table.rows, ((0, 0), (0, 1)))
    number = pen.lookup(table.row, pen("Squeeze", newest, pen.constant([1])))
    return pen.lookup(rows, number)


def _draw_nodes(pen: _Pen, words: str, newest: str, table: ContextTable, model: NgramModel) -> str:
    """Return the nodes of the contexts of length 1, 2, ..., [batch, length]."""
    lengths = len(model.orders) - 1
    if lengths == 1:
        return newest
    slots = _draw_slots(pen, words, table, lengths)
    longer = pen("Add", slots, pen.constant(model.vocabulary_size))

    parent = pen.slice(pen("Concat", newest, longer, axis=1), 0, lengths - 1)
    has_parent = pen("Equal", pen.cast(pen.lookup(table.parent, slots)), parent)
    oldest = pen("Gather", words, pen.constant(np.arange(lengths - 2, -1, -1)), axis=1)
    has_oldest = pen("Equal", pen.cast(pen.lookup(table.oldest, slots)), oldest)
    # A context is there only where all shorter ones on its way are, too.
    misses = pen.cast(pen("Not", pen("And", has_parent, has_oldest)))
    is_there = pen("Equal", pen("CumSum", misses, pen.constant(1)), pen.constant(0))
    return pen(
        "Concat", newest, pen("Where", is_there, longer, pen.constant(table.nothing)), axis=1
    )


def _draw_slots(pen: _Pen, words: str, table: ContextTable, lengths: int) -> str:
    """Return the slots [batch, lengths - 1] of the contexts of length 2, 3, ..."""
    # One product hashes all lengths: a length's weights are zero for the words beyond it.
    weights = np.stack([table.hash.multipliers] * (lengths - 1), axis=2)
    for place, length in enumerate(range(2, lengths + 1)):
        weights[: lengths - length, :, place] = 0
    keys = pen("Add", words, pen.constant(1))
    sums = pen("MatMul", keys, pen.constant(weights.reshape(lengths, -1)))
    moduli = np.repeat(np.array(table.hash.moduli), lengths - 1)
    hashes = pen("Mod", pen("Mod", sums, pen.constant(perfect_hash.PRIME)), pen.constant(moduli))
    bucket, base, step = pen.columns(hashes, 3)
    displacement = pen.cast(pen.lookup(table.hash.displacements, bucket))
    moved = pen("Mul", displacement, pen("Add", step, pen.constant(1)))
    return pen("Mod", pen("Add", base, moved), pen.constant(table.hash.size))


def _draw_backing_off(
    pen: _Pen, row: str, nodes: str, table: ContextTable, model: NgramModel
) -> str:
    """Return the row [batch, vocabulary + 1] after all contexts had their say."""
    lengths = len(model.orders) - 1
    backoffs = pen.lookup(table.backoff, nodes)
    starts = pen.lookup(table.start, nodes)
    ends = pen.lookup(table.start, pen("Add", nodes, pen.constant(1)))
    counts = pen("Sub", ends, starts)
    # Successors of a context get the backoffs of longer ones only, all other words get all.
    later = pen("CumSum", backoffs, pen.constant(1), exclusive=1, reverse=1)
    row = pen("Add", row, pen("ReduceSum", backoffs, pen.constant([1])))

    # So that a block of the longest length can be read at any start:
    beyond = int(np.diff(table.start).max())
    successors = pen.constant(np.pad(table.successor, (0, beyond)))
    log_probs = pen.constant(np.pad(table.log_prob, (0, beyond)))
    zero, one = pen.constant(np.int32(0)), pen.constant(np.int32(1))
    nowhere = pen.constant(np.int32(model.vocabulary_size))
    for backoff, start, count in zip(
        *(pen.columns(tensor, lengths) for tensor in (later, starts, counts)), strict=True
    ):
        # A block is as wide as the batch needs; what a line has less goes nowhere.
        longest = pen("ReduceMax", count, keepdims=0)
        offsets = pen("Range", zero, longest, one)
        places = pen("Add", start, offsets)
        word = pen.cast(pen("Gather", successors, places), TensorProto.INT32)
        target = pen("Where", pen("Less", offsets, count), word, nowhere)
        value = pen("Add", pen("Gather", log_probs, places), backoff)
        row = pen("ScatterElements", row, target, value, axis=1)
    return row
