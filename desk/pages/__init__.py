"""The pages of the desk: templates, and the routes that fill them."""
