"""Renders an analysis for the terminal, as Markdown and as HTML. Independent of servers and engines."""
