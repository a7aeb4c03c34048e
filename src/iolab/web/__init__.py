"""The lab in a browser: a live view of the servers, all runs, their reports, and a form that starts experiments.

`site` is the application; `live/` shows requests to real servers, `runs` and `follow` read results/, `jobs` runs the
lab's own commands, and `helper` is a process that imports numpy and draws, only while that is needed.
"""
