"""`make audit` and `make sbom`: what is not known is a failure, and every pinned package is listed with its hashes."""

import json
import os
import re
import subprocess
import sys

import pytest

from tests.support.serving import CHECKOUT

ROOT = CHECKOUT.root


def recipe(target, tmp_path, **environment):
    """A target's own commands, as make prints them, run by this Python."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}  # of `make test`
    shown = subprocess.run(["make", "-n", target], cwd=ROOT, env=outside, capture_output=True, text=True, check=True).stdout
    commands = shown[shown.index(".venv/bin/python") :].replace(".venv/bin/python", sys.executable).replace("dist/", f"{tmp_path}/")
    return subprocess.run(["sh", "-c", commands], cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False)


def test_an_audit_that_cannot_ask_fails(tmp_path):
    pytest.importorskip("pip_audit", reason="pip-audit is not installed")
    nowhere = dict.fromkeys(("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"), "http://127.0.0.1:9")
    done = recipe("audit", tmp_path, XDG_CACHE_HOME=str(tmp_path), NO_PROXY="", no_proxy="", **nowhere)
    assert done.returncode != 0
    assert "audit: failed. Where pypi.org cannot be reached nothing was checked" in done.stdout


def test_the_bill_of_materials_names_what_the_lock_pins(tmp_path):
    pytest.importorskip("cyclonedx_py", reason="cyclonedx-bom is not installed")
    done = recipe("sbom", tmp_path)
    assert done.returncode == 0, done.stderr
    components = json.loads((tmp_path / "sbom.cdx.json").read_text())["components"]
    pins = dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", (ROOT / "requirements.lock").read_text(), re.M))
    assert {each["name"]: each["version"] for each in components} == pins
    assert all(reference["hashes"] for each in components for reference in each["externalReferences"])
