/* Made by ./dev generate from `forge-lsp schema`; not to be edited. */

export interface Forge {
  event:
    | RunStarted
    | Stage
    | ContextSelected
    | TextDelta
    | FileStarted
    | FileDelta
    | FileFinished
    | FileDropped
    | PackageNeeded
    | PackageInstalled
    | PackageFailed
    | Planned
    | Reviewed
    | AugmenterChanged
    | Insight
    | FileApplied
    | SandboxReady
    | DiagnosticsChanged
    | Problem
    | Usage
    | RunFinished;
  commands: {
    "forge.generate": Prompt;
    "forge.edit": Prompt;
    "forge.build": Build;
    "forge.resume": Resume;
    "forge.fix": Fix;
    "forge.skills": Skills;
    "forge.skill.run": RunSkill;
    "forge.augmenter.run": RunAugmenter;
    "forge.apply": Apply;
    "forge.fragments": Fragments;
    "forge.fragment.update": FragmentUpdate;
    "forge.conversation.new": Conversation;
    "forge.conversation.switch": Conversation;
    "forge.conversation.show": Conversation;
    "forge.review.accept": Review;
    "forge.review.reject": Review;
    "forge.review.diff": ReviewDiff;
    "forge.undo": Undo;
    "forge.history": History;
    "forge.restore": Restore;
    "forge.cancel": RunNamed;
    "forge.runs": Runs;
    "forge.status": Nothing;
    "forge.sandbox.create": SandboxNamed;
    "forge.sandbox.status": SandboxNamed;
    "forge.sandbox.files": SandboxNamed;
    "forge.sandbox.diagnostics": SandboxNamed;
    "forge.sandbox.logs": SandboxLog;
    "forge.sandbox.run": PythonFile;
    "forge.sandbox.kill": SandboxNamed;
    "forge.sandbox.open": SandboxNamed;
    "forge.packages.install": Packages;
  };
  workspaceMaySet: (
    | "generation.by_hand_tokens"
    | "generation.context_tokens"
    | "generation.max_continuations"
    | "generation.recent_messages"
    | "model.augment"
    | "model.code"
    | "model.effort"
    | "model.max_output_tokens"
    | "model.plan"
    | "model.review"
    | "model.select"
    | "model.skill"
    | "model.summarise"
  )[];
}
/**
 * The first event of every run.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "RunStarted".
 */
export interface RunStarted {
  type: "run_started";
  kind: string;
  title: string;
  asked?: Asked | null;
}
/**
 * What a run was asked for, as far as another that goes on in its place has to know.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "Asked".
 */
export interface Asked {
  prompt?: string;
  augmenters?: string[];
  app_id?: string;
  resumes?: string;
}
/**
 * What is being done now, as a sentence for people.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "Stage".
 */
export interface Stage {
  type: "stage";
  message: string;
  done?: number | null;
  total?: number | null;
}
/**
 * Which files the model is shown, and why.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "ContextSelected".
 */
export interface ContextSelected {
  type: "context_selected";
  paths: string[];
  edit_type:
    | (
        | "ADD_DEPENDENCY"
        | "ADD_FEATURE"
        | "FIX_ISSUE"
        | "FULL_REBUILD"
        | "REFACTOR"
        | "UPDATE_COMPONENT"
        | "UPDATE_STYLE"
      )
    | null;
  reason: string;
}
/**
 * A piece of the model's reply as it came, coalesced; `index` counts from 0 in each run.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "TextDelta".
 */
export interface TextDelta {
  type: "text_delta";
  text: string;
  index: number;
}
/**
 * The model began to write about a file.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "FileStarted".
 */
export interface FileStarted {
  type: "file_started";
  path: string;
  action: "create" | "delete" | "edit";
}
/**
 * A piece of a new file's body; what it adds up to counts only once the file is finished.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "FileDelta".
 */
export interface FileDelta {
  type: "file_delta";
  path: string;
  text: string;
}
/**
 * A whole file as it is meant to be; `content` is None where it is to be deleted.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "FileFinished".
 */
export interface FileFinished {
  type: "file_finished";
  path: string;
  content: string | null;
  hunks?: Hunk[];
}
/**
 * One run of lines that differ. Line numbers are 0-based; lines end at LF alone.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "Hunk".
 */
export interface Hunk {
  before_start: number;
  before_count: number;
  after_start: number;
  after_count: number;
}
/**
 * A file that the model began or named, of which nothing is taken.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "FileDropped".
 */
export interface FileDropped {
  type: "file_dropped";
  path: string;
  reason: string;
}
/**
 * The code imports this package, or the model asked for it; it may be there already.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "PackageNeeded".
 */
export interface PackageNeeded {
  type: "package_needed";
  name: string;
}
/**
 * A package is really there: in the sandbox's `node_modules`.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "PackageInstalled".
 */
