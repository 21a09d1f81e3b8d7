---@meta

---@class forge.Options
---@field live boolean Whether the live text opens a window when a run begins to write.
---@field review boolean Whether pending changes are drawn into the buffers that they change.
---@field save_after_accept boolean Whether the files that an accept, undo or restore changed are written.

---@class forge.GivenOptions
---@field live? boolean
---@field review? boolean
---@field save_after_accept? boolean

---What a command is given: the members that the command's row in the README names.
---@alias forge.Argument table<string, any>

---A `:Forge` call.
---@class forge.Call
---@field words string[] What stands behind the subcommand, by words.
---@field text string The same as it was typed.
---@field buffer integer
---@field row integer Where the cursor was, 0-based.
---@field range? lsp.Range The lines that the call was given, whole.
---@field bang boolean

---@class forge.Subcommand
---@field help string
---@field run fun(call: forge.Call)
---@field is_alone? boolean Whether it needs no server.
---@field complete? fun(): string[]

---A notification `forge/event`.
---@class forge.Recorded
---@field runId string
---@field seq integer
---@field event table<string, any> Its `type` names the kind.

---What a lens says of a hunk.
---@class forge.Waiting
---@field changeSetId string
---@field path string

---A hunk as `forge.review.diff` answers it; lines are 0-based.
---@class forge.DiffHunk
---@field hunkId string
---@field beforeStart integer
---@field beforeCount integer
---@field afterStart integer
---@field afterCount integer
---@field firstLine integer Where it is in the document as it is now.
---@field lastLine integer

---@class forge.DiffFile
---@field path string
---@field uri string
---@field beforeUri? string None where the file isn't text.
---@field afterUri? string
---@field hunks forge.DiffHunk[]

---A hunk that is drawn in a buffer.
---@class forge.Hunk
---@field change_set_id string
---@field path string
---@field hunk_id string
---@field is_replacing boolean Whether lines go, and aren't only added to.
---@field marks integer[] Its extmarks, of which the first spans it.

---@class forge.PlacedHunk: forge.Hunk
---@field first integer 0-based, as are all rows here.
---@field last integer

---@class forge.Skill
---@field alias string
---@field title string
---@field description string
---@field kind "critique"|"augmenter"
