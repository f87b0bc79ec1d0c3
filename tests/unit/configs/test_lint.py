"""`configs check`: one mistake put into a sound repository is one finding that names the file, the field and the mend."""

import re

import pytest

from tests.support.serving import CHECKOUT
from triptych_server.configs.lint import lint
from triptych_server.configs.lint.options import known_parameters

VISUAL, TEXTUAL = "model_repository/clip_visual/config.pbtxt", "model_repository/clip_textual/config.pbtxt"
SEARCH, FACES = "ensembles/search_image/config.pbtxt", "ensembles/faces/config.pbtxt"
MINE = "model_repository/clip_visual/configs/mine.pbtxt"
CPU_GROUP = "instance_group [ { kind: KIND_CPU count: 1 } ]"
BATCHING = "dynamic_batching { }"
POLICY = "{ default_queue_policy { max_queue_size: 128 default_timeout_microseconds: 60000000 allow_timeout_override: true } }"
LEVEL_2 = "priority_queue_policy { key: 2 value { default_timeout_microseconds: 9 allow_timeout_override: true } }"
GPU_GROUP = "instance_group [ { kind: KIND_GPU count: 1 } ]"


@pytest.fixture
def copy(tmp_path):
    return CHECKOUT.copy_to(tmp_path / "copy")


def tuned(copy, *changes, add=""):
    """A config of somebody's own for clip_visual: the plain-CPU one with changes (old, new)."""
    text = (copy.root / VISUAL).read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (copy.root / MINE).write_text(text + add)


def accelerator(name, kind="gpu", **parameters):
    inside = " ".join(f'parameters {{ key: "{key}" value: "{value}" }}' for key, value in parameters.items())
    return f'optimization {{ execution_accelerators {{ {kind}_execution_accelerator {{ name: "{name}" {inside} }} }} }}'


def parameter(key, value="1"):
    return f'parameters {{ key: "{key}" value {{ string_value: "{value}" }} }}'


def only(findings):
    assert len(findings) == 1, [str(finding) for finding in findings]
    finding = findings[0]
    assert finding.found
    assert finding.expected
    assert finding.mend
    return finding


def test_the_repository_has_no_mistakes():
    assert [str(finding) for finding in lint(CHECKOUT)] == []


def test_every_backend_of_ours_says_which_parameters_it_takes():
    for folder in CHECKOUT.backends.iterdir():
        assert "allow_fallback" in (known_parameters(folder.name) or ()), folder.name
    assert known_parameters("python") is known_parameters("a.b") is known_parameters("") is None


def test_unknown_fields_are_found_in_every_file_with_line_and_nearest_name(copy):
    for file, line in ((copy.root / VISUAL, "max_batch_sise: 1"), (copy.profiles / "openvino.pbtxt", "instance_grup { }")):
        file.write_text(f"{file.read_text()}{line}\n")
    first, second = lint(copy)
    lines = len((copy.root / VISUAL).read_text().splitlines())
    assert str(first) == (
        f"{VISUAL}:{lines}: found ModelConfig has no field max_batch_sise; "
        "expected a ModelConfig in protobuf's text format; did you mean max_batch_size?"
    )
    assert (second.file, second.mend) == ("profiles/openvino.pbtxt", "did you mean instance_group?")


def test_stale_and_missing_generated_configs(copy):
    folder = copy.networks / "clip_visual" / "configs"
    (folder / "openvino.pbtxt").write_text((folder / "openvino.pbtxt").read_text().replace("LATENCY", "THROUGHPUT"))
    assert only(lint(copy)).mend == "run `triptych configs render`"
    (folder / "openvino.pbtxt").unlink()
    assert only(lint(copy)).found == "no file"


