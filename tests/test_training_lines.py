"""Lines of progress: not too many, with what is left, and nothing said of episodes that did not end."""

import io

import pytest

from trunkline.rollout import training_lines
from trunkline.rollout.training_lines import TrainingLines, training_line


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"loss": 0.12345}, "3/10 updates; loss 0.123"),
        ({"loss": None}, "3/10 updates"),
        ({"success/fake/reach": 0.5, "loss": 2.0}, "3/10 updates; solved: fake/reach 50%"),
        ({"success/fake/reach": float("nan"), "success/fake/image": None}, "3/10 updates"),
    ],
)
def test_a_line_says_what_is_known(values, line):
    assert training_line(3, 10, values) == line


def test_lines_are_ten_seconds_apart_and_the_last_is_always_said(monkeypatch):
    clock, stream = [0.0], io.StringIO()
    monkeypatch.setattr(training_lines.time, "monotonic", lambda: clock[0])
    lines = TrainingLines("finetune", 1000, stream)
    for step in range(101, 1001, 1):  # of a run that went on after its hundredth update
        clock[0] += 5.0 if step == 101 else 1.0
        lines(step, {})
    said = stream.getvalue().splitlines()
    assert said[0] == "finetune: 106/1000 updates; 14 min 54 s left"
    assert said[1] == "finetune: 116/1000 updates; 14 min 44 s left"
    assert len(said) == 91 and said[-1] == "finetune: 1000/1000 updates"
    clock[0] = 0.0
    lines = TrainingLines("pretrain", 1001, stream)
    lines(1, {})
    clock[0] += 10.0
    lines(2, {"loss": 1.0})
    assert stream.getvalue().splitlines()[-1] == "pretrain: 2/1001 updates; loss 1; 2 h 46 min left"
