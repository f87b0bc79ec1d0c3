"""The catalogue: its counts and facts, the spellings of names, and choosing."""

from collections import Counter

import pytest

from triptych_server.errors import ModelNameError, Status
from triptych_server.models.catalogue import catalogue
from triptych_server.models.model_name import ModelName, find_model, model_name

DIMS = {512: 12, 640: 4, 768: 18, 1024: 14, 1152: 8, 1536: 2}
"""How many CLIPs Immich names with each dimension."""


def test_it_has_the_models_that_immich_names():
    models = catalogue().models
    assert Counter(model.task for model in models) == {"clip": 58, "faces": 4}
    assert len({model.name for model in models}) == 62
    assert Counter(model.dim for model in models if model.task == "clip") == DIMS
    assert {model.dim for model in models if model.task == "faces"} == {512}


def test_every_figure_is_plausible():
    for model in catalogue().models:
        assert model.size in range(224, 641), model.name
        assert 4 <= model.mparams < 2000, model.name
        assert 16 <= model.disk_mb <= 7500, model.name
        assert 10 <= model.memory_about_mib <= 7500, model.name
        assert model.licence.free or model.licence.note, model.name
        assert all(20 <= value < 95 for value in model.recall.values()), model.name
        assert set(model.recall) <= set(catalogue().languages), model.name
        assert (model.context in (64, 77)) == (model.task == "clip"), model.name
        assert (model.languages == "many") >= (len(model.recall) > 25), model.name
        if "SigLIP" in model.name and "nllb" not in model.name:
            assert model.context == 64, model.name


def test_figures_are_given_for_all_but_five_clips():
    silent = {model.name for model in catalogue().models if model.task == "clip" and not model.recall}
    assert silent == {
        "ViT-g-14__laion2b-s12b-b42k",
        "XLM-Roberta-Large-Vit-B-32",
        "XLM-Roberta-Large-Vit-B-16Plus",
        "XLM-Roberta-Large-Vit-L-14",
        "LABSE-Vit-L-14",
    }
    assert all((model.memory_mib is None) == (model.name in silent) for model in catalogue().models if model.task == "clip")


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("ViT-B-32__openai", (512, 224, "en", "MIT", 1004, 69.9)),
        ("ViT-B-32-SigLIP2-256__webli", (768, 256, "many", "Apache-2.0", 3061, 82.28)),
        ("ViT-B-16-SigLIP2__webli", (768, 224, "many", "Apache-2.0", 3038, 84.86)),
        ("ViT-L-16-SigLIP2-256__webli", (1024, 256, "many", "Apache-2.0", 2830, 85.03)),
        ("ViT-SO400M-16-SigLIP2-384__webli", (1152, 384, "many", "Apache-2.0", 3854, 85.99)),
        ("nllb-clip-large-siglip__v1", (1152, 384, "many", "CC-BY-NC-4.0", 4226, 83.24)),
        ("ViT-H-14-378-quickgelu__dfn5b", (1024, 378, "en", "apple-amlr", 5049, 85.78)),
        ("buffalo_l", (512, 640, "", "InsightFace", None, 91.25)),
    ],
)
def test_known_facts(name, facts):
    model = find_model(name)
    assert (model.dim, model.size, model.languages, model.licence.name, model.memory_mib, model.quality()) == facts


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("ViT-B-32__openai", "ViT-B-32__openai"),
        ("immich-app/ViT-B-32__openai", "ViT-B-32__openai"),
        ("ViT-B-32::openai", "ViT-B-32__openai"),
        ("vit-b-32::OPENAI", "ViT-B-32__openai"),
        (" ViT-B-32__openai\n", "ViT-B-32__openai"),
        ("M-CLIP/XLM-Roberta-Large-Vit-B-32", "XLM-Roberta-Large-Vit-B-32"),
        ("xlm-roberta-large-vit-b-16plus", "XLM-Roberta-Large-Vit-B-16Plus"),
        ("Buffalo_L", "buffalo_l"),
    ],
)
def test_spellings(text, name):
    assert model_name(text) == ModelName("immich-app", name)
    assert model_name(text, "me").repository == f"me/{name}"
    assert str(model_name(text)) == name


def test_models_outside_the_catalogue_go_by_their_whole_names():
    assert model_name("me/my.model").repository == "me/my.model"
    assert model_name("my-model", "me") == ModelName("me", "my-model")
    assert model_name("me/my.model").known is None
    assert str(model_name("me/my.model")) == "me/my.model"


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("ViT-B-32", "ViT-B-32__openai"),
        ("vit-b-32_opnai", "ViT-B-32__openai"),
        ("immich-app/nllb-clip-base-siglip", "nllb-clip-base-siglip__v1, nllb-clip-base-siglip__mrl"),
        ("bufalo_l", "buffalo_l"),
        ("zzz", "`triptych models list`"),
        ("", "`triptych models list`"),
    ],
)
def test_an_unknown_name_is_answered_with_those_that_are_near(text, near):
    with pytest.raises(ModelNameError) as caught:
        model_name(text)
    assert near in str(caught.value)
    assert repr(text) in str(caught.value)
    assert caught.value.status is Status.NOT_FOUND


@pytest.mark.parametrize("text", ["../..", "me/..", "me/a b", "a/../b", "me/.hidden", "me/x\0", "-me/x", "me/" + "x" * 200, "me/a--b"])
def test_what_cannot_be_a_folder_is_no_name(text):
    with pytest.raises(ModelNameError):
        model_name(text)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("de", "de"),
        ("pt-BR", "pt"),
        ("zh_Hans", "zh"),
        ("nb_NO", "no"),
        ("German", "de"),
        ("cusco quechua", "quz"),
        ("tl", "fil"),
        ("ca", "ca"),
    ],
)
def test_languages(text, code):
    assert catalogue().language(text) == code


def test_a_language_that_is_none_is_refused():
    with pytest.raises(ModelNameError, match=r"'klingon.*' is no language; expected a code such as de"):
        catalogue().language("klingon!")


def test_choosing_orders_by_what_is_asked_for():
    def names(**conditions):
        return [model.name for model in catalogue().choose(**conditions)]

    assert names(task="clip")[0] == "ViT-SO400M-16-SigLIP2-384__webli"
    assert names(language="ja")[0] == "XLM-Roberta-Large-ViT-H-14__frozen_laion5b_s13b_b90k"
    assert names(language="te", dim=768)[:2] == ["nllb-clip-base-siglip__mrl", "nllb-clip-base-siglip__v1"]
    assert names(language="en", max_memory_mib=1005)[0] == "ViT-B-32__laion2b-s34b-b79k"
    assert "ViT-B-32__openai" not in names(language="de")
    assert "LABSE-Vit-L-14" in names(language="de")
    assert not {"buffalo_l"} & set(names(language="de"))
    assert names(task="faces") == ["buffalo_l", "buffalo_m", "buffalo_s", "antelopev2"]
    assert names(names=["buffalo_s", "nothing"]) == ["buffalo_s"]
    assert names(dim=7) == []
    assert all(model.dim == 1536 for model in catalogue().choose(dim=1536))
