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
