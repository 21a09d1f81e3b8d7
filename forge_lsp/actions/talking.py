"""Talk about an app: what is said is answered, and nothing is changed."""

from forge_lsp.actions.apps import app_workspace
from forge_lsp.actions.critiques import SkillRequest, run_skill
from forge_lsp.actions.engine import Engine
from forge_lsp.actions.request import check_prompt, title_of
from forge_lsp.generation.delimiters import fenced
from forge_lsp.generation.skills import Skill
from forge_lsp.ports.accounts import AppRecord
from forge_lsp.runs import Run

ALIAS = "chat"
_ANSWER = """\
Answer what the developer says, which is this:
{}

# How

- Speak about this project as it is shown above, and name files and functions as they are called.
- Be brief: a few sentences, or a list of what is several; code only where it says it best.
- Where they want something changed, say how you would do it; it is done once they ask for a build.
- Say plainly what you can't know because a file wasn't shown.

# Insights

None, but where they ask what is wrong: then one for each finding, of the kind `note`."""


async def talk(engine: Engine, app: AppRecord, said: str) -> Run:
    """Start a run that answers what is said in the app's chat, which it is kept in.

    Raises `InvalidRequest` for a text that can't be taken, `TooManyRuns`, `StoreFailed`.
    """
    check_prompt(said, engine.settings.generation.max_prompt_bytes)
    workspace = app_workspace(engine, app)
    skill = Skill(
        alias=ALIAS,
        title=title_of(said),
        description=said,
        kind="critique",
        prompt=_ANSWER.format(fenced(said)),
    )
    asked = SkillRequest(
        skill,
        workspace,
        workspace=workspace,
        account=app.account,
        conversation=app.chat_id,
        said=said,
    )
    return await run_skill(engine, asked)
