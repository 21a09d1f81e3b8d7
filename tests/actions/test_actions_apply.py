import json
from pathlib import Path

import pytest
from action_world import PROJECT, World, a_world, applied, ending, of
from memory_sandbox import VERSION, MemorySandbox
from memory_workspace import MemoryWorkspace

from forge_lsp import events
from forge_lsp.actions.apply import ApplyRequest, apply, install_packages
from forge_lsp.actions.packages import with_dependencies
from forge_lsp.actions.placing import MAX_REPLACEMENTS
from forge_lsp.errors import InvalidRequest, SandboxFailed, SandboxGone
from forge_lsp.paths import ProjectPath

BUTTON = ProjectPath.parse("src/Button.tsx")
STYLE = ProjectPath.parse("src/style.css")
FILES = {BUTTON: b"button\n", STYLE: b"style\n"}


async def apply_in(world: World, request: ApplyRequest) -> list[events.Event]:
    return await world.said(await apply(world.engine, request))


async def test_packages_go_first_and_then_each_file_is_told(tmp_path: Path) -> None:
    sandbox = MemorySandbox(1)
    async with a_world(tmp_path) as world:
        said = await apply_in(world, ApplyRequest(FILES, ["zustand", "dayjs@^1"], sandbox))
    assert said == [
        events.RunStarted("apply", "Apply 2 file(s)"),
        events.Stage("Installing packages..."),
        events.Stage("Installing 2 package(s)..."),
        events.PackageInstalled("zustand", VERSION),
        events.PackageInstalled("dayjs", VERSION),
        events.Stage("Applying 2 file(s)..."),
        events.Stage("Applying 1/2: Button.tsx", 1, 2),
        events.FileApplied("src/Button.tsx", "sandbox", ok=True),
        events.Stage("Applying 2/2: style.css", 2, 2),
        events.FileApplied("src/style.css", "sandbox", ok=True),
        events.RunFinished("completed"),
    ]
    assert sandbox.contents["src/Button.tsx"] == b"button\n"


async def test_without_packages_nobody_speaks_of_them(tmp_path: Path) -> None:
    async with a_world(tmp_path) as world:
        said = await apply_in(world, ApplyRequest(FILES, sandbox=MemorySandbox(1)))
    assert said[1] == events.Stage("Applying 2 file(s)...")


@pytest.mark.parametrize("fails_whole", [True, False])
async def test_packages_that_fail_dont_stop_the_files(fails_whole: bool, tmp_path: Path) -> None:
    sandbox = MemorySandbox(1)
    if fails_whole:
        sandbox.install_failure = SandboxFailed("The registry can't be reached.")
    async with a_world(tmp_path) as world:
        request = ApplyRequest(FILES, ["missing-one", "dayjs"], sandbox)
        said = await apply_in(world, request)
    assert applied(said, "sandbox") == {BUTTON: True, STYLE: True}
    (problem,) = of(events.Problem, said)
    assert problem.code == "packages_failed"
    assert problem.message.startswith("Failed to install packages: ")
    assert len(of(events.PackageInstalled, said)) == (0 if fails_whole else 1)
    assert ending(said).code == "not_applied"


async def test_a_file_that_fails_doesnt_stop_the_others(tmp_path: Path) -> None:
    sandbox = MemorySandbox(1)
    sandbox.refuses.add(BUTTON)
    async with a_world(tmp_path) as world:
        said = await apply_in(world, ApplyRequest(FILES, sandbox=sandbox))
    assert applied(said, "sandbox") == {BUTTON: False, STYLE: True}
    assert of(events.FileApplied, said)[0].reason == "The sandbox's disk is full."
    assert (ending(said).outcome, ending(said).code) == ("failed", "not_applied")


async def test_a_sandbox_that_is_gone_for_good_is_told_file_by_file(tmp_path: Path) -> None:
    async with a_world(tmp_path) as world:
        sandbox = await world.engine.sandboxes.create("owner", "", print)
        await sandbox.kill()
        world.provider.broken = SandboxFailed("No more sandboxes.")
        said = await apply_in(world, ApplyRequest(FILES, ["dayjs"], sandbox))
    assert applied(said, "sandbox") == {BUTTON: False, STYLE: False}
    problems = [each.message for each in of(events.Problem, said)]
    assert "There is no preview any more. No more sandboxes." in problems[0]
    assert len(problems) == 2, "the packages failed, too"
    assert ending(said).outcome == "failed"


async def test_a_sandbox_that_ends_in_the_middle_is_replaced_and_nothing_is_lost(
    tmp_path: Path,
) -> None:
    earlier = {ProjectPath.parse("src/earlier.ts"): b"earlier\n"}
    async with a_world(tmp_path) as world:
        sandbox = await world.engine.sandboxes.create("owner", "", print)
        await apply_in(world, ApplyRequest(earlier, ["zustand"], sandbox))
        first = world.provider.made[0]
        first.may_write.clear()
        run = await apply(world.engine, ApplyRequest(FILES, ["dayjs"], sandbox))
        async for each in world.engine.runs.subscribe(run.id):
            if each.event == events.Stage("Applying 1/2: Button.tsx", 1, 2):
                break
        await first.kill()
        first.may_write.set()
        said = await world.said(run)
        second = world.provider.made[1]
        assert world.engine.sandboxes.find("owner", None) is second
    assert applied(said, "sandbox") == {BUTTON: True, STYLE: True}
    assert events.SandboxReady(second.id, second.url) in said
    assert any("in a new one" in each.message for each in of(events.Stage, said))
    assert {path: second.contents[path] for path in {**earlier, **FILES}} == {**earlier, **FILES}
    assert second.installed == ["zustand", f"dayjs@{VERSION}"]
    assert ending(said).outcome == "completed"


