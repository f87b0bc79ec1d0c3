"""Rule: every queue has a bound and a time limit, and makes no batches that the model does not take."""

from collections.abc import Iterator

from triptych_server.configs.lint.finding import Finding
from triptych_server.configs.lint.subject import Everything, Subject

BATCHING = "dynamic_batching"


def queues(subject: Subject, everything: Everything) -> Iterator[Finding]:
    """Also in every priority level's own policy, which replaces the default one."""
    config = subject.config
    if subject.is_ensemble:
        return
    if not config.HasField(BATCHING):
        yield subject.finding(
            BATCHING, "nothing", "a queue with a bound", "add dynamic_batching with a default_queue_policy; it works without batches too"
        )
        return
    batching = config.dynamic_batching
    policies = {"default_queue_policy": batching.default_queue_policy}
    policies |= {f"priority_queue_policy[{level}]": policy for level, policy in sorted(batching.priority_queue_policy.items())}
    for name, policy in policies.items():
        path = f"{BATCHING}.{name}"
        if not policy.max_queue_size:
            yield subject.finding(
                f"{path}.max_queue_size", "0, which is without a bound", "a number of requests", "set it to a few full batches"
            )
        if not policy.default_timeout_microseconds:
            yield subject.finding(
                f"{path}.default_timeout_microseconds",
                "0, with which nothing ever times out and clients' own limits are ignored",
                "a time",
                "set 60000000 for a minute",
            )
        if not policy.allow_timeout_override:
            yield subject.finding(
                f"{path}.allow_timeout_override", "false", "true", "set it, or clients cannot ask for less than the default"
            )
    most = max(1, config.max_batch_size)
    if any(size > most for size in batching.preferred_batch_size):
        found, expected = str(list(batching.preferred_batch_size)), f"sizes up to max_batch_size, {config.max_batch_size}"
        yield subject.finding(f"{BATCHING}.preferred_batch_size", found, expected, "lower them, or raise that: Triton refuses the model")
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
