"""Rule: every queue has a bound and a time limit: of ours where our code serves the model, of Triton's where a native backend does."""

from collections.abc import Iterator

from triptych_server.configs.lint.finding import Finding
from triptych_server.configs.lint.options import known_parameters
from triptych_server.configs.lint.subject import Everything, Subject
from triptych_server.configs.read import parameters_of
from triptych_server.errors import ConfigError
from triptych_server.serving.serving_options import ServingOptions
from triptych_server.sessions.parameters import Parameters

BATCHING, BOUND = "dynamic_batching", "max_waiting"
POLICY = ("priority_levels", "default_priority_level", "default_queue_policy", "priority_queue_policy")


def queues(subject: Subject, everything: Everything) -> Iterator[Finding]:
    """Our backends keep a bounded queue themselves: a policy of Triton's makes Triton hold requests for up to half a second."""
    if subject.is_ensemble:
        return
    ours = subject.config.backend == "python" or known_parameters(subject.config.backend) is not None
    if not subject.config.HasField(BATCHING):
        yield subject.finding(BATCHING, "nothing", "dynamic_batching", "add it, or requests run one by one")
    yield from _ours(subject) if ours else _tritons(subject)
    most, sizes = max(1, subject.config.max_batch_size), list(subject.config.dynamic_batching.preferred_batch_size)
    if any(size > most for size in sizes):
        expected = f"sizes up to max_batch_size, {subject.config.max_batch_size}"
        yield subject.finding(
            f"{BATCHING}.preferred_batch_size", str(sizes), expected, "lower them, or raise that: Triton refuses the model"
        )


def _ours(subject: Subject) -> Iterator[Finding]:
    given = parameters_of(subject.config)
    for field, _ in subject.config.dynamic_batching.ListFields():
        if field.name in POLICY:
            found, expected = "a queue policy of Triton's", "none: with one, Triton holds requests for up to half a second"
            mend = "drop it; the parameters max_waiting, max_wait_seconds and default_priority say the same"
            yield subject.finding(f"{BATCHING}.{field.name}", found, expected, mend)
    if BOUND not in given:
        yield subject.finding(f"parameters[{BOUND}]", "nothing", "a number of requests", "set it to a few full batches")
    try:
        ServingOptions.from_parameters(Parameters(given), subject.model)
    except ConfigError as error:
        found, _, expected = str(error).removeprefix(f"{subject.model}: ").partition("; expected ")
        key = next(key for key in given if key in found)
        yield subject.finding(f"parameters[{key}]", found, expected, "set it so")


def _tritons(subject: Subject) -> Iterator[Finding]:
    """The default policy, and every priority level's own, which replaces it."""
    batching = subject.config.dynamic_batching
    policies = {"default_queue_policy": batching.default_queue_policy}
    policies |= {f"priority_queue_policy[{level}]": policy for level, policy in sorted(batching.priority_queue_policy.items())}
    for name, policy in policies.items():
        path = f"{BATCHING}.{name}"
        if not policy.max_queue_size:
            yield subject.finding(
                f"{path}.max_queue_size", "0, which is without a bound", "a number of requests", "set it to a few full batches"
            )
        if not policy.default_timeout_microseconds:
            found = "0, with which nothing ever times out and clients' own limits are ignored"
            yield subject.finding(f"{path}.default_timeout_microseconds", found, "a time", "set 60000000 for a minute")
        if not policy.allow_timeout_override:
            mend = "set it, or clients cannot ask for less than the default"
            yield subject.finding(f"{path}.allow_timeout_override", "false", "true", mend)
    levels = batching.priority_levels
    if levels and not 1 <= batching.default_priority_level <= levels:
        yield subject.finding(
            f"{BATCHING}.default_priority_level", str(batching.default_priority_level), f"1 to {levels}", "set one of the levels"
        )
    for level in sorted(batching.priority_queue_policy):
        if not 1 <= level <= levels:
            yield subject.finding(
                f"{BATCHING}.priority_queue_policy[{level}]",
                f"a policy for level {level}",
                f"levels 1 to {levels}" if levels else "priority_levels",
                "raise priority_levels or drop the policy",
            )
