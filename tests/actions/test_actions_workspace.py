"""Generating into a workspace: shown in its sandbox at once, pending review."""

import asyncio
import json
from pathlib import Path

from action_world import DONE, PROJECT, a_world, applied, edit, ending, file, of, until
from memory_sandbox import TEMPLATE, VERSION
from memory_workspace import MemoryWorkspace

from forge_lsp import events
from forge_lsp.errors import IsolationUnavailable, SandboxFailed
from forge_lsp.settings import GenerationSettings, ReviewSettings

MANIFEST = b'{\n\t"name": "mine",\n\t"dependencies": {\n\t\t"react": "^18.0.0"\n\t}\n}\n'
EXISTING = {"package.json": MANIFEST, "src/App.tsx": b"old\n"}
APP = file("src/App.tsx", "new\n") + DONE


async def test_an_empty_folder_gets_the_template_under_what_was_written(tmp_path: Path) -> None:
    workspace = MemoryWorkspace({"README.md": b"An idea.\n"})
    async with a_world(tmp_path, APP) as world:
        said = await world.work_in(workspace)
        pending = world.pending
        (sandbox,) = world.provider.made
    assert pending == {**TEMPLATE, "src/App.tsx": b"new\n"}
    assert {each.path for each in of(events.FileFinished, said)} == set(TEMPLATE)
    assert workspace.disk == {"README.md": b"An idea.\n"}, "nothing is written before review"
    assert sandbox.contents["src/App.tsx"] == b"new\n"
    assert sandbox.contents["README.md"] == b"An idea.\n"
    assert ending(said).outcome == "completed"


async def test_what_an_empty_folder_holds_is_not_replaced_by_the_template(tmp_path: Path) -> None:
    workspace = MemoryWorkspace({"vite.config.ts": b"export default { mine: true };\n"})
    async with a_world(tmp_path, APP) as world:
        await world.work_in(workspace)
        assert "vite.config.ts" not in world.pending
        assert "mine: true" in world.model.asked[0].context


async def test_a_project_gets_no_template(tmp_path: Path) -> None:
    workspace = MemoryWorkspace(EXISTING)
    async with a_world(tmp_path, APP) as world:
        said = await world.work_in(workspace)
        assert world.pending == {"src/App.tsx": b"new\n"}
        (change_set,) = world.engine.reviews.pending(PROJECT)
        run = await world.engine.runs.record(change_set.id)
    assert run.kind == "generate"
    assert applied(said, "sandbox") == {"src/App.tsx": True}
    assert len(of(events.SandboxReady, said)) == 1
    assert not applied(said, "workspace")
    assert workspace.disk == EXISTING


async def test_files_are_in_the_sandbox_while_others_are_still_written(tmp_path: Path) -> None:
    workspace = MemoryWorkspace(EXISTING)
    reply = file("src/a.ts", "a\n") + "\n" + file("src/b.ts", "b\n" * 200) + DONE
    async with a_world(tmp_path, reply) as world:
        said = await world.work_in(workspace)
    names = [
        (type(each).__name__, each.path)
        for each in said
        if isinstance(each, events.FileFinished | events.FileApplied)
    ]
    assert names.index(("FileApplied", "src/a.ts")) < names.index(("FileFinished", "src/b.ts"))


async def test_a_path_that_gitignore_hides_is_refused(tmp_path: Path) -> None:
    workspace = MemoryWorkspace(EXISTING, hidden=["dist"])
    async with a_world(tmp_path, file("dist/x.js", "x\n") + APP) as world:
        said = await world.work_in(workspace)
        assert world.pending == {"src/App.tsx": b"new\n"}
        assert "dist/x.js" not in world.provider.made[0].contents
    (dropped,) = of(events.FileDropped, said)
    assert dropped == events.FileDropped("dist/x.js", "a .gitignore file hides it")


async def test_a_rename_to_a_hidden_place_loses_nothing(tmp_path: Path) -> None:
    workspace = MemoryWorkspace(EXISTING, hidden=["dist"])
    reply = '<rename from="src/App.tsx" to="dist/App.tsx"/>\n' + DONE
    async with a_world(tmp_path, reply) as world:
        await world.work_in(workspace)
        assert world.pending == {}
        assert world.provider.made[0].contents["src/App.tsx"] == b"old\n"


