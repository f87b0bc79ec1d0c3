"""`triptych serve`: start Triton on the model repository, say where it answers, stop it in order."""

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from triptych.cli.console import CommandError, err
from triptych.cli.control_key import given_key
from triptych.cli.given_tls import given_tls
from triptych.cli.serve_overrides import chosen_overrides, from_environment
from triptych.cli.server_side import server_side
from triptych.cli.stop_signals import Stop, StopSignals


def serve(
    profile: Annotated[
        str | None,
        typer.Option(envvar="TRIPTYCH_PROFILE", help="Hardware profile; auto: what `triptych doctor` recommends.", show_default="cpu"),
    ] = None,
    repository: Annotated[Path | None, typer.Option(help="Folder with model_repository, python_models, ensembles.")] = None,
    triton: Annotated[Path | None, typer.Option(help="Triton to run: its folder or its binary.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to bind to; other than loopback opens it to the network.")] = None,
    http_port: Annotated[int | None, typer.Option(min=0, max=65535, help="0: any free port.", show_default="8000")] = None,
    grpc_port: Annotated[int | None, typer.Option(min=0, max=65535, help="0: any free port.", show_default="8001")] = None,
    metrics_port: Annotated[int | None, typer.Option(min=0, max=65535, help="0: any free port.", show_default="8002")] = None,
    device_ids: Annotated[
        str | None,
        typer.Option(help="GPUs that every network of the profile runs on, one copy each: 0,1.", show_default="every one (AMD: the first)"),
    ] = None,
    place: Annotated[
        list[str] | None, typer.Option(help="One model's GPUs, instead: clip_visual=0; may be given several times.", show_default=False)
    ] = None,
    target_device: Annotated[
        str | None,
        typer.Option(envvar="TRIPTYCH_TARGET_DEVICE", help="OpenVINO's device: GPU, NPU, AUTO:GPU,CPU.", show_default="the profile's"),
    ] = None,
    model_ttl: Annotated[
        float | None,
        typer.Option(
            envvar="TRIPTYCH_MODEL_TTL",
            help="Unload a model that nobody asks for in so many seconds, until somebody does.",
            show_default="0: never",
        ),
    ] = None,
    log_file: Annotated[Path | None, typer.Option(help="Where Triton's log goes.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Let Triton log every request.")] = False,
    control_key_file: Annotated[
        Path | None,
        typer.Option(help="File with the key that opens the control APIs.", show_default="TRIPTYCH_CONTROL_KEY, or a random one"),
    ] = None,
    client_shared_memory: Annotated[
        bool, typer.Option("--client-shared-memory", help="Let clients of this machine pass tensors in shared memory.")
    ] = False,
    tls_certificate: Annotated[
        Path | None, typer.Option(help="PEM file: gRPC speaks TLS, and HTTP and metrics, which cannot, stay on loopback.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM file of the certificate's private key.")] = None,
    tls_client_root: Annotated[Path | None, typer.Option(help="PEM file of the authority whose clients alone are let in (mTLS).")] = None,
    heal: Annotated[bool, typer.Option("--heal/--no-heal", help="Load a model that died or hangs anew, and Triton too.")] = True,
    hang_seconds: Annotated[
        float | None, typer.Option(min=1, help="A model that has requests and does nothing, not even use CPU, for so long, hangs.")
    ] = None,
    watch_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Show what was healed there, for Prometheus: /metrics, /health/ready. 0: any free.")
    ] = None,
) -> None:
    """Start Triton and keep it running and well until Ctrl-C."""
    with server_side():
        from triptych_server.engine import Engine, EngineOptions
        from triptych_server.engine.healing import Healing
        from triptych_server.engine.heals import shown
        from triptych_server.engine.watch import Patience
        from triptych_server.repository import Repository

        target = Repository.locate(repository)
        signals = StopSignals()
        signals.install()
        given: dict[str, Any] = {
            "profile": profile,
            "triton": triton,
            "host": host,
            "http_port": http_port,
            "grpc_port": grpc_port,
            "metrics_port": metrics_port,
            "model_ttl": model_ttl,
            "log_file": log_file,
            "log_verbose": verbose,
            "control_key": given_key(control_key_file),
            "client_shared_memory": client_shared_memory,
            "tls": given_tls(tls_certificate, tls_key, tls_client_root),
        }
        chosen = {name: value for name, value in given.items() if value is not None}  # the engine has the defaults
        try:
            settings = from_environment(target)
            options = EngineOptions(target, **{"model_ttl": settings.model_ttl, **chosen})
            options = replace(options, overrides=chosen_overrides(options, settings.overrides, device_ids, place or [], target_device))
        except Stop:
            return
        engine = Engine(options)
        signals.at_once = engine.kill
        try:
            with err().status("starting Triton and loading the models"):
                engine.start()
            addresses = (engine.grpc_url, engine.http_url, engine.metrics_url)
            print(f"serving with profile {options.profile} at", *addresses, sep="\n  ", flush=True)
            if heal:
                healing = Healing(engine, Patience() if hang_seconds is None else Patience(asleep=hang_seconds))
                with contextlib.ExitStack() as stack:
                    if watch_port is not None:
                        port = stack.enter_context(shown(healing.heals, options.plain_host, watch_port, engine.metrics))
                        print(f"what was healed: http://{engine.host}:{port}/metrics", flush=True)
                    healing.run()
            code = engine.wait()
        except Stop:
            print("stopping", flush=True)
            return
        finally:
            engine.stop()
        raise CommandError(f"Triton ended by itself, with code {code}; its log: {engine.log_file}")
