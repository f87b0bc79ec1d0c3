"""What all graphs share on their way into the served form: names, batch, metadata, and the final proof on disk."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, ValueInfoProto, helper, version_converter

from triptych_server.errors import ModelImportError
from triptych_server.models import store, surgery
from triptych_server.models.at_one import NotFoldableError
from triptych_server.models.attention import decompose_attention
from triptych_server.models.batch import BatchNotFoundError, make_batch_dynamic
from triptych_server.models.batch_axis import Shape
from triptych_server.models.sessions import open_session, reason

_MIN_OPSET = 13  # from here on softmax works along one axis and axes may be inputs
_UPGRADE_TO = 17
_MIN_IR = 8  # what goes with opset 17; below 4 weights would have to be inputs as well
_log = logging.getLogger(__name__)

Feeds = Mapping[str, NDArray[np.generic]]
Run = Callable[[NDArray[Any]], list[NDArray[Any]]]
"""One input, batch first, to all outputs in their order."""
Ask = Callable[[Feeds], list[NDArray[Any]]]
Proof = TypeVar("Proof")


@dataclass(slots=True)
class Draft:
    """A graph under the knife, and how many of its nodes held the batch and were changed."""

    model: ModelProto
    rewritten: int = field(default=0, init=False)

    def cut_out(self, outputs: Mapping[str, str], inputs: Mapping[str, str], served: Iterable[str]) -> None:
        """Keep what computes `outputs`; rename them and the inputs, and free the names in `served`."""
        surgery.keep_outputs(self.model.graph, list(outputs))
        free = {name: f"original::{name}" for name in served}
        surgery.rename(self.model.graph, {**free, **inputs, **outputs})
        self.model = _upgraded(self.model)

    def free_batch(self, feeds: Feeds, outputs: Mapping[str, Shape], *, fixed: bool) -> bool:
        """Make the batch dynamic, and all else fixed at the shapes of `feeds` (batch 1); `outputs`: name to the shape for one picture.

        A graph whose batch is open already and that cannot be followed is left as it is (False): the check at the end decides.
        """
        try:
            self.rewritten = make_batch_dynamic(self.model, feeds, outputs)
        except (NotFoldableError, BatchNotFoundError) as error:
            if fixed:
                reason = f"the graph's batch is fixed at 1 and cannot be set free: {error}"
                raise ModelImportError(f"{reason}; export it with a dynamic batch") from error
            _log.info("the batch was left as the exporter made it: %s", error)
            return False
        return True

    def seal(self, served: ValueInfoProto, outputs: Sequence[ValueInfoProto], metadata: Mapping[str, str]) -> None:
        """Set the input, the outputs and what the graph says of itself."""
        graph = self.model.graph
        del graph.input[:]
        del graph.output[:]
        del graph.value_info[:]
        graph.input.append(served)
        graph.output.extend(outputs)
        surgery.prune(graph)
        decompose_attention(self.model)
        self.model.ir_version = max(self.model.ir_version, _MIN_IR)
        self.model.producer_name = "triptych"
        self.model.producer_version = ""
        del self.model.metadata_props[:]
        helper.set_model_props(self.model, dict(metadata))

    def put_in_place(self, target: Path, external_above: int, check: Callable[[Run], Proof]) -> Proof:
        """Write the graph, let `check` run it as it lies on disk, and replace `target` only when that raises nothing."""
        name = self.model.graph.input[0].name
        with store.staged(self.model, target, external_above=external_above) as path:
            try:
                onnx.checker.check_model(str(path), full_check=True)
                session = open_session(path)
            except Exception as error:  # onnx, its shape inference and onnxruntime have no common base class
                raise ModelImportError(f"the imported graph is not valid: {reason(error, path)}") from error
            return check(lambda batch: list(session.run(None, {name: batch})))


def original(source: Path, outputs: Sequence[str], target: Path) -> Ask:
    """The original graph, ready to run: feeds -> `outputs`. Where it has inputs that they do not need (two towers in one file),
    the part that they do need, written for a moment beside `target`. Raises ModelImportError where onnxruntime refuses it.
    """
    model = store.read(source)
    inputs = {value.name for value in model.graph.input}
    surgery.keep_outputs(model.graph, outputs)
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

    def ask(feeds: Feeds) -> list[NDArray[Any]]:
        try:
            return list(session.run(list(outputs), dict(feeds)))
        except Exception as error:
            raise ModelImportError(f"{source.name} does not run: {reason(error, source)}") from error

    return ask


def provenance(kind: str, sha256: str) -> Mapping[str, str]:
    """What a served graph says of itself: the form it was found in, and the hash of the files it came from."""
    return {"triptych.layout": kind, "triptych.source_sha256": sha256}


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
