"""What both towers share on their way into the served form: names, batch, unit length, metadata, and the final proof on disk."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, ValueInfoProto, helper, version_converter

from triptych_server.errors import ModelImportError
from triptych_server.models import store, surgery
from triptych_server.models.at_one import NotFoldableError
from triptych_server.models.batch import BatchNotFoundError, make_batch_dynamic
from triptych_server.models.sessions import open_session, reason
from triptych_server.models.verify import Embeddings, check_agreement, is_unit_length

_MIN_OPSET = 13  # from here on softmax works along one axis and axes may be inputs
_UPGRADE_TO = 17
_MIN_IR = 8  # what goes with opset 17; below 4 weights would have to be inputs as well
_POOLED = "triptych::pooled"
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Tower:
    """A graph under the knife: its model, and what the original gave for the check's input [N, ...]."""

    model: ModelProto
    expected: Embeddings
    rewritten: int = 0
    normalised: bool = field(init=False)

    def __post_init__(self) -> None:
        self.normalised = is_unit_length(self.expected)

    def cut_out(self, output: str, names: Mapping[str, str], served: str) -> None:
        """Keep what computes `output`, and rename by `names` so that the served names are free."""
        surgery.keep_outputs(self.model.graph, [output])
        free = {name: f"original::{name}" for name in (served, "embedding")}
        surgery.rename(self.model.graph, {**free, **names, output: _POOLED})
        self.model = _upgraded(self.model)

    def free_batch(self, feeds: Mapping[str, NDArray[np.generic]], fixed: bool) -> bool:
        """Make the batch dynamic, and all else fixed at the shapes of `feeds` (batch 1).

        A graph whose batch is open already and that cannot be followed is left as it is (False): the check at the end decides.
        """
        try:
            self.rewritten = make_batch_dynamic(self.model, feeds, _POOLED)
        except (NotFoldableError, BatchNotFoundError) as error:
            if fixed:
                reason = f"the graph's batch is fixed at 1 and cannot be set free: {error}"
                raise ModelImportError(f"{reason}; export it with a dynamic batch") from error
            _log.info("the batch was left as the exporter made it: %s", error)
            return False
        return True

    def finish(self, served: ValueInfoProto, metadata: Mapping[str, str]) -> None:
        """Set input, output (float32, unit length) and metadata."""
        graph, dim = self.model.graph, self.expected.shape[1]
        tensor = _POOLED
        if graph.output[0].type.tensor_type.elem_type != TensorProto.FLOAT:
            cast = helper.make_node("Cast", [tensor], ["triptych::float_pooled"], "triptych::Cast.pooled", to=TensorProto.FLOAT)
            surgery.put_after(graph, [cast])
            tensor = "triptych::float_pooled"
        if self.normalised:
            surgery.rename(graph, {tensor: "embedding"})
        else:
            surgery.put_after(graph, *surgery.unit_length(tensor, "embedding", surgery.opset(self.model)))
        del graph.input[:]
        del graph.output[:]
        del graph.value_info[:]
        graph.input.append(served)
        graph.output.append(helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", dim]))
        surgery.prune(graph)
        self.model.ir_version = max(self.model.ir_version, _MIN_IR)
        self.model.producer_name = "triptych"
        self.model.producer_version = ""
        del self.model.metadata_props[:]
        helper.set_model_props(self.model, dict(metadata))

    def put_in_place(self, target: Path, rows: NDArray[Any], external_above: int) -> float:
        """Write the graph, check it as it lies on disk with `rows` as its input, and only then replace `target`; the worst cosine."""
        name = self.model.graph.input[0].name
        with store.staged(self.model, target, external_above=external_above) as path:
            try:
                onnx.checker.check_model(str(path), full_check=True)
                session = open_session(path)
            except Exception as error:  # onnx, its shape inference and onnxruntime have no common base class
                raise ModelImportError(f"the imported graph is not valid: {reason(error, path)}") from error
            return check_agreement(lambda batch: run(session, "embedding", {name: batch}), rows, self.expected)


def run(session: Any, output: str, feeds: Mapping[str, NDArray[np.generic]]) -> NDArray[Any]:
    """One output of one run."""
    result: NDArray[Any] = session.run([output], dict(feeds))[0]
    return result


def original(source: Path, output: str, target: Path) -> Callable[[Mapping[str, NDArray[np.generic]]], NDArray[Any]]:
    """The original graph, ready to run: feeds -> `output`. Where it has inputs that `output` does not need (two towers in one file),
    the part that it does need, written for a moment beside `target`. Raises ModelImportError where onnxruntime refuses it.
    """
    model = store.read(source)
    inputs = {value.name for value in model.graph.input}
    surgery.keep_outputs(model.graph, [output])
    try:
        if inputs == {value.name for value in model.graph.input}:
            session = open_session(source)
        else:
            store.load_weights(model, source)
            with store.written(model, target) as part:
                session = open_session(part)
    except ModelImportError:
        raise
    except Exception as error:  # onnxruntime has no common base class for its own errors
        raise ModelImportError(f"onnxruntime cannot open {source.name}: {reason(error, source)}; pull the model again") from error

    def ask(feeds: Mapping[str, NDArray[np.generic]]) -> NDArray[Any]:
        try:
            return run(session, output, feeds)
        except Exception as error:
            raise ModelImportError(f"{source.name} does not run: {reason(error, source)}") from error

    return ask


def _upgraded(model: ModelProto) -> ModelProto:
    """The model, in a newer opset where its own is too old for what is added."""
    version = surgery.opset(model)
    if version >= _MIN_OPSET:
        return model
    try:
        return version_converter.convert_version(model, _UPGRADE_TO)
    except Exception as error:  # the converter raises plain RuntimeErrors for operators it does not know
        reason = f"the graph has opset {version}, which cannot be brought to {_UPGRADE_TO}"
        raise ModelImportError(f"{reason}; export it with opset 17 or later") from error
