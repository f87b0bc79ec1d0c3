"""Brings face networks into the served form: a detector or an embedder as found in the wild goes in, `target` holds the served graph.

Detection: `image` UINT8 [B,640,640,3] RGB, letterboxed top-left, to `boxes` FP32 [B,A,4] xyxy in its pixels, `scores` FP32 [B,A] and
`landmarks` FP32 [B,A,5,2], for every anchor. Recognition: `image` UINT8 [B,112,112,3] RGB, aligned, to `embedding` FP32 [B,D] of unit
length. Nothing is put in the target's place before the new graph has agreed with the original on the same pictures.
"""

import time
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper

from triptych_server.models import samples, store, surgery
from triptych_server.models.anchors import Detections, decode, decode_nodes, rows_nodes
from triptych_server.models.at_one import NotFoldableError, run_at_one
from triptych_server.models.detector_heads import Heads, find_heads, put_batch_first, rows_of
from triptych_server.models.face_layouts import DETECTOR_SIZE, EMBEDDER_SIZE, DetectorLayout, recognise_detector, recognise_embedder
from triptych_server.models.import_pictures import import_pictures
from triptych_server.models.picture_input import served_image
from triptych_server.models.report import DetectorReport, ImportReport
from triptych_server.models.served import Ask, Draft, Feeds, original, provenance
from triptych_server.models.verify_detections import check_detections, check_original

_PICTURE = "triptych::picture"
_PICTURES = 3  # to compare on; a detector at 640 pixels is slow enough


def import_embedder(source: Path, target: Path, *, external_above: int = store.EXTERNAL_ABOVE) -> ImportReport:
    """Import the ArcFace embedder `source` into `target`; its weights go to a sidecar above `external_above` bytes.

    Raises ModelImportError; `target` is then as it was.
    """
    layout = recognise_embedder(store.read(source))
    return import_pictures(source, target, layout, EMBEDDER_SIZE, layout.scaling, external_above=external_above)


def import_detector(source: Path, target: Path, *, external_above: int = store.EXTERNAL_ABOVE) -> DetectorReport:
    """Import the SCRFD or RetinaFace detector `source` into `target`; its weights go to a sidecar above `external_above` bytes.

    Scores are probabilities in the known exports; where a run gives numbers outside 0 to 1 they are logits, and a sigmoid is added.
    Raises ModelImportError; `target` is then as it was.
    """
    started = time.monotonic()
    model = store.read(source)
    layout = recognise_detector(model)
    sha256 = store.fingerprint(model, source)
    pictures = samples.pictures(DETECTOR_SIZE, _PICTURES)
    raw = _detect(original(source, layout.outputs, target), layout, pictures)
    heads = find_heads(model.graph, {name: found[0].shape for name, found in raw.items()})
    expected, sigmoid = _expected(raw, heads)
    draft = Draft(model)
    store.load_weights(model, source)
    inside = heads.renamed({name: f"triptych::head_{index}" for index, name in enumerate(heads.names)})
    names = dict(zip(heads.names, inside.names, strict=True))
    draft.cut_out(names, {layout.picture.name: _PICTURE}, ("image", "boxes", "scores", "landmarks"))
    flat = {names[name] for name, found in raw.items() if found[0].ndim == 2}
    _free_batch(draft, layout, {_PICTURE: layout.picture.feed(pictures[:1], layout.scaling)}, inside, flat)
    layout.picture.lead_in(draft.model.graph, _PICTURE, layout.scaling)
    surgery.put_after(draft.model.graph, *decode_nodes(inside, sigmoid=sigmoid))
    anchors = heads.anchors
    shapes = {"boxes": [anchors, 4], "scores": [anchors], "landmarks": [anchors, 5, 2]}
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape]) for name, shape in shapes.items()]
    draft.seal(served_image(DETECTOR_SIZE), outputs, provenance(layout.kind, sha256))
    apart = draft.put_in_place(target, external_above, lambda run: check_detections(run, pictures, expected))
    return DetectorReport(
        layout=layout.kind,
        size=DETECTOR_SIZE,
        anchors=anchors,
        per_cell=heads.per_cell,
        opset=surgery.opset(draft.model),
        rewritten=draft.rewritten,
        sigmoid=sigmoid,
        apart_pixels=apart.pixels,
        apart_score=apart.score,
        source_sha256=sha256,
        seconds=time.monotonic() - started,
    )


def _detect(ask: Ask, layout: DetectorLayout, pictures: NDArray[np.uint8]) -> dict[str, list[NDArray[np.generic]]]:
    """The original's nine outputs for each picture, run alone; `ask` is its session, which dies with this call."""
    runs = [ask({layout.picture.name: layout.picture.feed(picture[None], layout.scaling)}) for picture in pictures]
    return {name: [run[index] for run in runs] for index, name in enumerate(layout.outputs)}


def _expected(raw: dict[str, list[NDArray[np.generic]]], heads: Heads) -> tuple[Detections, bool]:
    """What the served graph has to give, and whether it needs a sigmoid for that."""
    stacked = {name: np.stack([rows_of(one) for one in found]) for name, found in raw.items()}
    sigmoid = any(stacked[name].min() < 0 or stacked[name].max() > 1 for name in heads.scores)
    expected = decode(stacked, heads, sigmoid=sigmoid)
    check_original(expected)
    return expected, sigmoid


def _free_batch(draft: Draft, layout: DetectorLayout, feeds: Feeds, heads: Heads, flat: set[str]) -> None:
    """Make the heads float32 [B, rows, channels]; those in `flat` were [rows, channels]."""
    graph = draft.model.graph
    with suppress(NotFoldableError):  # if that matters, free_batch says so
        put_batch_first(graph, heads.names, run_at_one(draft.model, feeds).shapes)
    if not draft.free_batch(feeds, heads.shapes(), fixed=layout.picture.batch_fixed) and flat:
        rows = {name: f"{name}::flat" for name in heads.names if name in flat}
        surgery.rename(graph, rows)
        surgery.put_after(graph, *rows_nodes(heads, rows))
    halves = {value.name: f"{value.name}::half" for value in graph.output if value.type.tensor_type.elem_type == TensorProto.FLOAT16}
    if halves:
        surgery.rename(graph, halves)
        surgery.put_after(graph, [helper.make_node("Cast", [half], [name], to=TensorProto.FLOAT) for name, half in halves.items()])
