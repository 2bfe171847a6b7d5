"""The graph of a bundle: drawn, made smaller, and held against the predictor it came from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import QuantType, quantize_dynamic

from nextword.errors import RunError
from nextword.predictor import Predictor
from training.predictors.base import Graph
from training.predictors.base import Predictor as TrainedPredictor
from training.progress import quiet

PARITY_TOLERANCE = 1e-3
"""Natural log-probabilities of the float graph and of its origin may differ by so much."""

PARITY_CONTEXTS = 64
MEASURED_PIECES = 8_192


@dataclass(frozen=True)
class Quality:
    """How well a graph predicts held-out pieces."""

    perplexity: float
    top3: float


def write_graph(graph: Graph, path: Path) -> Path:
    """Write a graph's model to ``path`` and return it."""
    onnx.save(graph.model, str(path))
    return path


def write_int8(float_model: Path, path: Path) -> Path:
    """Write the model with its matrices in int8 to ``path`` and return it.

    Weights have a scale per column, activations one each time. Seven bits, not
    eight: products of two full bytes overflow on processors without VNNI.
    """
    with quiet():
        quantize_dynamic(
            str(float_model),
            str(path),
            op_types_to_quantize=["MatMul", "Gemm", "Gather"],
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
        )
    return path


def load_graph(model: Path, graph: Graph) -> Predictor:
    """Load a written graph as the service will."""
    return Predictor(model, graph.states, graph.context_length)


def contexts(sample: NDArray[np.uint16], begin: int, length: int) -> list[list[int]]:
    """Cut held-out pieces into contexts, each one document's or its first ``length`` pieces."""
    starts = np.flatnonzero(sample == begin)
    return [part[:length].tolist() for part in np.split(sample, starts)[1:] if len(part) > 1]


def largest_difference(
    trained: TrainedPredictor,
    exported: Predictor,
    documents: Sequence[Sequence[int]],
    seed: int = 0,
) -> float:
    """Return the largest difference in log-probability between a predictor and its graph.

    Contexts are prefixes of documents, drawn at random, some with pieces
    drawn at random in the place of theirs: unseen contexts count too.
    """
    random = np.random.default_rng(seed)
    vocabulary_size = trained.log_probs([documents[0][:1]]).shape[1]
    drawn = []
    for number in range(PARITY_CONTEXTS):
        document = documents[int(random.integers(len(documents)))]
        context = list(document[: int(random.integers(1, len(document) + 1))])
        if number % 4 == 0:
            context[1:] = random.integers(3, vocabulary_size, len(context) - 1).tolist()
        drawn.append(context)
    expected = trained.log_probs(drawn)
    found = np.stack([exported.log_probs(context) for context in drawn])
    return float(np.abs(expected - found).max())


def measure(exported: Predictor, documents: Sequence[Sequence[int]]) -> Quality:
    """Return perplexity and top-3 over the next pieces of held-out documents, step by step."""
    loss, hits, count = 0.0, 0, 0
    for document in documents:
        for position in range(1, len(document)):
            log_probs = exported.log_probs(document[:position])
            target = document[position]
            loss -= float(log_probs[target])
            hits += int((log_probs > log_probs[target]).sum() < 3)
            count += 1
        if count >= MEASURED_PIECES:
            break
    return Quality(float(np.exp(loss / count)), hits / count)


@dataclass(frozen=True)
class Chosen:
    """The model file that goes into the bundle, and the figures that decided it."""

    model: Path
    figures: dict[str, float]


def choose_model(
    trained: TrainedPredictor,
    graph: Graph,
    sample: NDArray[np.uint16],
    begin: int,
    max_loss: float,
    folder: Path,
) -> Chosen:
    """Write the graph in float and, where that loses less than ``max_loss`` of perplexity, in int8.

    Raises RunError where the float graph does not agree with its origin.
    """
    documents = contexts(sample, begin, graph.context_length)
    model = write_graph(graph, folder / "float32.onnx")
    exported = load_graph(model, graph)
    difference = largest_difference(trained, exported, documents)
    if difference > PARITY_TOLERANCE:
        raise RunError(
            f"the exported graph differs from the trained predictor by {difference:.2g} "
            f"(at most {PARITY_TOLERANCE} is right); report this with the config of the run"
        )
    quality = measure(exported, documents)
    figures = {
        "parity_difference": difference,
        "perplexity_float32": quality.perplexity,
        "top3_float32": quality.top3,
    }
    if not graph.dense:
        return Chosen(model, figures)
    small = write_int8(model, folder / "int8.onnx")
    exported = load_graph(small, graph)
    quality = measure(exported, documents)
    figures |= {
        "int8_difference": largest_difference(trained, exported, documents),
        "perplexity_int8": quality.perplexity,
        "top3_int8": quality.top3,
    }
    loss = quality.perplexity / figures["perplexity_float32"] - 1
    return Chosen(small if loss <= max_loss else model, figures)
