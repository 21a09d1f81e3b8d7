"""Changes that wait for review in an editor."""

from lsp_wire import Editor


async def propose(client: Editor, files: dict[str, str | None]) -> str:
    """Bring a change into review by way of an accept that the editor refuses; gives its id."""
    honest = client.answers["workspace/applyEdit"]
    client.answers["workspace/applyEdit"] = lambda params: {"applied": False}
    answer = await client.command("forge.apply", {"files": files, "target": "workspace"})
    run_id = answer["result"]["runId"]
    assert (await client.wait_for_end(run_id))["outcome"] == "failed"
    client.answers["workspace/applyEdit"] = honest
    return run_id
