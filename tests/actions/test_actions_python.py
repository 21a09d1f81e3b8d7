"""Runs of Python: what they tell, and what is kept of hostile output."""

from pathlib import Path
from typing import Any

import pytest
from action_world import PROJECT, World, a_world, ending, of, until

from forge_lsp.actions import python
from forge_lsp.actions.python import Kept, as_text, kept_output, run_python
from forge_lsp.errors import SandboxFailed
from forge_lsp.events import Event, Problem, RunStarted, Stage
from forge_lsp.ports.sandbox import PythonOutput

PNG = b"\x89PNG\r\n\x1a\n(a chart)"


async def run(world: World, code: str) -> tuple[list[Event], Kept | None]:
    started = await run_python(world.engine, PROJECT, "chart.py", code)
    return await world.said(started), await kept_output(world.engine, started.id)


def output(**parts: Any) -> PythonOutput:
    nothing: dict[str, Any] = {"stdout": "", "stderr": "", "error": "", "traceback": ""}
    lists: dict[str, Any] = {"results": (), "charts": (), "left_out": ()}
    return PythonOutput(**{**nothing, **lists, **parts})


async def test_what_a_run_gives_is_kept_for_its_owner_only(tmp_path: Path) -> None:
    code = f"print('one'); warn('two'); show('3'); draw({PNG!r}); draw({PNG!r})"
    async with a_world(tmp_path, "Fine.") as world:
        said, kept = await run(world, code)
    assert said[0] == RunStarted("python", "chart.py")
    assert of(Stage, said)[0].message == "Running chart.py..."
    assert ending(said).outcome == "completed"
    assert kept is not None
    assert kept.text.read_text() == (
        "one\n\n── stderr ──\ntwo\n\n── results ──\n3\n\n── charts ──\nchart-1.png\nchart-2.png\n"
    )
    assert [each.name for each in kept.charts] == ["chart-1.png", "chart-2.png"]
    assert [each.read_bytes() for each in kept.charts] == [PNG, PNG]
    assert {each.stat().st_mode & 0o777 for each in (kept.text, *kept.charts)} == {0o600}
    assert kept.text.parent.stat().st_mode & 0o777 == 0o700
    assert kept.text.parent.parent == world.engine.places.state / "outputs"


async def test_what_the_code_raises_is_told_and_the_rest_is_there(tmp_path: Path) -> None:
    async with a_world(tmp_path, "Fine.") as world:
        said, kept = await run(world, "print('before')\nraise ValueError('no\\n\x1b[31m good')")
    (problem,) = of(Problem, said)
    assert problem.code == "python_raised"
    assert problem.message == "chart.py raised ValueError: no [31m good"
    assert ending(said).outcome == "completed"
    assert kept is not None
    assert kept.text.read_text().startswith("before\n\n── error ──\nTraceback:\nValueError: no")


async def test_a_run_that_fails_or_is_cancelled_keeps_nothing(tmp_path: Path) -> None:
    async with a_world(tmp_path, "Fine.") as world:
        world.provider.broken = SandboxFailed("Python can't be run here.", remedy="Go elsewhere.")
        said, kept = await run(world, "print('one')")
        assert ending(said).outcome == "failed"
        assert ending(said).message == "Python can't be run here. Go elsewhere."
        assert kept is None
        world.provider.broken = None
        world.provider.python.clear()
        started = await run_python(world.engine, PROJECT, "chart.py", "print('one')")
        await until(lambda: bool(started.after(2)))
        await world.engine.runs.cancel(started.id)
        assert ending(await world.said(started)).outcome == "cancelled"
        assert await kept_output(world.engine, started.id) is None
        assert not (world.engine.places.state / "outputs").exists()


async def test_the_newest_outputs_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python, "MOST_KEPT", 2)
    async with a_world(tmp_path, "Fine.") as world:
        kept = [(await run(world, f"print({number})"))[1] for number in range(4)]
        left = sorted((world.engine.places.state / "outputs").iterdir())
    assert left == sorted(each.text.parent for each in kept[2:] if each)


async def test_an_output_that_cannot_be_kept_is_a_failure(tmp_path: Path) -> None:
    async with a_world(tmp_path, "Fine.") as world:
        world.engine.places.state.mkdir(parents=True)
        (world.engine.places.state / "outputs").write_text("a file where the folder should be")
        said, kept = await run(world, "print(1)")
    assert ending(said).code == "store_failed"
    assert kept is None


def test_hostile_output_is_bounded_and_cleaned() -> None:
    text = as_text(output(stdout="a\x1b[31m\x07b\x9b\u202ec\tx\r\nd\ud800" + "\x00"))
    assert text == "a[31mbc\tx\nd?\n"
    long = as_text(output(stdout="x" * 500_000, stderr="y" * 500_000))
    assert len(long) < 2 * python.MAX_PART_CHARACTERS + 100
    many = as_text(output(results=tuple(str(n) for n in range(1_000))))
    assert many.splitlines()[-1] == str(python.MOST_RESULTS - 1)
    assert as_text(output()) == "It gave no output.\n"


async def test_only_pictures_of_a_bearable_size_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(python, "MOST_CHARTS", 2)
    monkeypatch.setattr(python, "MAX_CHART_BYTES", 100)
    code = f"draw(b'#!/bin/sh'); draw({PNG!r} + b'x' * 100)\nfor n in range(3): draw({PNG!r})"
    async with a_world(tmp_path, "Fine.") as world:
        _, kept = await run(world, code)
        assert kept is not None
        assert [each.read_bytes() for each in kept.charts] == [PNG, PNG]
        assert "A picture is left out" in kept.text.read_text()
        assert len(list(kept.text.parent.iterdir())) == 3
