"""The Prometheus text format: lines as Triton writes them, lines as the format allows them, and what is neither."""

import math
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych.prometheus import Sample, parse


def test_lines_as_triton_writes_them():
    text = (
        "# HELP nv_inference_count Number of inferences performed (does not include cached requests)\n"
        "# TYPE nv_inference_count counter\n"
        'nv_inference_count{model="search_image",version="1"} 35\n'
        'nv_inference_request_summary_us{model="search_image",version="1",quantile="0.5"} Nan\n'
        "nv_cpu_utilization 0.005\n"
        "nv_cpu_memory_total_bytes 25192681472.000000\n"
    )
    samples = list(parse(text))
    assert samples[0] == Sample("nv_inference_count", {"model": "search_image", "version": "1"}, 35.0)
    assert math.isnan(samples[1].value)
    assert samples[2:] == [Sample("nv_cpu_utilization", {}, 0.005), Sample("nv_cpu_memory_total_bytes", {}, 25192681472.0)]


@pytest.mark.parametrize(
    ("line", "sample"),
    [
        ("a 1 1395066363000", Sample("a", {}, 1.0)),
        ("a{} +Inf", Sample("a", {}, math.inf)),
        ('a{b="c",} -1.5e-3', Sample("a", {"b": "c"}, -0.0015)),
        ('a { b = "c" , d="e" } 1', Sample("a", {"b": "c", "d": "e"}, 1.0)),
        (r'a{b="x\\y\"z\nw"} 1', Sample("a", {"b": 'x\\y"z\nw'}, 1.0)),
        ('a{b="} 1 {"} 2', Sample("a", {"b": "} 1 {"}, 2.0)),
        ("  a:b_c 1\r", Sample("a:b_c", {}, 1.0)),
    ],
)
def test_lines_as_the_format_allows_them(line, sample):
    assert list(parse(line)) == [sample]


@pytest.mark.parametrize("line", ["<html>", "a", "a{b=c} 1", 'a{b="c} 1', "a one", 'a{b="c" d="e"} 1', "1a 1"])
def test_other_text_is_refused(line):
    with pytest.raises(ValueError):
        list(parse(line))


NAMES = st.text(string.ascii_letters + "_", min_size=1, max_size=8)


@given(NAMES, st.dictionaries(NAMES, st.text(max_size=20), max_size=4), st.floats(allow_nan=False))
def test_what_is_written_by_the_rules_is_read_back(name, labels, value):
    def quoted(text: str) -> str:
        return '"' + text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"") + '"'

    line = f"{name}{{{','.join(f'{key}={quoted(text)}' for key, text in labels.items())}}} {value}\n"
    assert list(parse(line)) == [Sample(name, labels, value)]
