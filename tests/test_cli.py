"""The command line: exit codes, one-line errors, and no heavy import for help."""

import subprocess
import sys

import pytest

from trunkline.cli import COMMANDS, main


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
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not list(tmp_path.iterdir())


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
