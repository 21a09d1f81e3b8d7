"""What outlives the process: the port `Store` over SQL.

`forge_lsp.store.sql` opens one. Nothing is imported here, so that SQLAlchemy is loaded by those
who open a store and by nobody else.
"""
