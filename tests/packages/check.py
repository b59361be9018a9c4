"""What the programs that read `deploy/` would say of it: one JSON request a line in, one JSON answer a line out.

{"ask": "render", "values", "set"?} answers {"manifests": [...], "notes", "problems": [...]} or {"refused": why}: Helm's engine, and
Kubernetes's schemas of the oldest and the newest version that there is one of, strictly.
{"ask": "lint", "values"} answers {"said": [...]}.
{"ask": "compose", "file"} answers {"problems": [...]}: the compose specification's schema.
The argument is {"chart": its folder, "kubernetes": [versions]}.
"""

import json
import sys
from pathlib import Path

import helm_python
import jsonschema
import kubernetes_validate
import yaml

ARGUMENT = json.loads(sys.argv[1])
SCHEMA = json.loads((Path(__file__).parent / "compose-spec.json").read_text())
# Of others than Kubernetes: no schema of theirs is at hand.
FOREIGN = "monitoring.coreos.com/"


def problems(manifest):
    if manifest["kind"] == "PrometheusRule":
        name = manifest["metadata"]["name"].rsplit("-", 1)[1]
        if manifest["spec"] != yaml.safe_load((Path(ARGUMENT["chart"]) / f"../../prometheus/{name}.yml").read_text()):
            yield f"PrometheusRule {name}: not what is in prometheus/{name}.yml"
    if manifest["apiVersion"].startswith(FOREIGN):
        return
    for version in ARGUMENT["kubernetes"]:
        try:
            kubernetes_validate.validate(manifest, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            path = ".".join(str(part) for part in error.path)
            yield f"{manifest['kind']} {manifest['metadata']['name']}, Kubernetes {version}: {path}: {error.message}"


def render(request):
    with helm_python.Chart.load(ARGUMENT["chart"]) as chart:
        try:
            files = chart.render(request["values"], name="thingcall", namespace="iot")
        except helm_python.HelmError as error:
            return {"refused": str(error)}
    notes = files.pop("thingcall/templates/NOTES.txt")
    parts = [(path, part) for path, text in sorted(files.items()) for part in yaml.safe_load_all(text) if part]
    found = [problem for _, part in parts for problem in problems(part)]
    texts = [text.strip() for _, text in sorted(files.items()) if text.strip()]
    return {"manifests": [part for _, part in parts], "text": "\n---\n".join(texts) + "\n", "notes": notes, "problems": found}


def lint(request):
    said = helm_python.lint(ARGUMENT["chart"], values=request["values"], strict=True)
    return {"said": [f"{one['path']}: {one['error']}" for one in said["messages"]] + [str(error) for error in said["errors"]]}


def compose(request):
    content = yaml.safe_load(Path(request["file"]).read_text())
    found = jsonschema.Draft7Validator(SCHEMA).iter_errors(content)
    return {"problems": [f"{'.'.join(map(str, one.path))}: {one.message}" for one in found]}


ANSWERS = {"render": render, "lint": lint, "compose": compose}

for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps(ANSWERS[request["ask"]](request)), flush=True)
