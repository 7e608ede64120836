"""The distribution: a wheel with real files that works outside the checkout, and plug-ins from other distributions."""

import os
import shutil
import site
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(*command, cwd, **environment):
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PIP_CONSTRAINT")}
    return subprocess.run(command, cwd=cwd, env={**clean, **environment}, capture_output=True, text=True)


def build_wheel(source, folder):
    """Build from a copy, so that the checkout gets no build products."""
    copy = folder / "source"
    shutil.copytree(source, copy, symlinks=True, ignore=shutil.ignore_patterns(".venv*", "runs", ".git", "*.egg-info"))
    built = run(
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(folder),
        str(copy),
        cwd=folder,
    )
    assert built.returncode == 0, built.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def fresh_venv(tmp_path_factory):
    """A virtual environment with our wheel and both example plug-ins, away from the checkout.

    Dependencies are borrowed from the running environment by a path file; its own site-packages come first, so
    `trunkline` is the wheel's.
    """
    folder = tmp_path_factory.mktemp("venv")
    wheels = [
        build_wheel(source, tmp_path_factory.mktemp("wheel"))
        for source in (ROOT, ROOT / "examples/new_world", ROOT / "examples/new_sensor")
    ]
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "v")], check=True)
    python = folder / "v/bin/python"
    target = next((folder / "v/lib").glob("python*/site-packages"))
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(target)
    (target / "borrowed.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    return python, folder, wheels[0]


@pytest.mark.slow
def test_wheel_holds_real_files(fresh_venv):
    names = zipfile.ZipFile(fresh_venv[2]).namelist()
    for needed in (
        "trunkline/cli.py",
        "trunkline/py.typed",
        "trunkline/envs/base.py",
        "trunkline/configs/run.yaml",
        "trunkline/configs/experiment/quickstart.yaml",
        "trunkline/rollout/rl/env_runner.py",
    ):
        assert needed in names
    assert not [n for n in names if n.startswith(("tests/", "perf/", "agents/", "envs/"))]


@pytest.mark.slow
def test_wheel_runs_outside_the_checkout_with_plug_ins(fresh_venv):
    python, folder, _ = fresh_venv
    where = run(python, "-c", "import trunkline.envs.base as b; print(b.__file__)", cwd=folder)
    assert where.stdout.startswith(str(folder)), where.stderr
    listed = run(python, "-m", "trunkline.cli", "envs", "list", cwd=folder)
    assert listed.returncode == 0, listed.stderr
    assert "cart/park" in listed.stdout and "pointmass/reach" in listed.stdout
    collected = run(
        python,
        "-m",
        "trunkline.cli",
        "collect",
        "tasks=[cart/park]",
        "episodes=6",
        "out=data",
        "collect.pool.actors=1",
        cwd=folder,
    )
    assert collected.returncode == 0, collected.stderr
    trained = run(
        python, "-m", "trunkline.cli", "pretrain", "data=data", "out=run", "objective=behaviour_cloning", "steps=5",
        "batch_size=16", cwd=folder,
    )  # fmt: skip
    assert trained.returncode == 0, trained.stderr
    assert list((folder / "run").rglob("cart_state.safetensors"))
