"""Graph surgery: functions from GraphDef to GraphDef, and edits of graphs under construction."""