export interface PackageInstalled {
  type: "package_installed";
  name: string;
  version: string;
}
/**
 * A package could not be installed.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "PackageFailed".
 */
export interface PackageFailed {
  type: "package_failed";
  name: string;
  reason: string;
}
/**
 * What a build is going to write.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "Planned".
 */
export interface Planned {
  type: "planned";
  summary: string;
  manifest: PlannedFile[];
  packages?: string[];
  design_spec?: DesignSpec | null;
}
/**
 * A file of a plan's manifest.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "PlannedFile".
 */
export interface PlannedFile {
  path: string;
  purpose: string;
  exports?: string[];
  uses?: string[];
}
/**
 * What an app is to look like, as all who write its files are told.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "DesignSpec".
 */
export interface DesignSpec {
  palette?: {
    [k: string]: string;
  };
  typography?: string;
  layout?: string;
  components?: string[];
}
/**
 * A reviewer has read the whole; the files that it `patched` have come before.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "Reviewed".
 */
export interface Reviewed {
  type: "reviewed";
  notes: string;
  patched?: string[];
}
/**
 * How far an augmenter is; the files that it changed have come before `applied`.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "AugmenterChanged".
 */
export interface AugmenterChanged {
  type: "augmenter_changed";
  alias: string;
  status: "applied" | "failed" | "queued" | "started";
  message?: string;
}
/**
 * One thing that a skill found.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "Insight".
 */
export interface Insight {
  type: "insight";
  kind: string;
  label: string;
  detail: string;
  path?: string | null;
  line?: number | null;
}
/**
 * An applier's answer for one file.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "FileApplied".
 */
export interface FileApplied {
  type: "file_applied";
  path: string;
  target: "sandbox" | "workspace";
  ok: boolean;
  reason?: string;
}
/**
 * The run has a sandbox, whose preview answers at `url`.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "SandboxReady".
 */
export interface SandboxReady {
  type: "sandbox_ready";
  sandbox_id: string;
  url: string;
}
/**
 * How many problems the sandbox has now.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "DiagnosticsChanged".
 */
export interface DiagnosticsChanged {
  type: "diagnostics_changed";
  errors: number;
  warnings: number;
}
/**
 * Something went wrong that does not end the run by itself.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "Problem".
 */
export interface Problem {
  type: "problem";
  code: string;
  message: string;
  path?: string | null;
}
/**
 * What one request to the model took, in tokens and US dollars.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "Usage".
 */
export interface Usage {
  type: "usage";
  model: string;
  input_tokens: number;
  output_tokens: number;
  cache_read_tokens?: number;
  cache_write_tokens?: number;
  cost_usd?: number | null;
}
/**
 * The last event of every run.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "RunFinished".
 */
export interface RunFinished {
  type: "run_finished";
  outcome: "cancelled" | "completed" | "failed" | "refused" | "truncated";
  code?: string;
  message?: string;
  app_id?: string;
  preview_url?: string;
  tokens_used?: number;
  duration_ms?: number;
}
/**
 * forge.generate and forge.edit.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "Prompt".
 */
export interface Prompt {
  prompt?: string;
  textDocument?: Document | null;
  range?: Range | null;
  files?: string[];
}
/**
 * LSP's TextDocumentIdentifier; a version beside the URI is passed over.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "Document".
 */
export interface Document {
  uri: string;
}
/**
 * As in LSP.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "Range".
 */
export interface Range {
  start: Position;
  end: Position;
}
/**
 * As in LSP.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "Position".
 */
export interface Position {
  line: number;
  character: number;
}
/**
 * forge.build.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "Build".
 */
export interface Build {
  prompt?: string;
  augmenters?: string[];
  textDocument?: Document | null;
}
/**
 * forge.resume.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "Resume".
 */
export interface Resume {
  runId?: string | null;
  textDocument?: Document | null;
}
/**
 * forge.fix.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "Fix".
 */
export interface Fix {
  textDocument?: Document | null;
  diagnostics?: GivenDiagnostic[];
}
/**
 * LSP's Diagnostic, as much of it as is of use.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "GivenDiagnostic".
 */
export interface GivenDiagnostic {
  range: Range;
  message: string;
  severity?: number;
  code?: string | number | null;
  source?: string | null;
  data?: {
    [k: string]: unknown;
  };
}
/**
 * forge.skills.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "Skills".
 */
export interface Skills {
  textDocument?: Document | null;
}
/**
 * forge.skill.run: on a selection, a document, or the whole workspace.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "RunSkill".
 */
export interface RunSkill {
  alias?: string;
  textDocument?: Document | null;
  range?: Range | null;
  args?: {
    [k: string]: unknown;
  };
}
/**
 * forge.augmenter.run.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "RunAugmenter".
 */
