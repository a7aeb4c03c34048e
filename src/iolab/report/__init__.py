"""From an analysis to what people read: terminal, Markdown, HTML. Knows nothing of servers and engines."""
