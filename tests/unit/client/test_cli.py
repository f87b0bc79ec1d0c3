"""The `triptych` command as a user meets it: a program with exit codes, stdout and stderr."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.unit.client.scripted_server import Reply, embedding_of

PROGRAM = [sys.executable, "-c", "from triptych.cli import main; main()"]


def environment() -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TRIPTYCH_")}
    return {**inherited, "PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "120"}


def triptych(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PROGRAM, *arguments], capture_output=True, text=True, cwd=cwd, timeout=60, check=False, env=environment())


@pytest.fixture
def album(tmp_path):
    """A folder with photos of different lengths (the scripted server's embedding shows the length), and others' files."""
    folder = tmp_path / "album"
    (folder / "trip [red]").mkdir(parents=True)
    (folder / ".thumbnails").mkdir()
    (folder / "a.jpg").write_bytes(b"1")
    (folder / "trip [red]" / "b.PNG").write_bytes(b"123")
    (folder / "c.webp").write_bytes(b"12")
    (folder / "notes.txt").write_bytes(b"no photo")
    (folder / ".thumbnails" / "a.jpg").write_bytes(b"small")
    return folder


def test_version_and_help():
    assert triptych("--version").stdout.startswith("triptych")
    shown = triptych("--help").stdout
    for command in ("serve", "status", "embed", "search", "faces", "models", "configs"):
        assert command in shown


def test_photos_are_printed_as_json_lines(url, album):
    run = triptych("embed", str(album), "--url", url)
    assert (run.returncode, run.stderr) == (0, "")
    rows = [json.loads(line) for line in run.stdout.splitlines()]
    assert [Path(row["name"]).name for row in rows] == ["a.jpg", "c.webp", "b.PNG"]
    assert [row["embedding"][0] for row in rows] == [1, 2, 3]


def test_bad_photos_are_listed_and_the_rest_is_written(url, album, script, tmp_path):
    script.replies += [Reply("INVALID_ARGUMENT", "no picture: 1 byte")]
    run = triptych("embed", str(album), "missing.jpg", "-o", str(tmp_path / "out.npy"), "--url", url, "--concurrency", "1")
    assert run.returncode == 1
    lines = run.stderr.splitlines()
    assert lines[0] == f"skipped {album / 'a.jpg'}: no picture: 1 byte"
    assert lines[1].startswith("skipped missing.jpg: cannot read missing.jpg: No such file")
    assert lines[2:] == ["triptych: 2 photos could not be embedded"]
    embeddings = np.load(tmp_path / "out.npy")
    assert embeddings.dtype == np.float32
    assert embeddings[:, 0].tolist() == [2, 3]
    names = (tmp_path / "out.npy.txt").read_text().splitlines()
    assert [Path(name).name for name in names] == ["c.webp", "b.PNG"]


def test_texts_survive_a_json_file_to_the_last_bit(url, tmp_path):
    run = triptych("embed", "--text", "blå", "--text", "x", "--language", "nb", "-o", str(tmp_path / "out.jsonl"), "--url", url)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["name"] for row in rows] == ["blå", "x"]
    assert np.array_equal(np.float32(rows[0]["embedding"]), embedding_of("blå".encode()))


def test_search_ranks_by_score(url, album, script):
    run = triptych("search", "gull", str(album), "--top", "2", "--json", "--url", url)
    assert (run.returncode, run.stderr) == (0, "")
    query = embedding_of(b"gull")
    expected = sorted((float(embedding_of(data) @ query) for data in (b"1", b"12", b"123")), reverse=True)[:2]
    hits = json.loads(run.stdout)
    assert [hit["score"] for hit in hits] == expected
    assert [Path(hit["photo"]).name for hit in hits] == ["b.PNG", "c.webp"]
    table = triptych("search", "gull", str(album), "--url", url).stdout
    assert str(album / "trip [red]" / "b.PNG") in table  # in brackets, and not cut short


def test_a_search_leaves_bad_photos_out(url, album, script):
    script.replies += [Reply(), Reply("INVALID_ARGUMENT", "no picture")]
    run = triptych("search", "gull", str(album), "--json", "--url", url, "--concurrency", "1")
    assert run.returncode == 0
    assert run.stderr == f"skipped {album / 'a.jpg'}: no picture\n"
    assert len(json.loads(run.stdout)) == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["embed"], "triptych: name photos (or folders), or give --text; one of the two"),
        (["embed", "a.jpg", "--text", "x"], "triptych: name photos (or folders), or give --text; one of the two"),
        (["embed", "a.jpg", "-o", "x.csv"], "triptych: --output x.csv: expected a name that ends in .jsonl or .npy"),
        (["embed", "a.jpg", "-o", "no/x.npy"], "triptych: --output no/x.npy: there is no folder no"),
        (["embed", "--text", "x", "--header", "a"], "triptych: --header 'a' has no colon; write it as 'name: value'"),
        (["embed", "--text", "x", "--url", "ftp://h"], "triptych: 'ftp://h': unknown scheme 'ftp'; use one of grpc, grpcs, http, https"),
        (["search", "x", "nowhere"], "triptych: nowhere is no folder"),
        (
            ["status", "--url", "grpc://127.0.0.1:1"],
            "triptych: no Triton answers gRPC at 127.0.0.1:1 (Connection refused); is it running there?",
        ),
        (["serve", "--repository", "."], "triptych: "),
        (["models", "import", "nowhere", "--repository", "."], "triptych: "),
        (["configs", "check", "--repository", "."], "triptych: "),
    ],
)
def test_a_failure_is_one_sentence(arguments, sentence, tmp_path):
    run = triptych(*arguments, cwd=tmp_path)
    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr.startswith(sentence)
    assert run.stderr.count("\n") == 1


def test_a_folder_without_photos_is_a_failure(tmp_path):
    run = triptych("search", "x", str(tmp_path))
    assert run.returncode == 1
    assert "there is no photo in" in run.stderr


def test_a_wrong_option_is_code_2():
    run = triptych("embed", "--bogus")
    assert run.returncode == 2
    assert "--bogus" in run.stderr


def test_a_missing_server_package_is_told_with_its_cure(tmp_path):
    (tmp_path / "triptych_server").mkdir()
    (tmp_path / "triptych_server" / "__init__.py").touch()
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from triptych.cli import main; main()"
    for command in (["serve"], ["models", "import", "x"], ["configs", "render"]):
        run = subprocess.run([sys.executable, "-c", program, *command], capture_output=True, text=True, check=False, env=environment())
        assert run.returncode == 1
        assert run.stderr.endswith("pip install 'triptych[server]'\n")
        assert run.stderr.count("\n") == 1


def test_ctrl_c_is_quiet(url, album, script):
    script.replies += [Reply(delay=20)] * 3
    command = [*PROGRAM, "embed", str(album), "--url", url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()) as process:
        while not script.seen:
            time.sleep(0.02)
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        printed, told = process.communicate(timeout=30)
    assert (process.returncode, printed, told) == (130, "", "")
    assert time.monotonic() - start < 10
