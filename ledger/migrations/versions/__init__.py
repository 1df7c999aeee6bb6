"""The revisions of the schema, one file each; their ``down_revision`` orders them."""
