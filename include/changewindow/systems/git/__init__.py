"""Git repositories: access, clones, files, and what deploys from them."""