export interface RunAugmenter {
  alias?: string;
  dryRun?: boolean;
  force?: boolean;
  args?: {
    [k: string]: unknown;
  };
  textDocument?: Document | null;
}
/**
 * forge.apply.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "Apply".
 */
export interface Apply {
  fragmentId?: string | null;
  files?:
    | {
        [k: string]: string;
      }
    | NamedFile[];
  packages?: string[];
  target?: "both" | "sandbox" | "workspace";
  textDocument?: Document | null;
}
/**
 * A file as HTTP names one.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "NamedFile".
 */
export interface NamedFile {
  path: string;
  content: string;
}
/**
 * forge.fragments: of the project named, else of the workspace.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "Fragments".
 */
export interface Fragments {
  projectId?: string | null;
  textDocument?: Document | null;
}
/**
 * forge.fragment.update.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "FragmentUpdate".
 */
export interface FragmentUpdate {
  fragmentId?: string;
  files?: {
    [k: string]: string | null;
  };
  textDocument?: Document | null;
}
/**
 * forge.conversation.*: the one named, else the current one; a new one has no name yet.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "Conversation".
 */
export interface Conversation {
  conversationId?: string | null;
  textDocument?: Document | null;
}
/**
 * forge.review.*: everything that is pending, a change set, a file, or a hunk.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "Review".
 */
export interface Review {
  changeSetId?: string | null;
  path?: string | null;
  hunk?: number | null;
  hunkId?: string | null;
  textDocument?: Document | null;
}
/**
 * forge.review.diff.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "ReviewDiff".
 */
export interface ReviewDiff {
  changeSetId?: string | null;
  path?: string | null;
  hunk?: number | null;
  hunkId?: string | null;
  textDocument?: Document | null;
  quiet?: boolean;
}
/**
 * forge.undo.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "Undo".
 */
export interface Undo {
  changeSetId?: string | null;
  textDocument?: Document | null;
}
/**
 * forge.history: with `before`, a change set's id, what is older than it; no message names the
 *     first few with `quiet`.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "History".
 */
export interface History {
  limit?: number;
  before?: string | null;
  quiet?: boolean;
  textDocument?: Document | null;
}
/**
 * forge.restore.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "Restore".
 */
export interface Restore {
  changeSetId?: string;
  textDocument?: Document | null;
}
/**
 * forge.cancel.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "RunNamed".
 */
export interface RunNamed {
  runId?: string | null;
}
/**
 * forge.runs.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "Runs".
 */
export interface Runs {
  limit?: number;
}
/**
 * No arguments.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "Nothing".
 */
export interface Nothing {}
/**
 * forge.sandbox.*.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "SandboxNamed".
 */
export interface SandboxNamed {
  sandboxId?: string | null;
  provider?: "local" | null;
  textDocument?: Document | null;
}
/**
 * forge.sandbox.logs.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "SandboxLog".
 */
export interface SandboxLog {
  sandboxId?: string | null;
  after?: number;
  limit?: number;
  textDocument?: Document | null;
}
/**
 * forge.sandbox.run: the file named, else the active one.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "PythonFile".
 */
export interface PythonFile {
  textDocument?: Document | null;
}
/**
 * forge.packages.install.
 *
 * This interface was referenced by `Forge`'s JSON-Schema
 * via the `definition` "Packages".
 */
export interface Packages {
  packages?: string[];
  sandboxId?: string | null;
  textDocument?: Document | null;
}

export type Event = Forge["event"];

export const COMMANDS = [
  "forge.generate",
  "forge.edit",
  "forge.build",
  "forge.resume",
  "forge.fix",
  "forge.skills",
  "forge.skill.run",
  "forge.augmenter.run",
  "forge.apply",
  "forge.fragments",
  "forge.fragment.update",
  "forge.conversation.new",
  "forge.conversation.switch",
  "forge.conversation.show",
  "forge.review.accept",
  "forge.review.reject",
  "forge.review.diff",
  "forge.undo",
  "forge.history",
  "forge.restore",
  "forge.cancel",
  "forge.runs",
  "forge.status",
  "forge.sandbox.create",
  "forge.sandbox.status",
  "forge.sandbox.files",
  "forge.sandbox.diagnostics",
  "forge.sandbox.logs",
  "forge.sandbox.run",
  "forge.sandbox.kill",
  "forge.sandbox.open",
  "forge.packages.install"
] as const;

export const WORKSPACE_MAY_SET = [
  "generation.by_hand_tokens",
  "generation.context_tokens",
  "generation.max_continuations",
  "generation.recent_messages",
  "model.augment",
  "model.code",
  "model.effort",
  "model.max_output_tokens",
  "model.plan",
  "model.review",
  "model.select",
  "model.skill",
  "model.summarise"
] as const;
