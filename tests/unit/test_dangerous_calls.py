"""No package of ours runs what a file says: pickles, YAML's objects, eval, shells. Each call that may remain is named here, with its reason."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.serving import CHECKOUT

ROOT = CHECKOUT.root
PACKAGES = ("client", "server", "backends", "python_models", "demo", "loadtest", "tools")
IMPORTS = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "jsonpickle", "shelve", "marshal", "pty", "commands", "xml"}
BUILTINS = {"eval", "exec", "compile", "__import__"}
CALLS = {
    *("torch.load", "torch.hub.load", "pandas.read_pickle", "numpy.fromregex"),
    *("yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load"),
    *("os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput", "asyncio.create_subprocess_shell"),
    *("tempfile.mktemp", "shutil.unpack_archive", "ssl._create_unverified_context", "logging.config.listen"),
}
METHODS = {"extractall", "read_pickle", "to_pickle"}
KEYWORDS = {"allow_pickle": True, "shell": True, "verify": False, "trust_remote_code": True, "weights_only": False}
ALLOWED: dict[tuple[str, str], str] = {}
"""(file, what) -> why. Nothing is."""


def findings(source: str) -> Iterator[str]:
    """What a module does of the above."""
    tree = ast.parse(source)
    names = {"np": "numpy", "pd": "pandas"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name.partition(".")[0]] = alias.name if alias.asname else alias.name.partition(".")[0]
                if alias.name.partition(".")[0] in IMPORTS:
                    yield f"import {alias.name}"
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            if node.module.partition(".")[0] in IMPORTS:
                yield f"import {node.module}"
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        head, _, rest = ast.unparse(node.func).partition(".")
        called = ".".join(filter(None, (names.get(head, head), rest)))
        if called in CALLS or called in BUILTINS or (isinstance(node.func, ast.Attribute) and node.func.attr in METHODS):
            yield called
        for keyword in node.keywords:
            if keyword.arg in KEYWORDS and not (
                isinstance(keyword.value, ast.Constant) and keyword.value.value is not KEYWORDS[keyword.arg]
            ):
                yield f"{called}({keyword.arg}={ast.unparse(keyword.value)})"


def files() -> list[Path]:
    return [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))] + [ROOT / "hatch_build.py"]


def test_nothing_of_ours_runs_what_a_file_says():
    found = {(str(file.relative_to(ROOT)), what) for file in files() for what in findings(file.read_text(encoding="utf-8"))}
    assert len(files()) > 300, "the packages were looked at"
    assert found == set(ALLOWED)


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "import yaml as y\ny.load(text)",
        "from torch import load as read\nread(path)",
        "import numpy as n\nn.load(path, allow_pickle=True)",
        "import numpy\nnumpy.load(path, allow_pickle=chosen)",
        "eval(text)",
        "exec(text)",
        "import subprocess\nsubprocess.run(text, shell=True)",
        "from os import system\nsystem(text)",
        "archive.extractall(folder)",
        "httpx.get(url, verify=False)",
    ],
)
def test_the_search_finds_what_it_looks_for(source):
    assert list(findings(source))


@pytest.mark.parametrize(
    "source", ["model.eval()", "request.exec()", "np.load(path)", "yaml.safe_load(text)", "np.load(path, allow_pickle=False)"]
)
def test_it_leaves_alone_what_only_sounds_alike(source):
    assert not list(findings(source))
