"""Rule: a model is called as its folder and takes and gives the same in every profile."""

from collections.abc import Iterator

from triptych_server.configs.fields import flatten
from triptych_server.configs.lint.finding import Finding
from triptych_server.configs.lint.subject import Everything, Subject
from triptych_server.configs.read import DEFAULT_PROFILE


def tensors(subject: Subject, everything: Everything) -> Iterator[Finding]:
    """Inputs and outputs are those of config.pbtxt."""
    config = subject.config
    if config.name != subject.model:
        yield subject.finding("name", repr(config.name), f"{subject.model!r}, the name of its folder", "rename one of them")
    if config.backend == "openvino" and not config.default_model_filename:
        yield subject.finding(
            "default_model_filename",
            "nothing, for which Triton looks for model.xml",
            '"model.onnx"',
            'set default_model_filename: "model.onnx"',
        )
    base = everything.configs.get((subject.model, DEFAULT_PROFILE))
    if base is None or subject.profile == DEFAULT_PROFILE:
        return
    own, common = flatten(config), flatten(base)
    for field in {**common, **own}:
        if field.startswith(("input[", "output[")) and own.get(field) != common.get(field):
            yield subject.finding(
                field,
                str(own.get(field, "nothing")),
                f"{common.get(field, 'nothing')}, as in config.pbtxt",
                "make them the same: clients do not know which profile serves them",
            )
