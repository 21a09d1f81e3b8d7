"""What is known of a run so far, from its events; pure."""

from dataclasses import dataclass, field

from forge_lsp import events

CHARACTERS_A_TOKEN = 4
"""About; the exact count comes when the reply has ended."""


@dataclass(slots=True)
class RunView:
    """A run, as somebody sees it who watches."""

    stage: str = "Starting..."
    writing: str = ""
    characters: int = 0
    model: str = ""
    preview_url: str = ""
    files: dict[str, str | None] = field(default_factory=dict[str, str | None])
    """Each finished file with its content; None where it is to be deleted."""
    refused: list[str] = field(default_factory=list[str])
    """What could not be applied, each with the reason."""
    finished: events.RunFinished | None = None

    @property
    def now(self) -> str:
        """What is being done at this moment."""
        tokens = f"{self.characters // CHARACTERS_A_TOKEN:,} tokens"
        return f"Writing {self.writing} · {tokens}" if self.writing else self.stage

    def take(self, event: events.Event) -> str:
        """Follow the event; gives the line that tells of it, or nothing where it is small."""
        match event:
            case events.TextDelta(text):
                self.characters += len(text)
                return ""
            case events.FileStarted(path):
                self.writing = path
                return ""
            case events.FileDropped(path, reason):
                self.writing = ""
                return f"✗ {path}: {reason}"
            case events.FileFinished(path, content):
                self.writing = ""
                self.files[path] = content
                return _line_of_file(path, content)
            case events.SandboxReady(_, url):
                self.preview_url = url
                return f"✓ The sandbox is up: {url}"
            case events.FileApplied(path, target, ok=False, reason=reason):
                self.refused.append(f"{path} ({target}): {reason}")
                return f"✗ {path} did not go into the {target}: {reason}"
            case events.RunFinished():
                self.finished = event
                return ""
            case events.Stage(message):
                self.stage = message
                return f"· {message}"
            case _:
                return self._line_of_detail(event)

    def _line_of_detail(self, event: events.Event) -> str:
        match event:
            case events.PackageInstalled(name, version):
                return f"✓ {name} {version} installed"
            case events.PackageFailed(name, reason):
                return f"✗ {name}: {reason}"
            case events.DiagnosticsChanged(errors):
                return f"! {errors} error(s) in the app" if errors else "✓ No errors in the app"
            case events.Problem(_, message):
                return f"! {message}"
            case events.Usage(model, taken, given, cached):
                self.model = model
                of_cache = f" and {cached:,} from the cache" if cached else ""
                return f"· {model}: {taken:,} tokens in{of_cache}, {given:,} out{_cost(event)}"
            case events.Planned(summary, manifest):
                return f"✓ Planned {len(manifest)} file(s): {summary}"
            case events.Reviewed(notes, patched):
                named = f" ({', '.join(patched)})" if patched else ""
                return f"✓ Reviewed{named}: {notes}"
            case events.AugmenterChanged(alias, status, message):
                return f"· {alias}: {status}" + (f": {message}" if message else "")
            case _:
                return ""


def _line_of_file(path: str, content: str | None) -> str:
    if content is None:
        return f"✓ {path} is to be deleted"
    return f"✓ {path} ({len(content.splitlines())} lines)"


def _cost(usage: events.Usage) -> str:
    return f", ${usage.cost_usd:.4f}" if usage.cost_usd else ""
