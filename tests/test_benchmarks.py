import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks import accuracy, keystrokes, latency, lines, markov, record, startup
from benchmarks import training as training_loop
from benchmarks.__main__ import main
from benchmarks.client import Client, ServiceError, content_length, get_request, suggest_request
from benchmarks.noise import LOOPS, Noise
from benchmarks.server import running
from benchmarks.statistics import RESAMPLES, estimate, macro_estimate, percentiles, resample_shares
from benchmarks.text import bare, read_genres, read_lines, read_typing, split_token, typed, words
from nextword.errors import ConfigError
from tests.conftest import Trained, write_config

LINES = ["I will see you soon", "see you then", "how are you? I am fine", "you will see"]


class Strip:
    """A suggester that shows the same words after any text but those it is told about."""

    def __init__(self, *shown: str, **after: str) -> None:
        self.shown = shown
        self.after = {text.replace("_", " "): strip.split() for text, strip in after.items()}
        self.asked: list[str] = []

    def suggest(self, text: str, count: int) -> Any:
        assert count == 3
        self.asked.append(text)
        strip = self.after.get(text, self.shown)
        return SimpleNamespace(suggestions=[SimpleNamespace(text=word) for word in strip])


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where records go during a test."""
    monkeypatch.setattr(record, "RESULTS", tmp_path / "results")
    return tmp_path / "results"


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "texts.txt"
    path.write_text("\n\n".join(LINES) + "\n")
    return path


@pytest.fixture
def service(tmp_path: Path, trained: Trained) -> Path:
    """The configuration of a service with one bundle."""
    path = tmp_path / "nextword.toml"
    path.write_text(
        f'default = "small"\nlog_level = "warning"\n[models]\nsmall = "{trained.bundle.path}"\n'
    )
    return path


@pytest.fixture
def answering() -> Iterator[Callable[..., int]]:
    """A way to let one connection be answered with the given parts; it returns the port."""
    threads: list[threading.Thread] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(parts: tuple[bytes, ...]) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65_536)
            for part in parts:
                connection.sendall(part)

    def answer(*parts: bytes) -> int:
        threads.append(threading.Thread(target=serve, args=(parts,)))
        threads[-1].start()
        return int(listener.getsockname()[1])

    yield answer
    for thread in threads:
        thread.join()
    listener.close()


def load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


# Statistics


def test_percentiles_are_samples_by_nearest_rank() -> None:
    samples = [float(number) for number in range(1000, 0, -1)]
    assert percentiles(samples) == {
        "p50": 500,
        "p95": 950,
        "p99": 990,
        "p99.9": 999,
        "max": 1000,
    }


def test_percentiles_of_few_samples_are_the_largest() -> None:
    assert percentiles([3, 1, 2]) == {"p50": 2, "p95": 3, "p99": 3, "p99.9": 3, "max": 3}


def test_resampling_equal_lines_changes_nothing() -> None:
    shares = resample_shares(np.array([1, 2, 3]), np.array([4, 8, 12]))
    assert shares.shape == (RESAMPLES,)
    assert (shares == 0.25).all()


def test_resampling_two_lines_gives_the_three_possible_shares() -> None:
    shares = resample_shares(np.array([1, 0]), np.array([1, 1]))
    values, times = np.unique(shares, return_counts=True)
    assert values.tolist() == [0, 0.5, 1]
    assert times / RESAMPLES == pytest.approx([0.25, 0.5, 0.25], abs=0.05)


def test_resamples_without_words_have_no_share() -> None:
    shares = resample_shares(np.array([0, 1]), np.array([0, 2]))
    assert set(shares.tolist()) == {0, 0.5}


def test_estimate_weighs_lines_by_their_words() -> None:
    found = estimate(np.array([1, 0]), np.array([1, 3]))
    assert found == {"share": 0.25, "low": 0, "high": 1}


def test_estimate_is_the_same_each_time() -> None:
    hits, counts = np.arange(50) % 4, np.full(50, 4)
    assert estimate(hits, counts) == estimate(hits, counts)


def test_estimate_narrows_with_the_root_of_the_lines() -> None:
    few, many = (estimate(np.arange(n) % 2, np.ones(n, dtype=np.int64)) for n in (100, 10_000))
    assert few["high"] - few["low"] == pytest.approx(2 * 1.96 * 0.05, rel=0.1)
    assert many["high"] - many["low"] == pytest.approx(2 * 1.96 * 0.005, rel=0.1)


def test_macro_estimate_counts_genres_alike() -> None:
    small = (np.array([1, 1]), np.array([2, 2]))
    large = (np.array([30, 30, 30]), np.array([40, 40, 40]))
    assert macro_estimate([small, large]) == {"share": 0.625, "low": 0.625, "high": 0.625}


def test_noise_is_that_of_the_worst_core() -> None:
    noise = Noise({0: [1.0, 1.0, 1.0], 1: [2.0, 4.0]})
    assert noise.slowdown() == 1.5
    assert "1.50 times" in noise.verdict()
    assert "busy" in noise.verdict()


def test_noise_is_sampled_on_each_core_that_may_be_used() -> None:
    allowed = os.sched_getaffinity(0)
    noise = Noise()
    noise.sample()
    assert {core: len(samples) for core, samples in noise.samples.items()} == dict.fromkeys(
        allowed, LOOPS
    )
    assert os.sched_getaffinity(0) == allowed


def test_ratios_compare_within_a_round() -> None:
    assert training_loop.ratios([2.0, 9.0], [1.0, 3.0]) == [2.0, 3.0]


# Text


@pytest.mark.parametrize(
    ("token", "parts"),
    [
        ("word", ("", "word", "")),
        ('"Well,', ('"', "Well", ",")),
        ("don't!!", ("", "don't", "!!")),
        ("(10:30)", ("(", "10:30", ")")),
        ("...", ("...", "", "")),
        ("naïve…", ("", "naïve", "…")),
    ],
)
def test_tokens_split_at_letters_and_digits(token: str, parts: tuple[str, str, str]) -> None:
    assert split_token(token) == parts


def test_words_are_compared_without_case_and_surroundings() -> None:
    assert bare('"DON\'T!"') == bare("don't") == "don't"
    assert bare("Straße.") == "strasse"
    assert bare("!?") == ""


def test_words_keep_what_stands_before_them() -> None:
    found = [(word.before, word.token) for word in words("Well,  I  (never)")]
    assert found == [("", "Well,"), ("Well,  ", "I"), ("Well,  I  ", "(never)")]


def test_lines_leave_out_empty_ones_and_stop(tmp_path: Path) -> None:
    path = tmp_path / "sms.txt"
    path.write_text("\none\n  \n two \nthree\n")
    assert read_lines(path, 2) == ["one", "two"]
    assert read_genres(tmp_path, None) == {"sms": ["one", "two", "three"]}


def test_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"can't be read.*check the path"):
        read_lines(tmp_path / "missing.txt")
    with pytest.raises(ConfigError, match=r"no \.txt files"):
        read_genres(tmp_path, None)
    (tmp_path / "empty.txt").write_text("\n\n")
    with pytest.raises(ConfigError, match="has no text"):
        read_genres(tmp_path, None)


def test_typing_stops_at_its_keystrokes_and_cuts_long_texts(texts: Path) -> None:
    assert read_typing(texts, 15, longest=10) == ["I will see", "see y"]


def test_typing_without_a_file_has_text() -> None:
    assert sum(map(len, read_typing(None, 500, longest=160))) == 500


def test_typing_grows_by_a_key() -> None:
    assert list(typed("I am")) == ["I", "I ", "I a", "I am"]


def test_warm_up_texts_are_others() -> None:
    assert latency.split_typing(["abc", "de", "fgh"], 4) == (["abc", "de"], ["fgh"])
    assert latency.split_typing(["abc"], 4) == (["abc"], [])


# Accuracy and keystrokes


def test_accuracy_counts_first_and_any_of_three() -> None:
    strip = Strip("you", "Soon", "see")
    assert accuracy.judge(strip, "See you -- you SOON!") == (4, 2, 4)
    assert strip.asked == ["", "See ", "See you -- ", "See you -- you "]


def test_accuracy_of_an_empty_strip_is_none() -> None:
    assert accuracy.judge(Strip(), "hi there") == (2, 0, 0)


def test_without_help_every_character_is_a_key() -> None:
    assert keystrokes.judge(Strip(), '"Hi,  there" -- ok.') == (19, 0)


def test_a_tap_types_the_word_and_its_space() -> None:
    # Two taps, for 3 characters and a space, and for 2 without a space behind.
    assert keystrokes.judge(Strip("you", "do"), "You do") == (6, 4)


def test_a_tap_after_some_letters() -> None:
    # h, e, tap (which types "llo "), y, o, u
    assert keystrokes.judge(Strip(he="hello"), "hello you") == (9, 3)


def test_punctuation_behind_a_tap_costs_its_key_and_the_space() -> None:
    # tap, comma, space, tap, full stop: 5 keys for 13 characters
    assert keystrokes.judge(Strip("hello", "there"), "Hello, there.") == (13, 8)


def test_punctuation_before_a_word_is_typed_before_looking() -> None:
    strip = Strip("hello")
    # quote, tap, quote: 3 keys for 7 characters
    assert keystrokes.judge(strip, '"Hello"') == (7, 4)
    assert strip.asked == ['"']


def test_a_wider_gap_is_typed_out() -> None:
    # tap (with one of the two spaces), space, tap: 3 keys for 7 characters
    assert keystrokes.judge(Strip("you", "do"), "you  do") == (7, 4)


def test_a_word_typed_whole_is_not_tapped() -> None:
    strip = Strip(hi="hi")
    assert keystrokes.judge(strip, "hi") == (2, 0)
    assert strip.asked == ["", "h"]


def test_a_mean_needs_all_its_genres() -> None:
    tally = {genre: np.array([[4, 1], [4, 3]]) for genre in lines.MACRO}
    figures = lines.summarize(tally, keystrokes.MEASUREMENT)
    assert figures["sms"]["characters"] == 8
    assert figures["sms"]["savings"]["share"] == 0.5
    assert figures["macro"]["characters"] == 32
    assert figures["macro"]["savings"]["share"] == 0.5
    del tally["sms"]
    assert "macro" not in lines.summarize(tally, keystrokes.MEASUREMENT)


@pytest.mark.parametrize("what", [accuracy.MEASUREMENT, keystrokes.MEASUREMENT])
def test_judging_a_bundle(
    what: lines.Measurement, trained: Trained, texts: Path, results: Path
) -> None:
    path = lines.measure(what, [trained.bundle.path], texts.parent, 3, "test")
    assert path == results / f"{what.command}-test.json"
    found = load(path)
    bundle = str(trained.bundle.path)
    assert found["settings"]["bundles"] == {bundle: trained.bundle.manifest.version}
    counts = {"words": 5 + 3 + 6, "characters": len("".join(LINES[:3]))}
    assert found["figures"][bundle]["texts"][what.unit] == counts[what.unit]
    totals = found["samples"]["lines"][bundle]["texts"][0]
    assert len(totals) == 3
    assert sum(totals) == counts[what.unit]
    assert LINES[0] not in path.read_text()


# Records


def test_render_puts_plain_lists_on_a_line() -> None:
    value = {"a": [1, 2.5, "x"], "b": {}, "c": [{"d": None}, []], "e": {"f": "é"}}
    text = record.render(value)
    assert json.loads(text) == value
    assert text.splitlines() == [
        "{",
        '  "a": [1,2.5,"x"],',
        '  "b": {},',
        '  "c": [',
        "    {",
        '      "d": null',
        "    },",
        "    []",
        "  ],",
        '  "e": {',
        '    "f": "é"',
        "  }",
        "}",
    ]


def test_floats_are_rounded_to_five_digits() -> None:
    assert record.round_off({"a": (123456.789, 1, True), "b": 0.000123456}) == {
        "a": [123460.0, 1, True],
        "b": 0.00012346,
    }


def test_a_record_tells_its_circumstances(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["benchmarks", "latency", "--label", "mine"])
    path = record.write_record("trial", None, {"n": 1}, {"x": 2.0}, {"y": [3]})
    found = load(path)
    assert found["command_line"] == "python -m benchmarks latency --label mine"
    assert set(found["commit"]) == {"hash", "dirty"}
    assert set(found["machine"]) >= {"cpu", "cores", "memory_bytes", "os"}
    assert set(found["versions"]) >= {"python", "nextword", "onnxruntime", "numpy"}
    assert (found["settings"], found["figures"], found["samples"]) == (
        {"n": 1},
        {"x": 2.0},
        {"y": [3]},
    )
    assert list(results.iterdir()) == [path]


# The service


def test_an_answer_in_parts_is_put_together(answering: Callable[..., int]) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nContent-Length: 8\r\n"
    with Client(answering(head, b'\r\n{"a"', b": 1}")) as client:
        assert client.get("/") == {"a": 1}


def test_a_refusal_is_an_error(answering: Callable[..., int]) -> None:
    port = answering(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
    with Client(port) as client, pytest.raises(ServiceError, match="503 Service Unavailable"):
        client.exchange(get_request("/"))


def test_a_closed_connection_is_an_error(answering: Callable[..., int]) -> None:
    with Client(answering(b"HTTP/1.1 200")) as client, pytest.raises(ServiceError, match="closed"):
        client.exchange(get_request("/"))


def test_an_answer_must_say_its_length() -> None:
    with pytest.raises(ServiceError, match="Content-Length"):
        content_length(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked")


def test_a_request_says_its_length_in_bytes() -> None:
    head, _, body = suggest_request("\N{PILE OF POO}", "small").partition(b"\r\n\r\n")
    assert json.loads(body) == {"text": "\N{PILE OF POO}", "count": 3, "model": "small"}
    assert content_length(head) == len(body)


def test_a_service_that_can_not_start_says_why(tmp_path: Path) -> None:
    path = tmp_path / "nextword.toml"
    path.write_text('default = "a"\n[models]\na = "missing"\n')
    with pytest.raises(ServiceError, match=r"no bundle here"), running(path):
        pass


def test_latency_of_a_service(service: Path, results: Path, tmp_path: Path) -> None:
    texts = tmp_path / "many.txt"
    texts.write_text("\n".join(LINES * 10))
    found = load(latency.measure(service, texts, 60, pin=True, label="test"))
    series = {"service small", "library small", latency.BASELINE}
    assert set(found["figures"]["milliseconds"]) == series
    kept = found["samples"]["microseconds"]
    assert {name: len(samples) for name, samples in kept.items()} == dict.fromkeys(
        series, found["settings"]["texts"]["keystrokes"]
    )
    assert found["figures"]["resident_bytes"] > 0


def test_latency_needs_more_text_than_the_warm_up(service: Path, texts: Path) -> None:
    with pytest.raises(ConfigError, match="add text"):
        latency.measure(service, texts, 60, pin=True, label="test")


def test_startup_of_a_service(service: Path, results: Path, texts: Path) -> None:
    found = load(startup.measure(service, texts, starts=1, keystrokes=10, label="test"))
    assert len(found["samples"]["seconds_to_ready"]) == 1
    assert found["figures"]["resident_bytes_after_typing"] > 0


# The command line


def test_an_error_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], texts: Path
) -> None:
    command = ["benchmarks", "accuracy", "missing", "--folder", str(texts.parent)]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 1
    assert re.fullmatch(r"benchmarks: missing: no bundle here.*\n", capsys.readouterr().err)


def test_only_training_loads_torch() -> None:
    modules = "latency, benchmarks.startup, benchmarks.accuracy, benchmarks.keystrokes"
    code = f"import sys, benchmarks.__main__, benchmarks.{modules}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


# Training


def test_loops_take_turns(tmp_path: Path, results: Path) -> None:
    config = write_config(tmp_path, "transformer")
    found = load(training_loop.measure(config, rounds=2, turn=1, label="test"))
    assert found["figures"]["loops"][training_loop.BARE]["ratio"] == 1
    assert {name: len(each) for name, each in found["samples"]["seconds_per_turn"].items()} == {
        training_loop.BARE: 2,
        "our loop": 2,
    }
    assert "torch" in found["versions"]


def test_counting_has_no_training_loop(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="neural"):
        training_loop.measure(write_config(tmp_path, "markov"), rounds=1, turn=1, label=None)


def test_from_text_to_a_bundle(tmp_path: Path, results: Path) -> None:
    found = load(markov.measure(write_config(tmp_path, "markov"), "test"))
    seconds = found["figures"]["seconds"]
    parts = sum(seconds[stage] for stage in ("text", "counting", "export"))
    assert seconds["all"] == pytest.approx(parts, rel=1e-3)
    assert found["figures"]["bundle_bytes"] > 0
    assert all(peak > 0 for peak in found["figures"]["peak_bytes"].values())


def test_a_command_that_fails_says_why() -> None:
    with pytest.raises(markov.CommandFailed, match="no memory of that"):
        markov.timed(["-c", "raise SystemExit('no memory of that')"])


def test_what_has_ended_holds_no_memory() -> None:
    assert markov.held_bytes(os.getpid()) > 0
    pid = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(pid, 0)
    assert markov.held_bytes(pid) == 0
