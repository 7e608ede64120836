"""The command line: exit codes, one-line errors, and no heavy import for help."""

import os
import signal
import subprocess
import sys
from contextlib import nullcontext

import pytest

from trunkline.cli import COMMANDS, main
from trunkline.commands import collect, envs, evaluate, finetune, generate, pretrain, run, tasks
from trunkline.commands.keys import keys_of
from trunkline.configuration import compose
from trunkline.errors import InputError


def test_help_says_what_every_key_means():
    configurations = (
        (collect, "CollectCommand"), (evaluate, "EvaluateCommand"), (finetune, "FinetuneCommand"),
        (generate, "GenerateTouch"), (pretrain, "PretrainCommand"), (pretrain, "TouchPretrainCommand"),
        (run, "ExperimentConfig"), (tasks, "SampleCommand"), (tasks, "SynthesizeCommand"),
    )  # fmt: skip
    for module, name in configurations:
        keys = {key.name: key.about for key in keys_of(getattr(module, name), depth=2, follow=True)}
        assert not [name for name, about in keys.items() if not about], name
    of_run = {key.name for key in keys_of(run.ExperimentConfig, depth=2, follow=True)}
    assert {"finetune.num_learners", "pretrain.workers", "evaluation.options.actors"} <= of_run
    assert not {"finetune.init", "pretrain.seed", "collect.policy"} & of_run  # the run sets these


def test_help_names_every_command_and_imports_nothing_heavy():
    script = (
        "import sys; from trunkline.cli import main; assert main(['--help']) == 0;"
        "heavy = {'torch', 'ray', 'numpy', 'mujoco', 'gymnasium', 'hydra'} & set(sys.modules); assert not heavy, heavy"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert all(name in result.stdout for name in COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["colect"], "did you mean 'collect'"),
        (["run", "experiment=quikstart"], "did you mean 'quickstart'"),
        (["run", "experiment=debug", "seedz=[1]"], "did you mean 'seeds'"),
        (["run", "experiment=debug", "tasks=[tabletop/puhs]", "folder=x"], "did you mean 'tabletop/push'"),
        (["run", "experiment=debug", "agent.widht=3"], "did you mean"),
        (["collect", "tasks"], "'tasks' is not key=value"),
        (["tasks", "verify", "none.json"], "no manifest at none.json"),
        (["tasks", "wash"], "unknown tasks command 'wash'"),
        (["evaluate", "manifest=none.json", "out=x"], "no manifest at none.json"),
        (["report", "nowhere"], "nowhere"),
        (["import", "lerobot", "nowhere"], "nowhere"),
        (["envs", "check", "tabletop/puhs"], "did you mean"),
        (["tasks", "sample", "tasks=[reach", "out=m"], "'tasks=[reach' cannot be read"),
        (["tasks", "sample", f"count={'9' * 5000}", "out=m"], "cannot be read"),
        (["tasks", "sample", "tasks=[fake/reach]", f"count={'9' * 400}", "out=m"], "must be a finite number"),
        (["tasks", "sample", "tasks=[fake/reach]", "seed=-1", "out=m"], "seed=-1 of fake/reach"),
        (["tasks", "sample", "seed=1,2", "out=m"], "'seed=1,2' gives several values; give one, or a list"),
        (["tasks", "sample", "out=m", "hydra.foo=1"], "leave it out"),
        (["collect", "experiment=debug", "out=m"], "this command has no experiment to choose"),
        (["finetune", "tasks=[fake/reach]", "out=m", "ppo.lr=nan"], "ppo.lr=nan must be a finite number"),
        (["run", "experiment=debug", f"folder={'x' * 300}"], "File name too long; choose another place"),
        (["generate", "tuch"], "did you mean 'touch'"),
        (["generate", "touch", "out=m", "split=vall"], "did you mean 'val'"),
        (["generate", "touch", "out=m", "sensors=[digt]"], "did you mean 'digit'"),
        (["generate", "touch", "out=m", "image_size=1"], "choose 8 to 1024 pixels"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["run", "--help"], "folder = 'runs/quickstart'"),
        (["run", "experiment=debug", "agent.depth=7", "--help"], "agent.depth = 7"),
        (["collect", "--help"], "out (required)"),
        (["tasks", "sample", "--help"], "usage: trunkline tasks sample"),
        (["tasks", "sample", "-h"], "split = 'train'"),
        (["tasks", "verify", "--help"], "trunkline tasks verify FILE"),
        (["import", "t3", "--help"], "kinds = {}"),
        (["import", "lerobot", "--help"], "trunkline import lerobot PATH"),
        (["export", "t3", "--help"], "usage: trunkline export t3 CHECKPOINT"),
        (["generate", "touch", "--help"], "trials = 200"),
        (["pretrain", "objective=touch", "--help"], "tolerance.share = 0.01"),
        (["--help"], "touch, touch_small"),
    ],
)
def test_help_shows_the_keys_with_the_values_they_would_have(arguments, shown, capsys):
    assert main(arguments) == 0
    assert shown in capsys.readouterr().out


