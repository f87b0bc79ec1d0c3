"""The demo models, and the real face models, on the real Triton, started once per run and profile."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support import demo
from tests.support.faces import serve_real_faces
from tests.support.real import REAL
from tests.support.serving import CHECKOUT, serving
from triptych_server.engine import Engine
from triptych_server.errors import ConverterMissingError
from triptych_server.models.convert import armnn, rknn
from triptych_server.models.convert.convert import convert, networks_for
from triptych_server.models.convert.environment import Environment, Recipe, prepare
from triptych_server.models.use_faces import use_faces
from triptych_server.repository import Repository


@pytest.fixture(scope="session")
def demo_repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The demo's CLIP in place."""
    return demo.demo_repository(tmp_path_factory, faces=False)


@pytest.fixture(scope="session")
def engine(demo_repository: Repository, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The plain-CPU profile."""
    with serving(demo_repository, tmp_path_factory.mktemp("cpu")) as running:
        yield running


@pytest.fixture(scope="session")
def openvino_engine(demo_repository: Repository, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The openvino profile on the CPU."""
    with serving(demo_repository, tmp_path_factory.mktemp("openvino"), profile="openvino") as running:
        yield running


@pytest.fixture(scope="session")
def faces_repository(demo_repository: Repository, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The demo models and, beside them, the real face models."""
    if REAL is None:
        pytest.skip("../shared/real (real photos and models) is not there")
    repository = demo_repository.copy_to(tmp_path_factory.mktemp("faces") / "repository", weights=True)
    serve_real_faces(repository, tmp_path_factory.mktemp("face_pack"))
    return repository


@pytest.fixture(scope="session")
def faces_engine(faces_repository: Repository, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Faces and search on the plain-CPU profile."""
    with serving(faces_repository, tmp_path_factory.mktemp("faces_cpu")) as running:
        yield running


@pytest.fixture(scope="session")
def openvino_faces_engine(faces_repository: Repository, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Faces and search on the openvino profile."""
    with serving(faces_repository, tmp_path_factory.mktemp("faces_openvino"), profile="openvino") as running:
        yield running


@pytest.fixture(scope="session")
def armnn_repository(demo_repository: Repository, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The demo models with what the real onnx2tf makes of them for Arm NN."""
    converter = armnn.ArmnnConverter(_prepared(armnn.RECIPE))
    repository = demo_repository.copy_to(tmp_path_factory.mktemp("armnn") / "repository", weights=True)
    use_faces(CHECKOUT.demo_faces, repository)
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda network: convert(repository, network, converter, print), networks_for(repository, converter, [])))
    return repository


@pytest.fixture(scope="session")
def rknn_toolkit() -> Environment:
    """The environment that `triptych models convert` makes for Rockchip's NPUs."""
    return _prepared(rknn.RECIPE)


def _prepared(recipe: Recipe) -> Environment:
    """Kept in the user's cache between runs."""
    try:
        return prepare(recipe, print)
    except ConverterMissingError as error:
        pytest.skip(f"the converter for {recipe.name} cannot be installed here: {error}")
