"""Ray: starting it, its devices, resources and waiting."""
