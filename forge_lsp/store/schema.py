"""The tables as they are now; how they came to be is told by `migrations`."""

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

metadata = MetaData()
_IS_OPEN = text("ended_at IS NULL")

runs = Table(
    "runs",
    metadata,
    Column("id", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("title", Text, nullable=False),
    Column("project", Text, nullable=False),
    Column("owner", String, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("outcome", String),
    Column("last_seq", BigInteger, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cost_usd", Double),
    Column("account", String, nullable=False),
    Column("cancel_asked_at", BigInteger),
    Column("heard_at", BigInteger),
    Column("journal", String, nullable=False),
    Column("journal_bytes", BigInteger, nullable=False),
    Index("runs_by_time", "started_at"),
    Index("runs_by_project", "project", "started_at"),
    Index("runs_by_account", "account", "started_at"),
    Index("runs_open", "account", "owner", sqlite_where=_IS_OPEN, postgresql_where=_IS_OPEN),
    Index("runs_by_end", "ended_at"),
)
"""Its columns are the fields of `ports.store.RunRecord`."""

events = Table(
    "events",
    metadata,
    Column("run_id", String, ForeignKey("runs.id"), primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("payload", Text, nullable=False),
)
"""The journals; `payload` is the JSON of `events.encode`."""

servers = Table(
    "servers",
    metadata,
    Column("id", String, primary_key=True),
    Column("lock_key", BigInteger, nullable=False),
    Column("heartbeat_at", BigInteger, nullable=False),
)
"""Who has the database open, on PostgreSQL alone: see `store.servers`. `heartbeat_at` is in
milliseconds of the database's own clock."""

blobs = Table(
    "blobs",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("content", LargeBinary, nullable=False),
)
"""File contents by the SHA-256 of their bytes, in hexadecimal; never changed once written."""

change_sets = Table(
    "change_sets",
    metadata,
    Column("id", String, primary_key=True),
    Column("project", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Index("change_sets_by_project", "project", "created_at"),
)

file_changes = Table(
    "file_changes",
    metadata,
    Column(
        "change_set_id",
        String,
        ForeignKey("change_sets.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("position", Integer, primary_key=True),
    Column("path", Text, nullable=False),
    Column("state", String, nullable=False),
    Column("before", String(64), ForeignKey("blobs.hash")),
    Column("after", String(64), ForeignKey("blobs.hash")),
    Column("undo_to", String(64), ForeignKey("blobs.hash")),
    Column("undo_from", String(64), ForeignKey("blobs.hash")),
    Column("accepted_at", BigInteger),
    Column("added", Integer, nullable=False, server_default=text("0")),
    Column("removed", Integer, nullable=False, server_default=text("0")),
)
"""`before`, `after`, `undo_to` and `undo_from` are hashes of contents; NULL where no file is."""

messages = Table(
    "messages",
    metadata,
    # SQLite counts up by itself only where the type is exactly INTEGER.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("conversation", Text, nullable=False),
    Column("role", String, nullable=False),
    Column("text", Text, nullable=False),
    Index("messages_by_conversation", "conversation", "id"),
)
"""What the model is shown of conversations: of those of projects, of apps, and of those that are
only named over HTTP. Within one, `id` rises in the order of its messages."""

accounts = Table(
    "accounts",
    metadata,
    Column("id", String, primary_key=True),
    Column("plan", String, nullable=False),
    Column("features", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)
"""`features` are words with spaces between them, in order."""

tokens = Table(
    "tokens",
    metadata,
    Column("id", String, primary_key=True),
    Column("account", String, ForeignKey("accounts.id"), nullable=False),
    Column("name", String, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("scopes", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
)
"""`hash` is the SHA-256 of the token, which itself is kept nowhere; `scopes` as `features`."""

answers = Table(
    "answers",
    metadata,
    Column("account", String, primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("owner", String, nullable=False),
    Column("claimed_at", BigInteger, nullable=False),
    Column("run_id", String),
    Column("status", Integer),
    Column("headers", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("answers_by_time", "claimed_at"),
)
"""Its columns are the fields of `ports.accounts.AnswerRecord`."""

apps = Table(
    "apps",
    metadata,
    Column("id", String, primary_key=True),
    Column("account", String, nullable=False),
    Column("chat_id", String, nullable=False),
    Column("workspace_id", Text, nullable=False),
    Column("prompt", Text, nullable=False),
    Column("template", String, nullable=False),
    Column("status", String, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("preview_url", Text),
    Column("deploy_url", Text),
    Index("apps_by_account", "account", "created_at"),
    Index("apps_by_chat", "chat_id", unique=True),
)
"""Its columns are the fields of `ports.accounts.AppRecord`."""

app_files = Table(
    "app_files",
    metadata,
    Column("app_id", String, ForeignKey("apps.id", ondelete="CASCADE"), primary_key=True),
    Column("path", Text, primary_key=True),
    Column("hash", String(64), ForeignKey("blobs.hash"), nullable=False),
)

skills = Table(
    "skills",
    metadata,
    Column("account", String, primary_key=True),
    Column("alias", String, primary_key=True),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("kind", String, nullable=False),
    Column("system_prompt", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("sample_args", Text, nullable=False),
    Column("tags", Text, nullable=False),
)
"""Its columns are the fields of `ports.accounts.SkillRecord`; `tags` is a JSON list."""

projects = Table(
    "projects",
    metadata,
    Column("id", String, primary_key=True),
    Column("account", String, nullable=False),
    Column("name", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("folder", Text, nullable=False),
    Index("projects_by_account", "account", "created_at"),
)
"""Its columns are the fields of `ports.projects.ProjectRecord`."""

project_messages = Table(
    "project_messages",
    metadata,
    Column("id", String, primary_key=True),
    Column("project", String, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("role", String, nullable=False),
    Column("text", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("type", String, nullable=False),
    Column("image_url", Text),
    Column("run_id", String),
    Column("fragment_id", String),
    Column("conversation", String),
    Column("changed", Text),
    Index("project_messages_by_time", "project", "created_at"),
    Index("project_messages_by_conversation", "conversation", "created_at"),
)
"""Its columns are the fields of `ports.projects.ProjectMessage`; `changed` is a JSON list, NULL
where nothing was."""

conversations = Table(
    "conversations",
    metadata,
    Column("id", String, primary_key=True),
    Column("project", String, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("account", String, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("title", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("summarised_upto", BigInteger, nullable=False),
    Index("conversations_by_project", "project", "opened_at"),
)
"""Its columns are the fields of `ports.conversations.ConversationRecord`. What the model is shown
of one stands in `messages` under its id, what people are shown in `project_messages`."""

fragments = Table(
    "fragments",
    metadata,
    Column("id", String, primary_key=True),
    Column("message_id", String, nullable=False),
    Column("project", String, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("account", String, nullable=False),
    Column("title", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("sandbox_id", String),
    Column("sandbox_url", Text),
    Column("image_url", Text),
    Column("design_spec", Text),
    Index("fragments_by_project", "project", "created_at"),
)
"""Its columns are the fields of `ports.projects.FragmentRecord`; `version` is the newest one."""

fragment_versions = Table(
    "fragment_versions",
    metadata,
    Column("fragment_id", String, ForeignKey("fragments.id", ondelete="CASCADE"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("created_at", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
)

fragment_files = Table(
    "fragment_files",
    metadata,
    Column("fragment_id", String, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("path", Text, primary_key=True),
    Column("hash", String(64), ForeignKey("blobs.hash")),
    ForeignKeyConstraint(
        ["fragment_id", "version"],
        ["fragment_versions.fragment_id", "fragment_versions.version"],
        ondelete="CASCADE",
    ),
)
"""What each version changed against the one before; `hash` is NULL where the file went."""

taken_fragments = Table(
    "taken_fragments",
    metadata,
    Column("fragment_id", String, ForeignKey("fragments.id", ondelete="CASCADE"), primary_key=True),
    Column("version", Integer, nullable=False),
)
"""Up to which version the workspace of its project has a fragment; without those that it has in
their first one alone."""

sandbox_owners = Table(
    "sandbox_owners",
    metadata,
    Column("sandbox_id", String, primary_key=True),
    Column("owner", String, nullable=False),
)
"""Who has a sandbox in which a fragment is shown, as the field `owner` of `RunRecord` names it."""
