"""Parameters of the openvino backend that contradict each other, or say nothing: OpenVINO itself takes most of them without a word."""

import re

from triptych_server.sessions.parameters import Parameters

HINTS = ("LATENCY", "THROUGHPUT", "CUMULATIVE_THROUGHPUT")
CHOOSING = ("AUTO", "MULTI", "HETERO")
"""Devices that choose among others."""

_GATHERING = re.compile(r"BATCH:([A-Z]+(?:\.\d+)?)\((\d+)\)")


def gathering(device: str) -> tuple[str, int]:
    """The device under auto-batching, and the rows of its batches: GPU and 8 of BATCH:GPU(8); any other device as it is, and 0."""
    batch = _GATHERING.fullmatch(device)
    return (batch[1], int(batch[2])) if batch else (device, 0)


def conflict(given: Parameters, device: str, precision: str) -> str:
    """The first contradiction: what was found, and how to mend it; empty where there is none. `precision` is the one asked for."""
    kind, _, listed = device.partition(":")
    hint = given.text("PERFORMANCE_HINT")
    batches = kind == "BATCH"
    exact = given.text("EXECUTION_MODE_HINT").upper() == "ACCURACY"
    rules = (
        (bool(hint) and hint not in HINTS, f"PERFORMANCE_HINT is {hint!r}; expected one of {', '.join(HINTS)}"),
        (
            "NUM_STREAMS" in given and bool(hint),
            "NUM_STREAMS and PERFORMANCE_HINT are both set, and the hint chooses streams itself; keep one of them",
        ),
        (
            "PERFORMANCE_HINT_NUM_REQUESTS" in given and not hint,
            "PERFORMANCE_HINT_NUM_REQUESTS bounds what PERFORMANCE_HINT chooses, and that is not set; set it, or drop this",
        ),
        (
            hint == "CUMULATIVE_THROUGHPUT" and kind not in {"AUTO", "MULTI"},
            f"PERFORMANCE_HINT CUMULATIVE_THROUGHPUT spreads requests over devices, and TARGET_DEVICE is {device}; "
            "set THROUGHPUT, or TARGET_DEVICE AUTO:…",
        ),
        (
            batches and gathering(device)[1] < 2,
            f"TARGET_DEVICE is {device!r}, which OpenVINO would run without batches; expected BATCH:DEVICE(N) with one device, not one "
            "that chooses among others, and N of at least 2, as in BATCH:GPU(8)",
        ),
        (kind in {"MULTI", "HETERO"} and not listed, f"TARGET_DEVICE is {device!r}; expected its devices too, as in {kind}:GPU,CPU"),
        (
            "AUTO_BATCH_TIMEOUT" in given and not batches,
            f"AUTO_BATCH_TIMEOUT is for TARGET_DEVICE BATCH:DEVICE(N), and it is {device}; set that, or drop this",
        ),
        (
            "DEVICE_PROPERTIES" in given and kind not in CHOOSING,
            f"DEVICE_PROPERTIES are for the devices of AUTO, MULTI or HETERO, and TARGET_DEVICE is {device}; set each property by its name",
        ),
        (
            "CACHE_MODE" in given and "CACHE_DIR" not in given,
            "CACHE_MODE says how CACHE_DIR is used, and that is not set; set it, or drop this",
        ),
        (
            given.boolean("HINT_BF16", default=False) and precision not in {"", "bf16"},
            f"HINT_BF16 is on and INFERENCE_PRECISION_HINT is {precision}; keep one of them",
        ),
        (
            exact and precision in {"bf16", "f16"},
            f"EXECUTION_MODE_HINT ACCURACY keeps the graph's own precision, and {precision} is asked for; keep one of them",
        ),
    )
    return next((sentence for wrong, sentence in rules if wrong), "")