@pytest.mark.parametrize(
    ("changes", "add", "field", "found"),
    [
        ([(BATCHING, "")], "", "dynamic_batching", "nothing"),
        ([(BATCHING, BATCHING.replace("{ }", POLICY))], "", "dynamic_batching.default_queue_policy", "a queue policy of Triton's"),
        ([(BATCHING, BATCHING.replace("{ }", "{ priority_levels: 2 }"))], "", "dynamic_batching.priority_levels", "policy"),
        ([('key: "max_waiting"', 'key: "max_wait_seconds"')], "", "parameters[max_waiting]", "nothing"),
        ([('string_value: "256"', 'string_value: "0"')], "", "parameters[max_waiting]", "parameter max_waiting is 0"),
        ([('"clip_preprocess"', '"clip_preproces"')], "", "parameters[takes_turns_with]", "'clip_preproces'"),
        ([('"clip_preprocess"', '"face_preprocess"')], "", "parameters[takes_turns_with]", "'face_preprocess', which does not feed it"),
        ([], parameter("max_wait_seconds", "a minute"), "parameters[max_wait_seconds]", "'a minute'"),
        (
            [('key: "default_priority" value { string_value: "2"', 'key: "default_priority" value { string_value: "3"')],
            "",
            "parameters[default_priority]",
            "parameter default_priority is 3",
        ),
        (
            [(BATCHING, BATCHING.replace("{ }", "{ preferred_batch_size: [ 4, 32 ] }"))],
            "",
            "dynamic_batching.preferred_batch_size",
            "[4, 32]",
        ),
        ([(CPU_GROUP, "")], "", "instance_group", "nothing"),
        ([(CPU_GROUP, "instance_group [ { kind: KIND_CPU } ]")], "", "instance_group[0].count", "0"),
        ([("kind: KIND_CPU", "kind: KIND_AUTO")], "", "instance_group[0].kind", "KIND_AUTO"),
        ([(CPU_GROUP, "instance_group [ { kind: KIND_CPU count: 1 gpus: [ 0 ] } ]")], "", "instance_group[0].gpus", "[0] with KIND_CPU"),
        ([('name: "clip_visual"', 'name: "clip"')], "", "name", "'clip'"),
        ([("TYPE_FP32", "TYPE_FP16")], "", "output[embedding].data_type", "TYPE_FP16"),
        ([("224, 224, 3", "336, 336, 3")], "", "input[image].dims", "[336, 336, 3]"),
        ([], parameter("intra_op_thread_cont"), "parameters[intra_op_thread_cont]", "'intra_op_thread_cont'"),
        (
            [],
            accelerator("tensorrt"),
            "optimization.execution_accelerators.gpu_execution_accelerator",
            "tensorrt without an instance of KIND_GPU",
        ),
        (
            [],
            accelerator("openvino", "cpu", num_streams=2),
            "optimization.execution_accelerators.cpu_execution_accelerator[openvino].parameters[num_streams]",
            "'num_streams'",
        ),
    ],
)
def test_mistakes_in_a_tuned_config(copy, changes, add, field, found):
    tuned(copy, *changes, add=add)
    finding = only(lint(copy))
    assert (finding.file, finding.field) == (MINE, field)
    assert found in finding.found


GPU_PATH = "optimization.execution_accelerators.gpu_execution_accelerator"


@pytest.mark.parametrize(
    ("name", "parameters", "field", "words"),
    [
        ("tensort", {}, "[tensorrt]", "did you mean tensorrt"),
        ("tensorrt", {"trt_engine_cache_enabled": 1}, "trt_engine_cache_enabled", "did you mean trt_engine_cache_enable?"),
        ("tensorrt", {"trt_fp16_enable": 1}, "trt_fp16_enable", "precision_mode"),
        ("tensorrt", {"precision_mode": "FP61"}, "precision_mode", "did you mean FP16?"),
        ("tensorrt", {"trt_engine_hw_compatible": 1}, "trt_engine_hw_compatible", 'runtime: "model.py"'),
        ("tensorrt", {"trt_engine_cache_path": "/tmp"}, "trt_engine_cache_path", "trt_engine_cache_enable"),
        ("tensorrt", {"trt_profile_min_shapes": "image:1x224x224x3"}, "trt_profile_min_shapes", "all three shapes"),
        ("cuda", {"gpu_memory_limit": 1}, "gpu_memory_limit", "did you mean gpu_mem_limit?"),
        ("cuda", {"cudnn_conv_algo_search": "HEURISTIC"}, "cudnn_conv_algo_search", "as '1'"),
        ("migraphx", {"migraphx_fp16_enable": 1, "migraphx_bf16_enable": "true"}, "migraphx_bf16_enable", "one precision"),
        ("migraphx", {"migraphx_save_compiled_model": 1}, "migraphx_save_compiled_model", "drop or rename it"),
    ],
)
def test_mistakes_in_gpu_accelerators(copy, name, parameters, field, words):
    tuned(copy, (CPU_GROUP, GPU_GROUP), add=accelerator(name, **parameters))
    finding = only(lint(copy))
    assert finding.field.startswith(f"{GPU_PATH}[{name}]")
    assert re.escape(words) in re.escape(str(finding))


