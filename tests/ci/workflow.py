# SPDX-License-Identifier: GPL-2.0-only
"""usage: workflow.py WORKFLOW REPOSITORY DIR [NAME=VALUE...]

Run every "run:" of a GitHub workflow here, job after job, each in a fresh clone of REPOSITORY below DIR.  Of the
actions, only those that move files between jobs are imitated; the pages are DIR/pages.  NAME=VALUE are the variables
and secrets of the repository, and the inputs of the run.  Exit with 1 after the first step that fails, or that uses something unknown.
"""
import json
import os
import re
import shutil
import subprocess
import sys

import yaml


def value(expression, context):
    """Return the value of an expression of the workflow; None if its last part is not set."""
    expression = expression.strip()
    if match := re.fullmatch(r"fromJSON\((.*)\)", expression):
        return json.loads(value(match[1], context))
    if match := re.fullmatch(r"(\S+) != ''", expression):
        return bool(value(match[1], context))
    node = context
    *path, last = expression.split(".")
    for part in path:
        node = node[part]
    return node.get(last)


def fill(text, context):
    """Replace each ${{ }} in the text."""
    if match := re.fullmatch(r"\$\{\{(.*?)\}\}", str(text)):
        return value(match[1], context)
    return re.sub(r"\$\{\{(.*?)\}\}", lambda m: str(value(m[1], context) or ""), str(text))


def copy(source, to):
    if os.path.isdir(source):
        shutil.copytree(source, to, dirs_exist_ok=True)
    else:
        os.makedirs(to, exist_ok=True)
        shutil.copy(source, to)


class Job:
    def __init__(self, name, job, context, repository, top):
        self.name, self.job, self.context, self.repository, self.top = name, job, context, repository, top
        self.work = os.path.join(top, re.sub(r"\W", "-", name))
        self.context["steps"] = {}

    def path(self, *parts):
        return os.path.join(self.work, *parts)

    def action(self, step):
        name, given = step["uses"].split("@")[0], {k: fill(v, self.context) for k, v in step.get("with", {}).items()}
        artifacts = os.path.join(self.top, "artifacts")
        if name == "actions/checkout":
            subprocess.run(["git", "clone", "--quiet", self.repository, self.work], check=True)
        elif name == "actions/upload-artifact":
            copy(self.path(given["path"]), os.path.join(artifacts, given["name"]))
        elif name == "actions/download-artifact" and "name" in given:
            copy(os.path.join(artifacts, given["name"]), self.path(given.get("path", "")))
        elif name == "actions/download-artifact":
            for artifact in sorted(os.listdir(artifacts)):
                if artifact.startswith(given["pattern"].rstrip("*")):
                    copy(os.path.join(artifacts, artifact), self.path(given["path"], artifact))
        elif name == "actions/upload-pages-artifact":
            # the action is not root, and Pages refuses what not all can read
            for top, _, files in os.walk(self.path(given["path"])):
                for path, bits in [(top, 0o005)] + [(os.path.join(top, file), 0o004) for file in files]:
                    if os.stat(path).st_mode & bits != bits:
                        sys.exit(f"workflow: {self.name}: not all can read {path}")
            copy(self.path(given["path"]), os.path.join(self.top, "pages.uploaded"))
        elif name == "actions/deploy-pages":
            shutil.rmtree(os.path.join(self.top, "pages"), ignore_errors=True)
            os.rename(os.path.join(self.top, "pages.uploaded"), os.path.join(self.top, "pages"))
            return {"page_url": f"file://{self.top}/pages/"}
        else:
            sys.exit(f"workflow: {self.name} uses {name}, which is unknown here")
        return {}

    def command(self, step, env):
        print(f"workflow: {self.name}: {step['run']}", flush=True)
        output = self.path(".output")
        env = {**env, **{k: str(fill(v, self.context) or "") for k, v in step.get("env", {}).items()}}
        status = subprocess.run(["bash", "-euo", "pipefail", "-c", step["run"]], cwd=self.work,
                                env={**os.environ, **env, "GITHUB_OUTPUT": output}).returncode
        if status:
            sys.exit(f"workflow: {self.name}: exit status {status}: {step['run']}")
        if not os.path.exists(output):
            return {}
        with open(output) as file:
            lines = file.read().splitlines()
        os.remove(output)
        return dict(line.split("=", 1) for line in lines)

    def run(self, workflow_env):
        env = {k: str(fill(v, self.context) or "") for k, v in {**workflow_env, **self.job.get("env", {})}.items()}
        for step in self.job["steps"]:
            outputs = self.action(step) if "uses" in step else self.command(step, env)
            self.context["steps"][step.get("id", "")] = {"outputs": outputs}
        return {k: fill(v, self.context) for k, v in self.job.get("outputs", {}).items()}


def main():
    file, repository, top, *given = sys.argv[1:]
    given = dict(pair.split("=", 1) for pair in given)
    with open(file) as stream:
        workflow = yaml.safe_load(stream)
    needs, skipped = {}, set()
    for name, job in workflow["jobs"].items():
        before = job.get("needs", [])
        context = {"vars": given, "secrets": given, "inputs": given, "needs": needs}
        if skipped & set([before] if isinstance(before, str) else before) or \
                ("if" in job and not value(job["if"], context)):
            print(f"workflow: {name}: skipped", flush=True)
            skipped.add(name)
            continue
        matrix = job.get("strategy", {}).get("matrix")
        for entry in fill(matrix, context)["include"] if matrix else [{}]:
            one = Job(" ".join([name, *map(str, list(entry.values())[:1])]), job, {**context, "matrix": entry},
                      repository, top)
            needs[name] = {"outputs": one.run(workflow.get("env", {}))}


main()
