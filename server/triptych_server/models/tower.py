"""A graph that embeds, on its way into the served form: one embedding per row, of unit length, float32."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from onnx import TensorProto, ValueInfoProto, helper

from triptych_server.models import surgery
from triptych_server.models.served import Draft, Feeds
from triptych_server.models.verify import Embeddings, check_agreement, is_unit_length

_POOLED = "triptych::pooled"


@dataclass(slots=True)
class Tower(Draft):
    """A draft, and what the original gave for the check's input [N, ...]."""

    expected: Embeddings
    normalised: bool = field(init=False)

    def __post_init__(self) -> None:
        self.normalised = is_unit_length(self.expected)

    def keep(self, output: str, inputs: Mapping[str, str], served: str) -> None:
        """Keep what computes the embedding `output`, and rename `inputs` so that the name `served` is free."""
        self.cut_out({output: _POOLED}, inputs, (served, "embedding"))

    def free(self, feeds: Feeds, *, fixed: bool) -> bool:
        """Make the batch dynamic; see Draft.free_batch."""
        return self.free_batch(feeds, {_POOLED: (self.expected.shape[1],)}, fixed=fixed)

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
        self.seal(served, [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", dim])], metadata)

    def prove(self, target: Path, rows: NDArray[Any], external_above: int) -> float:
        """Put the graph in place of `target` if it agrees with the original on `rows`; the worst cosine."""
        return self.put_in_place(target, external_above, lambda run: check_agreement(lambda batch: run(batch)[0], rows, self.expected))