async def test_without_a_sandbox_only_the_preview_is_missing(tmp_path: Path) -> None:
    workspace = MemoryWorkspace({})
    async with a_world(tmp_path, APP) as world:
        world.provider.broken = IsolationUnavailable("This machine can't confine.")
        said = await world.work_in(workspace)
        assert world.pending == {**TEMPLATE, "src/App.tsx": b"new\n"}
    assert [each.code for each in of(events.Problem, said)] == ["isolation_unavailable"]
    assert applied(said, "sandbox") == {"src/App.tsx": False}
    assert ending(said).outcome == "completed"


async def test_a_sandbox_that_refuses_a_file_says_so_and_goes_on(tmp_path: Path) -> None:
    workspace = MemoryWorkspace(EXISTING)
    reply = file("src/a.ts", "a\n") + APP
    async with a_world(tmp_path, "Fine.", reply) as world:
        await world.work_in(workspace)
        world.provider.made[0].refuses.add("src/a.ts")
        said = await world.work_in(workspace)
        assert set(world.pending) == {"src/a.ts", "src/App.tsx"}
        assert len(world.provider.made) == 1, "a workspace keeps its sandbox"
    assert applied(said, "sandbox") == {"src/a.ts": False, "src/App.tsx": True}


async def test_a_sandbox_that_died_is_made_anew_from_the_workspace(tmp_path: Path) -> None:
    workspace = MemoryWorkspace(EXISTING)
    async with a_world(tmp_path, "Fine.", APP) as world:
        await world.work_in(workspace)
        await world.provider.made[0].kill()
        said = await world.work_in(workspace)
        assert world.provider.made[1].contents["package.json"] == MANIFEST
    assert any("making a new one" in each.message for each in of(events.Stage, said))


async def test_a_sandbox_that_ends_while_files_are_written_is_replaced(tmp_path: Path) -> None:
    workspace = MemoryWorkspace(EXISTING)
    replies = file("src/a.ts", "a\n") + file("src/b.ts", "b\n") + DONE
    async with a_world(tmp_path, "Fine.", replies) as world:
        await world.work_in(workspace)
        first = world.provider.made[0]
        first.may_write.clear()
        run = await world.start_in(workspace)
        async for each in world.engine.runs.subscribe(run.id):
            if isinstance(each.event, events.FileFinished):
                break
        await first.kill()
        first.may_write.set()
        said = await world.said(run)
        second = world.provider.made[1]
    assert applied(said, "sandbox") == {"src/a.ts": True, "src/b.ts": True}
    assert {"package.json", "src/a.ts", "src/b.ts"} <= second.contents.keys()
    assert ending(said).outcome == "completed"


async def test_a_package_is_installed_and_listed_with_its_version(tmp_path: Path) -> None:
    workspace = MemoryWorkspace(EXISTING)
    reply = file("src/App.tsx", 'import { create } from "zustand";\nimport "react";\n') + DONE
    async with a_world(tmp_path, reply) as world:
        said = await world.work_in(workspace)
        manifest = world.pending["package.json"]
        (sandbox,) = world.provider.made
    assert manifest == MANIFEST.replace(
        b'"react": "^18.0.0"', b'"react": "^18.0.0",\n\t\t"zustand": "^%s"' % VERSION.encode()
    )
    assert sandbox.installed[-2:] == ["zustand", "react"]
    assert sandbox.contents["package.json"] == manifest
    assert events.PackageInstalled("zustand", VERSION) in said


async def test_a_package_that_fails_costs_nothing_else(tmp_path: Path) -> None:
    workspace = MemoryWorkspace(EXISTING)
    code = 'import a from "missing-one";\nimport b from "zustand";\n'
    async with a_world(tmp_path, file("src/App.tsx", code) + DONE) as world:
        said = await world.work_in(workspace)
        pending = world.pending
    assert events.PackageFailed("missing-one", "no such package") in said
    assert [each.code for each in of(events.Problem, said)] == ["packages_failed"]
    assert pending["src/App.tsx"] == code.encode()
    dependencies = json.loads(pending["package.json"] or b"")["dependencies"]
    assert dependencies == {"react": "^18.0.0", "zustand": "^1.2.3"}
    assert ending(said).outcome == "completed"


