"""A converter's environment: made once from its pins with the real venv and pip, whole or not at all, and used by scripts."""

import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest

from triptych_server.errors import ConversionError, ConverterMissingError
from triptych_server.models.convert import environment
from triptych_server.models.convert.environment import Recipe, prepare
from triptych_server.models.convert.process import last_lines, run

METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{more}"


def wheel(folder, name, version, more=""):
    """A wheel of one module that knows its version."""
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{name}.py", f"VERSION = {version!r}\n")
        archive.writestr(f"{info}/METADATA", METADATA.format(name=name, version=version, more=more))
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")


@pytest.fixture
def pins(tmp_path, monkeypatch):
    """Writes the requirement files of the recipe `toy`, whose packages pip finds in a folder, by the user's own setting."""
    wheels, package = tmp_path / "wheels", tmp_path / "package"
    wheels.mkdir()
    package.mkdir()
    wheel(wheels, "toy_tool", "1.0", "Requires-Dist: toy_library (<1)\n")
    for version in ("1.0", "2.0"):
        wheel(wheels, "toy_library", version)
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setattr(environment, "files", lambda _: package)

    def write(library="1.0", tool="1.0"):
        (package / "toy.txt").write_text(f"toy_library=={library}\n")
        (package / "toy.no-deps.txt").write_text(f"toy_tool=={tool}\n")

    write()
    return write


TOY = Recipe("toy", 0.01, ((sys.version_info.major, sys.version_info.minor),))


def test_is_made_once_with_packages_that_contradict_their_own_pins(pins, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    said = []
    first = prepare(TOY, said.append, cache=tmp_path / "cache")
    script = tmp_path / "show.py"
    script.write_text("import os, sys, toy_tool, toy_library\nprint(sys.argv[1], toy_tool.VERSION, toy_library.VERSION, os.getcwd())\n")
    words = first.run(script, ["hello"], timeout=30).split()
    assert words[:3] == ["hello", "1.0", "1.0"]
    assert not Path(words[3]).exists()  # its folder was its own, and is gone
    assert len(said) == 1
    assert "0.01 GB" in said[0]
    assert prepare(TOY, said.append, cache=tmp_path / "cache") == first
    assert len(said) == 1
    pins(library="2.0")
    second = prepare(TOY, said.append, cache=tmp_path / "cache")
    assert second.run(script, ["again"], timeout=30).split()[:3] == ["again", "1.0", "2.0"]
    assert [folder.name for folder in (tmp_path / "cache").iterdir() if folder.is_dir()] == [second.folder.name]


def test_leaves_nothing_and_shows_pips_last_lines_when_it_cannot_be_made(pins, tmp_path):
    pins(tool="9.9")
    with pytest.raises(ConverterMissingError, match=r"(?s)No matching distribution found for toy_tool==9\.9.*PIP_INDEX_URL") as failure:
        prepare(TOY, lambda _: None, cache=tmp_path / "cache")
    assert "Traceback" not in str(failure.value)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["toy.lock"]


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        (Recipe("toy", 0.01, ((2, 7), (3, 0))), "for Python 2.7 or 3.0 only, and this is 3"),
        (Recipe("toy", 1e9, TOY.pythons), "needs 1e[+]09 GB in .*make room"),
    ],
)
def test_says_before_it_begins_why_it_cannot(pins, tmp_path, recipe, words):
    with pytest.raises(ConverterMissingError, match=words):
        prepare(recipe, lambda _: None, cache=tmp_path / "cache")


def test_a_cache_that_cannot_be_written_is_named(pins, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConverterMissingError, match="--cache"):
        prepare(TOY, lambda _: None, cache=tmp_path / "file" / "cache")


def test_two_that_need_it_at_once_make_it_once(pins, tmp_path):
    said, made = [], []
    threads = [threading.Thread(target=lambda: made.append(prepare(TOY, said.append, cache=tmp_path / "cache"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 2
    assert made[0] == made[1]
    assert len(said) == 1


def test_a_script_that_fails_shows_its_last_lines(tmp_path):
    code = "for i in range(99): print(i, flush=True)\nraise SystemExit('no such layer')"
    with pytest.raises(ConversionError, match=r"(?s)^reading failed \(exit code 1\):\n88\n.*98\nno such layer$"):
        run([sys.executable, "-c", code], tmp_path, 30, "reading")


def test_a_script_that_hangs_is_stopped_with_its_children(tmp_path):
    code = "import subprocess, sys, time\np = subprocess.Popen(['sleep', '60'])\nopen('pid', 'w').write(str(p.pid))\ntime.sleep(60)"
    started = time.monotonic()
    with pytest.raises(ConversionError, match="was not done after 1 s"):
        run([sys.executable, "-c", code], tmp_path, 1, "sleeping")
    assert time.monotonic() - started < 20
    stat = Path("/proc", (tmp_path / "pid").read_text(), "stat")
    deadline = time.monotonic() + 5
    while is_running(stat) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(stat)


def is_running(stat):
    """Not ended, nor waiting for its parent to take note of its end."""
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_of_a_progress_bar_the_last_state_is_shown():
    assert last_lines("start\n\n1 %\r50 %\r100 %\ndone  \n", 2) == "100 %\ndone"
