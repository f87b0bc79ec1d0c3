"""Laying a profile's fragment over a model's config."""

from triptych_server.configs.merge import merge_config
from triptych_server.configs.read import parameters_of, parse_config

BASE = parse_config(
    """
    name: "net"
    backend: "onnxruntime"
    max_batch_size: 16
    input [ { name: "x" data_type: TYPE_UINT8 dims: [ 3 ] } ]
    instance_group [ { kind: KIND_CPU count: 1 } ]
    dynamic_batching { preferred_batch_size: [ 4, 8 ] default_queue_policy { max_queue_size: 128 default_timeout_microseconds: 5 } }
    parameters { key: "intra_op_thread_count" value { string_value: "0" } }
    """,
    "base",
)


def merged(fragment: str):
    return merge_config(BASE, parse_config(fragment, "fragment"))


def test_single_fields_are_replaced_and_the_rest_stays():
    config = merged("max_batch_size: 4 dynamic_batching { default_queue_policy { max_queue_size: 9 } }")
    assert config.max_batch_size == 4
    assert config.dynamic_batching.default_queue_policy.max_queue_size == 9
    assert config.dynamic_batching.default_queue_policy.default_timeout_microseconds == 5
    assert [io.name for io in config.input] == ["x"]


def test_lists_are_replaced_at_every_depth_not_appended_to():
    config = merged("instance_group [ { kind: KIND_GPU count: 2 } ] dynamic_batching { preferred_batch_size: [ 16 ] }")
    assert [(group.kind, group.count) for group in config.instance_group] == [(1, 2)]
    assert list(config.dynamic_batching.preferred_batch_size) == [16]


def test_parameters_merge_key_by_key_while_the_backend_stays():
    config = merged('parameters { key: "enable_mem_arena" value { string_value: "0" } }')
    assert parameters_of(config) == {"intra_op_thread_count": "0", "enable_mem_arena": "0"}


def test_another_backend_drops_what_was_meant_for_the_old_one():
    config = merged('backend: "openvino" parameters { key: "TARGET_DEVICE" value { string_value: "CPU" } }')
    assert config.backend == "openvino"
    assert parameters_of(config) == {"TARGET_DEVICE": "CPU"}


def test_the_queue_stays_whatever_the_backend():
    queue = {"max_waiting": "9", "default_priority": "1"}
    base = merged(" ".join(f'parameters {{ key: "{key}" value {{ string_value: "{value}" }} }}' for key, value in queue.items()))
    assert parameters_of(merge_config(base, parse_config('backend: "rknn"', "test"))) == queue


def test_the_base_is_left_alone():
    before = BASE.SerializeToString()
    merged("max_batch_size: 1")
    assert BASE.SerializeToString() == before