async def test_a_package_json_that_the_model_changed_keeps_its_changes(tmp_path: Path) -> None:
    workspace = MemoryWorkspace(EXISTING)
    reply = (
        edit("package.json", '\t"name": "mine",', '\t"name": "renamed",')
        + file("src/App.tsx", 'import "zustand";\n')
        + DONE
    )
    async with a_world(tmp_path, reply) as world:
        await world.work_in(workspace)
        manifest = json.loads(world.pending["package.json"] or b"")
    assert manifest["name"] == "renamed"
    assert manifest["dependencies"]["zustand"] == f"^{VERSION}"


async def test_a_package_json_that_cant_be_read_is_left_and_told(tmp_path: Path) -> None:
    for broken in (b"{", b"[]", b'{"dependencies": "x"}', b"[" * 100_000):
        workspace = MemoryWorkspace({**EXISTING, "package.json": broken})
        reply = file("src/App.tsx", 'import "zustand";\n') + DONE
        folder = tmp_path / str(len(broken))
        folder.mkdir()
        async with a_world(folder, reply) as world:
            said = await world.work_in(workspace)
            assert set(world.pending) == {"src/App.tsx"}
        assert [each.path for each in of(events.Problem, said)] == ["package.json"]
        assert ending(said).outcome == "completed"


async def test_in_the_mode_auto_changes_are_made_at_once_and_can_be_undone(tmp_path: Path) -> None:
    workspace = MemoryWorkspace(EXISTING)
    async with a_world(tmp_path, APP, review=ReviewSettings(mode="auto")) as world:
        said = await world.work_in(workspace)
        assert workspace.disk["src/App.tsx"] == b"new\n"
        assert world.pending == {}
        assert applied(said, "workspace") == {"src/App.tsx": True}
        await world.said(await world.engine.reviews.undo(workspace))
    assert workspace.disk == EXISTING


async def test_a_cancelled_run_drops_what_is_open_and_keeps_what_is_whole(tmp_path: Path) -> None:
    workspace = MemoryWorkspace(EXISTING)
    reply = file("src/a.ts", "a\n") + '<file path="src/b.ts">\n' + "b\n" * 5_000
    async with a_world(tmp_path, reply) as world:
        run = await world.start_in(workspace)
        async with asyncio.timeout(20):
            async for recorded in world.engine.runs.subscribe(run.id):
                event = recorded.event
                if isinstance(event, events.FileDelta) and event.path == "src/b.ts":
                    await world.engine.runs.cancel(run.id)
                    break
        said = await world.said(run)
        assert world.pending == {"src/a.ts": b"a\n"}
        assert world.model.ended == 1, "the request to the model is ended"
    assert ending(said).outcome == "cancelled"
    assert isinstance(said[-2], events.FileDropped)
    assert said[-2].path == "src/b.ts"


async def test_a_run_that_waits_for_its_sandbox_can_be_cancelled(tmp_path: Path) -> None:
    workspace = MemoryWorkspace(EXISTING)
    async with a_world(tmp_path, "Fine.", APP) as world:
        await world.work_in(workspace)
        sandbox = world.provider.made[0]
        sandbox.may_write.clear()
        run = await world.start_in(workspace)
        await until(lambda: world.model.ended == 2)
        await world.engine.runs.cancel(run.id)
        said = await world.said(run)
        sandbox.may_write.set()
    assert ending(said).outcome == "cancelled"


async def test_a_reply_that_was_cut_off_proposes_its_whole_files(tmp_path: Path) -> None:
    workspace = MemoryWorkspace(EXISTING)
    limits = GenerationSettings(max_continuations=0)
    reply = file("src/a.ts", "a\n") + '<file path="src/b.ts">\nhalf'
    async with a_world(tmp_path, reply, generation=limits) as world:
        await world.work_in(workspace)
        assert world.pending == {"src/a.ts": b"a\n"}


async def test_a_sandbox_that_fails_in_an_edit_leaves_the_edit(tmp_path: Path) -> None:
    workspace = MemoryWorkspace(EXISTING)
    choices = ['{"targets": ["src/App.tsx"]}']
    reply = edit("src/App.tsx", "old", "new") + DONE
    async with a_world(tmp_path, reply, choices=choices) as world:
        world.provider.broken = SandboxFailed("The disk is full.")
        said = await world.work_in(workspace, is_edit=True)
        assert world.pending == {"src/App.tsx": b"new\n"}
    assert ending(said).outcome == "completed"
