"""The field's data sets on the user's disk: what their readers share, and a room for each kind of annotation."""
