"""Any neural predictor as an ONNX graph with the one signature."""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx
import torch
from torch import Tensor, nn

from training.progress import quiet

if TYPE_CHECKING:
    from training.predictors.neural import NeuralModel

OPSET = 23


class _Signature(nn.Module):
    """A network behind the one signature: tokens and state in, log-probabilities and state out."""

    def __init__(self, model: NeuralModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        hidden, *state_next = self.model.step(tokens, *state)
        return (self.model.log_probs(hidden), *state_next)


def draw(model: NeuralModel) -> onnx.ModelProto:
    """Return the graph of ``model.step`` and its output layer, open where sizes vary."""
    states = model.states()
    sizes: dict[str, int] = {"batch": 2, "past": 3}
    example = [
        torch.zeros([sizes[size] if isinstance(size, str) else size for size in state.shape])
        for state in states
    ]
    open_sizes = {"batch": torch.export.Dim("batch"), "past": torch.export.Dim("past")}
    shapes = [
        {axis: open_sizes[size] for axis, size in enumerate(state.shape) if isinstance(size, str)}
        for state in states
    ]
    names = [state.name for state in states]
    with quiet():
        program = torch.onnx.export(
            _Signature(model).eval(),
            (torch.zeros(2, 2, dtype=torch.int64), *example),
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            input_names=["tokens", *names],
            output_names=["log_probs", *(f"{name}_next" for name in names)],
            dynamic_shapes=(
                {0: open_sizes["batch"], 1: torch.export.Dim("time")},
                tuple(shapes),
            ),
        )
    assert program is not None
    return program.model_proto
