"""What Immich's machine-learning service is told by environment variables, in our terms: its compose file needs no rewriting.

Only what is set counts. What has no meaning here is told with the reason, for a setting must not be dropped in silence.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from triptych_server.configs.overrides import Overrides
from triptych_server.errors import ConfigError

PREFIX = "MACHINE_LEARNING_"
_CLIP = ("PRELOAD__CLIP__VISUAL", "PRELOAD__CLIP__TEXTUAL")
_FACES = ("PRELOAD__FACIAL_RECOGNITION__DETECTION", "PRELOAD__FACIAL_RECOGNITION__RECOGNITION")
_OCR = ("PRELOAD__OCR__", "MAX_BATCH_SIZE__OCR", "MAX_BATCH_SIZE__TEXT_RECOGNITION")
_READ = (
    "MODEL_INTRA_OP_THREADS",
    "MODEL_INTER_OP_THREADS",
    "MODEL_ARENA",
    "OPENVINO_PRECISION",
    "ROCM_PRECISION",
    "RKNN_THREADS",
    "ANN_FP16_TURBO",
    "ANN_TUNING_LEVEL",
    "DEVICE_IDS",
    "MODEL_REVISION",
    "MODEL_ORGANIZATION",
    "MODEL_TTL",
)
_NOT_NEEDED = {
    "WORKERS": "one server uses all cores and devices, and batches the requests of everybody",
    "WORKER_TIMEOUT": "queues have a time limit of their own, in config.pbtxt",
    "REQUEST_THREADS": "the number of decoders is instance_group's count of the Python models",
    "MODEL_TTL_POLL_S": "who is idle is looked at every quarter of MODEL_TTL, every 10 s at most",
    "MAX_BATCH_SIZE__FACIAL_RECOGNITION": "faces are recognised in chunks of a bounded size: recognition_batch of face_embed",
    "ANN": "--profile armnn chooses Arm NN",
    "RKNN": "--profile rknn chooses the NPU",
}
_BOOLEANS = {"true": "true", "1": "true", "yes": "true", "on": "true", "false": "false", "0": "false", "no": "false", "off": "false"}
_LONGEST_TTL = 31_536_000  # a year
_PRECISIONS = {"FP32": "f32", "FP16": "f16", "BF16": "bf16"}


@dataclass(frozen=True, slots=True)
class ImmichSettings:
    """Overrides of the configs; the models to serve, as Immich names them; sentences on what has no effect. `model_ttl`: after how many
    seconds an idle model is unloaded; 0: never."""

    overrides: Overrides
    models: tuple[str, ...]
    notes: tuple[str, ...]
    model_ttl: float = 0.0


def immich_settings(environment: Mapping[str, str]) -> ImmichSettings:
    """Read the variables; ConfigError, naming the variable, for a value that it cannot have."""
    given = {key.removeprefix(PREFIX): value for key, value in environment.items() if key.startswith(PREFIX) and value}
    reader = _Reader(given)
    notes = [f"{PREFIX}{key} has no effect: {reason}" for key, reason in _NOT_NEEDED.items() if key in given]
    inter = reader.count("MODEL_INTER_OP_THREADS")
    onnxruntime = {
        "intra_op_thread_count": reader.count("MODEL_INTRA_OP_THREADS"),
        "inter_op_thread_count": inter,
        "execution_mode": "1" if inter and int(inter) > 1 else "",
        "enable_mem_arena": reader.boolean("MODEL_ARENA"),
    }
    threads = reader.count("MODEL_INTRA_OP_THREADS")
    openvino = {
        "INFERENCE_NUM_THREADS": "" if threads == "0" else threads,  # 0 means the runtime's own choice
        "INFERENCE_PRECISION_HINT": reader.precision("OPENVINO_PRECISION"),
    }
    rknn = {"contexts": reader.count("RKNN_THREADS", least=1)}
    armnn = {"fp16": reader.boolean("ANN_FP16_TURBO"), "tuning_level": reader.count("ANN_TUNING_LEVEL", most=3)}
    rocm = {"f16": "1", "f32": "0", "": ""}.get(reader.precision("ROCM_PRECISION", ("FP32", "FP16")), "")
    backends = {"onnxruntime": onnxruntime, "openvino": openvino, "rknn": rknn, "armnn": armnn}
    overrides = Overrides(
        device_ids=reader.devices("DEVICE_IDS"),
        parameters={backend: said for backend, values in backends.items() if (said := _said(values))},
        accelerator={"migraphx": said} if (said := _said({"migraphx_fp16_enable": rocm})) else {},
    )
    models = [model for keys in (_CLIP, _FACES) if (model := reader.one_model(keys, notes))]
    notes += [f"{PREFIX}{key} has no effect: text in pictures is not read yet" for key in given if key.startswith(_OCR)]
    known = {*_READ, *_CLIP, *_FACES, *_NOT_NEEDED}
    notes += [f"{PREFIX}{key} has no effect here" for key in sorted(set(given) - known) if not key.startswith(_OCR)]
    return ImmichSettings(overrides, tuple(models), tuple(notes), float(reader.count("MODEL_TTL", most=_LONGEST_TTL) or 0))


def _said(values: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in values.items() if value}


@dataclass(frozen=True, slots=True)
class _Reader:
    """Typed reading of variables; what is not set is empty."""

    given: Mapping[str, str]

    def count(self, key: str, least: int = 0, most: int = 1024) -> str:
        value = self.given.get(key, "")
        if value and not (value.isdecimal() and least <= int(value) <= most):
            raise ConfigError(f"{PREFIX}{key} is {value!r}; expected a number from {least} to {most}")
        return value

    def boolean(self, key: str) -> str:
        value = self.given.get(key, "")
        if value and value.lower() not in _BOOLEANS:
            raise ConfigError(f"{PREFIX}{key} is {value!r}; expected true or false")
        return _BOOLEANS[value.lower()] if value else ""

    def precision(self, key: str, known: Sequence[str] = tuple(_PRECISIONS)) -> str:
        value = self.given.get(key, "")
        if value and value.upper() not in known:
            raise ConfigError(f"{PREFIX}{key} is {value!r}; expected one of {', '.join(known)}")
        return _PRECISIONS[value.upper()] if value else ""

    def devices(self, key: str) -> tuple[int, ...]:
        value = self.given.get(key, "")
        parts = [part.strip() for part in value.split(",")] if value else []
        if not all(part.isdecimal() for part in parts):
            raise ConfigError(f"{PREFIX}{key} is {value!r}; expected device numbers with commas between them, such as 0,1")
        return tuple(dict.fromkeys(map(int, parts)))

    def one_model(self, keys: tuple[str, str], notes: list[str]) -> str:
        """The model that both variables name; it is served whole."""
        named = list(dict.fromkeys(name.strip() for key in keys for name in self.given.get(key, "").split(",") if name.strip()))
        if len(named) > 1:
            both = " and ".join(f"{PREFIX}{key}" for key in keys if self.given.get(key))
            notes.append(f"{both} name {', '.join(named)}; one at a time is served: {named[0]}")
        return named[0] if named else ""
