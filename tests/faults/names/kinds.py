"""No kinds: an app of EXTRA_APPS must have this module."""
