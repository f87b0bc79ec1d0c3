"""The demo's models in place: imported once for all processes of a run, and copied for everyone who asks."""

import os

import pytest
from filelock import FileLock

from tests.support.serving import CHECKOUT
from triptych_server.models.any_folder import use_any
from triptych_server.repository import Repository


def demo_repository(tmp_path_factory: pytest.TempPathFactory, *, faces: bool = True) -> Repository:
    """A repository to serve and to change, with the demo's CLIP and, by default, its face models."""
    own = tmp_path_factory.getbasetemp()
    made = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / f"demo_{'with' if faces else 'without'}_faces"
    with FileLock(f"{made}.lock"):
        if not made.is_dir():
            repository = CHECKOUT.copy_to(tmp_path_factory.mktemp("made") / "repository")
            use_any(CHECKOUT.demo_weights, repository)
            if faces:
                use_any(CHECKOUT.demo_faces, repository)
            repository.root.rename(made)  # whole or not at all
    return Repository(made).copy_to(tmp_path_factory.mktemp("demo") / "repository", weights=True)
