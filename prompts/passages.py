"""What a passage looks like where it is embedded.

A passage alone often does not say what it is about, its title and headings do. So they go in front of what the encoder
reads, and never into what is cited. `{context}` is the title and the headings above the passage, ended by a line break;
for a passage with nothing above it, it is empty and leaves no trace. `index.passages.context` makes it.
"""

PASSAGE = "{context}{text}"
