"""Lay a hardware profile's fragment over a model's plain-CPU config."""

from google.protobuf.message import Message
from tritonclient.grpc.model_config_pb2 import ModelConfig

from triptych_server.configs.fields import is_map
from triptych_server.configs.read import parameters_of
from triptych_server.sessions.parameters import SERVING_KEYS

RUNTIME_FIELDS = ("parameters", "optimization", "default_model_filename")
"""Settings that mean something to one backend only."""


def merge_config(base: ModelConfig, *fragments: ModelConfig) -> ModelConfig:
    """`base` with each fragment laid over it: single fields are replaced, lists too, the `parameters` map key by key.

    A fragment that names another backend first drops what was meant for the old one (RUNTIME_FIELDS), but for SERVING_KEYS.
    """
    merged = ModelConfig()
    merged.CopyFrom(base)
    for fragment in fragments:
        if fragment.backend and fragment.backend != merged.backend:
            kept = {key: value for key, value in parameters_of(merged).items() if key in SERVING_KEYS}
            for field in RUNTIME_FIELDS:
                merged.ClearField(field)
            for key, value in kept.items():
                merged.parameters[key].string_value = value
        _replace_lists(merged, fragment)
        merged.MergeFrom(fragment)
    return merged


def _replace_lists(target: Message, fragment: Message) -> None:
    """Clear every list of `target` that `fragment` sets, at any depth: MergeFrom would append to it."""
    for field, value in fragment.ListFields():
        if is_map(field):
            continue
        if field.is_repeated:
            target.ClearField(field.name)
        elif field.message_type and target.HasField(field.name):
            _replace_lists(getattr(target, field.name), value)