def test_an_experiment_may_be_a_file_that_builds_on_another(tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("defaults: [debug]\nfolder: elsewhere\nevaluation: {episodes: 3}\n")
    values = compose("run", [f"experiment={mine}", "agent.width=24"])
    assert (values["folder"], values["evaluation"]["episodes"], values["agent"]["width"]) == ("elsewhere", 3, 24)
    assert values["tasks"] == compose("run", ["experiment=debug"])["tasks"]
    wrong = {
        "a: [": "cannot be read",
        "just words": "holds no keys",
        "defaults: debug": r"must be a list: defaults: \[debug\]",
        "defaults: [debgu]": r"unknown base in .*mine.yaml 'debgu'; did you mean 'debug'",
        "defaults: [_file_of_the_user]": "unknown base",
        "seeds: [2024-01-01]": "holds what no configuration can",
        "a: &x [*x]": "holds what no configuration can",
    }
    for text, message in wrong.items():
        mine.write_text(text)
        with pytest.raises(InputError, match=message):
            compose("run", [f"experiment={mine}"])
    with pytest.raises(InputError, match="experiment=debug and experiment=standard: choose one"):
        compose("run", ["experiment=debug", "experiment=standard"])
    with pytest.raises(InputError, match="No such file"):
        compose("run", [f"experiment={tmp_path / 'other.yaml'}"])


def test_text_may_look_like_a_number(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("2024", "2024_11_23", "1.50", "1e3"):
        assert main(["tasks", "sample", "tasks=[fake/reach]", "count=1_0", f"out={name}"]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"2024", "2024_11_23", "1.50", "1e3"}


@pytest.mark.parametrize("text", ["Lauf mit Übermut & äöü = x", 'a "b" \\"c', "a\\", "", "[x", "$HOME"])
def test_text_may_hold_anything(text):
    assert compose("run", [f"folder={text}"], ["folder"])["folder"] == text
    assert compose("run", ["folder='a b'"], ["folder"])["folder"] == "a b"


def test_told_to_end_it_ends_as_if_interrupted(monkeypatch, capsys):
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(envs, "main", lambda _: os.kill(os.getpid(), signal.SIGTERM))
    assert main(["envs", "list"]) == 143
    assert "told to end; the same command again resumes" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) == before


def test_touch_is_generated_as_asked(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("trunkline.rollout.touch.generate.generate", lambda *a, **k: asked.append((a, k)) or 5)
    monkeypatch.setattr("trunkline.commands.common.RaySettings.session", lambda self: nullcontext())
    assert main(["generate", "touch", f"out={tmp_path}", "sensors=[digit]", "trials=3", "split=val", "seed=4"]) == 0
    ((where, options),) = asked
    assert where == (tmp_path, "val", 3, ("digit",)) and (options["seed"], options["image_size"]) == (4, 64)


def test_tasks_are_sampled_shown_and_verified(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert (
        main(["tasks", "sample", "tasks=[pointmass/reach,fake/reach]", "count=3", "split=test/goal", "out=m.json"]) == 0
    )
    assert main(["tasks", "verify", "m.json"]) == 0
    assert main(["tasks", "show", "m.json"]) == 0
    assert "pointmass/reach" in capsys.readouterr().out
    before = (tmp_path / "m.json").read_bytes()
    assert main(["tasks", "sample", "tasks=[fake/reach]", "count=3", "out=m.json"]) == 2
    assert (tmp_path / "m.json").read_bytes() == before
