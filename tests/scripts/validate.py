"""Tells for each line of stdin, {"schema": FILE, "text": JSON}, whether the text fits the schema: true or false.

The schemas are found in the folder that the first argument names. Nothing of this project takes part in the check.
"""
import json, pathlib, sys

from jsonschema import Draft202012Validator

def validator(file):
    schema = json.loads(file.read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)

validators = {file.name: validator(file) for file in pathlib.Path(sys.argv[1]).glob("*.json")}
for line in sys.stdin:
    case = json.loads(line)
    print(json.dumps(validators[case["schema"]].is_valid(json.loads(case["text"]))))
