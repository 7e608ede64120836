"""The main result in one sentence, its wording computed from the intervals; and the same for every axis of novelty."""

from dataclasses import asdict
from typing import Any

from trunkline.rollout.report import arms
from trunkline.rollout.report.analysis import Analysis, Comparison
from trunkline.rollout.report.budget import same_budget
from trunkline.rollout.report.html import cell, escape, listed, percent, points, table, verdict_cell
from trunkline.rollout.report.registry import Block, Report, section

MAIN, BASELINE, MASKED = "pretrained_rl", "rl_scratch", "pretrained_rl_goal_masked"


@section("headline", order=0)
def headline(report: Report) -> Block:
    """What a reader should take home."""
    analysis, results = report.analysis, report.run.results
    compared = {axis: found for axis in results.axes if (found := analysis.compare(MAIN, BASELINE, axis))}
    if not compared:
        return _without_comparison(report)
    axis, main = next(iter(compared.items()))
    sentence = main_sentence(main, axis, same_budget(report.run.logs, MAIN, BASELINE))
    lead = f"The difference is {points(main.gap)}. {_basis(report, axis, main)} {goal_use(analysis, axis)}"
    rows = [
        [escape(arms.axis(name).title), verdict_cell(one.verdict, one.gap), cell(one.of_a), cell(one.of_b)]
        for name, one in compared.items()
    ]
    head = ["", "Pretraining is", arms.arm(MAIN).label, arms.arm(BASELINE).label]
    numbers: dict[str, Any] = {"sentence": sentence, "axis": axis, "verdict": main.verdict}
    numbers["axes"] = {name: asdict(one) for name, one in compared.items()}
    return Block("", f'<h1>{escape(sentence)}</h1><p class="lead">{escape(lead)}</p>{table(head, rows)}', numbers)


def main_sentence(main: Comparison, axis: str, budget: bool | None) -> str:
    """Better, worse, or no difference we can tell; "the same budget" only where the logs do not say otherwise."""
    a, b, of = arms.arm(main.a).label, arms.arm(main.b).label, arms.axis(axis).of
    scratch = f"{b} with the same budget" if budget is not False else f"{b} (with another budget)"
    opening = {
        "better": "Pretraining helps",
        "worse": "Pretraining hurts",
        "unclear": "Pretraining makes no difference we can tell",
    }[main.verdict]
    return f"{opening}: {a} solves {percent(main.of_a)} of {of}; {scratch} {percent(main.of_b)}."


def goal_use(analysis: Analysis, axis: str) -> str:
    """Whether hiding the goal hurts the main arm: if it does not, the tasks were solved without it."""
    masked = analysis.compare(MAIN, MASKED, axis)
    if masked is None:
        return ""
    meaning = {
        "better": "so it uses the goal it is given",
        "worse": "so seeing the goal hurts it",
        "unclear": "so nothing shows that it uses the goal",
    }[masked.verdict]
    return f"With the goal hidden the same policy solves {percent(masked.of_b)}, {meaning}."


def _basis(report: Report, axis: str, main: Comparison) -> str:
    results = report.run.results
    both = sorted(set(results.cells_of(main.a, axis)) & set(results.cells_of(main.b, axis)))
    compared = [results.scores(arm, both) for arm in (main.a, main.b)]
    seeds = [scores.runs for scores in compared if scores is not None]
    cells = [results.cells[main.a, cell] for cell in both]
    contexts = sorted({cell.episodes for cell in cells})
    each = f"{contexts[0]}" if len(contexts) == 1 else f"{contexts[0]} to {contexts[-1]}"
    training = (
        _count(seeds[0], "training seed") if seeds[0] == seeds[1] else f"{seeds[0]} and {seeds[1]} training seeds"
    )
    return (
        f"Brackets are 95% intervals, over {training}, {_count(main.tasks, 'task')} and "
        f"{each} episodes for each of them."
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _without_comparison(report: Report) -> Block:
    """Where one of the two main arms is missing: what there is, and that it compares nothing."""
    results, analysis = report.run.results, report.analysis
    missing = [arms.arm(arm).label for arm in (MAIN, BASELINE) if arm not in results.arms]
    why = (
        f"{listed(missing)} {'was' if len(missing) == 1 else 'were'} not evaluated" if missing else "they share no task"
    )
    for arm in results.arms:
        for axis in results.axes:
            rate = analysis.estimate(arm, axis)
            if rate is not None:
                sentence = f"{arms.arm(arm).label} solves {percent(rate)} of {arms.axis(axis).of}."
                note = f"Whether pretraining helps this run cannot say: {why}."
                html = f'<h1>{escape(sentence)}</h1><p class="lead">{escape(note)}</p>'
                return Block("", html, {"sentence": sentence, "axis": axis, "verdict": None, "note": note})
    sentence = "Every evaluated episode was lost: there is nothing to report."
    return Block("", f"<h1>{sentence}</h1>", {"sentence": sentence, "axis": None, "verdict": None})
