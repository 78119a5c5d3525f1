"""Who is told what: channels, messages, delivery, feeds."""
