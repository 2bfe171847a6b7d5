import errno
import json
import shutil
from pathlib import Path

import pytest

from nextword import bundle as bundle_module
from nextword.bundle import FILES, LEXICON, MANIFEST, MODEL, TOKENIZER, Bundle, write_bundle
from nextword.errors import (
    BundleCorrupt,
    BundleError,
    BundleNotFound,
    BundleSelfTestFailed,
)
from nextword.suggester import Suggester
from tests.conftest import Trained


@pytest.fixture
def copy(trained: Trained, tmp_path: Path) -> Path:
    """A bundle of our own to damage."""
    return Path(shutil.copytree(trained.bundle.path, tmp_path / "copy"))


def test_manifest_round_trip(trained: Trained) -> None:
    assert Bundle.open(trained.bundle.path).manifest == trained.bundle.manifest


def test_missing_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleNotFound, match=r"no bundle here.*python -m export"):
        Bundle.open(tmp_path / "nothing")


@pytest.mark.parametrize("name", [MODEL, LEXICON, TOKENIZER])
def test_changed_file_is_refused_by_name(copy: Path, name: str) -> None:
    with (copy / name).open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(BundleCorrupt, match=name):
        Bundle.open(copy)


@pytest.mark.parametrize("name", FILES)
def test_missing_file_is_refused_by_name(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(BundleCorrupt, match=name):
        Bundle.open(copy)


def change_manifest(path: Path, **changes: object) -> None:
    manifest = json.loads((path / MANIFEST).read_text())
    (path / MANIFEST).write_text(json.dumps({**manifest, **changes}))


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"colour": "red"}, "colour"),
        ({"format_version": 2}, "format_version"),
        ({"name": "A b"}, "name"),
    ],
)
def test_wrong_manifest_names_its_key(copy: Path, changes: dict[str, object], key: str) -> None:
    change_manifest(copy, **changes)
    with pytest.raises(BundleCorrupt, match=key):
        Bundle.open(copy)


def test_manifest_that_is_no_json(copy: Path) -> None:
    (copy / MANIFEST).write_text("{")
    with pytest.raises(BundleCorrupt, match=MANIFEST):
        Bundle.open(copy)


def test_self_test_that_fails_is_refused(copy: Path) -> None:
    tests = json.loads((copy / MANIFEST).read_text())["self_test"]
    tests[0]["log_probabilities"][0] += 1
    change_manifest(copy, self_test=tests)
    with pytest.raises(BundleSelfTestFailed, match="no longer says"):
        Suggester.open(copy)


def test_writing_replaces_the_old_bundle_whole(trained: Trained, copy: Path) -> None:
    (copy / "stray").write_text("of the old one")
    files = {name: trained.bundle.file(name) for name in FILES}
    written = write_bundle(copy, trained.bundle.manifest, files)
    assert sorted(path.name for path in copy.iterdir()) == sorted([*FILES, MANIFEST])
    assert Bundle.open(copy).manifest == written.manifest
    assert [path.name for path in copy.parent.iterdir()] == ["copy"]


def test_full_disk_leaves_the_old_bundle(
    trained: Trained, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (copy / MANIFEST).read_bytes()

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(bundle_module.shutil, "copyfile", fail)
    with pytest.raises(BundleError, match="No space left on device"):
        write_bundle(copy, trained.bundle.manifest, {name: copy / name for name in FILES})
    assert (copy / MANIFEST).read_bytes() == before
    assert [path.name for path in copy.parent.iterdir()] == ["copy"]


def test_card_names_every_source_with_its_licence(trained: Trained) -> None:
    card = trained.bundle.file("README.md").read_text()
    assert "| chats | " in card
    assert "BSD-3-Clause" in card
