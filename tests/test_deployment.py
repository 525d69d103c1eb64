"""The files in deploy/: training scripts start each worker with what it needs, and the paths in the files exist."""

import json
import os
import pathlib
import re
import subprocess

import pytest
import yaml

from pixel_zoo.training import load_recipes

ROOT = pathlib.Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
SCRIPTS = DEPLOY / "training"


@pytest.fixture
def commands(tmp_path):
    """A folder of commands that stand in for those of a cluster; `pixel-zoo` writes what it was started with."""
    bodies = {
        "pixel-zoo": 'echo "$TF_CONFIG"; echo "$@"',
        "scontrol": 'if [ "$1" = show ]; then echo alpha; echo beta; else echo "$@"; fi',
        # Each task in turn, until one fails.
        "srun": 'shift 2; for task in 0 1 2 3; do SLURM_PROCID=$task "$@" || exit; done',
    }
    for name, body in bodies.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{body}\n")
        (tmp_path / name).chmod(0o755)
    return tmp_path


def output(command, commands, **environment):
    environment = os.environ | environment | {"PATH": f"{commands}:{os.environ['PATH']}"}
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.splitlines()


def assert_starts(config, arguments, workers, index):
    assert json.loads(config) == {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
    words = arguments.split()
    assert words[0] == "train"
    assert words[words.index("--model") + 1] in load_recipes(ROOT / words[1])
    assert {"--resume", "--distribute", "--checkpoint-steps"} <= set(words)


def test_a_pod_knows_all_workers_and_which_it_is(commands):
    service, job = yaml.safe_load_all((SCRIPTS / "kubernetes.yaml").read_text())
    name, pods = job["metadata"]["name"], job["spec"]["template"]["spec"]
    (container,) = pods["containers"]
    environment = {variable["name"]: variable["value"] for variable in container["env"]}
    assert int(environment["WORKERS"]) == job["spec"]["completions"] == job["spec"]["parallelism"] == 2
    assert service["spec"]["selector"] == {"job-name": name} and service["metadata"]["name"] == pods["subdomain"]
    lines = output([*container["command"], *container["args"]], commands, **environment, JOB_COMPLETION_INDEX="1")
    assert_starts(*lines, [f"{name}-{index}.{pods['subdomain']}:2222" for index in range(2)], 1)


def test_a_task_of_slurm_knows_all_workers_and_which_it_is(commands):
    job = {"SLURM_JOB_NODELIST": "alpha,beta", "SLURM_NTASKS_PER_NODE": "2", "SLURM_JOB_ID": "7"}
    lines = output(["bash", SCRIPTS / "slurm.sh"], commands, **job)
    workers = ["alpha:23450", "alpha:23451", "beta:23450", "beta:23451"]
    assert len(lines) == 8
    for index in range(4):
        assert_starts(*lines[2 * index : 2 * index + 2], workers, index)


def test_the_compose_file_mounts_what_is_exported():
    (service,) = yaml.safe_load((DEPLOY / "serving" / "compose.yaml").read_text())["services"].values()
    source, target, mode = service["volumes"][0].split(":")
    models = (DEPLOY / "serving" / source).resolve()
    assert models == ROOT / "exported" and (target, mode) == ("/models", "ro")
    for option in ("model_config_file", "batching_parameters_file"):
        (path,) = (word.partition("=")[2] for word in service["command"] if option in word)
        assert (models / pathlib.PurePath(path).relative_to(target)).is_file()


def test_documents_name_files_that_exist():
    named = {
        path
        for document in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *DEPLOY.glob("*/*"))
        for path in re.findall(r"deploy/[\w./-]+\.(?:yaml|sh)", document.read_text())
    }
    assert named == {str(path.relative_to(ROOT)) for path in DEPLOY.glob("*/*")}


def test_slurm_starts_all_again_when_one_fails(commands):
    (commands / "pixel-zoo").write_text("#!/bin/bash\nexit 1\n")
    job = {"SLURM_JOB_NODELIST": "alpha,beta", "SLURM_NTASKS_PER_NODE": "2", "SLURM_JOB_ID": "7"}
    assert output(["bash", SCRIPTS / "slurm.sh"], commands, **job) == ["requeue 7"]