def test_our_own_runtime_may_take_what_the_native_one_refuses(copy):
    tuned(copy, (CPU_GROUP, GPU_GROUP), add='runtime: "model.py"\n' + accelerator("tensorrt", trt_engine_hw_compatible=1))
    assert lint(copy) == []


def openvino(copy, *parameters, group=CPU_GROUP):
    text = (copy.networks / "clip_visual" / "configs" / "openvino.pbtxt").read_text()
    text = re.sub(r"instance_group \{.*?\n\}", group, text, flags=re.DOTALL)
    (copy.root / MINE).write_text(text + "\n".join(parameters))


@pytest.mark.parametrize(
    ("parameters", "group", "field", "words"),
    [
        ([], GPU_GROUP, "instance_group[0].kind", "TARGET_DEVICE chooses the device"),
        ([parameter("NUM_STREMS", "2")], CPU_GROUP, "parameters[NUM_STREMS]", "did you mean NUM_STREAMS?"),
        ([parameter("NUM_STREAMS", "2")], CPU_GROUP, "parameters[NUM_STREAMS]", "keep one of them"),
        ([parameter("INFERENCE_PRECISION_HINT", "f32")], CPU_GROUP, "parameters[INFERENCE_PRECISION_HINT]", 'runtime: "model.py"'),
        ([accelerator("openvino", "cpu")], CPU_GROUP, "optimization.execution_accelerators.cpu_execution_accelerator", "only onnxruntime"),
    ],
)
def test_mistakes_with_the_openvino_backend(copy, parameters, group, field, words):
    openvino(copy, *parameters, group=group)
    finding = only(lint(copy))
    assert finding.field == field
    assert words in str(finding)


@pytest.mark.parametrize(
    ("profile", "change", "words"),
    [("cuda", (GPU_GROUP, CPU_GROUP), "no KIND_GPU"), ("openvino", ("KIND_CPU", "KIND_GPU"), "KIND_GPU")],
)
def test_a_profile_says_whether_its_networks_run_on_gpus(copy, profile, change, words):
    from triptych_server.configs.profiles import write_profiles

    file = copy.profiles / f"{profile}.pbtxt"
    assert change[0] in file.read_text()
    file.write_text(file.read_text().replace(*change))
    write_profiles(copy)
    findings = [finding for finding in lint(copy) if finding.field == "instance_group[0].kind"]
    assert len(findings) == len(list(copy.networks.iterdir()))
    assert all(words in finding.found and f"in profiles/{profile}.pbtxt" in finding.mend for finding in findings)


