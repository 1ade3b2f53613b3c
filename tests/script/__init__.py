"""An app of a stranger's, added by EXTRA_APPS: one programmable kind drives every outcome."""
