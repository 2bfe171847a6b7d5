"""The service as a process of its own: how it starts, ends, and refuses to start."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]
PATIENCE = 60
NEXTWORD = [sys.executable, "-c", "from service.cli import main; main()"]
UVICORN = [sys.executable, "-m", "uvicorn", "--factory", "service.app:application", "--port", "0"]


@pytest.fixture(autouse=True)
def missing_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration whose one bundle is missing."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nextword.toml").write_text('default = "a"\n[models]\na = "bundles/a"\n')


def refuse(command: list[str], **environment: str) -> str:
    """Return what a process that must fail says."""
    finished = subprocess.run(
        command,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert finished.returncode not in (0, -signal.SIGKILL)
    assert "Traceback" not in finished.stderr
    assert finished.stdout == ""
    return finished.stderr


def test_serves_until_told_to_stop_and_logs_no_text() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.service.serve_fakes", "serve", "--port", "0"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        log = ""
        while not (listening := re.search(r"listens on (http://127\.0\.0\.1:\d+)", log)):
            line = process.stderr.readline()
            assert line, log
            log += line
        with httpx.Client(base_url=listening.group(1), timeout=PATIENCE) as client:
            assert client.get("/health/ready").json() == {"status": "ready"}
            answer = client.post("/v1/suggest", json={"text": "zanzibar "})
            assert answer.json()["suggestions"][0]["text"] == "office"
            refused = client.post("/v1/suggest", json={"text": "zanzibar ", "count": 0})
            assert refused.status_code == 422
        process.terminate()
        log += process.communicate(timeout=PATIENCE)[1]
    finally:
        process.kill()
        process.communicate()
    assert log.count("POST /v1/suggest") == 2
    assert "zanzibar" not in log
    assert "Traceback" not in log


def test_a_missing_bundle_is_one_line(tmp_path: Path) -> None:
    said = refuse([*NEXTWORD, "serve", "--port", "0"])
    assert said.startswith("nextword: bundles/a: no bundle here")
    assert said.count("\n") == 1


def test_a_missing_bundle_is_one_line_under_uvicorn(tmp_path: Path) -> None:
    lines = refuse(UVICORN).splitlines()
    ours = [line for line in lines if not line.startswith("INFO:")]
    assert len(ours) == 1
    assert ours[0].startswith("nextword: bundles/a: no bundle here")


def test_a_corrupt_bundle_is_one_line(tmp_path: Path) -> None:
    bundle = tmp_path / "bundles" / "a"
    bundle.mkdir(parents=True)
    (bundle / "manifest.json").write_text(json.dumps({"format_version": 1}))
    said = refuse([*NEXTWORD, "serve", "--port", "0"])
    assert said.startswith("nextword: bundles/a/manifest.json: name: Field required; export")
    assert said.count("\n") == 1


def test_a_taken_port_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refuse([*NEXTWORD, "serve", "--port", str(port)])
    assert said.startswith(f"nextword: 127.0.0.1 port {port}: can't listen there (Address already")
    assert said.count("\n") == 1


def test_an_address_of_another_machine_is_one_line() -> None:
    said = refuse([*NEXTWORD, "serve", "--host", "192.0.2.1"])
    assert said.startswith("nextword: 192.0.2.1 port 8000: can't listen there (")
    assert said.count("\n") == 1


def test_a_missing_configuration_is_one_line() -> None:
    said = refuse([*NEXTWORD, "serve"], NEXTWORD_CONFIG="gone.toml")
    assert said.startswith("nextword: gone.toml: can't be read (No such file or directory)")
    assert said.count("\n") == 1
