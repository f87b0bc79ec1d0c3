"""Rule: the steps of an ensemble name models and tensors that are there, of the right type and size, in every profile."""

from collections.abc import Iterator

from tritonclient.grpc.model_config_pb2 import DataType, ModelConfig, ModelEnsembling

from triptych_server.configs.lint.finding import Finding
from triptych_server.configs.lint.subject import Everything, Subject
from triptych_server.configs.nearest import did_you_mean

Tensor = tuple[int, tuple[int, ...]]
"""Data type and dims."""


def ensembles(subject: Subject, everything: Everything) -> Iterator[Finding]:
    """Batches, names, and what flows between the steps."""
    if not subject.is_ensemble:
        return
    flowing = {each.name: _tensor(each) for each in subject.config.input}
    steps = list(enumerate(subject.config.ensemble_scheduling.step))
    for _, step in steps:
        model = everything.effective(step.model_name, subject.profile)
        given = {each.name: _tensor(each) for each in model.output} if model else {}
        flowing |= {tensor: given[output] for output, tensor in step.output_map.items() if output in given}
    for place, step in steps:
        path = f"ensemble_scheduling.step[{place}]"
        model = everything.effective(step.model_name, subject.profile)
        if model is None:
            names = sorted({name for name, _ in everything.configs})
            near = did_you_mean(step.model_name, names)
            yield subject.finding(f"{path}.model_name", repr(step.model_name), "a model of the repository", f"name one of them{near}")
            continue
        yield from _batches(subject, everything, path, step)
        yield from _inputs(subject, path, step, model, flowing)
        yield from _outputs(subject, path, step, model)
    yield from _results(subject, flowing)


def _batches(subject: Subject, everything: Everything, path: str, step: ModelEnsembling.Step) -> Iterator[Finding]:
    most = subject.config.max_batch_size
    for profile in everything.profiles:
        model = everything.configs.get((step.model_name, profile))
        if model is not None and 0 < model.max_batch_size < most:
            yield subject.finding(
                "max_batch_size",
                f"{most}, more than the {model.max_batch_size} of its step {step.model_name} in profile {profile}",
                f"at most {model.max_batch_size}",
                "lower it, or raise that model's",
            )


def _inputs(subject: Subject, path: str, step: ModelEnsembling.Step, model: ModelConfig, flowing: dict[str, Tensor]) -> Iterator[Finding]:
    wanted = {each.name: each for each in model.input}
    for name, tensor in sorted(step.input_map.items()):
        field = f"{path}.input_map[{name}]"
        if name not in wanted:
            yield subject.finding(
                field, repr(name), f"an input of {model.name}: {', '.join(wanted)}", f"rename it{did_you_mean(name, wanted)}"
            )
        elif tensor not in flowing:
            yield subject.finding(
                field,
                f"{tensor!r}, which nothing makes",
                "an input of the ensemble or a step's output",
                f"rename it{did_you_mean(tensor, flowing)}",
            )
        elif not _fit(flowing[tensor], _tensor(wanted[name])):
            yield subject.finding(
                field, f"{tensor!r}, {_words(flowing[tensor])}", _words(_tensor(wanted[name])), "make their types and dims the same"
            )
    for name, each in wanted.items():
        if name not in step.input_map and not each.optional:
            yield subject.finding(f"{path}.input_map[{name}]", "nothing", f"a tensor for {model.name}'s input {name!r}", "map one to it")


def _outputs(subject: Subject, path: str, step: ModelEnsembling.Step, model: ModelConfig) -> Iterator[Finding]:
    given = [each.name for each in model.output]
    for name in sorted(step.output_map):
        if name not in given:
            yield subject.finding(
                f"{path}.output_map[{name}]",
                repr(name),
                f"an output of {model.name}: {', '.join(given)}",
                f"rename it{did_you_mean(name, given)}",
            )


def _results(subject: Subject, flowing: dict[str, Tensor]) -> Iterator[Finding]:
    for each in subject.config.output:
        field = f"output[{each.name}]"
        if each.name not in flowing:
            yield subject.finding(f"{field}.name", f"{each.name!r}, which no step makes", "a step's output", "map one to it")
        elif not _fit(flowing[each.name], _tensor(each)):
            yield subject.finding(f"{field}.dims", _words(_tensor(each)), _words(flowing[each.name]), "make it what its step gives")


def _tensor(each: ModelConfig) -> Tensor:
    return each.data_type, tuple(each.dims)


def _fit(given: Tensor, wanted: Tensor) -> bool:
    """Same type, same number of dims, and dims that agree where both are fixed."""
    pairs = zip(given[1], wanted[1], strict=False)
    return given[0] == wanted[0] and len(given[1]) == len(wanted[1]) and all(-1 in pair or pair[0] == pair[1] for pair in pairs)


def _words(tensor: Tensor) -> str:
    return f"{DataType.Name(tensor[0])} {list(tensor[1])}"
