"""Flat fields of a config, and where in its file each stands."""

import pytest

from tests.support.serving import CHECKOUT
from triptych_server.configs.fields import flatten, labels
from triptych_server.configs.read import parse_config, read_config
from triptych_server.configs.source import Place, places

TEXT = """\
# The title is about the file.
name: "net"
max_batch_size: 16  # past 16 nothing is gained
# Two pictures
# at once.
input [ { name: "a" dims: [ 2, 3 ] }, { name: "b" dims: 4 dims: [ 5 ] } ]  # both small
instance_group { kind: KIND_CPU count: 1 }
instance_group [ { kind: KIND_GPU, gpus: [ 0, 1 ] } ]
dynamic_batching { }
parameters { key: "x" value: { string_value: "a # is no comment; nor { a brace" } }  # why x
parameters: <
  key: 'y'
  value < string_value: "one "
          "value" >
>
# Above, but a blank line parts them.

backend: "python"
"""


def test_each_field_has_one_path_and_one_value():
    assert flatten(parse_config(TEXT, "t")) == {
        "name": "net",
        "max_batch_size": 16,
        "input[a].name": "a",
        "input[a].dims": [2, 3],
        "input[b].name": "b",
        "input[b].dims": [4, 5],
        "instance_group[0].count": 1,
        "instance_group[0].kind": "KIND_CPU",
        "instance_group[1].gpus": [0, 1],
        "instance_group[1].kind": "KIND_GPU",
        "dynamic_batching": "{}",
        "parameters[x]": "a # is no comment; nor { a brace",
        "parameters[y]": "one value",
        "backend": "python",
    }


def test_lines_and_comments_are_found_for_each():
    found = places(TEXT)
    assert set(found) == set(flatten(parse_config(TEXT, "t")))
    assert found["name"] == Place(2, "")
    assert found["max_batch_size"] == Place(3, "past 16 nothing is gained")
    assert found["input[b].dims"] == Place(6, "both small")
    assert found["instance_group[1].gpus"] == Place(8, "")
    assert found["parameters[x]"] == Place(10, "why x")
    assert found["parameters[y]"] == Place(13, "")
    assert found["backend"] == Place(18, "")


def test_a_comment_above_counts_where_none_is_behind():
    assert places("# title\n\n# why four\nmax_batch_size: 4")["max_batch_size"] == Place(4, "why four")
    assert places("# title\nmax_batch_size: 4")["max_batch_size"] == Place(2, "")


def test_names_tell_elements_apart_only_where_each_has_its_own():
    assert labels(["a", "b"]) == ["a", "b"]
    assert labels(["a", "a"]) == labels(["a", ""]) == ["0", "1"]


FILES = sorted(file for root in (*CHECKOUT.roots, CHECKOUT.profiles) for file in root.glob("**/*.pbtxt"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: "/".join(file.parts[-3:]))
def test_every_field_of_every_config_is_found_in_its_file(file):
    assert set(places(file.read_text())) == set(flatten(read_config(file)))
