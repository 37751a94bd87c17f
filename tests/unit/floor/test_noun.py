from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, TypeAdapter, ValidationError

from rushes.facts import SourceRef
from rushes.model import Asset, Encode, Result, TracksResult
from rushes.noun import Noun, Rate, stored, stored_as, stored_row, to_store

RESULT: TypeAdapter[Result] = TypeAdapter(Result)


class Leaf(Noun):
    name: str
    rate: Rate = Fraction(1)


class Tree(Noun):
    leaf: Leaf
    row: tuple[Leaf, ...] = ()
    by_name: dict[str, Leaf] = Field(default_factory=dict)
    number: int = 0


NEWER = {
    "leaf": {"name": "a", "rate": "30000/1001", "colour": "red"},
    "row": [{"name": "b", "rate": "1/1"}, {"name": "c", "rate": "1/1", "age": 3}],
    "by_name": {"d": {"name": "d", "rate": "1/1", "deep": {"x": [1, None]}}},
    "number": 1,
    "shade": {"of": [1, 2]},
}


@pytest.mark.parametrize("name", ["leaf", "row"])
def test_what_came_of_a_newer_result_is_kept_in_a_record_that_is_all_known(name: str) -> None:
    known = stored(Tree, json.dumps({"leaf": {"name": "z"}}))
    newer = stored(Tree, json.dumps(NEWER))
    mixed = known.model_copy(update={name: getattr(newer, name)})
    assert json.loads(to_store(mixed))[name] == NEWER[name]


def test_what_a_newer_release_has_written_is_kept() -> None:
    tree = stored(Tree, json.dumps(NEWER))
    assert json.loads(to_store(tree)) == NEWER
    # And so it is when this release changes something
    changed = tree.model_copy(update={"number": 2})
    assert json.loads(to_store(changed)) == {**NEWER, "number": 2}


def test_what_callers_send_is_not_read_that_way() -> None:
    with pytest.raises(ValidationError):
        Tree.model_validate(NEWER)
    with pytest.raises(ValidationError):
        Tree.model_validate_json(json.dumps(NEWER))


def test_what_is_known_is_stored_as_ever() -> None:
    tree = Tree(leaf=Leaf(name="a"), row=(Leaf(name="b"),))
    assert to_store(tree) == tree.model_dump_json()
    assert stored(Tree, to_store(tree)) == tree


def test_what_cannot_be_read_even_so_is_an_error() -> None:
    with pytest.raises(ValueError, match="name"):
        stored(Tree, '{"leaf": {}, "shade": 1}')


def test_an_asset_and_a_result_of_a_newer_release() -> None:
    asset = Asset(
        id="a",
        tenant="t",
        created_at=1.0,
        source=SourceRef(key="k", size=3),
        encodes=(Encode(number=2, profile="p", requested_at=1.0),),
    )
    newer: dict[str, Any] = json.loads(to_store(asset))
    newer |= {"hologram": True, "source": {**newer["source"], "region": "eu"}}
    newer["encodes"][0]["speed"] = 2
    assert json.loads(to_store(stored(Asset, json.dumps(newer)))) == newer
    result = stored_as(RESULT, '{"kind": "tracks", "tracks": [], "grain": 3}')
    assert isinstance(result, TracksResult)
    assert json.loads(to_store(result))["grain"] == 3
    assert stored_row(SourceRef, {"key": "k", "size": 1, "region": "eu"}).key == "k"


@given(st.dictionaries(st.text(min_size=1), st.integers() | st.text() | st.lists(st.integers()), max_size=4))
def test_whatever_fields_there_are(more: dict[str, Any]) -> None:
    unknown = {f"_{name}": value for name, value in more.items()}
    text = json.dumps({"name": "a", "rate": "1/1", **unknown})
    assert json.loads(to_store(stored(Leaf, text))) == json.loads(text)