@pytest.mark.parametrize(
    ("file", "old", "new", "field", "words"),
    [
        (SEARCH, "max_batch_size: 16", "max_batch_size: 32", "max_batch_size", "more than the 16 of its step clip_preprocess"),
        (
            SEARCH,
            'model_name: "clip_visual"',
            'model_name: "clip_vizual"',
            "ensemble_scheduling.step[1].model_name",
            "did you mean clip_visual?",
        ),
        (
            SEARCH,
            'key: "image" value: "pixels"',
            'key: "picture" value: "pixels"',
            "ensemble_scheduling.step[1].input_map[picture]",
            "an input of",
        ),
        (
            SEARCH,
            'key: "image" value: "pixels"',
            'key: "image" value: "pixel"',
            "ensemble_scheduling.step[1].input_map[image]",
            "nothing makes",
        ),
        (
            SEARCH,
            'key: "image" value: "pixels"',
            'key: "image" value: "image"',
            "ensemble_scheduling.step[1].input_map[image]",
            "TYPE_STRING [1]",
        ),
        (
            SEARCH,
            'output_map { key: "embedding"',
            'output_map { key: "embeding"',
            "ensemble_scheduling.step[1].output_map[embeding]",
            "rename it",
        ),
        (SEARCH, "dims: [ 512 ]", "dims: [ 768 ]", "output[embedding].dims", "TYPE_FP32 [512]"),
        (FACES, 'input_map { key: "options" value: "options" }', "", "ensemble_scheduling.step[2].input_map[options]", "a tensor for"),
    ],
)
def test_mistakes_in_ensembles(copy, file, old, new, field, words):
    text = (copy.root / file).read_text()
    assert old in text
    (copy.root / file).write_text(text.replace(old, new))
    findings = lint(copy)
    matching = [finding for finding in findings if finding.field == field]
    assert matching, [str(finding) for finding in findings]
    assert words in str(matching[0])
    assert all(finding.file == file for finding in findings)


def test_a_profile_with_smaller_batches_than_the_ensembles_above_it(copy):
    tuned(copy, ("max_batch_size: 16", "max_batch_size: 4"))
    finding = only(lint(copy))
    assert (finding.file, finding.field) == (SEARCH, "max_batch_size")
    assert "in profile mine" in finding.found


@pytest.mark.parametrize(
    ("policy", "field", "found"),
    [
        (POLICY.replace("128", "0"), "default_queue_policy.max_queue_size", "without a bound"),
        (POLICY.replace("default_timeout_microseconds: 60000000", ""), "default_queue_policy.default_timeout_microseconds", "times out"),
        (POLICY.replace("allow_timeout_override: true", ""), "default_queue_policy.allow_timeout_override", "false"),
        (
            POLICY.replace("{ d", f"{{ priority_levels: 2 default_priority_level: 1 {LEVEL_2} d"),
            "priority_queue_policy[2].max_queue_size",
            "",
        ),
        (POLICY.replace("{ d", "{ priority_levels: 2 default_priority_level: 3 d"), "default_priority_level", "3"),
    ],
)
def test_the_queue_of_a_backend_that_only_triton_has_is_tritons(copy, policy, field, found):
    tuned(copy, ('backend: "onnxruntime"', 'backend: "pytorch"'), (BATCHING, BATCHING.replace("{ }", policy)))
    finding = only(lint(copy))
    assert finding.field == f"dynamic_batching.{field}"
    assert found in finding.found


def test_lines_are_those_of_the_field(copy):
    tuned(copy, ('string_value: "256"', 'string_value: "0"'))
    finding = only(lint(copy))
    assert "max_waiting" in (copy.root / MINE).read_text().splitlines()[finding.line - 1]


def test_what_is_left_of_a_profile(copy):
    (copy.profiles / "migraphx.pbtxt").unlink()
    findings = lint(copy)
    assert {finding.file for finding in findings} == {
        f"model_repository/{folder.name}/configs/migraphx.pbtxt" for folder in copy.networks.iterdir()
    }
    assert all("generated no more" in finding.found for finding in findings)


def test_bytes_that_are_no_text(copy):
    (copy.profiles / "cuda.pbtxt").write_bytes(b"# \xff")
    assert "no UTF-8, at 2" in only(lint(copy)).found


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("profiles/rknn/clip_textal.pbtxt", "rename or drop it; did you mean clip_textual?"),
        ("profiles/rknn/old/clip_textual.pbtxt", "profiles/rknn/<network>.pbtxt"),
        ("profiles/rkn/clip_textual.pbtxt", "add profiles/rkn.pbtxt, or rename it; did you mean rknn?"),
        ("model_repository/clip_textual/configs/cpu.pbtxt", "which is the profile cpu"),
    ],
)
def test_files_that_nobody_reads(copy, file, words):
    (copy.root / file).parent.mkdir(exist_ok=True)
    (copy.root / file).write_text((copy.root / TEXTUAL).read_text())
    finding = only(lint(copy))
    assert finding.file == file
    assert words in str(finding)