async def test_a_sandbox_that_ends_while_packages_are_installed_is_replaced(tmp_path: Path) -> None:
    async with a_world(tmp_path) as world:
        sandbox = await world.engine.sandboxes.create("owner", "", print)
        world.provider.made[0].install_failure = SandboxGone("It died.")
        said = await apply_in(world, ApplyRequest(FILES, ["dayjs"], sandbox))
    assert world.provider.made[1].installed == ["dayjs"]
    assert of(events.Problem, said) == []
    assert ending(said).outcome == "completed"


async def test_sandboxes_that_keep_ending_are_given_up(tmp_path: Path) -> None:
    async with a_world(tmp_path) as world:
        sandbox = await world.engine.sandboxes.create("owner", "", print)
        world.provider.ends_at_once = True
        await sandbox.kill()
        said = await apply_in(world, ApplyRequest(FILES, sandbox=sandbox))
    assert len(world.provider.made) <= 1 + MAX_REPLACEMENTS
    assert applied(said, "sandbox") == {BUTTON: False, STYLE: False}
    assert len(of(events.Problem, said)) == 1


async def test_no_files_are_nothing_to_apply(tmp_path: Path) -> None:
    async with a_world(tmp_path) as world:
        with pytest.raises(InvalidRequest, match="Files are required"):
            await apply(world.engine, ApplyRequest({}))


async def test_a_workspace_takes_the_files_as_an_accepted_change(tmp_path: Path) -> None:
    disk = {"package.json": b"{}\n", "src/style.css": b"before\n"}
    workspace = MemoryWorkspace(disk)
    async with a_world(tmp_path) as world:
        request = ApplyRequest(FILES, workspace=workspace, project=PROJECT)
        run = await apply(world.engine, request)
        said = await world.said(run)
        assert applied(said, "workspace") == {BUTTON: True, STYLE: True}
        assert workspace.disk == {**disk, **FILES}
        assert world.pending == {}
        await world.said(await world.engine.reviews.undo(workspace, run.id))
    assert workspace.disk == disk


async def test_a_hidden_path_is_not_written_into_a_workspace(tmp_path: Path) -> None:
    workspace = MemoryWorkspace({}, hidden=["src"])
    async with a_world(tmp_path) as world:
        said = await apply_in(world, ApplyRequest(FILES, workspace=workspace, project=PROJECT))
    assert workspace.disk == {}
    assert ending(said).outcome == "failed"


async def test_packages_go_into_the_sandbox_and_the_workspaces_package_json(
    tmp_path: Path,
) -> None:
    before = b'\xef\xbb\xbf{\r\n    "name": "mine"\r\n}\r\n'
    workspace = MemoryWorkspace({"package.json": before})
    async with a_world(tmp_path) as world:
        run = await install_packages(world.engine, workspace, ["zustand@^5", "missing-one"])
        said = await world.said(run)
        assert world.provider.made[0].installed == ["zustand@^5", "missing-one"]
        after = workspace.disk["package.json"]
        assert world.pending == {}
        await world.said(await world.engine.reviews.undo(workspace))
    assert json.loads(after) == {"name": "mine", "dependencies": {"zustand": f"^{VERSION}"}}
    assert after.startswith(b'\xef\xbb\xbf{\r\n    "name"')
    assert after.count(b"\r\n") == after.count(b"\n")
    assert workspace.disk["package.json"] == before
    assert (ending(said).outcome, ending(said).code) == ("failed", "packages_failed")


async def test_no_packages_are_nothing_to_install(tmp_path: Path) -> None:
    async with a_world(tmp_path) as world:
        with pytest.raises(InvalidRequest, match="Packages array is required"):
            await install_packages(world.engine, MemoryWorkspace({}), [])


def test_a_package_that_is_listed_anywhere_is_not_listed_twice() -> None:
    manifest = b'{"devDependencies": {"a": "1"}, "peerDependencies": {"b": "1"}}'
    assert with_dependencies(manifest, {"a": "2.0.0", "b": "2.0.0"}) == manifest


def test_dependencies_are_sorted_and_the_indent_is_kept() -> None:
    manifest = b'{\n    "dependencies": {\n        "z": "1"\n    }\n}\n'
    assert with_dependencies(manifest, {"a": "2.0.0"}) == (
        b'{\n    "dependencies": {\n        "a": "^2.0.0",\n        "z": "1"\n    }\n}\n'
    )


@pytest.mark.parametrize("manifest", [b"{", b"\xff", b"[]", b'{"dependencies": 1}', b"[" * 100_000])
def test_a_manifest_that_cant_be_read_is_refused_and_lists_nothing(manifest: bytes) -> None:
    with pytest.raises(InvalidRequest, match=r"package\.json"):
        with_dependencies(manifest, {"a": "1.0.0"})
