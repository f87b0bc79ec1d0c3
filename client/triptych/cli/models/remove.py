"""`triptych models remove`: make room in the cache."""

from typing import Annotated

import typer

from triptych.cli.console import CommandError, err
from triptych.cli.models import options
from triptych.cli.server_side import server_side


def remove(
    name: options.Name,
    revision: Annotated[str | None, typer.Option(help="Only this one.", show_default="all")] = None,
    organisation: options.Organisation = None,
    cache: options.CacheFolder = None,
    repository: options.RepositoryFolder = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a pulled model from the cache, and the engines that were compiled of models that are not served any more. What is served
    stays served: the repository has graphs of its own."""
    with server_side():
        from triptych_server.models.cache import Cache
        from triptych_server.models.model_name import model_name
        from triptych_server.models.served_names import served_names
        from triptych_server.repository import Repository
        from triptych_server.sessions.engine_cache import discard_unserved, engines_root, graph_name

        store, model = Cache.locate(cache), model_name(name, organisation)
        chosen = [cached for cached in store.of(model) if revision is None or cached == store.find(model, revision)]
        if not chosen:
            at = f" at {revision}" if revision else ""
            raise CommandError(f"{model}{at} is not in the cache ({store.root}); `triptych models list --installed` shows what is")
        place = Repository.locate(repository)
        served = {served.commit for served in served_names(place).values()}
        if any(cached.manifest.commit in served for cached in chosen):
            err().print(
                f"{model} is the model that is served; without it here, going back to it later means pulling it again", markup=False
            )
        size = sum(cached.manifest.size for cached in chosen)
        if not yes:
            typer.confirm(f"delete {model} ({size / 1e6:,.0f} MB) from {store.root}?", abort=True, err=True)
        with store.locked(model, lambda sentence: err().print(sentence, markup=False, soft_wrap=True)):
            store.remove(model, revision)
        graphs = {folder.name: folder / "1" / "model.onnx" for folder in place.models() if folder.parent == place.networks}
        freed = discard_unserved(engines_root(), {graph_name(name, graph) for name, graph in graphs.items()})
    typer.echo(f"{model} is deleted" + (f", and {freed / 1e6:,.0f} MB of compiled engines of models not served now" if freed else ""))
