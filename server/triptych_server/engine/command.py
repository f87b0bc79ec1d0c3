"""Triton's command line and environment, from the options: pure functions."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from triptych_server.configs.read import DEFAULT_PROFILE
from triptych_server.engine.options import EngineOptions
from triptych_server.engine.ports import Ports
from triptych_server.engine.triton import Triton
from triptych_server.serving.instance import PROFILE_VARIABLE
from triptych_server.serving.load import FOLDER_VARIABLE

CLOSED_APIS = ("model-repository", "logging", "trace")
"""Who may load a model can run any code; logging and trace write files of the caller's choice."""
SHARED_MEMORY, ALLOW_SHARED_MEMORY = "shared-memory", "allow-client-shm"
CONTROL_HEADER = "triptych-control"
CONTROL_HEADERS = (CONTROL_HEADER, f"triton-grpc-protocol-{CONTROL_HEADER}")
"""Over HTTP and over gRPC."""
SECRETS = ("TRIPTYCH_CONTROL_KEY", "TRIPTYCH_API_KEY", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
"""Variables that models need not see."""


def triton_command(
    options: EngineOptions,
    models: Sequence[str],
    triton: Triton,
    backends: Path,
    staging: Path,
    ports: Ports,
    shm_prefix: str,
    control_key: str,
) -> list[str]:
    """The arguments of tritonserver, which loads `models` and no other. `staging` is an empty model repository
    beside the options' own, for models that come later.

    The APIs that control it want the control key.
    """
    closed = ",".join(CLOSED_APIS if options.client_shared_memory else (*CLOSED_APIS, SHARED_MEMORY))
    command = [
        str(triton.server),
        *(f"--model-repository={root}" for root in (*options.repository.roots, staging)),
        f"--backend-directory={backends}",
        "--model-control-mode=explicit",
        *(f"--load-model={name}" for name in models),
        "--exit-on-error=false",  # so that the index can tell which model failed
        f"--exit-timeout-secs={options.stop_timeout}",
        f"--cache-directory={triton.caches}",
        f"--cache-config=local,size={options.cache_bytes}",
        f"--backend-config=python,shm-region-prefix-name={shm_prefix}",
        f"--backend-config=python,stub-timeout-seconds={int(0.9 * options.start_timeout)}",  # 30 are too few; it tells before we give up
        "--metrics-config=summary_latencies=true",
        "--disable-auto-complete-config",
        f"--log-verbose={int(options.log_verbose)}",
        f"--http-restricted-api={closed}:{CONTROL_HEADER}={control_key}",
        f"--grpc-restricted-protocol={closed}:{CONTROL_HEADER}={control_key}",
    ]
    for service, port in (("http", ports.http), ("grpc", ports.grpc), ("metrics", ports.metrics)):
        command += [f"--{service}-address={options.host if service == 'grpc' else options.plain_host}", f"--{service}-port={port}"]
    if options.tls is not None:
        command += options.tls.arguments
    if options.client_shared_memory and triton.has_option(ALLOW_SHARED_MEMORY):
        command.append(f"--{ALLOW_SHARED_MEMORY}=true")
    if triton.least_capability:
        command.append(f"--min-supported-compute-capability={triton.least_capability}")
    if options.profile != DEFAULT_PROFILE:
        command.append(f"--model-config-name={options.profile}")
    return command


def triton_environment(triton: Triton, profile: str, loads: Path, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of tritonserver and its Python stubs, which show the profile in their metrics, and how full they are in a folder.

    The wheel's stub starts Python isolated (PYTHONPATH is ignored): it finds our packages through the `python3` that is
    first on PATH, so that is the folder of the running one. AIP_MODE would open one more port, on every address.
    """
    libraries = [str(folder) for folder in triton.libraries if folder.is_dir()]
    inherited = {key: value for key, value in environment.items() if not key.startswith(("PYTHON", "AIP_")) and key not in SECRETS}
    return {
        "MALLOC_ARENA_MAX": str(max(2, len(os.sched_getaffinity(0)))),  # each keeps what its largest photos took; glibc has 8 of a core
        "ORT_DISABLE_TELEMETRY": "1",  # the native backend's ONNX Runtime, too, reports to its maker unless told not to
        **inherited,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", os.defpath)]),
        "LD_LIBRARY_PATH": os.pathsep.join([*libraries, *filter(None, [environment.get("LD_LIBRARY_PATH")])]),
        PROFILE_VARIABLE: profile,
        FOLDER_VARIABLE: str(loads),
        "PYTHONDONTWRITEBYTECODE": "1",  # a __pycache__ in a repository would be listed as a broken model
        "TOKENIZERS_PARALLELISM": "false",  # its threads would fight the networks' for the cores
    }
