"""Git submodules: `state` reads what is there, `plan` decides, `fetch` and `apply` act, `work` guards the user's."""
