"""What weakens the numbers, computed from them: few seeds, few episodes, lost ones, missing arms, unlike conditions."""

from trunkline.rollout.report import arms
from trunkline.rollout.report.budget import environment_steps, same_budget
from trunkline.rollout.report.html import escape, listed
from trunkline.rollout.report.registry import Block, Report, section
from trunkline.rollout.report.results import Results

SEEDS, EPISODES = 5, 100


@section("caveats", order=5)
def caveats(report: Report) -> Block | None:
    """The list of caveats, above everything else that the page says."""
    results = report.run.results
    found = [
        *_size(results),
        *_lost(results),
        *_coverage(results),
        *_budget(report),
    ]
    publishable = not _size(results)
    numbers = {"publishable": publishable, "list": found}
    if not found:
        return Block("", "", numbers)
    opening = "Read with care" if publishable else "Read with care: not publishable numbers"
    items = "".join(f"<li>{escape(text)}</li>" for text in found)
    return Block("", f'<aside class="caveats"><b>{opening}</b><ul>{items}</ul></aside>', numbers)


def _size(results: Results) -> list[str]:
    trained = [arm for arm in results.arms if arms.arm(arm).trained]
    seeds = {arm: len(results.seeds(arm)) for arm in trained}
    few = min(seeds.values(), default=SEEDS)
    least = min((cell.episodes for cell in results.cells.values()), default=0)
    found = []
    if few < SEEDS:
        what = (
            "1 training seed: the intervals do not cover what another seed would give"
            if few == 1
            else f"{few} training seeds"
        )
        found.append(f"{what}; a published number needs at least {SEEDS}.")
    if least < EPISODES:
        found.append(f"As few as {least} episodes a cell; a published number needs at least {EPISODES}.")
    return found


def _lost(results: Results) -> list[str]:
    if not results.lost:
        return []
    return [
        f"{results.lost} of {results.episodes} episodes were lost (a sensor or a world failed) and are not counted."
    ]


def _coverage(results: Results) -> list[str]:
    found = []
    missing = [arms.arm(arm).label for arm in arms.PROTOCOL if arm not in results.arms]
    if missing:
        found.append(f"Not evaluated: {listed(missing)}.")
    every = {cell for _, cell in results.cells}
    incomplete = [arms.arm(arm).label for arm in results.arms if set(results.cells_of(arm)) != every]
    if incomplete:
        found.append(
            f"{listed(incomplete)} lack some cells; the tables mark them, comparisons use the cells both have."
        )
    unlike, uneven = [], []
    for cell in sorted(every):
        here = [results.cells[arm, cell] for arm in results.arms if (arm, cell) in results.cells]
        if len({one.contexts for one in here}) > 1:
            unlike.append(cell)
    for arm in results.arms:
        if len({results.cells[arm, cell].seeds for cell in results.cells_of(arm)}) > 1:
            uneven.append(arms.arm(arm).label)
    if unlike:
        found.append(
            f"In {len(unlike)} of {len(every)} cells the arms ran on different episodes; there they are not paired."
        )
    if uneven:
        found.append(
            f"{listed(uneven)}: not every training seed was evaluated in every cell; tables use the complete seeds."
        )
    return found


def _budget(report: Report) -> list[str]:
    logs = report.run.logs
    if same_budget(logs, "pretrained_rl", "rl_scratch") is not False:
        return []
    a, b = (max(environment_steps(logs, arm)) for arm in ("pretrained_rl", "rl_scratch"))
    return [f"RL budgets differ: pretrained {a:,.0f} environment steps, from scratch {b:,.0f}."]
