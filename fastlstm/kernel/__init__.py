"""Everything that is compiled: lanes, the unit, both passes, draws and arrays. It knows no table, spec or path."""
