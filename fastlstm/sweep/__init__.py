"""The sweep: from a spec to committed parts and tables."""
