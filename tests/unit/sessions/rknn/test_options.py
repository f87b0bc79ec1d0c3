"""What contexts and cores follow from a model's parameters and the SoC."""

import pytest

from tests.support.rknn_session import settings
from triptych_server.errors import ConfigError
from triptych_server.sessions.rknn_options import RknnOptions


@pytest.mark.parametrize(
    ("soc", "parameters", "masks"),
    [
        ("rk3588", {}, (0, 0, 0)),
        ("rk3576", {}, (0, 0)),
        ("rk3568", {}, (None,)),
        ("rk3566", {"contexts": "2", "core_mask": "auto"}, (None, None)),
        ("rk3588", {"core_mask": "per_core", "contexts": "4"}, (1, 2, 4, 1)),
        ("rk3576", {"core_mask": "per_core"}, (1, 2)),
        ("rk3588", {"core_mask": "all"}, (7,)),
        ("rk3576", {"core_mask": "ALL", "contexts": "2"}, (3, 3)),
    ],
)
def test_contexts_and_cores_follow_from_the_soc(tmp_path, soc, parameters, masks):
    assert RknnOptions.from_settings(settings(tmp_path, **parameters), soc).masks == masks


@pytest.mark.parametrize(
    ("soc", "parameters", "words"),
    [
        ("rk3566", {"core_mask": "per_core"}, "RK3566 has one NPU core; remove the parameter"),
        ("rk3568", {"core_mask": "all"}, "RK3568 has one NPU core"),
        ("rk3588", {"core_mask": "2"}, "core_mask is '2'; expected one of auto, per_core, all"),
        ("rk3588", {"contexts": "0"}, "contexts is 0; expected 1 to 16"),
        ("rk3588", {"contexts": "many"}, "contexts is 'many'"),
        ("rk3588", {"threads": "2"}, "does not know parameter threads; it knows allow_fallback, contexts, core_mask"),
    ],
)
def test_wrong_parameters_are_refused(tmp_path, soc, parameters, words):
    with pytest.raises(ConfigError, match=words):
        RknnOptions.from_settings(settings(tmp_path, **parameters), soc)
