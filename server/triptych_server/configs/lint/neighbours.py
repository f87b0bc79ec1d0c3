"""Rule: `feeds` and `takes_turns_with` name models that are there, and turns are taken with those that feed one: else nobody ever waits."""

from collections.abc import Iterator

from triptych_server.configs.lint.finding import Finding
from triptych_server.configs.lint.subject import Everything, Subject
from triptych_server.configs.nearest import did_you_mean
from triptych_server.configs.read import parameters_of
from triptych_server.serving.serving_options import NEIGHBOURS, names_in


def neighbours(subject: Subject, everything: Everything) -> Iterator[Finding]:
    """A model whose name is wrong shows nothing, and is not missed."""
    given = parameters_of(subject.config)
    for key in sorted(NEIGHBOURS & given.keys()):
        for name in names_in(given[key]):
            other = everything.effective(name, subject.profile)
            if other is None:
                near = did_you_mean(name, sorted({model for model, _ in everything.configs}))
                yield subject.finding(f"parameters[{key}]", repr(name), "a model of the repository", f"name one of them{near}")
            elif key == "takes_turns_with" and subject.model not in names_in(parameters_of(other).get("feeds", "")):
                found, expected = f"{name!r}, which does not feed it", f"a model whose parameter feeds names {subject.model}"
                yield subject.finding(f"parameters[{key}]", found, expected, f"name one, or let {name} feed it")
