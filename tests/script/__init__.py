"""An app of another project, added by EXTRA_APPS: one programmable kind drives every outcome."""
