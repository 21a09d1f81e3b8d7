"""From a request to a prompt, and from a model's reply to files.

Pure: text in, text and events out. What a model writes is hostile input, so everything here that
reads a reply takes any text at all, in time that grows with its length.
"""
