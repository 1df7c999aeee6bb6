"""The chat for customers: conversations over JSON and server-sent events, and who may read and write in them."""
