"""A user's own package, as in the lines that users type (user_lines.md)."""
