-- Keeps what the person saw, and asks nothing by itself.
vim.o.swapfile = false
vim.o.more = false

-- What the person saw.
_G.seen = { runs = {}, messages = {} }

vim.api.nvim_create_autocmd('LspProgress', {
  callback = function(event)
    local token, value = event.data.params.token, event.data.params.value
    local now_s = vim.uv.hrtime() / 1e9
    if value.kind == 'begin' then
      table.insert(seen.runs, { token = token, title = value.title, messages = {} })
    end
    for _, run in ipairs(seen.runs) do
      if run.token == token and value.kind == 'report' then
        table.insert(run.messages, value.message)
      elseif run.token == token and value.kind == 'end' then
        run.outcome, run.ended_s = value.message, now_s
      end
    end
  end,
})

local show = vim.lsp.handlers['window/showMessage']
vim.lsp.handlers['window/showMessage'] = function(err, params, context)
  table.insert(seen.messages, params.message)
  return show(err, params, context)
end
