"""docs/security.md: each test that stands beside a claim is there."""

import ast
import re

from tests.support.serving import CHECKOUT

ROOT = CHECKOUT.root


def test_every_claim_has_its_test():
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", (ROOT / "docs" / "security.md").read_text(encoding="utf-8"))
    assert len(named) > 25
    missing = [f"{file}::{test}" for file, test in named if not (ROOT / file).is_file() or (test and test not in names_in(file))]
    assert missing == []


def names_in(file):
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
