"""Wire: the types of requests and answers. /docs is made from them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from nextword.bundle import Manifest

MOST_SUGGESTIONS = 10


class SuggestRequest(BaseModel):
    """What was typed, and how many words to suggest for it."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"text": "I'll meet you at the "}]},
    )

    text: str = Field(
        description="Everything before the cursor. Line breaks part messages, the last one is "
        "being typed. Where it ends in a letter, that word is completed or corrected.",
        examples=["I'll meet you at the ", "See you tomorr"],
    )
    count: int = Field(
        3, ge=1, le=MOST_SUGGESTIONS, description="How many suggestions to give, at most."
    )
    model: str | None = Field(
        None,
        description="The name of a loaded model, as in /v1/models; without it, the default one.",
        examples=["markov"],
    )


class Suggestion(BaseModel):
    """A word for the suggestion strip."""

    text: str = Field(description="The whole word, cased for its place.", examples=["office"])
    probability: float = Field(
        description="How likely it is that this word is wanted.", examples=[0.0473]
    )


class SuggestResponse(BaseModel):
    """The words for the strip."""

    suggestions: tuple[Suggestion, ...] = Field(description="The words, best first.")
    prefix: str = Field(
        description="The word still being typed, which each suggestion stands for; else empty.",
        examples=[""],
    )
    model: str = Field(description="The name of the model that answered.", examples=["markov"])
    version: str = Field(description="The version of that model.", examples=["0.1.0"])


class ModelSummary(BaseModel):
    """A loaded model."""

    name: str = Field(description="The name to ask for it by.", examples=["markov"])
    version: str = Field(description="The version of its bundle.", examples=["0.1.0"])
    default: bool = Field(description="Whether it answers where a request names no model.")
    kind: str = Field(description="What kind of predictor it is.", examples=["markov"])
    language: str = Field(description="The language it writes.", examples=["en"])
    vocabulary_size: int = Field(description="How many pieces it knows.", examples=[8000])
    context_length: int = Field(description="How many pieces it looks back on.", examples=[64])


class ModelDetail(ModelSummary):
    """A loaded model with everything its bundle says about it."""

    manifest: Manifest = Field(description="The bundle's manifest.json.")


class ModelList(BaseModel):
    """The loaded models."""

    models: tuple[ModelSummary, ...] = Field(description="The default one first.")


class Health(BaseModel):
    """How the service is."""

    status: Literal["live", "ready"]


class FieldProblem(BaseModel):
    """What is wrong with one field of a request."""

    field: str = Field(description="The field, its parts joined by dots.", examples=["count"])
    detail: str = Field(
        description="What is wrong and what to do.",
        examples=["should be less than or equal to 10"],
    )


class ProblemDocument(BaseModel):
    """Why a request was not answered (RFC 9457)."""

    type: str = Field(
        description="The kind of problem, for programs to tell apart.",
        examples=["urn:nextword:problem:invalid-request"],
    )
    title: str = Field(
        description="The same in words.", examples=["The request is not as documented"]
    )
    status: int = Field(description="The status code again.", examples=[422])
    detail: str = Field(
        description="What is wrong this time, and what to do.",
        examples=["count: should be less than or equal to 10"],
    )
    errors: tuple[FieldProblem, ...] = Field((), description="The fields to blame, if any are.")
