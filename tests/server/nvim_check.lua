-- Opens a kernel with a race, waits for its diagnostic, applies the fix that is offered, waits until it is gone.
local command = vim.json and vim.json.decode(vim.env.XPILER_LSP) or vim.fn.json_decode(vim.env.XPILER_LSP)
local file = vim.env.XPILER_FILE

local function fail(message)
  io.stderr:write(message .. "\n")
  vim.cmd("cquit 1")
end

local function wait(what, condition)
  if not vim.wait(120000, condition, 50) then fail("it did not happen: " .. what) end
end

vim.cmd("edit " .. file)
local buffer = vim.api.nvim_get_current_buf()
local id = vim.lsp.start_client({ name = "xpiler", cmd = command, root_dir = vim.fn.fnamemodify(file, ":h") })
if not id then fail("the server did not start") end
vim.lsp.buf_attach_client(buffer, id)
wait("a diagnostic", function() return #vim.diagnostic.get(buffer) > 0 end)
local found = vim.diagnostic.get(buffer)[1]
io.stdout:write(found.code .. ": " .. found.message .. "\n")

local client = vim.lsp.get_client_by_id(id)
local place = { line = found.lnum, character = found.col }
local params = {
  textDocument = vim.lsp.util.make_text_document_params(buffer),
  range = { start = place, ["end"] = { line = found.end_lnum, character = found.end_col } },
  context = { diagnostics = { found.user_data.lsp and vim.tbl_extend("force", {
    range = { start = place, ["end"] = { line = found.end_lnum, character = found.end_col } },
    message = found.message }, found.user_data.lsp) }, only = { "quickfix" } },
}
local answer = client.request_sync("textDocument/codeAction", params, 60000, buffer)
local action = answer and answer.result and answer.result[1]
if not action then fail("no fix was offered: " .. vim.inspect(answer)) end
io.stdout:write(action.title .. "\n")
vim.lsp.util.apply_workspace_edit(action.edit, client.offset_encoding)
wait("the fix removes the diagnostic", function() return #vim.diagnostic.get(buffer) == 0 end)
vim.cmd("write")
client.stop()
wait("the server ends", function() return client.is_stopped() end)
vim.cmd("qall!")
