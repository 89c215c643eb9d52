from __future__ import annotations

import json

import jsonschema
import pytest


@pytest.mark.parametrize("document", ["report", "config"])
def test_a_schema_is_printed_and_nothing_else(pidreg, document):
    done = pidreg("schema", document)
    assert (done.returncode, done.stderr) == (0, "")
    schema = json.loads(done.stdout)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(schema)


def test_the_roles_of_a_table_are_printed_with_what_was_found_out(pidreg, tmp_path):
    rows = "".join(f"{k},5;{k % 3};{k}\n" for k in range(9))
    (tmp_path / "in.csv").write_text("a__x;b__y;target\n" + rows)
    done = pidreg("schema", "in.csv", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "table   'in.csv', 9 rows, 3 columns" in done.stdout
    assert "a  1 column (double): 'a__x'" in done.stdout
    assert "note: 'in.csv' is read with the delimiter ';'" in done.stdout


def test_nothing_noticed_takes_no_heading(pidreg, tmp_path):
    (tmp_path / "in.csv").write_text("a__x,b__y,target\n" + "1.5,2,3\n" * 3)
    done = pidreg("schema", "in.csv", "--modalities", "a,b", cwd=tmp_path)
    assert done.returncode == 0
    assert "Noticed" not in done.stdout
