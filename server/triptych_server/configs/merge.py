"""Lay a hardware profile's fragment over a model's plain-CPU config."""

from tritonclient.grpc.model_config_pb2 import ModelConfig

RUNTIME_FIELDS = ("parameters", "optimization", "default_model_filename")
"""Settings that mean something to one backend only."""


def merge_config(base: ModelConfig, *fragments: ModelConfig) -> ModelConfig:
    """`base` with each fragment laid over it: single fields are replaced, lists too, the `parameters` map key by key.

    A fragment that names another backend first drops what was meant for the old one (RUNTIME_FIELDS).
    """
    merged = ModelConfig()
    merged.CopyFrom(base)
    for fragment in fragments:
        if fragment.backend and fragment.backend != merged.backend:
            for field in RUNTIME_FIELDS:
                merged.ClearField(field)
        _replace_lists(merged, fragment)
        merged.MergeFrom(fragment)
    return merged


def _replace_lists(target: object, fragment: object) -> None:
    """Clear every list of `target` that `fragment` sets, at any depth: MergeFrom would append to it."""
    for field, value in fragment.ListFields():  # type: ignore[attr-defined]
        if _is_map(field):
            continue
        if field.is_repeated:
            target.ClearField(field.name)  # type: ignore[attr-defined]
        elif field.message_type and target.HasField(field.name):  # type: ignore[attr-defined]
            _replace_lists(getattr(target, field.name), value)


def _is_map(field: object) -> bool:
    message = field.message_type  # type: ignore[attr-defined]
    return bool(message and message.GetOptions().map_entry)
