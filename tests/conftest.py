"""How tests are shared out to processes (`pytest -n 2`)."""

from typing import Any

import pytest

TOGETHER = {
    "the gateway": ("tests/e2e/gateway/",),
    "a server of albums": ("tests/e2e/test_library", "tests/e2e/test_page"),
    "the demo's server": ("tests/integration/test_bad_input", "tests/integration/test_client.", "tests/integration/test_search"),
    "real faces' server": ("tests/integration/test_client_faces", "tests/integration/test_faces"),
    "made for Arm NN": ("tests/integration/test_armnn",),
    "made for Rockchip": ("tests/integration/test_rknn",),
    "exported with PyTorch": ("tests/unit/models/test_import", "tests/unit/models/test_refusals"),
}
"""What files share, and how their paths begin."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Whole files, in the order of the folders: what starts servers first, the many short ones fill the time that is left.

    xdist's own `--dist loadgroup` does not group under pytest 9.2: it adds the group to `_nodeid`, which nobody reads any more.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Units(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return unit_of(nodeid.partition("::")[0])

    config.option.loadscopereorder = False  # it would put those of the most tests first, which are the shortest
    return Units(config, log)


def unit_of(file: str) -> str:
    """What one process runs: a file, for its tests share servers, or files that share something that takes long to make."""
    return next((shared for shared, begins in TOGETHER.items() if file.startswith(begins)), file)
