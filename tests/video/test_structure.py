"""Structures as values: codes, JSON, graphs, and batches of them."""

from __future__ import annotations

import itertools
import json

import pytest
import torch

from interplay.video.structure import SPACES, TITLES, Structure, choices_of, superedges

MIXED = Structure(("difference", "zero", "temporal", "identity", "background", "difference"))


def test_superedges() -> None:
    assert superedges(3) == ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
    assert [len(superedges(count)) for count in (2, 3, 4)] == [3, 6, 10]


def test_code_is_the_number_with_these_digits() -> None:
    assert MIXED.indices == (2, 0, 3, 1, 4, 2)
    assert MIXED.code() == int("203142", 5)
    assert Structure.from_code(MIXED.code()) == MIXED


def test_codes_are_all_different() -> None:
    every = [Structure.from_indices(row, "fixed", 2) for row in itertools.product(range(5), repeat=3)]
    assert [structure.code() for structure in every] == list(range(125))
    assert [Structure.from_code(code, "fixed", 2) for code in range(125)] == every


@pytest.mark.parametrize("structure", [MIXED, Structure(("node_attention",) * 10, "original", 4)])
def test_json_and_back(structure: Structure) -> None:
    text = json.dumps(structure.to_json())
    assert Structure.from_json(text) == structure == Structure.from_json(json.loads(text))
    assert hash(Structure.from_json(text)) == hash(structure)


def test_graph() -> None:
    graph = MIXED.graph()
    assert set(graph) == {0, 1, 2, 3, "output"}
    operations = [graph.edges[edge]["operation"] for edge in superedges(3)]
    assert operations == list(MIXED.operations)
    assert sorted(graph.predecessors("output")) == [1, 2, 3]


def test_every_operation_has_a_title() -> None:
    assert {name for names in SPACES.values() for name in names} == set(TITLES)


def test_batches() -> None:
    device = torch.device("cpu")
    one = choices_of([MIXED], "fixed", 3, 4, device)
    assert one.tolist() == [[2, 0, 3, 1, 4, 2]] * 4
    rows = torch.tensor([[0] * 6, [4] * 6])
    assert torch.equal(choices_of(rows, "fixed", 3, 2, device), rows)


def test_what_is_not_a_structure() -> None:
    with pytest.raises(ValueError, match="found 2 operations, expected 6"):
        Structure(("zero", "zero"))
    with pytest.raises(ValueError, match="found operation 'SD'"):
        Structure(("SD",) * 6)
    with pytest.raises(ValueError, match="found space 'free'"):
        Structure.from_json({"operations": ["zero"] * 6, "space": "free", "supernodes": 3})
    with pytest.raises(ValueError, match=r"found space \['fixed'\]"):
        Structure.from_json({"operations": ["zero"] * 6, "space": ["fixed"], "supernodes": 3})
    for supernodes in (None, "3", 3.0, True):
        with pytest.raises(ValueError, match="expected a whole number"):
            Structure.from_json({"operations": ["zero"] * 6, "space": "fixed", "supernodes": supernodes})
    with pytest.raises(ValueError, match="expected 0 to 15624"):
        Structure.from_code(15_625)
    with pytest.raises(ValueError, match="expected a mapping with operations, space, supernodes"):
        Structure.from_json({"operations": []})
    with pytest.raises(ValueError, match="expected a list of names"):
        Structure.from_json({"operations": "zero", "space": "fixed", "supernodes": 3})
    with pytest.raises(ValueError, match=r"found shape \(3, 6\), expected \(2, 6\)"):
        choices_of(torch.zeros(3, 6, dtype=torch.int64), "fixed", 3, 2, torch.device("cpu"))
    with pytest.raises(ValueError, match="outside 0 to 4"):
        choices_of(torch.full((2, 6), 5), "fixed", 3, 2, torch.device("cpu"))
    with pytest.raises(ValueError, match="found original with 3 supernodes, expected fixed with 3"):
        choices_of([Structure(("zero",) * 6, "original")], "fixed", 3, 1, torch.device("cpu"))
