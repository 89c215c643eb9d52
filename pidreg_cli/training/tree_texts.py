"""What a text of boosted trees must be before LightGBM reads it.

LightGBM takes the numbers in a text as they are: a tree that claims a billion leaves gets the memory for them, a child
beyond the last node is read from wherever it would lie, and one that leads back is followed for ever. So every tree is
looked at first: as many numbers as it claims, nodes that lead on, columns that there are, and nothing that fits of ours
do not write.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

MOST_LEAVES = 4096
"""Of a tree, as ``boosting.leaves`` allows."""
MOST_IN_LEAF = 1e30
"""Of a standardised target; sums of whatever number of trees stay numbers, of single precision too."""
HEAD = frozenset(
    {
        "version",
        "num_class",
        "num_tree_per_iteration",
        "label_index",
        "max_feature_idx",
        "objective",
        "feature_names",
        "feature_infos",
    }
)
FIXED_IN_HEAD = {
    "label_index": "0",
    "num_class": "1",
    "num_tree_per_iteration": "1",
    "objective": "regression",
}
FIXED_IN_TREE = {"num_cat": "0", "is_linear": "0"}
OF_NODES = ("split_feature", "threshold", "decision_type", "left_child", "right_child")
TREE = frozenset({"Tree", "num_leaves", "leaf_value", "shrinkage", *OF_NODES, *FIXED_IN_TREE})
CATEGORICAL = 1  # bit of a decision's type
INTEGERS = re.compile(r"-?[0-9]{1,9}(?: -?[0-9]{1,9})*|", re.ASCII)


def check_text(text: str) -> None:
    """Raise ValueError for a text that is not of trees as a fit writes them."""
    head, *trees = re.split(r"^(?=Tree=)", text, flags=re.MULTILINE)
    columns = _columns(_values(head.removeprefix("tree\n"), HEAD))
    for number, tree in enumerate(trees):
        try:
            _check_tree(_values(tree.removesuffix("end of trees\n"), TREE), columns)
        except ValueError as error:
            raise ValueError(f"tree {number}: {error}") from error


def _values(lines: str, known: frozenset[str]) -> dict[str, str]:
    """Values by key: every key that is known, once."""
    pairs = [line.partition("=")[::2] for line in lines.split("\n") if line and line != "end of trees"]
    values = dict(pairs)
    if len(values) != len(pairs) or values.keys() != known:
        raise ValueError("other lines than a fit writes")
    return values


def _columns(head: Mapping[str, str]) -> int:
    """Number of columns that trees may read."""
    _check_fixed(head, FIXED_IN_HEAD)
    (last,) = _integers(head["max_feature_idx"], 1)
    if not len(head["feature_names"].split(" ")) == len(head["feature_infos"].split(" ")) == last + 1:
        raise ValueError("other columns than it names")
    return last + 1


def _check_tree(tree: Mapping[str, str], columns: int) -> None:
    _check_fixed(tree, FIXED_IN_TREE)
    (leaves,) = _integers(tree["num_leaves"], 1)
    if not 1 <= leaves <= MOST_LEAVES:
        raise ValueError(f"{leaves} leaves")
    nodes = leaves - 1
    _check_floats(tree["leaf_value"], leaves, most=MOST_IN_LEAF)
    # Infinite where missing cells alone go the other way.
    _check_floats(tree["threshold"], nodes, infinite=True)
    _check_floats(tree["shrinkage"], 1)
    if not all(0 <= column < columns for column in _integers(tree["split_feature"], nodes)):
        raise ValueError("a split by a column that is none")
    if any(kind & CATEGORICAL for kind in _integers(tree["decision_type"], nodes)):
        raise ValueError("a split by categories")
    for side in ("left_child", "right_child"):
        # Nodes are numbered as they came about: each leads to later ones, or to leaves, which count down from -1.
        for node, child in enumerate(_integers(tree[side], nodes)):
            if not (node < child < nodes or -leaves <= child < 0):
                raise ValueError("a node that leads nowhere")


def _check_fixed(values: Mapping[str, str], fixed: Mapping[str, str]) -> None:
    for key, value in fixed.items():
        if values[key] != value:
            raise ValueError(f"its {key} is not {value}")


def _integers(value: str, count: int) -> list[int]:
    found = [int(part) for part in value.split()] if INTEGERS.fullmatch(value) else []
    if len(found) != count:
        raise ValueError("other numbers than it claims")
    return found


def _check_floats(value: str, count: int, *, infinite: bool = False, most: float = math.inf) -> None:
    found = [float(part) for part in value.split()]
    if len(found) != count or any(math.isnan(x) or (math.isinf(x) and not infinite) for x in found):
        raise ValueError("other numbers than it claims")
    if any(abs(x) > most for x in found):
        raise ValueError(f"a number beyond {most:g}")
