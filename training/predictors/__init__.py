"""The registry: every kind of predictor by its name in a config."""

from training.predictors.base import Predictor
from training.predictors.markov import Markov
from training.predictors.transformer import Transformer

KINDS: dict[str, type[Predictor]] = {
    "markov": Markov,
    "transformer": Transformer,
}
