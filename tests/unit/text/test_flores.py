"""Language codes to FLORES-200."""

import logging

import pytest

from triptych_server.text.flores import LANGUAGES, flores_code


def test_the_table_is_large_and_every_code_is_one_that_nllb_knows() -> None:
    nllb = pytest.importorskip("transformers.models.nllb.tokenization_nllb")
    assert len(LANGUAGES) >= 100
    assert {flores_code(language) for language in LANGUAGES} <= set(nllb.FAIRSEQ_LANGUAGE_CODES)


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("en", "eng_Latn"),
        ("de", "deu_Latn"),
        ("de-AT", "deu_Latn"),
        ("DE_at", "deu_Latn"),
        ("pt-BR", "por_Latn"),
        ("pt_BR", "por_Latn"),
        ("nb-NO", "nob_Latn"),
        ("nb_NO", "nob_Latn"),
        ("zh", "zho_Hans"),
        ("zh-Hans", "zho_Hans"),
        ("zh_Hans", "zho_Hans"),
        ("zh-CN", "zho_Hans"),
        ("zh_SIMPLIFIED", "zho_Hans"),
        ("zh_Hant", "zho_Hant"),
        ("zh-Hant-HK", "zho_Hant"),
        ("zh-TW", "zho_Hant"),
        ("sr-Cyrl", "srp_Cyrl"),
        ("sr_Latn", "srp_Cyrl"),
        ("fil", "tgl_Latn"),
        (" ja ", "jpn_Jpan"),
        ("ca", "cat_Latn"),
        ("ka", "kat_Geor"),
        ("et", "est_Latn"),
    ],
)
def test_codes_of_weblate_and_browsers_are_understood(language: str, code: str) -> None:
    assert flores_code(language) == code


def test_an_unknown_language_is_english_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    flores_code.cache_clear()
    with caplog.at_level(logging.WARNING):
        assert flores_code("tlh-KX") == "eng_Latn"
        assert flores_code("tlh-KX") == "eng_Latn"
        assert flores_code("de-XX") == "deu_Latn"
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "'tlh-KX'" in caplog.text


@pytest.mark.parametrize("odd", ["", "-", "_", "x" * 60, "de\nfake log line", "\x00"])
def test_odd_codes_are_english_and_forge_no_log_line(odd: str, caplog: pytest.LogCaptureFixture) -> None:
    flores_code.cache_clear()
    assert flores_code(odd) == "eng_Latn"
    assert "\n" not in caplog.records[0].getMessage()
