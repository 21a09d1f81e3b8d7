"""The table of commands: the same ids in every editor, listed from the start."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from lsprotocol import types

from forge_lsp.errors import ForgeError, InvalidRequest
from forge_lsp.lsp import (
    arguments,
    build_commands,
    conversation_commands,
    fix_commands,
    fragment_commands,
    generation_commands,
    history_commands,
    python_commands,
    review_commands,
    run_commands,
    sandbox_commands,
    skill_commands,
)
from forge_lsp.lsp.session import Session

log = logging.getLogger(__name__)

Handler = Callable[[Session, Any, types.ProgressToken | None], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Command:
    """How a command is called and who answers it."""

    handler: Handler
    arguments: type[Any]
    example: str
    """For the message that a mistyped call gets."""


_PROMPT = '{"prompt": "add a reset button"}'
_REVIEW = '{"path": "src/App.tsx", "hunk": 0}, or none at all'
_CONVERSATION = '{"conversationId": "conv_…"}, or none at all'
_SANDBOX = '{"sandboxId": "sb_…"}, or none at all'

COMMANDS: Mapping[str, Command] = MappingProxyType(
    {
        "forge.generate": Command(generation_commands.generate, arguments.Prompt, _PROMPT),
        "forge.edit": Command(generation_commands.edit, arguments.Prompt, _PROMPT),
        "forge.build": Command(
            build_commands.build,
            arguments.Build,
            '{"prompt": "a landing page with pricing", "augmenters": ["seo"]}',
        ),
        "forge.resume": Command(
            build_commands.resume, arguments.Resume, '{"runId": "run_…"}, or none at all'
        ),
        "forge.fix": Command(
            fix_commands.fix,
            arguments.Fix,
            '{"textDocument": {"uri": "…"}, "diagnostics": […]}, or none at all',
        ),
        "forge.skills": Command(skill_commands.skills, arguments.Skills, "{}"),
        "forge.skill.run": Command(
            skill_commands.run_skill,
            arguments.RunSkill,
            '{"alias": "review", "textDocument": {"uri": "…"}}',
        ),
        "forge.augmenter.run": Command(
            skill_commands.run_augmenter,
            arguments.RunAugmenter,
            '{"alias": "a11y", "dryRun": true, "force": false}',
        ),
        "forge.apply": Command(
            generation_commands.apply_files,
            arguments.Apply,
            '{"files": {"src/App.tsx": "…"}, "packages": ["clsx"], "target": "both"}',
        ),
        "forge.fragments": Command(
            fragment_commands.fragments, arguments.Fragments, "{}, or a projectId"
        ),
        "forge.fragment.update": Command(
            fragment_commands.update,
            arguments.FragmentUpdate,
            '{"fragmentId": "frag_…", "files": {"src/App.tsx": "…"}}',
        ),
        "forge.conversation.new": Command(conversation_commands.new, arguments.Conversation, "{}"),
        "forge.conversation.switch": Command(
            conversation_commands.switch, arguments.Conversation, _CONVERSATION
        ),
        "forge.conversation.show": Command(
            conversation_commands.show, arguments.Conversation, _CONVERSATION
        ),
        "forge.review.accept": Command(review_commands.accept, arguments.Review, _REVIEW),
        "forge.review.reject": Command(review_commands.reject, arguments.Review, _REVIEW),
        "forge.review.diff": Command(review_commands.diff, arguments.ReviewDiff, _REVIEW),
        "forge.undo": Command(
            review_commands.undo, arguments.Undo, '{"changeSetId": "run_…"}, or none at all'
        ),
        "forge.history": Command(
            history_commands.history, arguments.History, '{"limit": 20}, or none at all'
        ),
        "forge.restore": Command(
            history_commands.restore, arguments.Restore, '{"changeSetId": "run_…"}'
        ),
        "forge.cancel": Command(
            run_commands.cancel, arguments.RunNamed, '{"runId": "run_…"}, or none at all'
        ),
        "forge.runs": Command(run_commands.runs, arguments.Runs, '{"limit": 20}'),
        "forge.status": Command(run_commands.tell_status, arguments.Nothing, "{}"),
        "forge.sandbox.create": Command(
            sandbox_commands.create, arguments.SandboxNamed, '{"provider": "local"}'
        ),
        "forge.sandbox.status": Command(sandbox_commands.status, arguments.SandboxNamed, _SANDBOX),
        "forge.sandbox.files": Command(sandbox_commands.files, arguments.SandboxNamed, _SANDBOX),
        "forge.sandbox.diagnostics": Command(
            sandbox_commands.diagnostics, arguments.SandboxNamed, _SANDBOX
        ),
        "forge.sandbox.logs": Command(
            sandbox_commands.logs, arguments.SandboxLog, '{"after": 0, "limit": 500}'
        ),
        "forge.sandbox.run": Command(
            python_commands.run, arguments.PythonFile, '{"textDocument": {"uri": "file:///…"}}'
        ),
        "forge.sandbox.kill": Command(sandbox_commands.kill, arguments.SandboxNamed, _SANDBOX),
        "forge.sandbox.open": Command(
            sandbox_commands.open_preview, arguments.SandboxNamed, _SANDBOX
        ),
        "forge.packages.install": Command(
            sandbox_commands.install, arguments.Packages, '{"packages": ["clsx", "zod@3"]}'
        ),
    }
)


async def execute(session: Session, params: types.ExecuteCommandParams) -> Any:
    """Carry out a command; a failure is shown to the person and raised.

    Editors hide errors of commands (Helix) or show them raw (eglot), so both are needed.
    """
    try:
        command = COMMANDS.get(params.command)
        if command is None:
            raise InvalidRequest(f"There is no command {params.command[:80]!r}.")
        given = arguments.decode(
            params.command, params.arguments, command.arguments, command.example
        )
        return await command.handler(session, given, params.work_done_token)
    except ForgeError as error:
        session.client.show_failure(error)
        raise
